"""Plain values of a small Python: operators on them with bounds, and how they are written."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, ItemsView, Iterator, KeysView, Mapping, ValuesView

from k8sdiag.minicluster.runtimes.machine.machine import Machine
from k8sdiag.minicluster.runtimes.programs.python_names import kind_of
from k8sdiag.minicluster.runtimes.programs.python_values import BIG, Blob, Opaque, Raised, Unsupported, Value, error

_MOST_BITS = 4096
_BINARY: Mapping[type[ast.operator], Callable[[Value, Value], Value]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Div: operator.truediv, ast.FloorDiv: operator.floordiv,
    ast.BitAnd: operator.and_, ast.BitOr: operator.or_, ast.BitXor: operator.xor, ast.RShift: operator.rshift,
}  # fmt: skip
_SIGNS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Mod: "%", ast.FloorDiv: "//", ast.Pow: "**"}


class Plain:
    """Works on plain values for a process."""

    machine: Machine

    def binary(self, sign: ast.operator, one: Value, two: Value) -> Value:
        if isinstance(one, Opaque) or isinstance(two, Opaque):
            return Opaque("value")
        if isinstance(one, Blob) or isinstance(two, Blob):
            return self.grown(sign, one, two)
        if isinstance(sign, ast.Mult):
            return self.multiplied(one, two)
        if isinstance(sign, ast.Pow | ast.LShift):
            bits = abs(two) if isinstance(two, int) else 1
            if isinstance(one, int) and isinstance(two, int) and max(1, one.bit_length()) * bits > _MOST_BITS * 8:
                return Blob(self.machine, bits // 8)
            return self.plainly(operator.pow if isinstance(sign, ast.Pow) else operator.lshift, one, two)
        if isinstance(sign, ast.Mod):
            if isinstance(one, str) and (sum(char.isdigit() for char in one) > 200 or "*" in one or len(one) > BIG):
                return one
            return self.plainly(_modulo, one, two)
        if isinstance(sign, ast.Add) and _length(one) + _length(two) > BIG:
            return Blob(self.machine, _bytes(one) + _bytes(two))
        found = _BINARY.get(type(sign))
        if found is None:
            raise Unsupported(type(sign).__name__)
        try:
            return self.plainly(found, one, two)
        except Raised as raised:
            if isinstance(raised.value, TypeError) and not isinstance(one, str):
                text = f"unsupported operand type(s) for {_SIGNS.get(type(sign), '?')}: '{kind_of(one)}' and '{kind_of(two)}'"
                raise error(TypeError, text) from None
            raise

    def multiplied(self, one: Value, two: Value) -> Value:
        size, count = (one, two) if isinstance(two, int) else (two, one)
        if isinstance(size, str | bytes | list | tuple) and isinstance(count, int) and len(size) * count > BIG:
            return Blob(self.machine, (8 if isinstance(size, list | tuple) else 1) * len(size) * count)
        if isinstance(one, int) and isinstance(two, int) and one.bit_length() + two.bit_length() > _MOST_BITS * 8:
            return Blob(self.machine, 1)
        return self.plainly(operator.mul, one, two)

    def grown(self, sign: ast.operator, one: Value, two: Value) -> Value:
        if isinstance(sign, ast.Mult):
            count = two if isinstance(two, int) else one if isinstance(one, int) else 1
            return Blob(self.machine, min(max(_bytes(one), _bytes(two)) * max(0, count), 2**50))
        return Blob(self.machine, _bytes(one) + _bytes(two))

    # -- plain values --

    def plainly(self, call: Callable[..., Value], *arguments: Value) -> Value:
        """An operation of the real Python on plain values, with its own exception where it has one."""
        try:
            return call(*arguments)
        except (TypeError, ValueError, ArithmeticError, LookupError, AttributeError, AssertionError) as fault:
            raise Raised(fault) from None
        except OSError as fault:
            raise Raised(fault) from None

    def iterate(self, value: Value) -> Iterator[Value]:
        if isinstance(value, list):
            return iter(value)
        if isinstance(value, dict | set | frozenset | KeysView | ValuesView | ItemsView):
            return iter(list(value))  # what happens to it meanwhile is nothing that Python would allow
        if isinstance(value, str | tuple | range | bytes):
            return iter(value)
        if isinstance(value, Iterator):
            return value
        if isinstance(value, Blob | Opaque):
            return iter(())
        raise error(TypeError, f"'{kind_of(value)}' object is not iterable")

    def text(self, value: Value) -> str:
        """`str(value)`."""
        if isinstance(value, str):
            return value
        if isinstance(value, int) and value.bit_length() > _MOST_BITS:
            return "0"
        if isinstance(value, BaseException | int | float) or value is None:
            return str(value)
        return self.repr(value)

    def repr(self, value: Value, depth: int = 0) -> str:
        if depth > 5:
            return "..."
        if isinstance(value, dict):
            return (
                "{"
                + ", ".join(
                    f"{self.repr(k, depth + 1)}: {self.repr(v, depth + 1)}" for k, v in list(value.items())[:999]
                )
                + "}"
            )
        if isinstance(value, list | tuple | set):
            inside = ", ".join(self.repr(one, depth + 1) for one in list(value)[:999])
            if isinstance(value, tuple):
                return f"({inside}{',' if len(value) == 1 else ''})"
            return f"[{inside}]" if isinstance(value, list) else "{" + inside + "}"
        if isinstance(value, str | bytes | float | bool | BaseException | range) or value is None:
            return repr(value)
        if isinstance(value, int):
            return str(value) if value.bit_length() < _MOST_BITS else "0"
        return f"<{kind_of(value)} object at 0x7f0000000000>"


def _modulo(one: Value, two: Value) -> Value:
    if isinstance(one, str):
        parts = two if isinstance(two, tuple) else (two,)
        return one % tuple(part if isinstance(part, str | int | float) else str(part) for part in parts)
    return one % two


def _length(value: Value) -> int:
    return len(value) if isinstance(value, str | bytes | list | tuple) else 0


def _bytes(value: Value) -> int:
    if isinstance(value, Blob):
        return value.size
    return _length(value) * (8 if isinstance(value, list | tuple) else 1)
