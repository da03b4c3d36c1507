"""tar, which `kubectl cp` uses on both ends: over the container's simulated files."""

from __future__ import annotations

import io
import posixpath
import tarfile
from collections.abc import Mapping

from k8sdiag.minicluster.runtimes.machine.files import FileFault, normal
from k8sdiag.minicluster.runtimes.machine.machine import Process, Program
from k8sdiag.minicluster.runtimes.machine.threads import Steps
from k8sdiag.minicluster.runtimes.programs.text import reading

_LARGEST = 64 * 2**20


def _tar(process: Process) -> Steps:
    words = list(process.words[1:])
    flags = words.pop(0).lstrip("-") if words else ""
    folder, name, paths = process.folder, "-", []
    if "f" in flags and words:
        name = words.pop(0)
    while words:
        word = words.pop(0)
        if word == "-C" and words:
            folder = normal(process.path(words.pop(0)))
        elif word == "-f" and words:
            name = words.pop(0)
        elif not word.startswith("-"):
            paths.append(word)
    if "c" in flags:
        return (yield from _create(process, folder, name, paths))
    if "x" in flags or "t" in flags:
        return (yield from _extract(process, folder, name, "t" in flags))
    process.err("tar: need at least one option\n")
    return 1


def _create(process: Process, folder: str, name: str, paths: list[str]) -> Steps:
    files, code = process.machine.files, 0
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for path in paths:
            whole = normal(path if path.startswith("/") else f"{folder}/{path}")
            if files.find(whole) is None:
                process.err(f"tar: {path}: No such file or directory\n")
                code = 1
                continue
            if path.startswith("/"):
                process.err("tar: removing leading '/' from member names\n")
            for inner, entry in files.walk(whole):
                member = tarfile.TarInfo((path + inner[len(whole) :]).lstrip("/") or ".")
                member.mode, member.mtime = entry.mode, int(entry.at)
                if entry.folder:
                    member.type = tarfile.DIRTYPE
                    archive.addfile(member)
                else:
                    data = entry.data + bytes(min(entry.size, _LARGEST) - len(entry.data))
                    member.size = len(data)
                    archive.addfile(member, io.BytesIO(data))
    if name == "-":
        process.stdout.write(out.getvalue())
    else:
        try:
            files.write(process.path(name), out.getvalue())
        except FileFault as fault:
            process.err(f"tar: can't open '{name}': {fault}\n")
            code = 1
    return code
    yield None


def _extract(process: Process, folder: str, name: str, only_list: bool) -> Steps:
    files, code = process.machine.files, 0
    try:
        data = yield from reading(process, name)
        if name == "-" and process.stdin is not None:
            while not process.stdin.closed and len(data) < _LARGEST:
                if process.thread is not None:
                    process.stdin.listen(process.thread)
                yield None
                data += process.stdin.take()
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:*") as archive:
            for member in archive:
                place = normal(f"{folder}/{posixpath.normpath(member.name.lstrip('/'))}")
                if only_list:
                    process.out(f"{member.name}\n")
                elif member.isdir():
                    files.make_folder(place, True)
                elif member.isfile():
                    stream = archive.extractfile(member)
                    files.make_folder(posixpath.dirname(place), True)
                    files.write(place, stream.read() if stream else b"", size=member.size, mode=member.mode)
    except (tarfile.TarError, EOFError, ValueError, OSError):
        process.err("tar: invalid tar magic\n")
        return 1
    except FileFault as fault:
        process.err(f"tar: can't open '{name if name != '-' else folder}': {fault}\n")
        code = 1
    return code


COMMANDS: Mapping[str, Program] = {"tar": _tar}
