"""The words of every answer to every recording: whole sentences, nothing left empty, nothing of the template left."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

import pytest

from k8sdiag.finding import Finding, Fix
from k8sdiag.playbook import PLACEHOLDER
from tests.test_recordings import NAMES, PLAYBOOKS, report_of

LONGEST_TITLE, LONGEST_CAUSE = 90, 450
QUOTED = re.compile(r"\"[^\"]*\"|`[^`]*`|(?<!\w)'[^']*'(?!\w)|https?://\S+")
FAULTS = {
    "two spaces": r"\S  +\S",
    "a space before punctuation": r"(?<!\") [,;:)\]](?:\s|$)| \.(?:\s|$)",
    "a space after an opening bracket": r"[(] ",
    "empty quotes or brackets": r"(?<!\w)\(\)|(?<!is )\"\"|(?<!\w)''|``|“”",
    "optional parts of the template": r"\[\[|\]\]",
    "a value that is none": r"(?<!: )\bNone\b(?! of)",
    "doubled punctuation": r",,|\S;;|: *[,;:](?![:;])|, *[.;](?:\s|$)|(?<!\.)\.\.(?![./])",
    "nothing after the colon": r":$",
}
NAME = re.compile(r"[a-z]+/\S|[a-z]+[A-Z]\w+|kube-")
"""What may begin a sentence small: deployment/web, spec fields, programs."""
COMMENT = re.compile(r" +#.*")
EMPTY_NAME = re.compile(r"(?:pod|node|deployment|service|configmap|secret|job|pvc)s?/")
CODE = re.compile(r"`[^`]+`")
PLACEHOLDERS = {name for playbook in PLAYBOOKS for name in PLACEHOLDER.findall(str(playbook))}
CLOSING = {")": "(", "]": "[", "}": "{"}


def unbalanced(text: str) -> str:
    """A bracket without a partner, in what is not quoted, with the words around it."""
    plain = QUOTED.sub(lambda found: "x" * len(found.group()), text)
    opened: list[int] = []
    for at, sign in enumerate(plain):
        if sign in CLOSING.values():
            opened.append(at)
        elif sign in CLOSING and (not opened or plain[opened.pop()] != CLOSING[sign]):
            return text[max(at - 10, 0) : at + 1]
    return text[opened[0] : opened[0] + 10] if opened else ""


def sentences(found: Finding) -> Iterator[tuple[str, str]]:
    for name in ("title", "symptom", "cause", "verify"):
        yield name, getattr(found, name)
    for number, fix in enumerate(found.fixes, 1):
        yield f"fix {number}", fix.title
        yield f"risk of fix {number}", fix.risk


def quoted(part: str, found: Finding) -> bool:
    """Do these words come from the cluster, and not from a template?"""
    said = " ".join(" ".join(proof.text.split()) for proof in found.evidence)
    return " ".join(part.split()) in said


def faults(found: Finding) -> Iterator[str]:
    for name, text in sentences(found):
        plain = CODE.sub("code", text)
        for fault, pattern in FAULTS.items():
            if name == "verify" and fault == "two spaces":
                continue
            hit = re.search(pattern, plain)
            if hit and not quoted(plain[max(hit.start() - 2, 0) : hit.end() + 2], found):
                yield f"{name}: {fault} ({hit.group()!r}): {text}"
        if unbalanced(text) and not quoted(unbalanced(text), found) and "…" not in text:
            yield f"{name}: {unbalanced(text)!r} without a partner: {text}"
        if set(PLACEHOLDER.findall(text)) & PLACEHOLDERS:
            yield f"{name}: a placeholder is left: {text}"
    for name, text, longest in (("title", found.title, LONGEST_TITLE), ("cause", found.cause, LONGEST_CAUSE)):
        if not text[:1].isupper() and not NAME.match(text):
            yield f"{name} starts small: {text}"
        if len(text) > longest and "…" not in text:
            yield f"{name} is {len(text)} long: {text}"
    if found.title.endswith("."):
        yield f"title ends in a full stop: {found.title}"
    for fix in found.fixes:
        yield from command_faults(fix)


def command_faults(fix: Fix) -> Iterator[str]:
    for command in (COMMENT.sub("", line) for line in fix.commands):
        if "\n" in command or "\\n" in command:
            continue  # a file's content
        try:
            words = shlex.split(command)
        except ValueError as problem:
            yield f"command: {problem}: {command}"
            continue
        if not words or "" in words or any(EMPTY_NAME.fullmatch(word) for word in words):
            yield f"command: a word is empty: {command}"
        if words[0] == "kubectl" and re.search(r"^[^|]* -[nc] (?:-|$)", command):
            yield f"command: a word is missing: {command}"


@pytest.mark.parametrize("name", NAMES)
def test_texts_are_whole(name: str) -> None:
    wrong = [f"{found.rule}: {fault}" for found in report_of(name).findings for fault in faults(found)]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("rule", sorted(playbook.id for playbook in PLAYBOOKS))
def test_template_is_balanced(rule: str) -> None:
    playbook = next(playbook for playbook in PLAYBOOKS if playbook.id == rule)
    texts = [playbook.words.title, playbook.words.symptom, playbook.words.cause, playbook.words.verify]
    texts += [text for fix in playbook.words.fixes for text in (fix.title, fix.risk)]
    for text in texts:
        for language in text.values():
            assert not unbalanced(PLACEHOLDER.sub("x", language)), language
            assert language.count("[[") == language.count("]]"), language
            assert language.count('"') % 2 == 0, language
