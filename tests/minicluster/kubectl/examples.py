"""A small example of every kind that can be created (examples.yaml), and what is different from run to run in the words
about them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent

# The lab has no CEL: a policy that never refuses anything would be a lie, so it does not take one.
REFUSED = ("validatingadmissionpolicies", "validatingadmissionpolicybindings")

_VARIABLE = (
    (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "<uid>"),
    (r"containerd://[0-9a-f]{64}", "containerd://<id>"),
    (r"sha256:[0-9a-f]{64}", "sha256:<digest>"),
    (r"20(?!26-01-02)\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "<time>"),
    (r"\w{3}, \d\d \w{3} (?!2026 03:0)\d{4} \d\d:\d\d:\d\d \+0000", "<time>"),
    (r"20\d\d-\d\d-\d\d \d\d:\d\d:\d\d \+0000 UTC", "<time>"),
    (r"(resourceVersion: |Resource Version: +)\"?\d+\"?", r"\1<version>"),
    (r"\b(\d+[ydhms]){1,2} \(x\d+ over (\d+[ydhms]){1,2}\)", "<age>"),
    (r"(?m)(?:(?<=  )|^)(\d+[ydhms]){1,2}(?=\s)", "<age>"),
    (r"10\.244\.0\.\d+", "<pod-ip>"),
)


@dataclass(frozen=True, slots=True)
class Example:
    """An object and what kubectl is to call it by (`events.v1.events.k8s.io`)."""

    word: str
    name: str
    namespace: str
    manifest: dict[str, Any]

    @property
    def key(self) -> str:
        return f"{self.manifest['apiVersion'].replace('/', '_')}_{self.manifest['kind']}"


@cache
def examples() -> tuple[Example, ...]:
    text = (FOLDER / "examples.yaml").read_text(encoding="utf-8")
    return tuple(_example(document) for document in text.split("---\n"))


def _example(document: str) -> Example:
    plain = yaml.safe_load(document)
    group, _, version = plain["apiVersion"].rpartition("/")
    kind = plain["kind"].lower()
    namespace = f"ex-{kind}-{group.partition('.')[0] or 'core'}"
    manifest = yaml.safe_load(document.replace("NAMESPACE", namespace))
    return Example(f"{kind}.{version}.{group}" if group else kind, plain["metadata"]["name"], namespace, manifest)


def steady(text: str) -> str:
    """A text without what is different from run to run; columns are two spaces apart, as their width hangs on that."""
    text = re.sub(r"(?<=\S)  +(?=\S)", "  ", text)
    for pattern, word in _VARIABLE:
        text = re.sub(pattern, word, text)
    return "".join(f"{line.rstrip()}\n" for line in text.splitlines())
