"""The shell: it runs a script's tree, as a container's first process, in an exec, or within another shell."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from fnmatch import fnmatchcase

from k8sdiag.minicluster.runtimes.machine.files import DENIED, FileFault
from k8sdiag.minicluster.runtimes.machine.machine import Process
from k8sdiag.minicluster.runtimes.machine.streams import Pipe, Writer
from k8sdiag.minicluster.runtimes.machine.threads import Steps, Thread
from k8sdiag.minicluster.runtimes.programs import builtins
from k8sdiag.minicluster.runtimes.programs.expansion import fields, text_of
from k8sdiag.minicluster.runtimes.programs.flow import Jump, Leave, ShellFault
from k8sdiag.minicluster.runtimes.programs.lexing import ShellSyntax
from k8sdiag.minicluster.runtimes.programs.redirection import Target, opened
from k8sdiag.minicluster.runtimes.programs.shell_state import State
from k8sdiag.minicluster.runtimes.programs.syntax import parse
from k8sdiag.minicluster.runtimes.programs.tree import (
    AndOr,
    Case,
    For,
    Function,
    Group,
    Here,
    If,
    List,
    Node,
    Pipeline,
    Redirect,
    Simple,
    While,
    Word,
)

_MAX_DEPTH = 60


class Shell(State):
    """One shell process."""

    __slots__ = ()

    # -- running --

    def run(self, script: str) -> Steps:
        """A whole script, with its exit code."""
        try:
            code = yield from self.body(parse(script))
        except ShellSyntax as fault:
            self.complain(str(fault))
            code = 2
        except Leave as leave:
            code = leave.code
        return (yield from self.last(code))

    def last(self, code: int) -> Steps:
        """Its EXIT trap, if it has one."""
        script = self.traps.pop("EXIT", "") or self.traps.pop("0", "")
        if script:
            self.status = code
            try:
                yield from self.body(parse(script))
            except ShellSyntax:
                return code
            except Leave as leave:
                return leave.code
        return code

    def body(self, tree: List) -> Steps:
        """A list of commands; errors that end the shell become Leave."""
        try:
            return (yield from self.list_(tree))
        except ShellFault as fault:
            self.complain(str(fault))
            raise Leave(fault.code) from None
        except Jump:
            return self.status

    def list_(self, tree: List) -> Steps:
        for node, background in tree.items:
            if background:
                self.job(node)
                self.status = 0
                continue
            self.status = yield from self.node(node)
            if self.pending:
                yield from self.trapped()
            if self.errexit and self.status and not self.quiet and not isinstance(node, AndOr):
                raise Leave(self.status)
        return self.status

    def node(self, node: Node) -> Steps:
        pause = self.process.spend()
        if pause is not None:
            yield pause
        if isinstance(node, Simple):
            return (yield from self.simple(node))
        if isinstance(node, AndOr):
            return (yield from self.and_or(node))
        if isinstance(node, Pipeline):
            return (yield from self.pipeline(node))
        if isinstance(node, Function):
            self.functions[node.name] = node.body
            return 0
        if not node.redirects:
            return (yield from self.compound(node))
        target = yield from self.redirected(node.redirects)
        if target is None:
            return 1
        saved = self.stdin, self.stdout, self.stderr
        self.stdin, self.stdout, self.stderr = target.stdin, target.stdout, target.stderr
        try:
            return (yield from self.compound(node))
        finally:
            self.stdin, self.stdout, self.stderr = saved

    def compound(self, node: If | While | For | Case | Group) -> Steps:
        if isinstance(node, If):
            for condition, then in node.branches:
                if not (yield from self.tested(condition)):
                    return (yield from self.list_(then))
            return (yield from self.list_(node.otherwise)) if node.otherwise is not None else 0
        if isinstance(node, While):
            return (yield from self.repeat(node))
        if isinstance(node, For):
            return (yield from self.for_(node))
        if isinstance(node, Case):
            return (yield from self.case(node))
        if node.subshell:
            return (yield from self.inside(node.body, self.stdout))
        return (yield from self.list_(node.body))

    def tested(self, condition: List) -> Steps:
        self.quiet += 1
        try:
            return (yield from self.list_(condition))
        finally:
            self.quiet -= 1

    def and_or(self, node: AndOr) -> Steps:
        self.quiet += 1
        try:
            code = yield from self.node(node.first)
        finally:
            self.quiet -= 1
        for operator, other in node.rest:
            self.status = code
            if (code == 0) == (operator == "&&"):
                code = yield from self.node(other)
                if code and self.errexit and not self.quiet and other is node.rest[-1][1]:
                    raise Leave(code)
        return code

    def repeat(self, node: While) -> Steps:
        code = 0
        while True:
            pause = self.process.spend()
            if pause is not None:
                yield pause
            if ((yield from self.tested(node.condition)) == 0) == node.until:
                return code
            try:
                code = yield from self.list_(node.body)
            except Jump as jump:
                if self.jumped(jump):
                    return 0

    def for_(self, node: For) -> Steps:
        values: list[str] = list(self.arguments) if node.words is None else []
        for word in node.words or ():
            values += yield from fields(self, word)
        code = 0
        for value in values:
            self.variables[node.name] = value
            try:
                code = yield from self.list_(node.body)
            except Jump as jump:
                if self.jumped(jump):
                    return 0
        return code

    def jumped(self, jump: Jump) -> bool:
        """Whether the loop around it ends."""
        if jump.how == "return":
            raise jump
        if jump.count > 1:
            raise Jump(jump.how, jump.count - 1)
        return jump.how == "break"

    def case(self, node: Case) -> Steps:
        text = yield from text_of(self, node.word)
        for patterns, body in node.branches:
            for pattern in patterns:
                if fnmatchcase(text, (yield from text_of(self, pattern, pattern=True))):
                    return (yield from self.list_(body))
        return 0

    # -- commands --

    def simple(self, node: Simple) -> Steps:
        words: list[str] = []
        before = self.status
        for word in node.words:
            words += yield from fields(self, word)
        target = Target(self.stdin, self.stdout, self.stderr)
        if node.redirects:
            found = yield from self.redirected(node.redirects)
            if found is None:
                return 1
            target = found
        if not words:
            self.status = 0 if node.assigns else before
            for name, word in node.assigns:
                self.variables[name] = yield from text_of(self, word)
            return self.status if node.assigns else 0
        extra = {}
        for name, word in node.assigns:
            extra[name] = yield from text_of(self, word)
        if self.trace:
            self.stderr.write(f"+ {' '.join(words)}\n".encode(errors="replace"))
        try:
            return (yield from self.command(words, target, extra))
        except FileFault as fault:
            self.stderr.write(f"{words[0]}: write error: {fault}\n".encode(errors="replace"))
            return 1

    def command(self, words: list[str], target: Target, extra: Mapping[str, str]) -> Steps:
        if words[0] in self.functions:
            return (yield from self.call(self.functions[words[0]], words[1:], target))
        builtin = builtins.TABLE.get(words[0])
        if builtin is not None:
            self.variables.update(extra)
            return (yield from builtin(self, words, target))
        return (yield from self.external(words, target, {**self.environment(), **extra}))

    def external(self, words: list[str], target: Target, env: Mapping[str, str]) -> Steps:
        """A command that is no part of the shell, in the same thread."""
        program = self.machine.world.find(self.machine, words[0], env)
        if isinstance(program, str):
            target.stderr.write(f"{self.shown()}: {self.missing(words[0], program)}\n".encode(errors="replace"))
            return 126 if program == DENIED else 127
        process = Process(
            self.machine, tuple(words), env, self.folder, target.stdout, target.stderr, target.stdin, self.thread
        )
        return (yield from program(process))

    def call(self, body: Node, arguments: list[str], target: Target) -> Steps:
        if self.depth > _MAX_DEPTH:
            raise ShellFault("maximum function nesting level exceeded", 139)
        saved = self.arguments, self.stdin, self.stdout, self.stderr
        self.arguments, self.stdin, self.stdout, self.stderr = arguments, target.stdin, target.stdout, target.stderr
        self.depth += 1
        try:
            return (yield from self.node(body))
        except Jump as jump:
            if jump.how != "return":
                raise
            return jump.count
        finally:
            self.depth -= 1
            self.arguments, self.stdin, self.stdout, self.stderr = saved

    def child(self, stdin: Pipe | None, stdout: Writer, stderr: Writer, thread: Thread | None) -> Shell:
        process = Process(
            self.machine, self.process.words, self.process.env, self.folder, stdout, stderr, stdin, thread
        )
        if self.depth > _MAX_DEPTH:
            raise ShellFault("Cannot fork", 2)
        return Shell(process, self)

    def inside(self, body: List, stdout: Writer) -> Steps:
        """A subshell in this thread."""
        shell = self.child(self.stdin, stdout, self.stderr, self.thread)
        shell.status = self.status
        shell.quiet = self.quiet
        code = yield from shell.whole(body)
        self.status = code
        return code

    def whole(self, body: List) -> Steps:
        try:
            code = yield from self.body(body)
        except Leave as leave:
            code = leave.code
        return (yield from self.last(code))

    def pipeline(self, node: Pipeline) -> Steps:
        if node.negated and len(node.commands) == 1:
            self.quiet += 1
            try:
                return int((yield from self.node(node.commands[0])) == 0)
            finally:
                self.quiet -= 1
        stdin = self.stdin
        for command in node.commands[:-1]:
            pipe = Pipe()
            self.fork(List(((command, False),)), stdin, pipe, closes=pipe)
            stdin = pipe
        shell = self.child(stdin, self.stdout, self.stderr, self.thread)
        code = yield from shell.whole(List(((node.commands[-1], False),)))
        if stdin is not None and stdin is not self.stdin:
            stdin.deaf = True
        return int(code == 0) if node.negated else code

    def fork(self, body: List, stdin: Pipe | None, stdout: Writer, closes: Pipe | None = None) -> Thread:
        """A subshell in a thread of its own."""
        shell = self.child(stdin, stdout, self.stderr, None)

        def steps(process: Process) -> Steps:
            shell.thread = shell.process.thread = process.thread
            return (yield from shell.whole(body))

        def ended(_: int) -> None:
            if closes is not None:
                closes.close()

        return self.machine.spawn(steps, shell.process, ended).start_soon()

    def job(self, node: Node) -> None:
        thread = self.fork(List(((node, False),)), None, self.stdout)
        self.jobs.append(thread)
        self.last_job = 6 + len(self.jobs)

    # -- redirections --

    def redirected(self, redirects: tuple[Redirect, ...]) -> Generator[float | None, None, Target | None]:
        """Where a command's streams go; None where a file cannot be opened, which has been said."""
        target = Target(self.stdin, self.stdout, self.stderr)
        for redirect in redirects:
            if isinstance(redirect.target, Here):
                text = yield from text_of(self, redirect.target.word)
                target.stdin = Pipe()
                target.stdin.write(text.encode(errors="replace"))
                target.stdin.close()
                continue
            word: Word = redirect.target
            name = yield from text_of(self, word)
            try:
                opened(self, target, redirect.descriptor, redirect.how, name)
            except FileFault as fault:
                verb = "open" if redirect.how == "<" else "create"
                words = (
                    str(fault)
                    if str(fault) != "No such file or directory" or verb == "open"
                    else "nonexistent directory"
                )
                self.complain(f"can't {verb} {name}: {words.lower() if words.startswith('No such') else words}")
                self.status = 1
                return None
        return target

    # -- signals --

    def take_signal(self, name: str) -> None:
        """A signal to the container's first process, if that is this shell."""
        if name in self.traps or f"SIG{name}" in self.traps:
            self.pending.append(name)
            if self.waiting and self.thread is not None:
                self.thread.wake()
        elif self.machine.spec.share_processes:
            self.machine.end(143)

    def trapped(self) -> Steps:
        """Run the traps of the signals that came."""
        while self.pending:
            name = self.pending.pop(0)
            script = self.traps.get(name, "")
            if script:
                status = self.status
                try:
                    yield from self.list_(parse(script))
                except ShellSyntax as fault:
                    self.complain(str(fault))
                self.status = status
        return self.status
