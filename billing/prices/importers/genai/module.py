"""The data of the genai-prices package: a Python module that builds its list out of literals; read, never run.

The module's text is parsed, and its one assignment `providers = [Provider(...), ...]` becomes the same document as the
project's `data.json`: a class with fields becomes an object, a clause or a constraint that names one field that field.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from decimal import Decimal

from billing.documents import BookError

NAMES = {"or_": "or", "and_": "and"}  # fields that Python keeps for itself


def document_of_module(text: str, name: str = "genai-prices") -> list[object]:
    """The list of providers; BookError where the text is not such a module."""
    try:
        body = ast.parse(text).body
    except SyntaxError as error:
        raise BookError(f"{name}: its data is no Python module (line {error.lineno})") from None
    for statement in body:
        target = statement.target if isinstance(statement, ast.AnnAssign) else None
        if isinstance(target, ast.Name) and target.id == "providers" and isinstance(statement, ast.AnnAssign):
            listed = statement.value
            if isinstance(listed, ast.List):
                return [_value(each, name) for each in listed.elts]
    raise BookError(f"{name}: its data module has no list of providers; a newer package may need a newer tollstream")


def _value(node: ast.expr, name: str) -> object:
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.List | ast.Tuple):
        return [_value(each, name) for each in node.elts]
    if isinstance(node, ast.Dict):
        return {
            _value(key, name): _value(value, name) for key, value in zip(node.keys, node.values, strict=True) if key
        }
    if isinstance(node, ast.Call):
        return _call(node, name)
    raise BookError(
        f"{name}: line {node.lineno} of its data is no literal; a newer package may need a newer tollstream"
    )


def _call(node: ast.Call, name: str) -> object:
    function = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    if function == "Decimal":
        return Decimal(str(_value(node.args[0], name)))
    if function == "date":
        year, month, day = (_value(each, name) for each in node.args)
        return f"{year:04}-{month:02}-{day:02}"
    if function == "time":
        hour, minute = ([_value(each, name) for each in node.args] + [0, 0])[:2]
        zone = next((ast.unparse(keyword.value) for keyword in node.keywords if keyword.arg == "tzinfo"), "UTC")
        if not zone.endswith(("UTC", "utc")):
            raise BookError(f"{name}: line {node.lineno} of its data is a time in {zone}, not in UTC")
        return f"{hour:02}:{minute:02}:00Z"
    fields = {NAMES.get(keyword.arg, keyword.arg): keyword.value for keyword in node.keywords if keyword.arg}
    return {field: value for field, each in fields.items() if (value := _value(each, name)) is not None}


def models_of(document: object) -> list[tuple[Mapping[str, object], Mapping[str, object]]]:
    """(provider, model) of every model of a document; BookError where it is not such a document."""
    providers = document.get("providers") if isinstance(document, Mapping) else document
    found: list[tuple[Mapping[str, object], Mapping[str, object]]] = []
    if not isinstance(providers, list) or not all(isinstance(each, Mapping) and "models" in each for each in providers):
        raise BookError("genai-prices: the document is no list of providers with models")
    for provider in providers:
        models = provider["models"]
        if not isinstance(models, list) or not all(isinstance(each, Mapping) and "id" in each for each in models):
            raise BookError(f"genai-prices: the models of {provider.get('id')!r} are no list of models with ids")
        found += [(provider, model) for model in models]
    return found
