"""`k8sdiag pod NAME` with its plain options, understood without typer: importing that takes a quarter of a diagnosis.

Only what cannot mean anything else is taken. All the rest, and all that is wrong, is typer's, with its words for it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from k8sdiag.finding import SEVERITIES
from k8sdiag.render import RENDERERS

_OPTIONS = {
    "-n": "namespace", "--namespace": "namespace", "--from": "recording", "--at": "at", "--context": "context",
    "--kubeconfig": "kubeconfig", "-o": "output", "--output": "output", "--fail-on": "fail_on",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class PodWords:
    """What `pod` was told, as its function takes it."""

    name: str
    namespace: str | None = None
    recording: Path | None = None
    at: str | None = None
    context: str | None = None
    kubeconfig: str | None = None
    lab: bool = False
    output: str = "text"
    fail_on: str = "error"


def understood(words: Sequence[str]) -> PodWords | None:
    """The words of a plain `pod` command; None where typer has to look at them."""
    if words[:1] != ["pod"] or any(name.endswith("_COMPLETE") for name in os.environ):
        return None
    names: list[str] = []
    given: dict[str, str] = {}
    rest = iter(words[1:])
    for word in rest:
        if not word.startswith("-"):
            names.append(word)
        elif word == "--lab" and "lab" not in given:
            given["lab"] = word
        else:
            option, equals, value = word.partition("=") if word.startswith("--") else (word, "", "")
            value = value if equals else next(rest, "")
            key = _OPTIONS.get(option)
            if key is None or key in given or not value or value.startswith("-"):
                return None
            given[key] = value
    if len(names) != 1 or not names[0] or "/" in names[0] or not _fit(given):
        return None
    recording = Path(given.pop("recording")) if "recording" in given else None
    return PodWords(names[0], recording=recording, lab=bool(given.pop("lab", "")), **given)


def _fit(given: dict[str, str]) -> bool:
    """Can these stand together?"""
    if given.get("output", "text") not in RENDERERS or given.get("fail_on", "error") not in SEVERITIES:
        return False
    if "lab" in given and not given.keys().isdisjoint(("recording", "context", "kubeconfig")):
        return False
    return "at" not in given or "recording" in given


def run(words: PodWords) -> int:
    """The answer, and the exit code. Raises CouldNotLook."""
    from k8sdiag.cli.sources import source_of
    from k8sdiag.cli.subjects import answer

    source = source_of(words.recording, words.at, words.context, words.kubeconfig, words.namespace, "5s", words.lab)
    return answer([(source, "Pod", words.name)], words.output, words.fail_on, None)
