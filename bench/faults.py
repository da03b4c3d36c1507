"""Each fault of the lab's library: does the diagnosis name the rule that is expected, and how long does that take?"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

from k8sdiag.cli.faults import rules_of
from k8sdiag.minicluster.faults.staging import stage
from k8sdiag.minicluster.faults.written import library

MOST_MS = 5000  # for any one fault, diagnosis and all


def main() -> int:
    """Run them all; the number that is not as expected decides the exit code."""
    wrong, times = 0, []
    with tempfile.TemporaryDirectory() as folder:
        for fault in library().values():
            begin = time.perf_counter()
            named = rules_of(stage(fault), Path(folder) / fault.id)
            took = (time.perf_counter() - begin) * 1000
            times.append(took)
            right = named[:1] == [fault.expects]
            wrong += not right
            what = "ok" if right else f"{', '.join(named[:2]) or 'nothing'} instead"
            print(f"{fault.group:<11} {fault.id:<36} {fault.expects:<36} {took:6.0f} ms  {what}")
    late = sum(took > MOST_MS for took in times[1:])  # the first one also reads the playbooks
    typical, most = statistics.median(times), max(times[1:])
    print(f"{len(times) - wrong} of {len(times)} ok; {typical:.0f} ms each, {most:.0f} ms at most")
    return 1 if wrong or late else 0


if __name__ == "__main__":
    sys.exit(main())
