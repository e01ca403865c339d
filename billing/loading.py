"""Book files: TOML or YAML, one dated version a file; a path is a file or a folder of them."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from billing.documents import BookError
from billing.errors import BillingError

SUFFIXES = (".toml", ".yaml", ".yml")
M = TypeVar("M", bound=BaseModel)


def load_versions(path: Path, model: type[M]) -> list[M]:
    """Every version at `path`, validated; BookError names the file and the entry."""
    path = Path(path)
    if path.is_dir():
        files = sorted(each for each in path.iterdir() if each.suffix in SUFFIXES)
        if not files:
            raise BookError(f"{path}: the folder holds no {', '.join(SUFFIXES)} file")
    elif path.is_file():
        files = [path]
    else:
        raise BookError(f"{path}: no such file or folder")
    return [_load(file, model) for file in files]


def _load(file: Path, model: type[M]) -> M:
    try:
        content = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BookError(f"{file}: cannot be read: {error}") from None
    return parse_version(content, file.suffix, str(file), model)


def parse_version(content: str, suffix: str, name: str, model: type[M]) -> M:
    """One version from its text, which is TOML or YAML by `suffix`; BookError calls it `name` and names the entry."""
    parse: Callable[[str], Any] = tomllib.loads if suffix == ".toml" else yaml.safe_load
    try:
        document = parse(content)
    except (tomllib.TOMLDecodeError, yaml.YAMLError, RecursionError) as error:
        raise BookError(f"{name}: no valid {suffix[1:].upper()}: {error}") from None
    if not isinstance(document, dict):
        raise BookError(f"{name}: has to be a table with version, effective_from and entries")
    try:
        digest = hashlib.sha256(content.encode()).hexdigest()
        return model.model_validate({**document, "content": content, "digest": digest})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part + 1) if isinstance(part, int) else part for part in first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        raise BookError(f"{name}: {where + ': ' if where else ''}{message}") from None
    except BillingError as error:
        raise BookError(f"{name}: {error}") from None
