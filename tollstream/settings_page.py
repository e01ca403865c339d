"""docs/settings.md, written from the settings themselves: `make settings`."""

from __future__ import annotations

import sys
from typing import get_args

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from tollstream.settings import CONFIG_VARIABLE, DEFAULT_FILE, PREFIX, Settings

HEAD = f"""# Settings

One list for every process. A value comes from the command line, else from the environment variable, else from the
file, else from here. The file is `{DEFAULT_FILE}` in the current folder, or the one that `{CONFIG_VARIABLE}` (or
`tollstream --config FILE`) names; its keys are the names below:

```toml
kafka_bootstrap_servers = "127.0.0.1:29092"
prices = "books/prices"
```

A wrong value, or a key in the file that is no setting, stops the command with one sentence. A `{PREFIX}*` variable
that is no setting is only reported by `tollstream doctor`. `TOLLSTREAM_DEBUG=1` shows tracebacks;
`TOLLSTREAM_KAFKA_JARS` names a folder of Kafka's jars for the embedded broker, where none can be fetched.

| setting | variable | default | valid | meaning |
|---|---|---|---|---|
"""


def page() -> str:
    """The whole page as Markdown."""
    return HEAD + "".join(_row(name, field) for name, field in Settings.model_fields.items())


def _row(name: str, field: FieldInfo) -> str:
    default = field.default
    if isinstance(default, SecretStr):
        shown = "empty"
    else:
        shown = "none" if default is None else f"`{default}`"
    return f"| `{name}` | `{PREFIX}{name.upper()}` | {shown} | {_valid(field)} | {field.description} |\n"


def _valid(field: FieldInfo) -> str:
    low = next((limit.ge for limit in field.metadata if hasattr(limit, "ge")), None)
    above = next((limit.gt for limit in field.metadata if hasattr(limit, "gt")), None)
    high = next((limit.le for limit in field.metadata if hasattr(limit, "le")), None)
    if high is not None:
        return f"{low} to {high}" if low is not None else f"over {above}, to {high}"
    pattern = next((limit.pattern for limit in field.metadata if getattr(limit, "pattern", None)), None)
    if pattern is not None:
        return "`" + str(pattern).replace("|", "\\|") + "`"
    kinds = get_args(field.annotation) or (field.annotation,)
    names = [str(kind.__name__) for kind in kinds if kind is not type(None)]
    words: dict[str, str] = {"str": "text", "SecretStr": "secret text", "Path": "path"}
    return words.get(names[0], names[0])


if __name__ == "__main__":
    sys.stdout.write(page())
