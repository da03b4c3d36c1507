"""The command line: composes the rest, and imports it only when a command needs it, because a second is a long time."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Entry point of `k8sdiag` and of `kubectl diag`. Exit codes: 0 nothing found at or above --fail-on, 1 something
    found, 2 wrong usage, 3 could not look."""
    import gc

    gc.disable()  # short-lived: collections of millions of living objects would only cost time
    from k8sdiag.cli.app import app
    from k8sdiag.cli.options import CouldNotLook

    try:
        app(prog_name="kubectl diag" if os.path.basename(sys.argv[0]).startswith("kubectl-") else "k8sdiag")
    except CouldNotLook as problem:
        from k8sdiag.harmless import harmless

        for line in str(problem).splitlines() or ["could not look"]:
            print(f"k8sdiag: {harmless(line, 2000)}", file=sys.stderr)
        sys.exit(3)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
