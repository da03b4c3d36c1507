"""ReplicationControllers are ReplicaSets with a plain selector (pkg/controller/replication)."""

from __future__ import annotations

from k8sdiag.evidence import Json
from k8sdiag.minicluster.controllers import Context
from k8sdiag.minicluster.controllers.adoption import OwnerKind
from k8sdiag.minicluster.controllers.replicas import Replicas

NAME = "replication-controller"


def _selector(owner: Json) -> Json | None:
    labels = owner["spec"].get("selector")
    return {"matchLabels": labels} if labels else None


def start(context: Context) -> None:
    Replicas(context, OwnerKind("v1", "ReplicationController", "replicationcontrollers", _selector))
