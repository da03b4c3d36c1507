"""A small Python: statements and expressions of the kind that stand in a manifest's `python3 -c`, run as a generator so
that a program that sleeps costs nothing. It reads no file, opens no socket and calls no code of the lab's own Python
but on plain values.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Generator, Iterator, Mapping

from k8sdiag.minicluster.runtimes.machine.machine import Process
from k8sdiag.minicluster.runtimes.programs.python_names import builtin_names, kind_of, method_of
from k8sdiag.minicluster.runtimes.programs.python_values import (
    BIG,
    Blob,
    Broke,
    Continued,
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
_MOST_BITS = 4096
_BINARY: Mapping[type[ast.operator], Callable[[Value, Value], Value]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Div: operator.truediv, ast.FloorDiv: operator.floordiv,
    ast.BitAnd: operator.and_, ast.BitOr: operator.or_, ast.BitXor: operator.xor, ast.RShift: operator.rshift,
}  # fmt: skip
_COMPARE: Mapping[type[ast.cmpop], Callable[[Value, Value], Value]] = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt,
    ast.GtE: operator.ge, ast.Is: operator.is_, ast.IsNot: operator.is_not, ast.In: lambda one, two: one in two,
    ast.NotIn: lambda one, two: one not in two,
}  # fmt: skip
_SIGNS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Mod: "%", ast.FloorDiv: "//", ast.Pow: "**"}


class Interpreter:
    """One Python process."""

    def __init__(self, process: Process, load: Callable[[Interpreter, str], Module | None]) -> None:
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

    # -- statements --

    def run(self, body: list[ast.stmt], scope: Scope) -> Work:
        for node in body:
            pause = self.process.spend()
            if pause is not None:
                yield from self.sleep(pause)
            try:
                yield from self.statement(node, scope)
            except Raised as raised:
                if not raised.trace or raised.trace[-1][1] != scope.function:
                    raised.trace.append((node.lineno, scope.function))
                raise

    def statement(self, node: ast.stmt, scope: Scope) -> Work:
        method = getattr(self, f"do_{type(node).__name__}", None)
        if method is None:
            raise Unsupported(type(node).__name__)
        yield from method(node, scope)

    def do_Expr(self, node: ast.Expr, scope: Scope) -> Work:  # noqa: N802
        yield from self.value(node.value, scope)

    def do_Pass(self, node: ast.Pass, scope: Scope) -> Work:  # noqa: N802, ARG002
        return
        yield None

    def do_Assign(self, node: ast.Assign, scope: Scope) -> Work:  # noqa: N802
        value = yield from self.value(node.value, scope)
        for target in node.targets:
            yield from self.assign(target, value, scope)

    def do_AnnAssign(self, node: ast.AnnAssign, scope: Scope) -> Work:  # noqa: N802
        if node.value is not None:
            yield from self.assign(node.target, (yield from self.value(node.value, scope)), scope)

    def do_AugAssign(self, node: ast.AugAssign, scope: Scope) -> Work:  # noqa: N802
        load = ast.copy_location(_loading(node.target), node.target)
        old = yield from self.value(load, scope)
        new = yield from self.value(node.value, scope)
        if isinstance(node.op, ast.Add) and isinstance(old, list) and isinstance(new, list | tuple) and len(old) < BIG:
            old.extend(new)
            return
        yield from self.assign(node.target, self.binary(node.op, old, new), scope)

    def assign(self, target: ast.expr, value: Value, scope: Scope) -> Work:
        if isinstance(target, ast.Name):
            scope.put(target.id, value)
        elif isinstance(target, ast.Tuple | ast.List):
            values = list(self.iterate(value))
            if len(values) != len(target.elts):
                what = "too many values to unpack" if len(values) > len(target.elts) else "not enough values to unpack"
                raise error(ValueError, f"{what} (expected {len(target.elts)})")
            for one, part in zip(target.elts, values, strict=True):
                yield from self.assign(one, part, scope)
        elif isinstance(target, ast.Attribute):
            owner = yield from self.value(target.value, scope)
            if isinstance(owner, Instance | Klass):
                owner.attributes[target.attr] = value
        elif isinstance(target, ast.Subscript):
            owner = yield from self.value(target.value, scope)
            index = yield from self.value(target.slice, scope)
            if isinstance(owner, dict | list):
                self.plainly(operator.setitem, owner, index, value)
            elif not isinstance(owner, Opaque | Blob):
                raise error(TypeError, f"'{kind_of(owner)}' object does not support item assignment")
        else:
            raise Unsupported("target")

    def do_If(self, node: ast.If, scope: Scope) -> Work:  # noqa: N802
        test = yield from self.value(node.test, scope)
        yield from self.run(node.body if test else node.orelse, scope)

    def do_While(self, node: ast.While, scope: Scope) -> Work:  # noqa: N802
        while (yield from self.value(node.test, scope)):
            pause = self.process.spend()
            if pause is not None:
                yield from self.sleep(pause)
            try:
                yield from self.run(node.body, scope)
            except Broke:
                return
            except Continued:
                continue
        yield from self.run(node.orelse, scope)

    def do_For(self, node: ast.For, scope: Scope) -> Work:  # noqa: N802
        iterable = yield from self.value(node.iter, scope)
        for value in self.iterate(iterable):
            yield from self.assign(node.target, value, scope)
            try:
                yield from self.run(node.body, scope)
            except Broke:
                return
            except Continued:
                continue
        yield from self.run(node.orelse, scope)

    def do_Break(self, node: ast.Break, scope: Scope) -> Work:  # noqa: N802, ARG002
        raise Broke
        yield None

    def do_Continue(self, node: ast.Continue, scope: Scope) -> Work:  # noqa: N802, ARG002
        raise Continued
        yield None

    def do_Return(self, node: ast.Return, scope: Scope) -> Work:  # noqa: N802
        raise Returned(None if node.value is None else (yield from self.value(node.value, scope)))

    def do_Import(self, node: ast.Import, scope: Scope) -> Work:  # noqa: N802
        for alias in node.names:
            module = self.imported(alias.name)
            first = alias.name.partition(".")[0]
            scope.put(alias.asname or first, module if alias.asname else self.imported(first))
        return
        yield None

    def do_ImportFrom(self, node: ast.ImportFrom, scope: Scope) -> Work:  # noqa: N802
        module = self.imported(node.module or "")
        for alias in node.names:
            if alias.name == "*":
                for name, value in module.attributes.items():
                    scope.put(name, value)
                continue
            found = module.attributes.get(alias.name)
            if found is None:
                found = self.load(self, f"{node.module}.{alias.name}") or Opaque(f"{node.module}.{alias.name}")
            scope.put(alias.asname or alias.name, found)
        return
        yield None

    def imported(self, name: str) -> Module:
        if name not in self.modules:
            module = self.load(self, name)
            if module is None:
                first = name.partition(".")[0]
                missing = first if self.load(self, first) is None else name
                what = f"No module named '{missing}'"
                if missing != first:
                    what += f"; '{first}' is not a package"
                raise error(ModuleNotFoundError, what)
            self.modules[name] = module
        return self.modules[name]

    def do_FunctionDef(self, node: ast.FunctionDef, scope: Scope) -> Work:  # noqa: N802
        defaults = []
        for default in node.args.defaults:
            defaults.append((yield from self.value(default, scope)))
        scope.put(node.name, Function(node.name, node, scope, defaults))

    def do_ClassDef(self, node: ast.ClassDef, scope: Scope) -> Work:  # noqa: N802
        bases = []
        for base in node.bases:
            value = yield from self.value(base, scope)
            if isinstance(value, type) and issubclass(value, BaseException):
                scope.put(node.name, type(node.name, (value,), {"__module__": "__main__"}))
                return
            if isinstance(value, Klass):
                bases.append(value)
        inner = Scope({}, scope, function=node.name)
        yield from self.run(node.body, inner)
        scope.put(node.name, Klass(node.name, tuple(bases), inner.names))

    def do_Global(self, node: ast.Global | ast.Nonlocal, scope: Scope) -> Work:  # noqa: N802
        scope.shared.update(node.names)
        return
        yield None

    do_Nonlocal = do_Global

    def do_Delete(self, node: ast.Delete, scope: Scope) -> Work:  # noqa: N802
        for target in node.targets:
            if isinstance(target, ast.Name):
                scope.names.pop(target.id, None)
            elif isinstance(target, ast.Subscript):
                owner = yield from self.value(target.value, scope)
                index = yield from self.value(target.slice, scope)
                if isinstance(owner, dict | list):
                    self.plainly(operator.delitem, owner, index)

    def do_Assert(self, node: ast.Assert, scope: Scope) -> Work:  # noqa: N802
        if not (yield from self.value(node.test, scope)):
            said = [] if node.msg is None else [(yield from self.value(node.msg, scope))]
            raise error(AssertionError, *said)

    def do_Raise(self, node: ast.Raise, scope: Scope) -> Work:  # noqa: N802
        if node.exc is None:
            found, value = scope.find("$exception")
            raise Raised(value) if found else error(RuntimeError, "No active exception to reraise")
        value = yield from self.value(node.exc, scope)
        if isinstance(value, type) and issubclass(value, BaseException):
            value = value()
        if not isinstance(value, BaseException):
            raise error(TypeError, "exceptions must derive from BaseException")
        raise Raised(value)

    def do_Try(self, node: ast.Try, scope: Scope) -> Work:  # noqa: N802
        try:
            try:
                yield from self.run(node.body, scope)
            except Raised as raised:
                handler = yield from self.handler(node, raised.value, scope)
                if handler is None:
                    raise
                if handler.name:
                    scope.put(handler.name, raised.value)
                scope.names["$exception"] = raised.value
                yield from self.run(handler.body, scope)
            else:
                yield from self.run(node.orelse, scope)
        finally:
            if not self.machine.killed:
                yield from self.run(node.finalbody, scope)

    def handler(
        self, node: ast.Try, value: BaseException, scope: Scope
    ) -> Generator[float | None, None, ast.ExceptHandler | None]:
        for handler in node.handlers:
            if handler.type is None:
                return handler
            kinds = yield from self.value(handler.type, scope)
            for kind in kinds if isinstance(kinds, tuple) else (kinds,):
                name = kind.name.rpartition(".")[2] if isinstance(kind, Opaque) else ""
                if isinstance(kind, type) and isinstance(value, kind):
                    return handler
                if name and name in {one.__name__ for one in type(value).__mro__}:
                    return handler
        return None

    def do_With(self, node: ast.With, scope: Scope) -> Work:  # noqa: N802
        for item in node.items:
            value = yield from self.value(item.context_expr, scope)
            if item.optional_vars is not None:
                yield from self.assign(item.optional_vars, value, scope)
        yield from self.run(node.body, scope)

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
        signs: Callable[[Value], Value] = {ast.USub: operator.neg, ast.UAdd: operator.pos}.get(
            type(node.op), operator.invert
        )
        return self.plainly(signs, value)

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

    def see_Subscript(self, node: ast.Subscript, scope: Scope) -> Work:  # noqa: N802
        owner = yield from self.value(node.value, scope)
        index = yield from self.value(node.slice, scope)
        if isinstance(owner, Opaque):
            return Opaque("value")
        if isinstance(owner, Blob):
            return 0
        if not isinstance(owner, dict | list | tuple | str | bytes | range):
            raise error(TypeError, f"'{kind_of(owner)}' object is not subscriptable")
        return self.plainly(operator.getitem, owner, index)

    def see_Slice(self, node: ast.Slice, scope: Scope) -> Work:  # noqa: N802
        parts = []
        for part in (node.lower, node.upper, node.step):
            parts.append(None if part is None else (yield from self.value(part, scope)))
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

    see_GeneratorExp = see_ListComp
    see_SetComp = see_ListComp

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
        if isinstance(value, str | tuple | dict | set | range | bytes | frozenset):
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


def _loading(target: ast.expr) -> ast.expr:
    """The same name or place, to be read."""
    if isinstance(target, ast.Name):
        return ast.Name(target.id, ast.Load())
    if isinstance(target, ast.Attribute):
        return ast.Attribute(target.value, target.attr, ast.Load())
    if isinstance(target, ast.Subscript):
        return ast.Subscript(target.value, target.slice, ast.Load())
    raise Unsupported("target")
