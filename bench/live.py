"""`k8sdiag pod NAME` on a running lab, against what it stands in for, in turns in the same run: `kubectl describe pod`,
`kubectl logs --previous`, `kubectl get events` and `kubectl describe node`, one after the other."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from k8sdiag.clock import sleep

RUNS, LIMIT = 15, 1.0
BIN = Path(sys.executable).parent
POD = """{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "crash"}, "spec": {"containers": [
  {"name": "app", "image": "busybox", "command": ["sh", "-c", "echo no such table: orders; exit 3"]}]}}"""
FOUR = ("describe pod crash", "logs --previous crash", "get events", "describe node node1")


def main() -> int:
    with tempfile.TemporaryDirectory() as home:
        # Byte code is kept, as it is wherever a package is installed: ours is not to be compiled for each run.
        environ = {**os.environ, "XDG_STATE_HOME": home, "K8SDIAG_LAB": "bench"}
        environ.pop("PYTHONDONTWRITEBYTECODE", None)
        _run(environ, "k8sdiag", "lab", "up", "--port", "26443")
        try:
            environ["KUBECONFIG"] = f"{home}/k8sdiag/labs/bench/kubeconfig"
            return _compare(environ)
        finally:
            _run(environ, "k8sdiag", "lab", "down")


def _compare(environ: dict[str, str]) -> int:
    subprocess.run([BIN / "kubectl", "apply", "-f", "-"], input=POD, text=True, env=environ, check=True)
    for _ in range(100):
        if not _seconds(environ, "kubectl", "logs", "--previous", "crash")[1]:
            break
        sleep(0.1)
    ours, theirs = [], []
    _seconds(environ, "k8sdiag", "pod", "crash")
    for _ in range(RUNS):
        taken, code = _seconds(environ, "k8sdiag", "pod", "crash")
        assert code == 1, f"k8sdiag pod crash: exit code {code}"
        ours.append(taken)
        four = [_seconds(environ, "kubectl", *words.split()) for words in FOUR]
        assert not any(code for _, code in four), four
        theirs.append(sum(taken for taken, _ in four))
    mine, four_of_theirs = sorted(ours)[RUNS // 2], sorted(theirs)[RUNS // 2]
    print(f"k8sdiag pod NAME, median of {RUNS}      {mine * 1000:6.0f} ms")
    print(f"kubectl, four commands in a row  {four_of_theirs * 1000:6.0f} ms")
    print(f"ratio                            {mine / four_of_theirs:6.2f} (limit {LIMIT:.2f})")
    return int(mine > LIMIT * four_of_theirs)


def _seconds(environ: dict[str, str], command: str, *words: str) -> tuple[float, int]:
    begin = time.perf_counter()
    done = subprocess.run([BIN / command, *words], capture_output=True, env=environ, check=False)
    return time.perf_counter() - begin, done.returncode


def _run(environ: dict[str, str], command: str, *words: str) -> None:
    subprocess.run([BIN / command, *words], env=environ, check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    sys.exit(main())
