"""The command line: composes the rest, and imports it only when a command needs it, because a second is a long time."""

from __future__ import annotations

import errno
import gc
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    import typer

HELP = """Name the root cause of what does not run on Kubernetes, prove it, and say how to mend it.

Examples:

\b
  k8sdiag pod web-7c5f           why does this pod not run?
  k8sdiag check deployment/web   any workload, Service, claim or node
  k8sdiag scan -A                all that is wrong, one group a cause
  k8sdiag pod api --from DIR     a recorded incident, offline
"""


def main() -> None:
    """Entry point of `k8sdiag` and of `kubectl diag`. Exit codes: 0 nothing found at or above --fail-on, 1 something
    found, 2 wrong usage, 3 could not look."""
    gc.disable()  # short-lived: collecting among millions of living objects would only cost time
    name = "kubectl diag" if Path(sys.argv[0]).name.startswith("kubectl-") else "k8sdiag"
    from k8sdiag.cli import quick
    from k8sdiag.cli.refusal import CouldNotLook

    try:
        said = quick.understood(sys.argv[1:])
        if said is not None:
            _leave(quick.run(said))
        build(sys.argv[1:])(prog_name=name)
    except SystemExit as end:
        _leave(end.code)
    except CouldNotLook as problem:
        from k8sdiag.harmless import harmless

        for line in str(problem).splitlines() or ["could not look"]:
            print(f"k8sdiag: {harmless(line, 2000)}", file=sys.stderr)
        sys.exit(3)
    except KeyboardInterrupt:
        os._exit(130)
    except BrokenPipeError:  # the reader went away (`| head`): no more to say, and no traceback
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except OSError as problem:  # a full disk behind `> file` is no success
        if problem.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
            raise
        _say(f"cannot write the answer: {problem.strerror}")
        os._exit(3)
    finally:
        sys.excepthook = _unexpected  # typer puts its own there


def _say(line: str) -> None:
    """Past any buffer that cannot be written."""
    os.write(2, f"k8sdiag: {line}\n".encode())


def _leave(code: object) -> None:
    """End at once: taking the interpreter down in good order takes a tenth of a diagnosis. After Ctrl-C (130, as typer
    says it) requests may be under way; they only read, and waiting for them is what was refused."""
    number = code if isinstance(code, int) else 0 if code is None else 1
    try:
        if number != 130:
            sys.stdout.flush()
            sys.stderr.flush()
    except BrokenPipeError:
        number = 141
    except OSError as problem:
        _say(f"cannot write the answer: {problem.strerror}")
        number = 3
    os._exit(number)


def _unexpected(kind: type[BaseException], problem: BaseException, trace: TracebackType | None) -> None:
    """A fault of ours, or evidence of a shape no API server sends: one line, and not the exit code of a finding."""
    if os.environ.get("K8SDIAG_DEBUG"):
        sys.__excepthook__(kind, problem, trace)
    else:
        from k8sdiag.harmless import harmless

        said = harmless(f"{kind.__name__}: {problem}", 300)
        print(f"k8sdiag: internal error: {said} (K8SDIAG_DEBUG=1 shows where)", file=sys.stderr, flush=True)
    os._exit(3)


# Each command's file, and its name there.
COMMANDS = {
    "pod": ("diagnose", "pod"),
    "check": ("diagnose", "check"),
    "scan": ("scan", "scan"),
    "lab": ("lab", "app"),
    "playbooks": ("playbooks", "app"),
}


def build(words: Sequence[str] = ()) -> typer.Typer:
    """The commands by name; only the one that is meant, where `words` (the arguments) begin with one: the others'
    options need not be made for it."""
    from importlib import import_module

    import typer

    app = typer.Typer(
        help=HELP,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
    meant = words[0] if words and words[0] in COMMANDS else ""
    for name, (file, attribute) in COMMANDS.items():
        if meant and name != meant:
            continue
        found = getattr(import_module(f"k8sdiag.cli.{file}"), attribute)
        if isinstance(found, typer.Typer):
            app.add_typer(found, name=name)
        else:
            app.command(name)(found)

    @app.callback(invoke_without_command=True, help=HELP)
    def root(version: bool = typer.Option(False, "--version", help="Print the version and end.")) -> None:
        if version:
            from k8sdiag import __version__

            print(f"k8sdiag {__version__}")
            raise typer.Exit

    return app
