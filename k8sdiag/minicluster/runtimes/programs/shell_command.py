"""`sh`, `bash` and `ash` as commands: their options, and a script, a file or what comes in."""

from __future__ import annotations

from k8sdiag.minicluster.runtimes.machine.files import FileFault
from k8sdiag.minicluster.runtimes.machine.machine import Process, Program
from k8sdiag.minicluster.runtimes.machine.threads import Steps
from k8sdiag.minicluster.runtimes.programs import builtins
from k8sdiag.minicluster.runtimes.programs.lexing import ShellSyntax
from k8sdiag.minicluster.runtimes.programs.shell import Shell
from k8sdiag.minicluster.runtimes.programs.syntax import parse
from k8sdiag.minicluster.runtimes.programs.tree import Simple


def only_command(one: Shell, script: str) -> tuple[Program, tuple[str, ...]] | None:
    """The program of a script that is nothing but one plain command."""
    try:
        items = parse(script).items
    except ShellSyntax:
        return None
    if len(items) != 1 or items[0][1] or not isinstance(items[0][0], Simple):
        return None
    simple = items[0][0]
    words = tuple(word.plain() or "" for word in simple.words)
    if simple.redirects or simple.assigns or not all(words) or set("*?[~") & set("".join(words)):
        return None
    if words[0] in builtins.TABLE or one.trace:
        return None
    program = one.machine.world.find(one.machine, words[0], one.process.env)
    return None if isinstance(program, str) else (program, words)


def shell(process: Process) -> Steps:  # noqa: C901, PLR0912 (options, one after another)
    """`sh`, `bash`, `ash`: with -c, a file, or what comes in."""
    words = list(process.words[1:])
    one = Shell(process)
    if process.first:
        process.machine.on_term = one.take_signal
    script: str | None = None
    while words and words[0][:1] in "-+" and len(words[0]) > 1:
        flag = words.pop(0)
        if flag in ("--", "-"):
            break
        one.errexit |= "e" in flag and not flag.startswith("--")
        one.strict |= "u" in flag and not flag.startswith("--")
        one.trace |= "x" in flag and not flag.startswith("--")
        if flag == "-o" and words:
            words.pop(0)
        elif "c" in flag and not flag.startswith("--"):
            if not words:
                process.err(f"{process.words[0]}: -c requires an argument\n")
                return 2
            script = words.pop(0)
            if words:
                one.name = words.pop(0)
    if script is None and words:
        path = words.pop(0)
        try:
            script = process.machine.files.read(process.path(path)).data.decode(errors="replace")
        except FileFault as fault:
            process.err(
                f"{process.words[0]}: {path}: {fault}\n"
                if "bash" in process.name
                else f"{process.words[0]}: can't open '{path}': {fault}\n"
            )
            return 127 if "No such" in str(fault) else 126
        one.name = path
    one.arguments = words
    if script is not None:
        alone = only_command(one, script)
        if alone is None:
            return (yield from one.run(script))
        program, process.words = alone
        # bash and Debian's sh become the command; busybox' stays, as a first process that is deaf to signals.
        process.first = process.first and (process.machine.image.base == "debian" or "bash" in one.name)
        if process.first:
            process.machine.on_term = None
            process.machine.title = process.words
        del one, words, script, alone
        return (yield from program(process))
    if process.stdin is None:
        return 0
    return (yield from builtins.read_commands(one, process))
