"""The scheduler: kube-scheduler 1.33 with its default profile, one pod a turn.

`status` and `plugin` are the shapes; `requests`, `terms`, `pods`, `nodes`, `counts` and `snapshot` what is known; one
file a filter; `scores`, `spreading` and `attraction` rate; `search` is the plain path and `shapes` the fast one;
`preemption` decides and `eviction` acts; `queue` and `hints` say who is next and when; `cycle` holds it together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the filters and scores know nothing of clients
    from k8sdiag.minicluster.controllers import Context


def start(context: Context) -> None:
    """Schedule the pods that ask for `default-scheduler`."""
    from k8sdiag.minicluster.scheduler.cycle import Scheduler

    Scheduler(context).start()
