"""Small busybox commands that scripts lean on now and then: expr, basename, awk's `{print $N}`, checksums, httpd."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

from k8sdiag.minicluster.runtimes.machine.files import FileFault
from k8sdiag.minicluster.runtimes.machine.http import HttpListener, Reply, Request
from k8sdiag.minicluster.runtimes.machine.machine import Process, Program
from k8sdiag.minicluster.runtimes.machine.threads import Steps
from k8sdiag.minicluster.runtimes.programs.expansion import arithmetic
from k8sdiag.minicluster.runtimes.programs.flow import ShellFault
from k8sdiag.minicluster.runtimes.programs.servers import listens
from k8sdiag.minicluster.runtimes.programs.system import run
from k8sdiag.minicluster.runtimes.programs.text import reading, trouble

_DENIED = {
    "mount": "mount: permission denied (are you root?)\n", "umount": "umount: can't unmount: Operation not permitted\n",
    "dmesg": "dmesg: klogctl: Operation not permitted\n", "chroot": "chroot: can't change root directory: Operation not permitted\n",
    "sysctl": "sysctl: error setting key: Read-only file system\n", "iptables": "iptables: Permission denied (you must be root)\n",
}  # fmt: skip


def _names(process: Process) -> Steps:
    """basename and dirname."""
    if len(process.words) < 2:
        process.err(f"{process.name}: missing operand\n")
        return 1
    path = process.words[1].rstrip("/") or "/"
    head, _, tail = path.rpartition("/")
    if process.name == "basename":
        process.out(f"{tail.removesuffix(process.words[2]) if len(process.words) > 2 else tail or '/'}\n")
    else:
        process.out(f"{head or ('/' if path.startswith('/') else '.')}\n")
    return 0
    yield None


def _which(process: Process) -> Steps:
    code = 0
    for word in process.words[1:]:
        if isinstance(process.machine.world.find(process.machine, word, process.env), str):
            code = 1
        else:
            process.out(f"{word if '/' in word else f'/bin/{word}'}\n")
    return code
    yield None


def _expr(process: Process) -> Steps:
    words = process.words[1:]
    try:
        value = arithmetic(" ".join(words).replace(" = ", " == "), {}, lambda _, __: None)
    except ShellFault as fault:
        if len(words) == 1:
            process.out(f"{words[0]}\n")
            return 0
        process.err(f"expr: {'division by zero' if 'zero' in str(fault) else 'syntax error'}\n")
        return 2
    process.out(f"{value}\n")
    return 0 if value else 1
    yield None


def _sum(process: Process) -> Steps:
    kind = process.name.removesuffix("sum")
    for path in process.words[1:] or ("-",):
        try:
            data = yield from reading(process, path)
        except FileFault as fault:
            trouble(process, path, fault)
            return 1
        process.out(f"{hashlib.new(kind, data, usedforsecurity=False).hexdigest()}  {path}\n")
    return 0


def _awk(process: Process) -> Steps:
    """Only `{print $1, $NF}` with a pattern or without, and -F."""
    words = list(process.words[1:])
    mark = None
    if words and words[0].startswith("-F"):
        mark = words.pop(0)[2:] or (words.pop(0) if words else None)
    found = re.fullmatch(r"\s*(?:/([^/]*)/)?\s*\{\s*print\s*([^}]*)\}\s*", words[0]) if words else None
    if found is None:
        process.err("awk: cmd. line:1: Unexpected token\n")
        return 1
    try:
        data = yield from reading(process, words[1] if len(words) > 1 else "-")
    except FileFault as fault:
        process.err(f"awk: {words[1]}: {fault}\n")
        return 1
    wanted = [word.strip() for word in found.group(2).split(",")]
    for line in data.decode(errors="replace").splitlines():
        if found.group(1) and found.group(1) not in line:
            continue
        process.out(" ".join(_field(word, line, line.split(mark or None)) for word in wanted) + "\n")
    return 0


def _field(word: str, line: str, fields: list[str]) -> str:
    if word in ("", "$0"):
        return line
    if word == "$NF":
        return fields[-1] if fields else ""
    if word.startswith("$") and word[1:].isdigit() and len(word) < 6:
        return (fields[int(word[1:]) - 1 : int(word[1:])] or [""])[0]
    return word.strip('"')


def _xargs(process: Process) -> Steps:
    data = yield from reading(process, "-")
    words = [word for word in process.words[1:] if not re.fullmatch(r"-\w?\d*", word)] or ["echo"]
    return (yield from run(process, [*words, *data.decode(errors="replace").split()]))


def _httpd(process: Process) -> Steps:
    """busybox' web server; Apache's has the same name in another image."""
    words = list(process.words[1:])
    said = {word: words[at + 1] for at, word in enumerate(words[:-1]) if word in ("-p", "-h")}
    port = said.get("-p", "80").rpartition(":")[2]
    home = process.path(said.get("-h", "."))
    files = process.machine.files

    def answer(request: Request) -> Reply:
        path = home.rstrip("/") + request.path.partition("?")[0]
        entry = files.find(path + "index.html" if path.endswith("/") else path)
        if entry is None or entry.folder:
            return Reply(404, b"<HTML><HEAD><TITLE>404 Not Found</TITLE></HEAD>\n</HTML>\n", version="1.1")
        return Reply(200, entry.data, {"Content-Type": "text/html"})

    wrong = listens(
        process,
        int(port) if port.isdigit() and len(port) < 6 else 80,
        HttpListener(process.machine.world.timers, answer),
    )
    if wrong:
        process.err(f"httpd: bind: {wrong}\n")
        return 1
    if not any(word.startswith("-") and "f" in word for word in words):
        return 0  # it goes into the background
    yield None
    return 0


def _denied(process: Process) -> Steps:
    process.err(_DENIED[process.name])
    return 1
    yield None


def _netstat(process: Process) -> Steps:
    process.out(
        "Active Internet connections (only servers)\nProto Recv-Q Send-Q Local Address           Foreign Address         State\n"
    )
    for port in sorted(process.machine.host.ports or ()):
        process.out(f"tcp        0      0 0.0.0.0:{port:<15} 0.0.0.0:*               LISTEN\n")
    return 0
    yield None


def _address(process: Process) -> Steps:
    """ip and ifconfig."""
    address = process.machine.host.address
    process.out(
        f"1: lo: <LOOPBACK,UP> mtu 65536\n    inet 127.0.0.1/8 scope host lo\n2: eth0@if7: <BROADCAST,MULTICAST,UP> mtu 1450\n    inet {address}/24 scope global eth0\n"
    )
    return 0
    yield None


COMMANDS: Mapping[str, Program] = {
    "basename": _names, "dirname": _names, "which": _which, "expr": _expr, "awk": _awk, "xargs": _xargs, "httpd": _httpd,
    "md5sum": _sum, "sha1sum": _sum, "sha256sum": _sum, "netstat": _netstat, "ss": _netstat, "ip": _address,
    "ifconfig": _address, **dict.fromkeys(_DENIED, _denied),
}  # fmt: skip
