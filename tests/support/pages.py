"""Worked examples on documentation pages: fenced blocks, tables, and steps of arithmetic that are worked out again.

`value` knows x, /, +, -, max and min on decimals; a product or a quotient is rounded once, half to even, 12 places.
"""

from __future__ import annotations

import ast
import re
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
PLACES = Decimal(1).scaleb(-12)


def block(page: str, language: str) -> str:
    """The first fenced block in this language."""
    found = re.search(rf"^```{language}\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    assert found, f"the page has no {language} block"
    return found[1]


def section(page: str, heading: str) -> str:
    """What stands under a heading of the second level."""
    found = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", page, re.DOTALL | re.MULTILINE)
    assert found, f"the page has no section {heading!r}"
    return found[1]


def table(text: str) -> list[dict[str, str]]:
    """The first table of a text, without code marks."""
    lines = text.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("|"))
    rows = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip().strip("`") for cell in line.strip("|").split("|")])
    head, _, *body = rows
    return [dict(zip(head, cells, strict=True)) for cells in body]


def value(expression: str) -> Decimal:
    """What a step comes to."""
    with localcontext(prec=60):
        marked = re.sub(r"\d+(?:\.\d+)?", r"D('\g<0>')", expression.replace(" x ", " * ").strip())
        return _value(ast.parse(marked, mode="eval").body)


def _value(node: ast.expr) -> Decimal:
    match node:
        case ast.Call(func=ast.Name(id="D"), args=[ast.Constant(value=str(text))]):
            return Decimal(text)  # marked as text before: Python would have read 0.1 as a float
        case ast.Call(func=ast.Name(id=("max" | "min") as name), args=arguments):
            return (max if name == "max" else min)(_value(argument) for argument in arguments)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand)
        case ast.BinOp(left=left, op=operator, right=right):
            one, other = _value(left), _value(right)
            match operator:
                case ast.Add():
                    return one + other
                case ast.Sub():
                    return one - other
                case ast.Mult():
                    return (one * other).quantize(PLACES, ROUND_HALF_EVEN)
                case ast.Div():
                    return (one / other).quantize(PLACES, ROUND_HALF_EVEN)
    raise AssertionError(f"{ast.dump(node)} is no step of arithmetic")
