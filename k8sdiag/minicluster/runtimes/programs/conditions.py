"""`test` and `[`."""

from __future__ import annotations

import re
from collections.abc import Mapping

from k8sdiag.minicluster.runtimes.machine.machine import Process, Program
from k8sdiag.minicluster.runtimes.machine.threads import Steps


def _test(process: Process) -> Steps:
    words = list(process.words[1:])
    if process.name in ("[", "[["):
        if not words or words[-1] not in ("]", "]]"):
            process.err("sh: [: missing ]\n")
            return 2
        words.pop()
    try:
        return 0 if _either(process, words) else 1
    except ValueError as fault:
        process.err(f"sh: {fault}\n")
        return 2
    yield None


def _either(process: Process, words: list[str]) -> bool:
    for operator in ("-o", "||"):
        if operator in words[1:-1]:
            at = words.index(operator, 1)
            return _either(process, words[:at]) or _either(process, words[at + 1 :])
    for operator in ("-a", "&&"):
        if operator in words[1:-1]:
            at = words.index(operator, 1)
            return _either(process, words[:at]) and _either(process, words[at + 1 :])
    if len(words) > 1 and words[0] == "!":
        return not _either(process, words[1:])
    return _condition(process, words)


def _condition(process: Process, words: list[str]) -> bool:
    if not words:
        return False
    if len(words) == 1:
        return words[0] != ""
    if len(words) == 2:
        return _unary(process, words[0], words[1])
    if len(words) != 3:
        raise ValueError(f"{words[0]}: unknown operand")
    one, operator, two = words
    if operator in ("=", "=="):
        return one == two
    if operator == "!=":
        return one != two
    if operator == "=~":
        return two in one
    comparisons = {"-eq": 0, "-ne": 1, "-lt": 2, "-le": 3, "-gt": 4, "-ge": 5}
    if operator not in comparisons:
        raise ValueError(f"{operator}: unknown operand")
    numbers = []
    for word in (one, two):
        if not re.fullmatch(r"\s*[-+]?\d{1,18}\s*", word):
            raise ValueError(f"out of range: {word}" if word.isdigit() else f"bad number '{word}'")
        numbers.append(int(word))
    first, second = numbers
    return (first == second, first != second, first < second, first <= second, first > second, first >= second)[
        comparisons[operator]
    ]


def _unary(process: Process, flag: str, word: str) -> bool:
    if flag == "-n":
        return word != ""
    if flag == "-z":
        return word == ""
    if flag == "!":
        return word == ""
    entry = process.machine.files.find(process.path(word)) if word else None
    if flag in ("-e", "-r"):
        return entry is not None
    if flag == "-f":
        return entry is not None and not entry.folder
    if flag == "-d":
        return entry is not None and entry.folder
    if flag == "-s":
        return entry is not None and entry.size > 0
    if flag == "-x":
        return entry is not None and (entry.folder or bool(entry.mode & 0o111))
    if flag == "-w":
        return entry is not None and not process.machine.files.sealed
    if flag in ("-t", "-S", "-L", "-h", "-p"):
        return False
    raise ValueError(f"{flag}: unknown operand")


COMMANDS: Mapping[str, Program] = {"test": _test, "[": _test, "[[": _test}
