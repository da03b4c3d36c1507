"""A deployment's replica sets: which is the new one, which are old, and the annotations that number them
(pkg/controller/deployment/util/deployment_util.go)."""

from __future__ import annotations

from k8sdiag.clock import parse_time
from k8sdiag.evidence import Json
from k8sdiag.minicluster.controllers.deployment_budget import surge
from k8sdiag.minicluster.controllers.template_hash import same_template

REVISION = "deployment.kubernetes.io/revision"
HISTORY = "deployment.kubernetes.io/revision-history"
DESIRED = "deployment.kubernetes.io/desired-replicas"
MOST = "deployment.kubernetes.io/max-replicas"
_OWN = frozenset(
    (
        "kubectl.kubernetes.io/last-applied-configuration",
        REVISION,
        HISTORY,
        DESIRED,
        MOST,
        "deprecated.deployment.rollback.to",
    )
)
_LONGEST_HISTORY = 2000


def annotations_of(obj: Json) -> dict[str, str]:
    return obj["metadata"].get("annotations") or {}


def number(obj: Json, annotation: str) -> int:
    """An annotation as a number; 0 where it is none."""
    text = annotations_of(obj).get(annotation, "")
    return int(text) if text.isdigit() else 0


def replicas_of(replica_set: Json) -> int:
    return int(replica_set["spec"].get("replicas", 1))


def counted(replica_set: Json, field: str) -> int:
    """A number of its status."""
    return int((replica_set.get("status") or {}).get(field, 0))


def by_age(sets: list[Json]) -> list[Json]:
    """Oldest first, by name where they are of one second."""
    return sorted(sets, key=lambda obj: (_created(obj), obj["metadata"]["name"]))


def _created(obj: Json) -> float:
    return parse_time(obj["metadata"].get("creationTimestamp")) or 0.0


def split(deployment: Json, sets: list[Json]) -> tuple[Json | None, list[Json]]:
    """The oldest replica set with the deployment's template, and all others, oldest first."""
    ordered = by_age(sets)
    template = deployment["spec"]["template"]
    new = next((entry for entry in ordered if same_template(entry["spec"]["template"], template)), None)
    return new, [entry for entry in ordered if entry is not new]


def active(sets: list[Json]) -> list[Json]:
    """Those that are to have pods."""
    return [entry for entry in sets if replicas_of(entry) > 0]


def total(sets: list[Json]) -> int:
    return sum(map(replicas_of, sets))


def next_revision(old: list[Json]) -> int:
    return max((number(entry, REVISION) for entry in old), default=0) + 1


def inherited(deployment: Json) -> dict[str, str]:
    """The annotations that a replica set takes over from its deployment."""
    return {name: text for name, text in annotations_of(deployment).items() if name not in _OWN}


def size_annotations(deployment: Json) -> dict[str, str]:
    """What a proportional scaling later on needs to know."""
    desired = int(deployment["spec"]["replicas"])
    return {DESIRED: str(desired), MOST: str(desired + surge(deployment))}


def renumbered(replica_set: Json, deployment: Json, revision: int) -> dict[str, str]:
    """The annotations of an existing replica set that is now the new one (SetNewReplicaSetAnnotations)."""
    found = {**annotations_of(replica_set), **inherited(deployment)}
    before = number(replica_set, REVISION)
    if before < revision:
        found[REVISION] = str(revision)
        if REVISION in annotations_of(replica_set):
            found[HISTORY] = _longer(found.get(HISTORY, ""), str(before))
    return found


def _longer(history: str, revision: str) -> str:
    """`1,3` and 5 to `1,3,5`; the oldest are dropped where it gets too long."""
    past = history.split(",") if history else []
    while past and len(",".join([*past, revision])) > _LONGEST_HISTORY:
        past.pop(0)
    return ",".join([*past, revision])
