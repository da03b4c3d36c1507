"""Commands that choose and change lines: grep, sort, tr, cut, sed."""

from __future__ import annotations

import re
from collections.abc import Mapping

from k8sdiag.minicluster.runtimes.machine.files import FileFault
from k8sdiag.minicluster.runtimes.machine.machine import Process, Program
from k8sdiag.minicluster.runtimes.machine.threads import Steps
from k8sdiag.minicluster.runtimes.programs.text import reading, trouble, unescaped


def _grep(process: Process) -> Steps:
    words = list(process.words[1:])
    flags = "".join(word[1:] for word in words if re.fullmatch(r"-[a-zA-Z]+", word))
    rest = [word for word in words if not word.startswith("-") or word == "-"]
    if not rest:
        process.err("Usage: grep [-HhnlLoqvsriwFE] PATTERN [FILE]...\n")
        return 2
    text = re.escape(rest[0]) if "F" in flags else rest[0].replace("\\|", "|")
    try:
        pattern = re.compile(text, re.IGNORECASE if "i" in flags else 0)
    except (re.error, RecursionError, OverflowError):
        process.err(f"grep: bad regex '{rest[0]}': Invalid regexp\n")
        return 2
    found, code = 0, 1
    for path in rest[1:] or ["-"]:
        try:
            data = yield from reading(process, path)
        except FileFault as fault:
            process.err(f"grep: {path}: {fault}\n")
            code = 2
            continue
        for line in data.decode(errors="replace").splitlines():
            if (pattern.search(line[:4096]) is None) == ("v" in flags):
                found += 1
                if "q" not in flags and "c" not in flags:
                    process.out(f"{path}:{line}\n" if len(rest) > 2 else f"{line}\n")
    if "c" in flags:
        process.out(f"{found}\n")
    return 0 if found else code


def _filter(process: Process) -> Steps:
    """sort, uniq, tr, cut, rev, tac: over all of the input."""
    words = list(process.words[1:])
    plain = [word for word in words if not word.startswith("-")]
    paths = [] if process.name == "tr" else plain
    if process.name == "cut":
        paths = [word for word in plain if process.machine.files.find(process.path(word)) is not None]
    lines: list[str] = []
    for path in paths or ["-"]:
        try:
            data = yield from reading(process, path)
        except FileFault as fault:
            trouble(process, path, fault)
            return 1
        lines += data.decode(errors="replace").splitlines()
    for line in _filtered(process.name, words, plain, lines):
        process.out(f"{line}\n")
    return 0


def _filtered(name: str, words: list[str], plain: list[str], lines: list[str]) -> list[str]:
    if name == "sort":
        lines = sorted(set(lines) if "-u" in words else lines, reverse="-r" in words)
    elif name == "uniq":
        lines = [line for index, line in enumerate(lines) if index == 0 or line != lines[index - 1]]
    elif name == "tac":
        lines = lines[::-1]
    elif name == "rev":
        lines = [line[::-1] for line in lines]
    elif name == "tr" and plain:
        sets = [_set_of(word) for word in plain[:2]]
        if "-d" in words:
            table = {ord(char): None for char in sets[0]}
            return [line.translate(table) for line in lines]
        if len(sets) > 1 and sets[1]:
            padded = sets[1].ljust(len(sets[0]), sets[1][-1])
            return [line.translate(dict(zip(map(ord, sets[0]), padded, strict=False))) for line in lines]
    elif name == "cut":
        mark = next((word[2:] for word in words if word.startswith("-d") and len(word) > 2), "\t")
        field = next((word[2:] for word in words if word.startswith("-f")), "1") or (plain[0] if plain else "1")
        index = int(field.partition(",")[0].partition("-")[0] or 1) - 1 if field[:1].isdigit() and len(field) < 6 else 0
        lines = [(line.split(mark)[index : index + 1] or [""])[0] if mark in line else line for line in lines]
    return lines


def _set_of(word: str) -> str:
    word = {"[:lower:]": "a-z", "[:upper:]": "A-Z", "[:digit:]": "0-9"}.get(word, unescaped(word)[0])
    return re.sub(r"(\w)-(\w)", lambda found: "".join(map(chr, range(ord(found[1]), ord(found[2]) + 1))), word)


def _sed(process: Process) -> Steps:
    """`s/a/b/g` and `-n Np` of a file or the input."""
    plain = [word for word in process.words[1:] if not word.startswith("-")]
    if not plain:
        process.err("sed: no script\n")
        return 1
    try:
        data = yield from reading(process, plain[1] if len(plain) > 1 else "-")
    except FileFault as fault:
        process.err(f"sed: {plain[1]}: {fault}\n")
        return 1
    text = data.decode(errors="replace")
    script = plain[0]
    if script[:1] == "s" and len(script) > 1:
        parts = script[2:].split(script[1])
        if len(parts) >= 2:
            try:
                new = re.sub(r"\\(?![0-9])", r"\\\\", parts[1])
                flags = parts[2] if len(parts) > 2 else ""
                text = "\n".join(
                    re.sub(parts[0], new, line, count=0 if "g" in flags else 1) for line in text.split("\n")
                )
            except (re.error, IndexError, RecursionError, OverflowError):
                process.err("sed: bad regex\n")
                return 1
    elif script.rstrip("p").isdigit() and "-n" in process.words:
        text = "".join(text.splitlines(keepends=True)[int(script.rstrip("p")[:6]) - 1 : int(script.rstrip("p")[:6])])
    if "-i" in process.words and len(plain) > 1:
        try:
            process.machine.files.write(process.path(plain[1]), text.encode())
        except FileFault as fault:
            process.err(f"sed: can't create temp file '{plain[1]}XXXXXX': {fault}\n")
            return 1
    else:
        process.out(text)
    return 0


COMMANDS: Mapping[str, Program] = {
    "grep": _grep, "egrep": _grep, "sort": _filter, "uniq": _filter, "tr": _filter, "cut": _filter, "rev": _filter,
    "tac": _filter, "sed": _sed,
}  # fmt: skip
