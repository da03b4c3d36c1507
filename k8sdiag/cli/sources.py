"""Flags to evidence: the only place that knows both recordings and clusters."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Timer
from typing import TYPE_CHECKING

from k8sdiag.cli.refusal import CouldNotLook
from k8sdiag.evidence import CLUSTER_SCOPED, Ref, Snapshot
from k8sdiag.playbook import Playbook, PlaybookError, load

if TYPE_CHECKING:
    from k8sdiag.target import Target


@dataclass(frozen=True, slots=True)
class Source:
    """Where to look, as the user said it."""

    recording: Path | None = None
    at: str | None = None
    context: str | None = None
    kubeconfig: str | None = None
    namespace: str | None = None
    timeout: float = 5.0


def source_of(
    recording: Path | None,
    at: str | None,
    context: str | None,
    kubeconfig: str | None,
    namespace: str | None,
    limit: str,
    lab: bool,
) -> Source:
    """The flags of a command as a Source, or wrong usage."""
    from k8sdiag.quantity import parse_duration

    timeout = parse_duration(limit)
    if not timeout:
        raise _wrong(f"{limit!r} is no duration such as 5s", "--request-timeout")
    if at and not recording:
        raise _wrong("--at needs a recording (--from)")
    if lab:
        if recording or context or kubeconfig:
            raise _wrong("--lab says where to look, and so does --from, --context or --kubeconfig")
        kubeconfig = _lab_kubeconfig()
    return Source(recording, at, context, kubeconfig, namespace, timeout)


def _wrong(message: str, option: str | None = None) -> Exception:
    """Wrong usage, which only typer needs to know."""
    import typer

    return typer.BadParameter(message, param_hint=option)


def _lab_kubeconfig() -> str:
    from k8sdiag.minicluster.folder import DEFAULT_NAME, folder

    name = os.environ.get("K8SDIAG_LAB") or DEFAULT_NAME
    try:
        found = folder(name, os.environ)
    except ValueError as problem:
        raise CouldNotLook(f"K8SDIAG_LAB: {problem}") from None
    if not found.running():
        raise CouldNotLook(f"the lab {name!r} does not run: `k8sdiag lab up` starts it")
    return str(found.kubeconfig)


def load_playbooks(folders: Iterable[Path]) -> list[Playbook]:
    """The playbooks, or one line a mistake."""
    try:
        return load(folders)
    except PlaybookError as problem:
        raise CouldNotLook(str(problem)) from None


def read_recording(source: Source) -> Snapshot:
    """The recording, or the one line that says why not."""
    from k8sdiag import recording

    try:
        return recording.load(source.recording or Path(), source.at)
    except recording.RecordingError as problem:
        raise CouldNotLook(str(problem)) from None


def look(source: Source, kind: str, name: str) -> tuple[Snapshot, Ref]:
    """The evidence about one object, and which object that is: `name` may be a unique prefix."""
    if source.recording is not None:
        snapshot = read_recording(source)
        return snapshot, _in_recording(snapshot, source.namespace, kind, name)
    return _live(source, kind, name)


def look_wide(source: Source, everywhere: bool) -> tuple[Snapshot, str]:
    """The evidence about a namespace, or about the whole cluster; and which ('' for all namespaces)."""
    if source.recording is not None:
        snapshot = read_recording(source)
        _must_hold(snapshot, source.namespace or "")
        return snapshot, source.namespace or ""
    from k8sdiag.evidence import Scope

    with _cluster(source) as (target, namespace):
        from k8sdiag.clock import SystemClock
        from k8sdiag.collect import take

        chosen = "" if everywhere else source.namespace or namespace
        snapshot = take(target, Scope(chosen), SystemClock())
        if chosen and snapshot.exists("Namespace", "", chosen) is False:
            raise CouldNotLook(f"namespace {chosen} not found")
        return snapshot, chosen


def _must_hold(snapshot: Snapshot, namespace: str) -> None:
    """Nothing to look at is no health."""
    if not snapshot.kinds():
        raise CouldNotLook(f"{snapshot.source} holds nothing at this moment")
    if namespace and snapshot.get("Namespace", "", namespace) is None:
        spaces = {obj["metadata"].get("namespace") or "" for kind in snapshot.kinds() for obj in snapshot.of_kind(kind)}
        if namespace not in spaces:
            raise CouldNotLook(
                f"namespace {namespace} is not in {snapshot.source}; it has {', '.join(sorted(spaces - {''}))}"
            )


def _live(source: Source, kind: str, name: str) -> tuple[Snapshot, Ref]:
    from k8sdiag.clock import SystemClock
    from k8sdiag.collect import find_names, take
    from k8sdiag.evidence import Scope

    with _cluster(source) as (target, namespace):
        space = "" if kind in CLUSTER_SCOPED else source.namespace or namespace
        subject = Ref(kind, space, name)
        snapshot = take(target, Scope(space, subject), SystemClock())
        if snapshot.find(subject) is None and snapshot.exists(*subject) is False:
            names = find_names(target, kind, space)
            subject = choose(kind, name, [Ref(kind, space, other) for other in names], f"namespace {space}")
            snapshot = take(target, Scope(space, subject), SystemClock())
        return snapshot, subject


@contextmanager
def _cluster(source: Source) -> Iterator[tuple[Target, str]]:
    from k8sdiag.live import connect
    from k8sdiag.target import ApiError

    where = ""
    patience = _say_if_slow()
    try:
        target, namespace = connect(source.kubeconfig, source.context, source.timeout)
        where = f"{target.source}: " if target.source else ""
        yield target, namespace
    except ApiError as problem:
        raise CouldNotLook(f"{where}{problem.reason}") from None
    finally:
        patience.cancel()


def _say_if_slow() -> Timer:
    """After a second of silence a person at a terminal is told what is waited for."""

    def say() -> None:
        if sys.stderr.isatty():
            print("k8sdiag: asking the API server ...", file=sys.stderr, flush=True)

    timer = Timer(1.0, say)
    timer.daemon = True
    timer.start()
    return timer


def _in_recording(snapshot: Snapshot, namespace: str | None, kind: str, name: str) -> Ref:
    cluster_wide = kind in CLUSTER_SCOPED
    have = [
        Ref(kind, obj["metadata"].get("namespace") or "", obj["metadata"]["name"])
        for obj in snapshot.of_kind(kind, namespace if namespace is not None and not cluster_wide else None)
    ]
    have += [ref for ref in snapshot.deleted(kind) if namespace in (None, ref.namespace) or cluster_wide]
    if kind == "Node":  # one that never registered has a journal and no object
        have += [ref for ref in {Ref("Node", "", node) for node, _ in snapshot.journal} if ref not in have]
    return choose(kind, name, have, f"namespace {namespace}" if namespace and not cluster_wide else snapshot.source)


def choose(kind: str, name: str, have: list[Ref], where: str) -> Ref:
    """The object of that name, or the only one whose name starts so. Else CouldNotLook, with the nearest names."""
    exact = [ref for ref in have if ref.name == name]
    if len(exact) == 1:
        return exact[0]
    if len(exact) > 1:
        spaces = ", ".join(sorted(ref.namespace for ref in exact))
        raise CouldNotLook(f"{kind.lower()}/{name} is in several namespaces ({spaces}): choose one with -n")
    starting = [ref for ref in have if ref.name.startswith(name)]
    if len(starting) == 1:
        return starting[0]
    if starting:
        raise CouldNotLook(f"{kind.lower()}/{name} could be any of {_list(starting)}: give more of the name")
    near = _nearest(name, have)
    hint = f"; nearest: {_list(near)}" if near else f"; there is no {kind.lower()} at all"
    if have and not near:
        hint = f"; there is {_list(sorted(have))}"
    raise CouldNotLook(f"{kind.lower()}/{name} not found in {where}{hint}")


def _nearest(name: str, have: list[Ref]) -> list[Ref]:
    from difflib import get_close_matches

    close = get_close_matches(name, [ref.name for ref in have], n=5, cutoff=0.4)
    inside = [ref.name for ref in have if name in ref.name]
    names = list(dict.fromkeys([*inside, *close]))[:5]
    return [next(ref for ref in have if ref.name == other) for other in names]


def _list(refs: list[Ref]) -> str:
    names = [ref.name for ref in refs]
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
