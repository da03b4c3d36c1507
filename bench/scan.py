"""`k8sdiag scan --from` a made recording of 10,000 pods on 100 nodes, one in ten broken in twenty ways, 60,000 events:
within 6 s and 600 MB; and the cost of a pod is the same in a cluster a tenth as large."""

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench._big import write

SECONDS, MEGABYTES, STEEPER = 6.0, 600.0, 1.3


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        small, large = (_measure(Path(folder), pods) for pods in (1_000, 10_000))
    ratio = (large[0] / 10_000) / (small[0] / 1_000)
    print(f"cost of a pod at 10,000 against 1,000: {ratio:.2f} (limit {STEEPER})")
    return int(large[0] > SECONDS or large[1] > MEGABYTES or ratio > STEEPER)


def _measure(folder: Path, pods: int) -> tuple[float, float]:
    recording = write(folder, pods, nodes=100, events=pods * 6)
    begin = time.perf_counter()
    command = [sys.executable, "-m", "k8sdiag", "scan", "-A", "--from", str(recording), "-o", "json"]
    done = subprocess.run(command, capture_output=True, check=False)
    seconds = time.perf_counter() - begin
    assert done.returncode == 1, done.stderr
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    answer = json.loads(done.stdout)
    causes, findings = len(answer["groups"]), len(answer["findings"])
    rules = len({finding["rule"] for finding in answer["findings"]})
    print(f"{pods:>6} pods: {seconds:5.2f} s, {peak:4.0f} MB, {findings} findings of {rules} rules, {causes} causes")
    return seconds, peak


if __name__ == "__main__":
    sys.exit(main())
