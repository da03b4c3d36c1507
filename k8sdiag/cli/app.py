"""The commands by name. Each is a file; what a command needs is imported when it runs."""

from __future__ import annotations

import typer

from k8sdiag.cli.diagnose import check, pod
from k8sdiag.cli.playbooks import app as playbooks
from k8sdiag.cli.scan import scan

app = typer.Typer(
    name="k8sdiag",
    help="Name the root cause of what does not run on Kubernetes, prove it, and say how to mend it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
app.command()(pod)
app.command()(check)
app.command()(scan)
app.add_typer(playbooks, name="playbooks")


@app.callback(invoke_without_command=True)
def root(version: bool = typer.Option(False, "--version", help="Print the version and end.")) -> None:
    """Name the root cause of what does not run on Kubernetes, prove it, and say how to mend it.

    Examples:

      k8sdiag pod web-7c5f              why does this pod not run? (a unique prefix will do)

      k8sdiag check deployment/web      the same for any workload, Service, claim or node

      k8sdiag scan -A                   everything that is wrong, one line a cause

      k8sdiag pod web --from recordings/wait-configmap    a recorded incident, offline
    """
    if version:
        from k8sdiag import __version__

        print(f"k8sdiag {__version__}")
        raise typer.Exit
