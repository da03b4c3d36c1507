"""What the API server fills in where a client left a field out (pkg/apis/*/v1/defaults.go, and the zero values that Go
always writes), and the spelling it gives quantities.

One file an API group; each lists its kinds in `DEFAULTS`, and what is known only when an object is created, after
admission, in `CREATION`. A Service's cluster IP and node ports are not defaults: the server allocates them.
"""

from __future__ import annotations

from collections.abc import Callable

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.defaults import (
    admission,
    apps,
    autoscaling,
    batch,
    cluster,
    core,
    networking,
    pods,
    storage,
)
from k8sdiag.minicluster.apiserver.errors import bad_request
from k8sdiag.minicluster.apiserver.quantities import QuantityError
from k8sdiag.minicluster.kinds import Resource

_Fill = Callable[[Json], None]
_GROUPS = (pods, core, apps, batch, autoscaling, networking, storage, cluster, admission)
_DEFAULTS: dict[str, _Fill] = {kind: fill for group in _GROUPS for kind, fill in group.DEFAULTS.items()}
_CREATION: dict[str, _Fill] = {
    kind: fill for group in (pods, core, batch) for kind, fill in group.CREATION.items()
}  # fmt: skip


def apply(resource: Resource, obj: Json) -> None:
    """Fill in what is missing, in place. ApiError 400 for a quantity that is none: the server cannot decode it."""
    fill = _DEFAULTS.get(resource.qualified)
    if fill is None:
        return
    try:
        fill(obj)
    except QuantityError as error:
        kind, version = resource.kind, resource.api_version.rpartition("/")[2]
        raise bad_request(f'{kind} in version "{version}" cannot be handled as a {kind}: {error}') from error


def prepare(resource: Resource, obj: Json) -> None:
    """What a new object gets once admission is through and its name and uid are known: a Pod's first status and its QoS
    class, a Job's selector and labels, a Namespace's finalizer."""
    fill = _CREATION.get(resource.qualified)
    if fill is not None:
        fill(obj)
