"""Sets of completion indexes as an Indexed Job shows them: `1,3-5,7` (pkg/controller/job/indexed_job_utils.go)."""

from __future__ import annotations

from collections.abc import Iterable

from k8sdiag.evidence import Json

INDEX = "batch.kubernetes.io/job-completion-index"


def parse_indexes(text: str, completions: int) -> set[int]:
    """The indexes below `completions`; what cannot be read counts as none."""
    found: set[int] = set()
    for part in text.split(",") if text else ():
        first, _, last = part.partition("-")
        if first.isdigit() and (not last or last.isdigit()):
            found.update(range(int(first), min(int(last or first), completions - 1) + 1))
    return found


def format_indexes(indexes: Iterable[int]) -> str:
    """Runs of three and more as `3-5`, of two as `3,4`."""
    runs: list[list[int]] = []
    for index in sorted(indexes):
        if runs and runs[-1][1] == index - 1:
            runs[-1][1] = index
        else:
            runs.append([index, index])
    return ",".join(_run(first, last) for first, last in runs)


def _run(first: int, last: int) -> str:
    if first == last:
        return str(first)
    return f"{first},{last}" if last == first + 1 else f"{first}-{last}"


def index_of(pod: Json) -> int | None:
    """A pod's completion index; None for a pod without."""
    text = (pod["metadata"].get("annotations") or {}).get(INDEX, "")
    return int(text) if text.isdigit() else None


def indexed(job: Json) -> bool:
    return bool(job["spec"].get("completionMode") == "Indexed")
