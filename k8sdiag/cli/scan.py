"""`k8sdiag scan`: everything that is wrong in a namespace or a cluster, one group a cause."""

from __future__ import annotations

from typing import Annotated

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


def scan(
    namespace: Namespace = None,
    all_namespaces: Annotated[
        bool, typer.Option("--all-namespaces", "-A", help="Every namespace, and what belongs to none.")
    ] = False,
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
    """What is wrong here, and how many causes does it have?

    Findings with one cause are one group ("37 pods, one cause"); the worst and widest comes first.

    Examples:

      k8sdiag scan -n shop

      k8sdiag scan -A -o json

      k8sdiag scan --from recordings/evict-memory
    """
    from k8sdiag.cli.answers import exit_code, show
    from k8sdiag.cli.sources import load_playbooks, look_wide, source_of
    from k8sdiag.scan import scan as scan_snapshot

    source = source_of(recording, at, context, kubeconfig, namespace, request_timeout, lab)
    rules = load_playbooks(playbooks or [])
    snapshot, chosen = look_wide(source, all_namespaces)
    report = scan_snapshot(snapshot, "" if all_namespaces else chosen, rules)
    show(report, output)
    raise typer.Exit(exit_code(report.findings, fail_on))
