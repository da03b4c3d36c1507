"""Python's own parser for texts that others wrote: what it would warn of is nobody's business here."""

from __future__ import annotations

import ast
import warnings


def parsed(source: str) -> ast.Module:
    """A program's tree; SyntaxError as Python says it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(source)


def expression(source: str) -> ast.expr:
    """An expression's tree."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(source, mode="eval").body
