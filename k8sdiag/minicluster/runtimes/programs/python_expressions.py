"""The expressions of a small Python, run as generators so that a program that sleeps costs nothing. It reads no file,
opens no socket and calls no code of the lab's own Python but on plain values.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Generator, Mapping
from typing import Any

from k8sdiag.minicluster.runtimes.machine.machine import Process
from k8sdiag.minicluster.runtimes.programs.python_names import builtin_names, kind_of, method_of
from k8sdiag.minicluster.runtimes.programs.python_plain import Plain
from k8sdiag.minicluster.runtimes.programs.python_values import (
    Blob,
    Environ,
    Function,
    Instance,
    Klass,
    Method,
    Module,
    Native,
    Opaque,
    Raised,
    Returned,
    Scope,
    Unsupported,
    Value,
    Work,
    error,
)

_MAX_DEPTH = 30
_COMPARE: Mapping[type[ast.cmpop], Callable[[Value, Value], Value]] = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt,
    ast.GtE: operator.ge, ast.Is: operator.is_, ast.IsNot: operator.is_not, ast.In: lambda one, two: one in two,
    ast.NotIn: lambda one, two: one not in two,
}  # fmt: skip


class Expressions(Plain):
    """The half of a Python process that works out values."""

    def __init__(self, process: Process, load: Callable[[Any, str], Module | None]) -> None:
        self.process = process
        self.machine = process.machine
        self.load = load
        self.modules: dict[str, Module] = {}
        self.buffer: list[str] = []
        self.unbuffered = bool(process.env.get("PYTHONUNBUFFERED")) or process.tty
        self.pending: list[tuple[Value, list[Value]]] = []  # signal handlers to be run
        self.handlers: dict[str, Value] = {}
        self.threads: list[Value] = []
        self.depth = 0
        self.top = Scope(builtin_names(self))
        self.globals = Scope({"__name__": "__main__", "__file__": "<string>"}, self.top)

    # -- output and time --

    def write(self, text: str, flush: bool = False) -> None:
        self.buffer.append(text)
        if flush or self.unbuffered or sum(map(len, self.buffer)) > 8192:
            self.flush()

    def flush(self) -> None:
        text, self.buffer = "".join(self.buffer), []
        if text:
            self.process.out(text)

    def sleep(self, seconds: float | None) -> Work:
        """Wait, and run what signals ask for in between."""
        end = None if seconds is None else self.machine.world.timers.now + seconds
        while True:
            left = None if end is None else end - self.machine.world.timers.now
            if left is not None and left <= 0:
                return None
            yield left
            while self.pending:
                handler, arguments = self.pending.pop(0)
                yield from self.call(handler, arguments, {})

    def signalled(self, name: str) -> None:
        handler = self.handlers.get(name)
        if handler is None:
            if name == "INT":
                self.machine.end(130)
            elif self.machine.spec.share_processes:
                self.machine.end(143)
            return
        self.pending.append((handler, [15 if name == "TERM" else 2, None]))
        if self.process.thread is not None:
            self.process.thread.wake()

    # -- expressions --

    def value(self, node: ast.expr, scope: Scope) -> Work:
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.Name):
            found, value = scope.find(node.id)
            if not found:
                raise error(NameError, f"name '{node.id}' is not defined")
            return value
        method = getattr(self, f"see_{type(node).__name__}", None)
        if method is None:
            raise Unsupported(type(node).__name__)
        self.depth += 1
        if self.depth > _MAX_DEPTH * 4:
            self.depth = 0
            raise error(RecursionError, "maximum recursion depth exceeded")
        try:
            return (yield from method(node, scope))
        finally:
            self.depth -= 1

    def values(self, nodes: list[ast.expr], scope: Scope) -> Work:
        found: list[Value] = []
        for node in nodes:
            if isinstance(node, ast.Starred):
                found += self.iterate((yield from self.value(node.value, scope)))
            else:
                found.append((yield from self.value(node, scope)))
        return found

    def see_List(self, node: ast.List, scope: Scope) -> Work:  # noqa: N802
        return (yield from self.values(node.elts, scope))

    def see_Tuple(self, node: ast.Tuple, scope: Scope) -> Work:  # noqa: N802
        return tuple((yield from self.values(node.elts, scope)))

    def see_Set(self, node: ast.Set, scope: Scope) -> Work:  # noqa: N802
        return self.plainly(set, (yield from self.values(node.elts, scope)))

    def see_Dict(self, node: ast.Dict, scope: Scope) -> Work:  # noqa: N802
        found: dict[Value, Value] = {}
        for key, value in zip(node.keys, node.values, strict=True):
            made = yield from self.value(value, scope)
            if key is None:
                found.update(made if isinstance(made, dict) else {})
            else:
                self.plainly(operator.setitem, found, (yield from self.value(key, scope)), made)
        return found

    def see_UnaryOp(self, node: ast.UnaryOp, scope: Scope) -> Work:  # noqa: N802
        value = yield from self.value(node.operand, scope)
        if isinstance(node.op, ast.Not):
            return not value
        known: dict[type[ast.unaryop], Callable[[Value], Value]] = {ast.USub: operator.neg, ast.UAdd: operator.pos}
        return self.plainly(known.get(type(node.op), operator.invert), value)

    def see_BoolOp(self, node: ast.BoolOp, scope: Scope) -> Work:  # noqa: N802
        value: Value = None
        for one in node.values:
            value = yield from self.value(one, scope)
            if bool(value) != isinstance(node.op, ast.And):
                return value
        return value

    def see_Compare(self, node: ast.Compare, scope: Scope) -> Work:  # noqa: N802
        left = yield from self.value(node.left, scope)
        for sign, other in zip(node.ops, node.comparators, strict=True):
            right = yield from self.value(other, scope)
            if not self.plainly(_COMPARE[type(sign)], left, right):
                return False
            left = right
        return True

    def see_IfExp(self, node: ast.IfExp, scope: Scope) -> Work:  # noqa: N802
        test = yield from self.value(node.test, scope)
        return (yield from self.value(node.body if test else node.orelse, scope))

    def see_NamedExpr(self, node: ast.NamedExpr, scope: Scope) -> Work:  # noqa: N802
        value = yield from self.value(node.value, scope)
        scope.put(node.target.id, value)
        return value

    def see_Lambda(self, node: ast.Lambda, scope: Scope) -> Work:  # noqa: N802
        return Function("<lambda>", node, scope, (yield from self.values(node.args.defaults, scope)))

    def see_BinOp(self, node: ast.BinOp, scope: Scope) -> Work:  # noqa: N802
        one = yield from self.value(node.left, scope)
        two = yield from self.value(node.right, scope)
        return self.binary(node.op, one, two)

    def see_Subscript(self, node: ast.Subscript, scope: Scope) -> Work:  # noqa: N802
        owner = yield from self.value(node.value, scope)
        index = yield from self.value(node.slice, scope)
        if isinstance(owner, Opaque):
            return Opaque("value")
        if isinstance(owner, Blob):
            return 0
        if not isinstance(owner, dict | list | tuple | str | bytes | range):
            raise error(TypeError, f"'{kind_of(owner)}' object is not subscriptable")
        try:
            return self.plainly(operator.getitem, owner, index)
        except Raised as raised:
            if isinstance(owner, Environ):
                raised.inside = '  File "<frozen os>", line 679, in __getitem__\n'
            raise

    def see_Await(self, node: ast.Await, scope: Scope) -> Work:  # noqa: N802
        return (yield from self.value(node.value, scope))

    def see_Slice(self, node: ast.Slice, scope: Scope) -> Work:  # noqa: N802
        parts = []
        for part in (node.lower, node.upper, node.step):
            parts.append(None if part is None else (yield from self.value(part, scope)))  # noqa: PERF401 (it waits)
        return self.plainly(slice, *parts)

    def see_Attribute(self, node: ast.Attribute, scope: Scope) -> Work:  # noqa: N802
        owner = yield from self.value(node.value, scope)
        return self.attribute(owner, node.attr)

    def attribute(self, owner: Value, name: str) -> Value:
        if isinstance(owner, Module):
            if name in owner.attributes:
                return owner.attributes[name]
            return self.load(self, f"{owner.name}.{name}") or Opaque(f"{owner.name}.{name}")
        if isinstance(owner, Instance):
            if name in owner.attributes:
                return owner.attributes[name]
            found = owner.klass.find(name)
            if found is None:
                raise error(AttributeError, f"'{owner.klass.name}' object has no attribute '{name}'")
            return Method(owner, found) if isinstance(found, Function | Native) else found
        if isinstance(owner, Klass):
            found = owner.find(name)
            if found is None:
                raise error(AttributeError, f"type object '{owner.name}' has no attribute '{name}'")
            return found
        if isinstance(owner, Opaque):
            return Opaque(f"{owner.name}.{name}")
        return method_of(self, owner, name)

    def see_JoinedStr(self, node: ast.JoinedStr, scope: Scope) -> Work:  # noqa: N802
        parts = []
        for part in node.values:
            value = yield from self.value(part, scope)
            parts.append(value if isinstance(value, str) else self.text(value))
        return "".join(parts)

    def see_FormattedValue(self, node: ast.FormattedValue, scope: Scope) -> Work:  # noqa: N802
        value = yield from self.value(node.value, scope)
        form = "" if node.format_spec is None else (yield from self.value(node.format_spec, scope))
        if node.conversion == ord("r"):
            value = self.repr(value)
        if not isinstance(value, str | int | float) or sum(map(str.isdigit, str(form))) > 4:
            return self.text(value)
        return self.plainly(format, value, form)

    def see_ListComp(self, node: ast.ListComp | ast.GeneratorExp | ast.SetComp, scope: Scope) -> Work:  # noqa: N802
        inner = Scope({}, scope, function=scope.function)
        found: list[Value] = []
        yield from self.comprehend(node.generators, 0, inner, node.elt, found)
        return self.plainly(set, found) if isinstance(node, ast.SetComp) else found

    see_GeneratorExp = see_ListComp  # noqa: N815 (called by the name of the node)
    see_SetComp = see_ListComp  # noqa: N815

    def see_DictComp(self, node: ast.DictComp, scope: Scope) -> Work:  # noqa: N802
        inner = Scope({}, scope, function=scope.function)
        found: list[Value] = []
        pair = ast.copy_location(ast.Tuple([node.key, node.value], ast.Load()), node)
        yield from self.comprehend(node.generators, 0, inner, pair, found)
        return self.plainly(dict, found)

    def comprehend(
        self, parts: list[ast.comprehension], at: int, scope: Scope, element: ast.expr, found: list[Value]
    ) -> Work:
        if at == len(parts):
            found.append((yield from self.value(element, scope)))
            return
        for value in self.iterate((yield from self.value(parts[at].iter, scope))):
            pause = self.process.spend()
            if pause is not None:
                yield from self.sleep(pause)
            yield from self.assign(parts[at].target, value, scope)
            for test in parts[at].ifs:
                if not (yield from self.value(test, scope)):
                    break
            else:
                yield from self.comprehend(parts, at + 1, scope, element, found)

    def see_Call(self, node: ast.Call, scope: Scope) -> Work:  # noqa: N802
        called = yield from self.value(node.func, scope)
        arguments = yield from self.values(node.args, scope)
        named = {}
        for keyword in node.keywords:
            value = yield from self.value(keyword.value, scope)
            if keyword.arg is None:
                named.update(value if isinstance(value, dict) else {})
            else:
                named[keyword.arg] = value
        return (yield from self.call(called, arguments, named))

    # -- calls --

    def call(self, called: Value, arguments: list[Value], named: dict[str, Value]) -> Work:
        if isinstance(called, Method):
            return (yield from self.call(called.function, [called.owner, *arguments], named))
        if isinstance(called, Native):
            result = called.call(arguments, named)
            if isinstance(result, Generator):
                return (yield from result)
            return result
        if isinstance(called, Function):
            return (yield from self.enter(called, arguments, named))
        if isinstance(called, Klass):
            made = Instance(called)
            start = called.find("__init__")
            if start is not None:
                yield from self.call(start, [made, *arguments], named)
            return made
        if isinstance(called, type) and issubclass(called, BaseException):
            return self.plainly(called, *arguments)
        if isinstance(called, Opaque):
            return Opaque(f"{called.name}()")
        raise error(TypeError, f"'{kind_of(called)}' object is not callable")

    def enter(self, function: Function, arguments: list[Value], named: dict[str, Value]) -> Work:
        given = function.node.args
        names = [one.arg for one in (*given.posonlyargs, *given.args)]
        scope = Scope({}, function.scope, function=function.name)
        for name, default in zip(reversed(names), reversed(function.defaults), strict=False):
            scope.names[name] = default
        scope.names.update(zip(names, arguments, strict=False))
        if given.vararg is not None:
            scope.names[given.vararg.arg] = tuple(arguments[len(names) :])
        elif len(arguments) > len(names):
            text = f"{function.name}() takes {len(names)} positional arguments but {len(arguments)} were given"
            raise error(TypeError, text)
        extra = {name: value for name, value in named.items() if name not in names}
        scope.names.update({name: value for name, value in named.items() if name in names})
        for one, default_node in zip(given.kwonlyargs, given.kw_defaults, strict=True):
            if default_node is not None:
                scope.names[one.arg] = yield from self.value(default_node, function.scope)
            if one.arg in extra:
                scope.names[one.arg] = extra.pop(one.arg)
        if given.kwarg is not None:
            scope.names[given.kwarg.arg] = extra
        missing = [name for name in names if name not in scope.names]
        if missing:
            text = f"{function.name}() missing {len(missing)} required positional argument{'s' * (len(missing) > 1)}: '{missing[0]}'"
            raise error(TypeError, text)
        saved, self.depth = self.depth, self.depth + 8
        try:
            if self.depth > _MAX_DEPTH * 4:
                raise error(RecursionError, "maximum recursion depth exceeded")
            if isinstance(function.node, ast.Lambda):
                return (yield from self.value(function.node.body, scope))
            yield from self.run(function.node.body, scope)
        except Returned as returned:
            return returned.value
        finally:
            self.depth = saved
        return None

    def assign(self, target: ast.expr, value: Value, scope: Scope) -> Work:  # noqa: ARG002
        """For the half that knows statements."""
        raise Unsupported("assignment")
        yield None

    def run(self, body: list[ast.stmt], scope: Scope) -> Work:  # noqa: ARG002
        """Statements: for the half that knows them."""
        raise Unsupported("statements")
        yield None
