"""`k8sdiag pod` and `k8sdiag check`: one subject (or all that a manifest names), and why it does not run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from k8sdiag.cli.options import (
    At,
    Context,
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
    _answer([(source, "Pod", rest)], output, fail_on, playbooks)


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
    _answer(wanted, output, fail_on, playbooks)


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


def _answer(wanted: list[tuple[Source, str, str]], output: str, fail_on: str, playbooks: list[Path] | None) -> NoReturn:
    from k8sdiag.cli.subjects import answer

    raise typer.Exit(answer(wanted, output, fail_on, playbooks))
