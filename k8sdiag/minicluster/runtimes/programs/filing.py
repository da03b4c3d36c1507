"""Commands about files and folders: they change a container's simulated files, and what it uses of disk."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping

from k8sdiag.minicluster.runtimes.machine.files import FULL, Entry, FileFault, normal
from k8sdiag.minicluster.runtimes.machine.machine import Process, Program
from k8sdiag.minicluster.runtimes.machine.threads import Steps
from k8sdiag.minicluster.runtimes.programs.text import size

_BLOCK = 512


def _plain(process: Process) -> tuple[str, list[str]]:
    """All single-letter flags, and the other words."""
    words = list(process.words[1:])
    flags = "".join(word[1:] for word in words if re.fullmatch(r"-[a-zA-Z0-9]+", word))
    return flags, [word for word in words if not word.startswith("-")]


def _ls(process: Process) -> Steps:
    flags, paths = _plain(process)
    files, code = process.machine.files, 0
    for path in paths or ["."]:
        whole = normal(process.path(path))
        try:
            entry = files.find(whole)
            if entry is None:
                files.read(whole)
            names = files.names(whole) if entry is not None and entry.folder and "d" not in flags else [path]
        except FileFault as fault:
            debian = process.machine.image.base == "debian"
            process.err(f"ls: cannot access '{path}': {fault}\n" if debian else f"ls: {path}: {fault}\n")
            code = 2 if debian else 1
            continue
        if len(paths) > 1 and entry is not None and entry.folder:
            process.out(f"{path}:\n")
        if "a" in flags and names != [path]:
            names = [".", "..", *names]
        for name in names:
            if name.startswith(".") and "a" not in flags and "A" not in flags and name != path:
                continue
            one = files.find(whole if name == path else f"{whole}/{name}")
            process.out(f"{_long(one)}{name}\n" if "l" in flags else f"{name}\n")
    return code
    yield None


def _long(entry: Entry | None) -> str:
    entry = entry or Entry(folder=True, mode=0o755)
    bits = "".join(letter if entry.mode >> (8 - at) & 1 else "-" for at, letter in enumerate("rwxrwxrwx"))
    return f"{'d' if entry.folder else '-'}{bits}    1 root     root     {4096 if entry.folder else entry.size:>9} Jan  1 00:00 "


def _mkdir(process: Process) -> Steps:
    flags, paths = _plain(process)
    code = 0
    for path in paths:
        try:
            process.machine.files.make_folder(process.path(path), "p" in flags)
        except FileFault as fault:
            debian = process.machine.image.base == "debian"
            process.err(
                f"mkdir: {'cannot create directory' if debian else 'can' + chr(39) + 't create directory'} '{path}': {fault}\n"
            )
            code = 1
    return code
    yield None


def _touch(process: Process) -> Steps:
    code = 0
    for path in _plain(process)[1]:
        try:
            process.machine.files.write(process.path(path), b"", append=True)
        except FileFault as fault:
            if str(fault) == "Is a directory":
                continue
            process.err(
                f"touch: {'cannot touch' if process.machine.image.base == 'debian' else ''} '{path}': {fault}\n".replace(
                    "  ", " "
                )
                if process.machine.image.base == "debian"
                else f"touch: {path}: {fault}\n"
            )
            code = 1
    return code
    yield None


def _rm(process: Process) -> Steps:
    flags, paths = _plain(process)
    recursive, code = "r" in flags or "R" in flags, 0
    for path in paths:
        try:
            if process.name == "rmdir" and process.machine.files.names(process.path(path)):
                raise FileFault("Directory not empty")  # noqa: TRY301 (said below, as what the files themselves raise)
            process.machine.files.remove(process.path(path), recursive or process.name == "rmdir")
        except FileFault as fault:
            if "f" in flags and str(fault) == "No such file or directory":
                continue
            process.err(
                f"{process.name}: can't remove '{path}': {fault}\n"
                if process.machine.image.base != "debian"
                else f"{process.name}: cannot remove '{path}': {fault}\n"
            )
            code = 1
    return code
    yield None


def _cp(process: Process) -> Steps:
    """cp and mv."""
    flags, paths = _plain(process)
    files = process.machine.files
    if len(paths) < 2:
        process.err(f"{process.name}: missing file operand\n")
        return 1
    target = normal(process.path(paths[-1]))
    code = 0
    for path in paths[:-1]:
        try:
            whole = normal(process.path(path))
            entry = files.find(whole)
            if entry is None:
                files.read(whole)
            if entry is not None and entry.folder and process.name == "cp" and not set("rRa") & set(flags):
                process.err(f"cp: omitting directory '{path}'\n")
                code = 1
                continue
            into = files.find(target)
            to = f"{target}/{posixpath.basename(whole)}" if into is not None and into.folder else target
            for inner, one in list(files.walk(whole)):
                place = to + inner[len(whole) :]
                if one.folder:
                    files.make_folder(place, True)
                else:
                    files.write(place, one.data, size=one.size, mode=one.mode)
            if process.name == "mv":
                files.remove(whole, True)
        except FileFault as fault:
            verb = (
                "can't stat"
                if str(fault) == "No such file or directory" and files.find(process.path(path)) is None
                else "can't create"
            )
            what = path if verb == "can't stat" else paths[-1]
            process.err(f"{process.name}: {verb} '{what}': {fault}\n")
            code = 1
    process.machine.check()
    return code
    yield None


def _dd(process: Process) -> Steps:
    said = dict(word.split("=", 1) for word in process.words[1:] if "=" in word)
    block = size(said.get("bs", "512")) or _BLOCK
    source, target = said.get("if", ""), said.get("of", "")
    count = size(said["count"]) if "count" in said else None
    files = process.machine.files
    endless = source in ("/dev/zero", "/dev/urandom", "/dev/random")
    try:
        if source and not endless:
            entry = files.read(process.path(source))
            count = min(count if count is not None else 2**50, -(-entry.size // block))
        if count is None:
            if target in ("/dev/null", ""):
                process.machine.allocate(block)
                process.machine.cpu += 1.0
                yield None
            count = max(1, 2**40 // block)
        total = block * count
        done = 0
        process.machine.allocate(block)
        # As fast as a disk: in turns of half a second, so that a limit is met on the way.
        while done < total and target not in ("", "/dev/null"):
            step = min(total - done, 2**28)
            done += step
            if target == "/dev/full":
                raise FileFault(FULL)  # noqa: TRY301
            files.write(process.path(target), bytes(min(done, 4096)), size=done)
            process.machine.check()
            if step >= 2**26:
                yield step / 2**29
    except FileFault as fault:
        verb = (
            "can't open"
            if source and not endless and files.find(process.path(source)) is None
            else "error writing"
            if str(fault) == FULL
            else "can't open"
        )
        what = (
            source
            if verb == "can't open" and source and not endless and files.find(process.path(source)) is None
            else target
        )
        process.err(f"dd: {verb} '{what}': {fault}\n")
        return 1
    if "status" not in said:
        seconds = max(total / 1.5e9, 0.0001)
        rate = total / seconds / 2**20
        process.err(
            f"{count}+0 records in\n{count}+0 records out\n{total} bytes ({total / 2**20:.1f}MB) copied,"
            f" {seconds:.6f} seconds, {rate:.1f}MB/s\n"
        )
    return 0


def _grow(process: Process) -> Steps:
    """truncate -s and fallocate -l; a truncated file has holes only, and so uses no disk."""
    words = list(process.words[1:])
    amount, paths = 0, []
    while words:
        word = words.pop(0)
        if word in ("-s", "-l", "--size", "--length") and words:
            amount = size(words.pop(0))
        elif word[:2] in ("-s", "-l") and len(word) > 2:
            amount = size(word[2:])
        elif not word.startswith("-"):
            paths.append(word)
    for path in paths:
        try:
            process.machine.files.write(process.path(path), b"", size=amount if process.name == "fallocate" else 0)
            process.machine.check()
        except FileFault as fault:
            process.err(f"{process.name}: {path}: {fault}\n")
            return 1
    return 0
    yield None


def _chmod(process: Process) -> Steps:
    words = [word for word in process.words[1:] if not word.startswith("-")]
    code = 0
    for path in words[1:]:
        try:
            entry = process.machine.files.find(process.path(path))
            if entry is None:
                raise FileFault("No such file or directory")  # noqa: TRY301 (said below, as what the files themselves raise)
            if process.name == "chmod":
                mode = int(words[0], 8) & 0o7777 if re.fullmatch(r"[0-7]{1,4}", words[0]) else entry.mode | 0o111
                process.machine.files.change_mode(process.path(path), mode)
            elif process.machine.files.user:
                raise FileFault("Operation not permitted")  # noqa: TRY301 (said below, as what the files themselves raise)
        except FileFault as fault:
            process.err(f"{process.name}: {path}: {fault}\n")
            code = 1
    return code
    yield None


def _ln(process: Process) -> Steps:
    paths = _plain(process)[1]
    if len(paths) == 2:
        try:
            entry = process.machine.files.find(process.path(paths[0]))
            process.machine.files.write(process.path(paths[1]), entry.data if entry else b"")
        except FileFault as fault:
            process.err(f"ln: {paths[1]}: {fault}\n")
            return 1
    return 0
    yield None


def _du(process: Process) -> Steps:
    flags, paths = _plain(process)
    for path in paths or ["."]:
        total = sum(entry.size for _, entry in process.machine.files.walk(process.path(path)) if not entry.folder)
        process.out(f"{_human(total) if 'h' in flags else total // 1024}\t{path}\n")
    return 0
    yield None


def _df(process: Process) -> Steps:
    process.out("Filesystem           1K-blocks      Used Available Use% Mounted on\n")
    used = process.machine.files.disk // 1024 + 8_000_000
    process.out(f"overlay              102400000 {used:>9} {102400000 - used:>9} {used * 100 // 102400000:>3}% /\n")
    for mount in process.machine.spec.mounts:
        if mount.volume.kind != "files":
            process.out(
                f"/dev/vda1            102400000 {used:>9} {102400000 - used:>9} {used * 100 // 102400000:>3}% {mount.path}\n"
            )
    return 0
    yield None


def _human(count: float) -> str:
    for unit in ("", "K", "M", "G"):
        if count < 1024:
            return f"{count:.1f}{unit}" if unit else f"{count:.0f}"
        count /= 1024
    return f"{count:.1f}T"


def _find(process: Process) -> Steps:
    words = list(process.words[1:])
    start = words.pop(0) if words and not words[0].startswith("-") else "."
    name = words[words.index("-name") + 1] if "-name" in words[:-1] else "*"
    kind = words[words.index("-type") + 1] if "-type" in words[:-1] else ""
    base = normal(process.path(start))
    if process.machine.files.find(base) is None:
        process.err(f"find: {start}: No such file or directory\n")
        return 1
    from fnmatch import fnmatchcase

    for path, entry in process.machine.files.walk(base):
        if fnmatchcase(posixpath.basename(path) or "/", name) and kind in ("", "d" if entry.folder else "f"):
            process.out(f"{start.rstrip('/') if start != '/' else ''}{path[len(base.rstrip('/')) :]}\n")
    return 0
    yield None


def _stat(process: Process) -> Steps:
    code = 0
    for path in _plain(process)[1]:
        entry = process.machine.files.find(process.path(path))
        if entry is None:
            process.err(f"stat: can't stat '{path}': No such file or directory\n")
            code = 1
        else:
            kind = "directory" if entry.folder else "regular file"
            process.out(f"  File: {path}\n  Size: {entry.size}\tBlocks: {entry.size // 512}\tIO Block: 4096\t{kind}\n")
    return code
    yield None


def _mktemp(process: Process) -> Steps:
    letters = "abcdefghijklmnopqrstuvwxyz"
    path = "/tmp/tmp." + "".join(process.machine.world.random.choice(letters) for _ in range(6))  # noqa: S108
    try:
        if "-d" in process.words:
            process.machine.files.make_folder(path)
        else:
            process.machine.files.write(path, b"")
    except FileFault as fault:
        process.err(f"mktemp: {path}: {fault}\n")
        return 1
    process.out(f"{path}\n")
    return 0
    yield None


COMMANDS: Mapping[str, Program] = {
    "ls": _ls, "mkdir": _mkdir, "touch": _touch, "rm": _rm, "rmdir": _rm, "cp": _cp, "mv": _cp, "dd": _dd,
    "truncate": _grow, "fallocate": _grow, "chmod": _chmod, "chown": _chmod, "chgrp": _chmod, "ln": _ln, "du": _du,
    "df": _df, "find": _find, "stat": _stat, "mktemp": _mktemp,
}  # fmt: skip
