"""What every command takes: where evidence comes from, how the answer looks, when to fail."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from k8sdiag.finding import SEVERITIES
from k8sdiag.render import RENDERERS

SOURCE, ANSWER = "Where evidence comes from", "The answer"


def check_format(value: str) -> str:
    """A name of RENDERERS, or wrong usage."""
    if value not in RENDERERS:
        raise typer.BadParameter(f"{value!r} is none of {', '.join(RENDERERS)}")
    return value


def check_severity(value: str) -> str:
    """A severity, or wrong usage."""
    if value not in SEVERITIES:
        raise typer.BadParameter(f"{value!r} is none of {', '.join(SEVERITIES)}")
    return value


def complete_format(incomplete: str) -> list[str]:
    """Shell completion of -o."""
    return [name for name in RENDERERS if name.startswith(incomplete)]


def complete_severity(incomplete: str) -> list[str]:
    """Shell completion of --fail-on."""
    return [name for name in SEVERITIES if name.startswith(incomplete)]


From = Annotated[
    Path | None,
    typer.Option("--from", metavar="RECORDING", help="A recorded incident: a folder or .tar.gz. No cluster is asked.",
                 rich_help_panel=SOURCE),
]  # fmt: skip
At = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="The recording as it was at this moment (RFC 3339).", rich_help_panel=SOURCE),
]
Context = Annotated[
    str | None, typer.Option(metavar="NAME", help="The kubeconfig context to use.", rich_help_panel=SOURCE)
]
Kubeconfig = Annotated[
    str | None, typer.Option(metavar="FILE", help="Path to the kubeconfig file.", rich_help_panel=SOURCE)
]
Lab = Annotated[
    bool,
    typer.Option(
        "--lab",
        help="The running lab (`k8sdiag lab up`; K8SDIAG_LAB names another) instead of a cluster.",
        rich_help_panel=SOURCE,
    ),
]
Namespace = Annotated[
    str | None,
    typer.Option("--namespace", "-n", metavar="NAME", help="The namespace; by default the context's.",
                 rich_help_panel=SOURCE),
]  # fmt: skip
RequestTimeout = Annotated[
    str,
    typer.Option(metavar="DURATION", help="How long one request to the API server may take.", rich_help_panel=SOURCE),
]
Output = Annotated[
    str,
    typer.Option("--output", "-o", metavar="FORMAT", callback=check_format, autocompletion=complete_format,
                 help=f"{'|'.join(RENDERERS)}", rich_help_panel=ANSWER),
]  # fmt: skip
FailOn = Annotated[
    str,
    typer.Option(metavar="SEVERITY", callback=check_severity, autocompletion=complete_severity, rich_help_panel=ANSWER,
                 help=f"Exit with 1 for a finding this bad or worse: {'|'.join(SEVERITIES)}."),
]  # fmt: skip
Playbooks = Annotated[
    list[Path] | None,
    typer.Option(metavar="DIR", help="A folder of playbooks of your own; may be given again.", rich_help_panel=ANSWER),
]
