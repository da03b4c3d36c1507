"""ReplicaSets keep their number of pods (pkg/controller/replicaset)."""

from __future__ import annotations

from k8sdiag.minicluster.controllers import Context
from k8sdiag.minicluster.controllers.adoption import OwnerKind, label_selector
from k8sdiag.minicluster.controllers.replicas import Replicas

NAME = "replicaset-controller"


def start(context: Context) -> None:
    Replicas(context, OwnerKind("apps/v1", "ReplicaSet", "replicasets", label_selector))
