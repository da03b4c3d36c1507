"""Commands about time, processes and the machine."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from k8sdiag.minicluster.runtimes.machine.machine import Process, Program
from k8sdiag.minicluster.runtimes.machine.threads import Steps
from k8sdiag.minicluster.runtimes.programs.text import seconds_of, size

_SIGNALS = {"0": "0", "1": "HUP", "2": "INT", "3": "QUIT", "9": "KILL", "15": "TERM"}


def _sleep(process: Process) -> Steps:
    total = 0.0
    if len(process.words) < 2:
        process.err(
            "sleep: missing operand\n"
            if process.machine.image.base == "debian"
            else "BusyBox v1.36.1: Usage: sleep [N]...\n"
        )
        return 1
    for word in process.words[1:]:
        if word in ("infinity", "inf"):
            yield None
            return 0
        seconds = seconds_of(word)
        if seconds is None:
            debian = process.machine.image.base == "debian"
            process.err(f"sleep: invalid time interval '{word}'\n" if debian else f"sleep: invalid number '{word}'\n")
            return 1
        total += seconds
    yield total
    return 0


def _forever(process: Process) -> Steps:
    """pause: what waits for its end and obeys it."""
    obey(process)
    yield None
    return 0


def obey(process: Process, code: int = 0, last: Callable[[], None] | None = None) -> None:
    """Have the first process end in good order when it is asked to. One that a shell has started is not asked: the
    shell is the first process, and takes no notice."""
    machine = process.machine

    def stop(name: str) -> None:
        if name in ("TERM", "INT", "QUIT"):
            if last is not None:
                last()
            machine.end(code)

    if process.first:
        machine.on_term = stop


def _true(process: Process) -> Steps:
    return 0 if process.name != "false" else 1
    yield None


def _env(process: Process) -> Steps:
    words = list(process.words[1:])
    env = dict(process.env)
    while words and (words[0].startswith("-") or "=" in words[0]):
        word = words.pop(0)
        if word in ("-i", "-"):
            env = {}
        elif word == "-u" and words:
            env.pop(words.pop(0), None)
        elif "=" in word:
            name, _, value = word.partition("=")
            env[name] = value
    if words:
        return (yield from run(process, words, env))
    process.out("".join(f"{name}={value}\n" for name, value in env.items()))
    return 0


def run(process: Process, words: list[str], env: Mapping[str, str] | None = None) -> Steps:
    """Another command in place of this one (env, timeout, nohup, tini)."""
    machine = process.machine
    env = process.env if env is None else env
    program = machine.world.find(machine, words[0], env)
    if isinstance(program, str):
        debian = machine.image.base == "debian"
        word = f"'{words[0]}'"
        process.err(
            f"{process.name}: can't execute {word}: {program}\n"
            if not debian
            else f"{process.name}: {word}: {program}\n"
        )
        return 126 if program == "Permission denied" else 127
    other = Process(
        machine, tuple(words), env, process.folder, process.stdout, process.stderr, process.stdin, process.thread,
        process.first, process.tty,
    )  # fmt: skip
    return (yield from program(other))


def _wrapper(process: Process) -> Steps:
    """nohup, nice, tini, dumb-init, gosu…: run what follows; an init passes signals on."""
    words = [*process.words[1:]]
    while words and words[0].startswith("-"):
        words.pop(0)
    if process.name in ("gosu", "su-exec", "nice", "setpriv") and len(words) > 1:
        words = words[1:]
    if process.name in ("tini", "dumb-init") and process.first:
        obey(process, 143)
        process.first = False
    return (yield from run(process, words)) if words else 0


def _timeout(process: Process) -> Steps:
    words = list(process.words[1:])
    while words and words[0].startswith("-"):
        flag = words.pop(0)
        if flag in ("-s", "-k", "-t") and words:
            word = words.pop(0)
            if flag == "-t":
                words.insert(0, word)
    seconds = seconds_of(words[0]) if words else None
    if seconds is None or len(words) < 2:
        process.err("timeout: invalid time interval\n")
        return 125
    inner = Process(
        process.machine, tuple(words[1:]), process.env, process.folder, process.stdout, process.stderr, process.stdin
    )

    def steps(one: Process) -> Steps:
        return (yield from run(one, words[1:]))

    thread = process.machine.spawn(steps, inner).start()
    if process.thread is not None and not thread.over:
        thread.join(process.thread)
        yield seconds
    if thread.over:
        return thread.code
    thread.kill(143)
    return 124 if process.machine.image.base == "debian" else 143


def _date(process: Process) -> Steps:
    now = datetime.fromtimestamp(process.machine.world.timers.now, UTC)
    form = next((word[1:] for word in process.words[1:] if word.startswith("+")), "%a %b %e %H:%M:%S UTC %Y")
    if any(word.startswith(("-I", "--iso")) for word in process.words):
        form = "%Y-%m-%dT%H:%M:%S+00:00" if any("s" in word[2:] for word in process.words[1:]) else "%Y-%m-%d"
    if any(word in ("-R", "--rfc-2822") for word in process.words):
        form = "%a, %d %b %Y %H:%M:%S +0000"
    form = form.replace("%s", str(int(now.timestamp()))).replace("%N", f"{now.microsecond * 1000:09d}")
    form = (
        form.replace("%e", f"{now.day:2d}").replace("%F", "%Y-%m-%d").replace("%T", "%H:%M:%S").replace("%R", "%H:%M")
    )
    form = re.sub(r"%(?![aAbBcdHIjmMpSUwWxXyYZz%])", "%%", form)
    process.out(now.strftime(form.encode("ascii", "replace").decode()) + "\n")
    return 0
    yield None


def _hostname(process: Process) -> Steps:
    address = any(word in ("-i", "-I") for word in process.words)
    process.out(
        f"{process.machine.host.address if address else process.env.get('HOSTNAME') or process.machine.host.name}\n"
    )
    return 0
    yield None


def _id(process: Process) -> Steps:
    user = process.machine.files.user
    if process.name == "whoami" or "-un" in process.words:
        if user and process.name == "whoami":
            process.err(f"whoami: unknown uid {user}\n")
            return 1
        process.out("root\n")
    elif "-u" in process.words:
        process.out(f"{user}\n")
    elif "-g" in process.words:
        process.out("0\n")
    else:
        process.out(
            "uid=0(root) gid=0(root) groups=0(root),10(wheel)\n"
            if not user
            else f"uid={user} gid=0(root) groups=0(root)\n"
        )
    return 0
    yield None


def _printenv(process: Process) -> Steps:
    names = process.words[1:]
    if not names:
        process.out("".join(f"{name}={value}\n" for name, value in process.env.items()))
    for name in names:
        if name in process.env:
            process.out(f"{process.env[name]}\n")
    return 0 if all(name in process.env for name in names) else 1
    yield None


def _uname(process: Process) -> Steps:
    name = process.machine.host.name
    whole = f"Linux {name} 6.1.0-28-amd64 #1 SMP PREEMPT_DYNAMIC x86_64 GNU/Linux"
    flags = {"-a": whole, "-r": "6.1.0-28-amd64", "-m": "x86_64", "-n": name}
    process.out(flags.get(process.words[1] if len(process.words) > 1 else "", "Linux") + "\n")
    return 0
    yield None


def _ps(process: Process) -> Steps:
    user = "root" if not process.machine.files.user else str(process.machine.files.user)
    title = " ".join(process.machine.title).replace("\n", " ")
    lines = ["PID   USER     TIME  COMMAND", f"    1 {user:<8} 0:00 {title}"]
    lines.append(f"   12 {user:<8} 0:00 {' '.join(process.words)}")
    process.out("\n".join(lines) + "\n")
    return 0
    yield None


def _kill(process: Process) -> Steps:
    words = list(process.words[1:])
    name = "TERM"
    if words and words[0] in ("-s", "-n") and len(words) > 1:
        name, words = words[1], words[2:]
    elif words and words[0].startswith("-") and len(words[0]) > 1:
        name, words = words[0][1:], words[1:]
    name = _SIGNALS.get(name, name.upper().removeprefix("SIG"))
    code = 0
    for word in words:
        first = word in ("1", "-1") or (
            process.name in ("pkill", "killall") and any(word in part for part in process.machine.title)
        )
        if first:
            if name not in ("0", "KILL"):
                process.machine.signal(name)
        elif process.name == "kill" and not word.isdigit() and not word.startswith("%"):
            process.err(f"sh: invalid number '{word}'\n")
            code = 1
        elif process.name != "kill":
            code = 1
    return code
    yield None


def _figures(process: Process) -> Steps:
    """nproc, uptime, free."""
    if process.name == "nproc":
        process.out("2\n")
    elif process.name == "uptime":
        process.out(" 00:00:00 up 1 day,  1:00,  0 users,  load average: 0.10, 0.08, 0.05\n")
    else:
        used = 900_000 + process.machine.memory // 1024
        process.out("              total        used        free      shared  buff/cache   available\n")
        process.out(
            f"Mem:       8000000 {used:>11} {8_000_000 - used:>11}           0      100000 {7_900_000 - used:>11}\n"
        )
    return 0
    yield None


def _stress(process: Process) -> Steps:
    """`stress --vm 1 --vm-bytes 150M --vm-hang 1 --cpu 1 --timeout 60`, and vish/stress' `-mem-total 250Mi -cpus 2`."""
    words = [piece for word in process.words[1:] for piece in re.split(r"=", word, maxsplit=1)]
    said = {word.lstrip("-"): words[at + 1] for at, word in enumerate(words[:-1]) if word.startswith("-")}
    workers = int(said.get("vm", said.get("m", "0")) if said.get("vm", said.get("m", "0")).isdigit() else 0)
    each = size(said.get("vm-bytes", "256M"))
    total = size(said.get("mem-total", "0").rstrip("i")) or min(workers, 4096) * each
    step = size(said.get("mem-alloc-size", "0").rstrip("i"))
    cores = said.get("cpu", said.get("c", said.get("cpus", "0")))
    count = min(int(cores), 4096) if cores.isdigit() and len(cores) < 6 else 0
    if process.name == "stress":
        process.out(f"stress: info: [1] dispatching hogs: {count} cpu, 0 io, {workers} vm, 0 hdd\n")
    process.machine.cpu += count + (workers if "vm-hang" not in said else 0)
    done = 0
    while done < total:
        part = min(step, total - done) if step else min(2**26, total - done)
        process.machine.allocate(part)
        done += part
        yield 1.0 if step else 0.05
    seconds = seconds_of(said.get("timeout", said.get("t", "")))
    yield seconds
    process.machine.allocate(-total)
    process.machine.cpu = 0.0
    if process.name == "stress":
        process.out(f"stress: info: [1] successful run completed in {seconds or 0:.0f}s\n")
    return 0


def _pwd(process: Process) -> Steps:
    process.out(f"{process.folder}\n")
    return 0
    yield None


def _stop_self(process: Process) -> Steps:
    process.err("reboot: Operation not permitted\n")
    return 1
    yield None


COMMANDS: Mapping[str, Program] = {
    "sleep": _sleep, "pause": _forever, "true": _true, "false": _true, "sync": _true, "stty": _true, "clear": _true,
    "env": _env, "printenv": _printenv, "date": _date, "hostname": _hostname, "id": _id, "whoami": _id, "uname": _uname,
    "ps": _ps, "top": _ps, "kill": _kill, "pkill": _kill, "killall": _kill, "nproc": _figures, "uptime": _figures,
    "free": _figures, "timeout": _timeout, "nohup": _wrapper, "nice": _wrapper, "setsid": _wrapper, "tini": _wrapper,
    "dumb-init": _wrapper, "gosu": _wrapper, "su-exec": _wrapper, "stress": _stress, "stress-ng": _stress,
    "reboot": _stop_self, "pwd": _pwd,
}  # fmt: skip
