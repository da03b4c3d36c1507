"""`k8sdiag pod` and `k8sdiag check`: one subject (or all that a manifest names), and why it does not run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from k8sdiag.cli.options import (
    At,
    Context,
    CouldNotLook,
    FailOn,
    From,
    Kubeconfig,
    Lab,
    Namespace,
    Output,
    Playbooks,
    RequestTimeout,
)
from k8sdiag.kinds import parse_kind

if TYPE_CHECKING:
    from k8sdiag.cli.sources import Source


def pod(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The pod's name, or the beginning of it.")],
    namespace: Namespace = None,
    recording: From = None,
    at: At = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
    lab: Lab = False,
    request_timeout: RequestTimeout = "5s",
    output: Output = "text",
    fail_on: FailOn = "error",
    playbooks: Playbooks = None,
) -> None:
    """Why does this pod not run?

    Examples:

      k8sdiag pod web-7c5f -n shop

      k8sdiag pod api --from recordings/crash-app -o json
    """
    from k8sdiag.cli.sources import source_of

    source = source_of(recording, at, context, kubeconfig, namespace, request_timeout, lab)
    kind, _, rest = name.rpartition("/")
    if kind and kind not in ("pod", "pods", "po"):
        raise typer.BadParameter(f"{name!r} is no pod: use `k8sdiag check {name}`")
    _diagnose(source, [("Pod", rest)], output, fail_on, playbooks)


def check(
    subjects: Annotated[
        list[str] | None, typer.Argument(metavar="[KIND/NAME]...", help="deployment/web, svc/web, node/n1 ...")
    ] = None,
    filename: Annotated[
        str | None,
        typer.Option(
            "--filename", "-f", metavar="FILE", help="Check all that a manifest names: a file, a folder or -."
        ),
    ] = None,
    namespace: Namespace = None,
    recording: From = None,
    at: At = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
    lab: Lab = False,
    request_timeout: RequestTimeout = "5s",
    output: Output = "text",
    fail_on: FailOn = "error",
    playbooks: Playbooks = None,
) -> None:
    """Why is this workload, Service, claim or node not well?

    Ownership and references are followed to the cause: a Deployment's answer is its pods' answer, or the refusal that
    kept them from existing.

    Examples:

      k8sdiag check deployment/web -n shop

      k8sdiag check node node1

      k8sdiag check -f manifests/
    """
    from k8sdiag.cli.sources import source_of

    source = source_of(recording, at, context, kubeconfig, namespace, request_timeout, lab)
    if bool(subjects) == bool(filename):
        raise typer.BadParameter("name what to check (deployment/web), or a manifest with -f")
    if filename:
        from k8sdiag.cli.manifests import named_in

        wanted = named_in(filename, source)
    else:
        wanted = [(source, kind, name) for kind, name in parse_subjects(subjects or [])]
    _diagnose_all(wanted, output, fail_on, playbooks)


def parse_subjects(words: list[str]) -> list[tuple[str, str]]:
    """`deployment/web svc/web`, or `deployment web`, as kubectl takes them."""
    if words and "/" not in words[0]:
        if len(words) < 2:
            raise typer.BadParameter(f"{words[0]!r}: say which, as in deployment/web")
        return [(_kind(words[0]), name) for name in words[1:]]
    found = []
    for word in words:
        kind, _, name = word.partition("/")
        if not name or "/" in name:
            raise typer.BadParameter(f"{word!r}: give KIND/NAME, as in deployment/web")
        found.append((_kind(kind), name))
    return found


def _kind(word: str) -> str:
    kind = parse_kind(word)
    if kind is None:
        raise typer.BadParameter(f"{word!r} is no kind that k8sdiag knows (pod, deployment, service, node ...)")
    return kind.kind


def _diagnose(
    source: Source, subjects: list[tuple[str, str]], output: str, fail_on: str, playbooks: list[Path] | None
) -> None:
    _diagnose_all([(source, kind, name) for kind, name in subjects], output, fail_on, playbooks)


def _diagnose_all(
    wanted: list[tuple[Source, str, str]], output: str, fail_on: str, playbooks: list[Path] | None
) -> None:
    from concurrent.futures import ThreadPoolExecutor

    from k8sdiag.cli.answers import exit_code, show
    from k8sdiag.cli.sources import load_playbooks, look
    from k8sdiag.diagnose import diagnose

    reports, failures = [], []
    with ThreadPoolExecutor(1) as aside:  # the rules are read while the API server thinks
        loading = aside.submit(load_playbooks, playbooks or [])
        for source, kind, name in wanted:
            try:
                snapshot, subject = look(source, kind, name)
            except CouldNotLook as problem:
                loading.result()  # a mistake in a rule comes first
                failures.append(str(problem))
                continue
            reports.append(diagnose(snapshot, subject, loading.result()))
    if reports:
        show(reports[0] if len(wanted) == 1 else reports, output)
    if failures:
        raise CouldNotLook("\n".join(failures))
    raise typer.Exit(exit_code((finding for report in reports for finding in report.findings), fail_on))
