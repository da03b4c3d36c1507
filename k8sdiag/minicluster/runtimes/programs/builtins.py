"""The commands that are part of the shell, and its reading of commands from a terminal or a pipe."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from k8sdiag.minicluster.runtimes.machine.files import DENIED, FileFault, normal
from k8sdiag.minicluster.runtimes.machine.machine import Process
from k8sdiag.minicluster.runtimes.machine.threads import Steps
from k8sdiag.minicluster.runtimes.programs.flow import Jump, Leave
from k8sdiag.minicluster.runtimes.programs.lexing import ShellSyntax
from k8sdiag.minicluster.runtimes.programs.redirection import Target
from k8sdiag.minicluster.runtimes.programs.syntax import parse

if TYPE_CHECKING:
    from k8sdiag.minicluster.runtimes.programs.shell import Shell

Builtin = Callable[["Shell", list[str], Target], Steps]


def _number(words: list[str], default: int) -> int:
    return int(words[1]) if len(words) > 1 and words[1].lstrip("-").isdigit() and len(words[1]) < 10 else default


def _exit(shell: Shell, words: list[str], target: Target) -> Steps:
    if len(words) > 1 and not words[1].lstrip("-").isdigit():
        target.stderr.write(f"{shell.shown()}: exit: Illegal number: {words[1]}\n".encode())
        raise Leave(2)
    raise Leave(_number(words, shell.status) & 255)
    yield None


def _true(shell: Shell, words: list[str], target: Target) -> Steps:  # noqa: ARG001
    return 0
    yield None


def _jump(shell: Shell, words: list[str], target: Target) -> Steps:  # noqa: ARG001
    raise Jump(words[0], max(1, _number(words, 1)))
    yield None


def _return(shell: Shell, words: list[str], target: Target) -> Steps:  # noqa: ARG001
    raise Jump("return", _number(words, shell.status) & 255)
    yield None


def _cd(shell: Shell, words: list[str], target: Target) -> Steps:
    to = words[1] if len(words) > 1 else shell.variables.get("HOME", "/root")
    if to == "-":
        to = shell.variables.get("OLDPWD", shell.folder)
    path = normal(shell.path(to))
    entry = shell.machine.files.find(path)
    if entry is None or not entry.folder:
        target.stderr.write(f"{shell.shown()}: cd: can't cd to {to}: No such file or directory\n".encode())
        return 2 if shell.machine.image.base == "debian" else 1
    shell.variables["OLDPWD"], shell.folder = shell.folder, path
    return 0
    yield None


def _export(shell: Shell, words: list[str], target: Target) -> Steps:
    names = words[1:]
    if not names or names == ["-p"]:
        for name, value in sorted(shell.environment().items()):
            target.stdout.write(f"export {name}='{value}'\n".encode())
        return 0
    exported = shell.exported if shell.exported is not None else set()
    for word in names:
        name, found, value = word.partition("=")
        if found:
            shell.variables[name] = value
        if words[0] != "readonly" and words[0] != "local":
            exported.add(name)
    shell.exported = exported
    return 0
    yield None


def _unset(shell: Shell, words: list[str], target: Target) -> Steps:  # noqa: ARG001
    for name in words[1:]:
        shell.variables.pop(name, None)
        shell.functions.pop(name, None)
    return 0
    yield None


def _set(shell: Shell, words: list[str], target: Target) -> Steps:
    rest = words[1:]
    if not rest:
        for name, value in sorted(shell.variables.items()):
            target.stdout.write(f"{name}='{value}'\n".encode())
    while rest and rest[0][:1] in "-+" and len(rest[0]) > 1:
        flag = rest.pop(0)
        if flag == "--":
            shell.arguments = rest
            return 0
        on, letters = flag[0] == "-", flag[1:]
        if "o" in letters and rest:
            letters = letters.replace("o", "") + {"errexit": "e", "nounset": "u", "xtrace": "x"}.get(rest.pop(0), "")
        for letter in letters:
            if letter == "e":
                shell.errexit = on
            elif letter == "u":
                shell.strict = on
            elif letter == "x":
                shell.trace = on
    if rest:
        shell.arguments = rest
    return 0
    yield None


def _shift(shell: Shell, words: list[str], target: Target) -> Steps:
    count = _number(words, 1)
    if count > len(shell.arguments) or count < 0:
        target.stderr.write(f"{shell.shown()}: shift: can't shift that many\n".encode())
        raise Leave(2)
    shell.arguments = shell.arguments[count:]
    return 0
    yield None


def _trap(shell: Shell, words: list[str], target: Target) -> Steps:
    if len(words) < 2:
        for name, script in shell.traps.items():
            target.stdout.write(f"trap -- '{script}' {name}\n".encode())
        return 0
    numbers = {"0": "EXIT", "1": "HUP", "2": "INT", "3": "QUIT", "15": "TERM"}
    script, names = (words[1], words[2:]) if len(words) > 2 else ("-", words[1:])
    for name in names:
        short = numbers.get(name, name.upper().removeprefix("SIG"))
        if script == "-":
            shell.traps.pop(short, None)
        else:
            shell.traps[short] = script
    return 0
    yield None


def _wait(shell: Shell, words: list[str], target: Target) -> Steps:  # noqa: ARG001
    jobs = shell.jobs
    if len(words) > 1:
        chosen = [int(word) - 7 for word in words[1:] if word.isdigit() and len(word) < 6]
        jobs = [shell.jobs[index] for index in chosen if 0 <= index < len(shell.jobs)]
        if not jobs:
            return 127
    for job in jobs:
        if shell.thread is None:
            break
        while not job.over:
            job.join(shell.thread)
            shell.waiting = True
            yield None
            shell.waiting = False
            if shell.pending:
                yield from shell.trapped()
                return 143
    return jobs[-1].code if len(words) > 1 and jobs else 0


def _exec(shell: Shell, words: list[str], target: Target) -> Steps:
    if len(words) < 2:
        shell.stdin, shell.stdout, shell.stderr = target.stdin, target.stdout, target.stderr
        return 0
    env = {**shell.environment()}
    program = shell.machine.world.find(shell.machine, words[1], env)
    if isinstance(program, str):
        told = f"{shell.shown()}: exec: {shell.missing(words[1], program)}\n"
        target.stderr.write(told.encode(errors="replace"))
        raise Leave(126 if program == DENIED else 127)
    first = shell.process.first
    if first:
        shell.machine.on_term = None
        shell.machine.title = tuple(words[1:])
    process = Process(
        shell.machine, tuple(words[1:]), env, shell.folder, target.stdout, target.stderr, target.stdin, shell.thread,
        first, shell.process.tty,
    )  # fmt: skip
    shell.traps.clear()
    raise Leave((yield from program(process)))


def _eval(shell: Shell, words: list[str], target: Target) -> Steps:
    try:
        tree = parse(" ".join(words[1:]))
    except ShellSyntax as fault:
        target.stderr.write(f"{shell.shown()}: {fault}\n".encode())
        return 2
    shell.depth += 1
    try:
        if shell.depth > 40:
            raise Leave(2)
        return (yield from shell.list_(tree))
    finally:
        shell.depth -= 1


def _source(shell: Shell, words: list[str], target: Target) -> Steps:
    path = words[1] if len(words) > 1 else ""
    try:
        text = shell.machine.files.read(shell.path(path)).data.decode(errors="replace")
    except FileFault as fault:
        target.stderr.write(f"{shell.shown()}: .: can't open '{path}': {fault}\n".encode())
        raise Leave(2) from None
    return (yield from _eval(shell, ["eval", text], target))


def _read(shell: Shell, words: list[str], target: Target) -> Steps:
    names = [word for word in words[1:] if not word.startswith("-")] or ["REPLY"]
    if target.stdin is None:
        return 1
    while (line := target.stdin.line()) is None:
        if shell.thread is not None:
            target.stdin.listen(shell.thread)
        yield None
    text = line.decode(errors="replace").rstrip("\n")
    values = text.split(None, len(names) - 1) if len(names) > 1 else [text.strip()]
    for index, name in enumerate(names):
        shell.variables[name] = values[index].strip() if index < len(values) else ""
    return 0 if line.endswith(b"\n") else 1


def _command(shell: Shell, words: list[str], target: Target) -> Steps:
    rest = words[1:]
    if words[0] == "type" or (rest and rest[0] in ("-v", "-V")):
        rest = [word for word in rest if not word.startswith("-")]
        code = 127
        for word in rest:
            if word in TABLE or word in shell.functions:
                target.stdout.write(f"{word}\n".encode())
                code = 0
            elif not isinstance(shell.machine.world.find(shell.machine, word, shell.environment()), str):
                target.stdout.write(f"{word if '/' in word else '/bin/' + word}\n".encode())
                code = 0
        return code
    if not rest:
        return 0
    return (yield from shell.command(rest, target, {}))


def _times(shell: Shell, words: list[str], target: Target) -> Steps:  # noqa: ARG001
    target.stdout.write(b"0m0.00s 0m0.00s\n0m0.00s 0m0.00s\n")
    return 0
    yield None


TABLE: Mapping[str, Builtin] = {
    ":": _true, "umask": _true, "ulimit": _true, "hash": _true, "alias": _true, "unalias": _true, "shopt": _true,
    "true": _true, "exit": _exit, "break": _jump, "continue": _jump, "return": _return, "cd": _cd, "export": _export,
    "readonly": _export, "local": _export, "declare": _export, "unset": _unset, "set": _set, "shift": _shift,
    "trap": _trap, "wait": _wait, "exec": _exec, "eval": _eval, ".": _source, "source": _source, "read": _read,
    "command": _command, "type": _command, "times": _times,
}  # fmt: skip


def read_commands(shell: Shell, process: Process) -> Steps:
    """A shell that reads what to do, from a terminal or a pipe."""
    prompt = "/ # " if shell.machine.files.user == 0 else "/ $ "
    stdin, held = process.stdin, ""
    while stdin is not None:
        if process.tty and not held:
            process.out(prompt.replace("/", shell.folder, 1))
        while (line := stdin.line()) is None:
            if process.thread is not None:
                stdin.listen(process.thread)
            yield None
        if not line:
            break
        held += line.decode(errors="replace")
        try:
            tree = parse(held)
        except ShellSyntax as fault:
            unfinished = "unexpected end of file" in str(fault) or "unterminated" in str(fault)
            if unfinished and len(held) < 2**16:
                continue
            shell.complain(str(fault))
            shell.status, held = 2, ""
            continue
        held = ""
        try:
            yield from shell.body(tree)
        except Leave as leave:
            return (yield from shell.last(leave.code))
    return (yield from shell.last(shell.status))
