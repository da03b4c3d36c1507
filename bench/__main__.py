"""Runs every bench: `python -m bench`, or `python -m bench NAME …` for some.

A bench is a file bench/NAME.py. It prints its figures and exits with something other than 0 when one is over its limit.
Each runs in a process of its own, so that time and memory are its own too. Files led by an underscore are shared parts.
"""

import subprocess
import sys
import time
from pathlib import Path

FOLDER = Path(__file__).parent


def names() -> list[str]:
    """All benches, found by being there."""
    return sorted(path.stem for path in FOLDER.glob("*.py") if not path.stem.startswith("_"))


def main(wanted: list[str]) -> int:
    """Run the wanted benches, one after the other; how many were over a limit decides the exit code."""
    unknown = set(wanted) - set(names())
    if unknown:
        print(f"no such bench: {', '.join(sorted(unknown))}; there are: {', '.join(names())}", file=sys.stderr)
        return 2
    if not names():
        print("no benches yet", file=sys.stderr)
        return 0
    over = []
    for name in wanted or names():
        print(f"== {name}", flush=True)
        begin = time.perf_counter()
        code = subprocess.run([sys.executable, "-m", f"bench.{name}"], cwd=FOLDER.parent, check=False).returncode
        print(f"== {name}: {'FAILED' if code else 'ok'}, {time.perf_counter() - begin:.1f} s\n", flush=True)
        if code:
            over.append(name)
    print(f"bench: {'FAILED: ' + ', '.join(over) if over else 'all within their limits'}")
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
