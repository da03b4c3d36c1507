"""Which program a container's words stand for, and how a container fails to start where there is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from k8sdiag.minicluster.runtimes.base import ContainerSpec
from k8sdiag.minicluster.runtimes.images import Image
from k8sdiag.minicluster.runtimes.machine.files import DENIED, MISSING, Entry, Files, normal
from k8sdiag.minicluster.runtimes.machine.machine import PATH, Machine, Process, Program
from k8sdiag.minicluster.runtimes.machine.threads import Steps
from k8sdiag.minicluster.runtimes.programs import (
    archives,
    conditions,
    filing,
    filters,
    net,
    python,
    servers,
    shell_command,
    small,
    system,
    text,
)

NOT_IN_PATH = "executable file not found in $PATH"
_BIN = ("/usr/local/sbin/", "/usr/local/bin/", "/usr/sbin/", "/usr/bin/", "/sbin/", "/bin/")
_SHELLS = {
    "sh": shell_command.shell,
    "bash": shell_command.shell,
    "ash": shell_command.shell,
    "dash": shell_command.shell,
    "zsh": shell_command.shell,
}
_PROGRAMS: Mapping[str, Program] = {
    **text.COMMANDS, **filing.COMMANDS, **system.COMMANDS, **net.COMMANDS, **archives.COMMANDS,
    **filters.COMMANDS, **small.COMMANDS, **conditions.COMMANDS, **servers.COMMANDS, **python.COMMANDS, **_SHELLS,
}  # fmt: skip
# What every base holds: the shell and the small commands. Servers and languages come with their images.
_BASE = frozenset(
    (
        *text.COMMANDS,
        *filing.COMMANDS,
        *system.COMMANDS,
        *net.COMMANDS,
        *archives.COMMANDS,
        *filters.COMMANDS,
        *small.COMMANDS,
        *conditions.COMMANDS,
        "sh",
    )
) - {
    "pause",
    "stress",
    "stress-ng",
    "curl",
    "gosu",
    "su-exec",
    "tini",
    "dumb-init",
    "dig",
}
_EXTRA = {"alpine": {"ash"}, "busybox": {"ash", "httpd"}, "debian": {"dash", "bash"}}


def names(image: Image) -> frozenset[str]:
    """The commands that an image holds, without folders."""
    own = {word.rsplit("/", 1)[-1] for word in (*image.has, *image.entrypoint[:1])}
    if image.base == "none":
        return frozenset(own)
    return frozenset(_BASE | _EXTRA.get(image.base, set()) | own)


def base_file(image: Image, path: str) -> Entry | None:
    """A file that comes with the image: its commands, and /etc's usual ones."""
    name = path.rsplit("/", 1)[-1]
    if path in image.has or path in image.entrypoint[:1]:
        return Entry(b"\x7fELF", 1_000_000, mode=0o755)
    if path.startswith(_BIN) and path.count("/") <= 4 and path == f"{path[: -len(name)]}{name}":
        return (
            Entry(b"\x7fELF", 1_000_000, mode=0o755) if name in names(image) and "/" + name not in image.has else None
        )
    if image.base == "none":
        return None
    written = _ETC.get(path)
    if written is not None:
        return Entry(written, len(written))
    if path in (image.workdir, *image.writable) or path in _FOLDERS.get("nginx" if "nginx" in image.has else "", ()):
        return Entry(folder=True, mode=0o755)
    return None


_ETC = {
    "/etc/passwd": b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
    "/etc/group": b"root:x:0:\nnogroup:x:65534:\n",
    "/etc/os-release": b'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nVERSION_ID="12"\nID=debian\n',
    "/proc/1/cgroup": b"0::/\n", "/proc/meminfo": b"MemTotal:        8000000 kB\nMemFree:         6000000 kB\n",
    "/dev/null": b"", "/dev/zero": b"", "/dev/urandom": b"", "/dev/random": b"", "/dev/stdout": b"", "/dev/stderr": b"",
}  # fmt: skip
_FOLDERS = {
    "nginx": (
        "/usr/share/nginx",
        "/usr/share/nginx/html",
        "/etc/nginx",
        "/etc/nginx/conf.d",
        "/var/cache/nginx",
        "/var/log/nginx",
    )
}


def find(machine: Machine, word: str, env: Mapping[str, str]) -> Program | str:
    """A command's program, or why it cannot be started."""
    if "/" in word:
        path = normal(word)
        entry = machine.files.find(path)
        if entry is None:
            return MISSING
        return _of_file(path, entry, machine)
    for folder in env.get("PATH", PATH).split(":"):
        path = normal(f"{folder or '.'}/{word}")
        entry = machine.files.find(path)
        if entry is not None and not entry.folder and entry.mode & 0o111:
            return _of_file(path, entry, machine)
    return MISSING


def _of_file(path: str, entry: Entry, machine: Machine) -> Program | str:
    if entry.folder or not entry.mode & 0o111:
        return DENIED
    if entry.data.startswith(b"\x7fELF") and machine.files.base(path) is not None:
        return _PROGRAMS.get(path.rsplit("/", 1)[-1], servers.COMMANDS["kube-proxy"])
    return _Script(path, entry.data)


class _Script:
    """An executable file that somebody wrote: its first line says who reads it."""

    __slots__ = ("_data", "_path")

    def __init__(self, path: str, data: bytes) -> None:
        self._path, self._data = path, data

    def __call__(self, process: Process) -> Steps:
        first = self._data.split(b"\n", 1)[0]
        if not first.startswith(b"#!"):
            if process.first:
                process.err(f"exec {self._path}: exec format error\n")
                return 255
            words = ["sh", self._path, *process.words[1:]]
        else:
            reader = first[2:].decode(errors="replace").strip(" \t").split(" ")
            if reader[0].endswith("/env") and len(reader) > 1:
                reader = [*reader[1:]]
            words = [*reader, self._path, *process.words[1:]]
        program = find(process.machine, words[0], process.env)
        if isinstance(program, str):
            process.err(
                f"exec {self._path}: {MISSING.lower()}\n" if process.first else f"sh: {self._path}: not found\n"
            )
            return 255 if process.first else 127
        process.words = tuple(words)
        return (yield from program(process))


def words_of(spec: ContainerSpec, image: Image) -> tuple[str, ...]:
    """What is run: the pod's command and args, or the image's."""
    if spec.command:
        return (*spec.command, *spec.args)
    return (*image.entrypoint, *(spec.args or image.cmd))


def refusal(words: Sequence[str], files: Files, env: Mapping[str, str], folder: str) -> str:
    """runc's words where a container's first process cannot be started; '' where it can."""
    word = words[0]
    if "/" in word:
        path = normal(word if word.startswith("/") else f"{folder}/{word}")
        entry = files.find(path)
        if entry is None:
            return f'exec: "{word}": stat {word}: no such file or directory'
        if entry.folder:
            return f'exec: "{word}": is a directory'
        return "" if entry.mode & 0o111 else f'exec: "{word}": permission denied'
    for place in env.get("PATH", PATH).split(":"):
        entry = files.find(f"{place}/{word}")
        if entry is not None and not entry.folder and entry.mode & 0o111:
            return ""
    return f'exec: "{word}": {NOT_IN_PATH}'
