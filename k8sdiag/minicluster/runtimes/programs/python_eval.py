"""The statements of a small Python, of the kind that stand in a manifest's `python3 -c`."""

from __future__ import annotations

import ast
import operator
from collections.abc import Generator

from k8sdiag.minicluster.runtimes.programs.python_expressions import Expressions
from k8sdiag.minicluster.runtimes.programs.python_names import kind_of
from k8sdiag.minicluster.runtimes.programs.python_values import (
    BIG,
    Blob,
    Broke,
    Continued,
    Function,
    Instance,
    Klass,
    Module,
    Opaque,
    Raised,
    Returned,
    Scope,
    Unsupported,
    Value,
    Work,
    error,
)


class Interpreter(Expressions):
    """One Python process."""

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
            defaults.append((yield from self.value(default, scope)))  # noqa: PERF401 (it waits)
        scope.put(node.name, Function(node.name, node, scope, defaults))

    do_AsyncFunctionDef = do_FunctionDef  # noqa: N815 (what is called runs at once, and is awaited when it is over)

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

    do_Nonlocal = do_Global  # noqa: N815 (called by the name of the node)

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


def _loading(target: ast.expr) -> ast.expr:
    """The same name or place, to be read."""
    if isinstance(target, ast.Name):
        return ast.Name(target.id, ast.Load())
    if isinstance(target, ast.Attribute):
        return ast.Attribute(target.value, target.attr, ast.Load())
    if isinstance(target, ast.Subscript):
        return ast.Subscript(target.value, target.slice, ast.Load())
    raise Unsupported("target")
