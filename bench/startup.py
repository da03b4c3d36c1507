"""`k8sdiag pod NAME --from RECORDING`, from the shell's prompt to the answer: within 250 ms of wall time, and without
importing what a diagnosis does not need."""

import subprocess
import sys
import time
from pathlib import Path

RECORDING = Path(__file__).parent.parent / "recordings" / "crash-app"
LIMIT, RUNS, HEAVY = 0.250, 15, ("kubernetes", "textual", "aiohttp")


def once(*before: str) -> tuple[float, str]:
    """Seconds of one run, and what it wrote to standard error."""
    begin = time.perf_counter()
    command = [sys.executable, *before, "-m", "k8sdiag", "pod", "api", "--from", str(RECORDING)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    return time.perf_counter() - begin, done.stderr


def main() -> int:
    once()  # compiles the playbooks, where they are not yet
    bare = min(_bare() for _ in range(5))
    taken = sorted(once()[0] for _ in range(RUNS))
    imported = {line.rsplit("|", 1)[-1].strip().split(".")[0] for line in once("-X", "importtime")[1].splitlines()}
    heavy = sorted(imported.intersection(HEAVY))
    print(f"python alone            {bare * 1000:6.0f} ms")
    print(f"pod NAME, best          {taken[0] * 1000:6.0f} ms")
    print(f"pod NAME, median of {RUNS}  {taken[RUNS // 2] * 1000:6.0f} ms (limit {LIMIT * 1000:.0f} ms)")
    print(f"heavy imports           {', '.join(heavy) or 'none'}")
    return int(taken[RUNS // 2] > LIMIT or bool(heavy))


def _bare() -> float:
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    return time.perf_counter() - begin


if __name__ == "__main__":
    sys.exit(main())
