"""A Target for a real cluster: the only folder that imports `kubernetes` and `urllib3`. Import it late."""

from __future__ import annotations

import os

from k8sdiag.clock import SystemClock
from k8sdiag.live.api import LiveApi
from k8sdiag.live.journal import LiveJournal
from k8sdiag.live.kubeconfig import configure
from k8sdiag.target import Target


def connect(kubeconfig: str | None, context: str | None, timeout: float) -> tuple[Target, str]:
    """The cluster kubectl would talk to, and the namespace it would look in. Sends nothing yet. Raises ApiError."""
    connection = configure(kubeconfig, context, os.environ)
    api = LiveApi(connection.endpoint, timeout, connection.headers)
    return Target(api, LiveJournal(api, SystemClock()), connection.source), connection.namespace
