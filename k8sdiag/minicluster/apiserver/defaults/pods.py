"""Pods and the templates of pods (pkg/apis/core/v1/defaults.go SetDefaults_Pod, SetDefaults_PodSpec, _Container…)."""

from __future__ import annotations

from functools import lru_cache

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.defaults import volumes
from k8sdiag.minicluster.apiserver.quantities import canonical, nanos, rounded

_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_PROBE_NUMBERS = (("timeoutSeconds", 1), ("periodSeconds", 10), ("successThreshold", 1), ("failureThreshold", 3))
_HOST = ("hostNetwork", "hostPID", "hostIPC")


@lru_cache(maxsize=4096)
def pull_policy(image: str) -> str:
    """`Always` for an image that is or may become another one under the same name: `:latest`, said or meant."""
    name, _, digest = image.partition("@")
    tag = name.rpartition("/")[2].partition(":")[2]
    return "Always" if tag == "latest" or (not tag and not digest) else "IfNotPresent"


def resource_list(values: Json) -> None:
    for name, value in values.items():
        if value is not None:
            values[name] = rounded(value)


def _requirements(resources: Json) -> None:
    for part in ("limits", "requests"):
        values = resources.get(part)
        if values:
            resource_list(values)


def handler(action: Json) -> None:
    """What a probe or a hook does."""
    get = action.get("httpGet")
    if get is not None:
        get["path"] = get.get("path") or "/"
        get["scheme"] = get.get("scheme") or "HTTP"
    grpc = action.get("grpc")
    if grpc is not None:
        grpc.setdefault("service", "")


def _probe(probe: Json) -> None:
    handler(probe)
    for name, value in _PROBE_NUMBERS:
        if not probe.get(name):
            probe[name] = value


def _source(source: Json) -> None:
    """Where an environment variable's value comes from."""
    field = source.get("fieldRef")
    if field is not None:
        field["apiVersion"] = field.get("apiVersion") or "v1"
    amount = source.get("resourceFieldRef")
    if amount is not None:
        amount["divisor"] = canonical(amount.get("divisor") or "0")


def container(one: Json) -> None:
    if not one.get("imagePullPolicy"):
        one["imagePullPolicy"] = pull_policy(one.get("image") or "")
    one["terminationMessagePath"] = one.get("terminationMessagePath") or "/dev/termination-log"
    one["terminationMessagePolicy"] = one.get("terminationMessagePolicy") or "File"
    resources = one.get("resources")
    if resources is None:
        one["resources"] = {}
    elif resources:
        _requirements(resources)
    for port in one.get("ports") or ():
        port["protocol"] = port.get("protocol") or "TCP"
    for variable in one.get("env") or ():
        source = variable.get("valueFrom")
        if source is not None:
            _source(source)
    for name in _PROBES:
        probe = one.get(name)
        if probe is not None:
            _probe(probe)
    hooks = one.get("lifecycle")
    if hooks:
        for name in ("postStart", "preStop"):
            hook = hooks.get(name)
            if hook is not None:
                handler(hook)


def spec(of: Json) -> None:
    """A pod's spec, be it a pod's own or a template's."""
    of["dnsPolicy"] = of.get("dnsPolicy") or "ClusterFirst"
    of["restartPolicy"] = of.get("restartPolicy") or "Always"
    if of.get("securityContext") is None:
        of["securityContext"] = {}
    if of.get("terminationGracePeriodSeconds") is None:
        of["terminationGracePeriodSeconds"] = 30
    of["schedulerName"] = of.get("schedulerName") or "default-scheduler"
    account = of.get("serviceAccountName") or of.get("serviceAccount")
    if account:
        of["serviceAccountName"] = of["serviceAccount"] = account
    for name in _HOST:
        if name in of and not of[name]:
            del of[name]
    overhead = of.get("overhead")
    if overhead:
        resource_list(overhead)
    resources = of.get("resources")
    if resources:
        _requirements(resources)
    for one in of.get("containers") or ():
        container(one)
    for one in of.get("initContainers") or ():
        container(one)
    for one in of.get("ephemeralContainers") or ():
        container(one)
    for volume in of.get("volumes") or ():
        volumes.volume(volume)


def template(of: Json) -> None:
    """A pod template. Its creation time is written though it has none, as Go writes it."""
    metadata = of.get("metadata")
    if metadata is None:
        metadata = of["metadata"] = {}
    metadata.setdefault("creationTimestamp", None)
    inner = of.get("spec")
    if inner is None:
        inner = of["spec"] = {}
    spec(inner)


def pod(obj: Json) -> None:
    inner = obj.get("spec")
    if inner is None:
        inner = obj["spec"] = {}
    for part in ("containers", "initContainers"):
        for one in inner.get(part) or ():
            _requests_from_limits(one)
            if inner.get("hostNetwork"):
                for port in one.get("ports") or ():
                    if not port.get("hostPort"):
                        port["hostPort"] = port.get("containerPort")
    if inner.get("enableServiceLinks") is None:
        inner["enableServiceLinks"] = True
    spec(inner)
    obj.setdefault("status", {})


def _requests_from_limits(one: Json) -> None:
    """A limit without a request is the request too; so in pods only, for templates keep what was written."""
    resources = one.get("resources")
    limits = resources.get("limits") if resources else None
    if resources and limits is not None:
        requests = resources.get("requests")
        resources["requests"] = {**limits, **(requests or {})}


def qos_class(inner: Json) -> str:
    """Guaranteed, Burstable or BestEffort (pkg/apis/core/helper/qos/qos.go ComputePodQOS)."""
    asked = limited = False
    guaranteed = True
    for part in ("containers", "initContainers"):
        for one in inner.get(part) or ():
            resources = one.get("resources") or {}
            requests, limits = resources.get("requests") or {}, resources.get("limits") or {}
            for name in ("cpu", "memory"):
                request, limit = requests.get(name), limits.get(name)
                asked = asked or (request is not None and nanos(request) > 0)
                has_limit = limit is not None and nanos(limit) > 0
                limited = limited or has_limit
                guaranteed = guaranteed and has_limit and (request is None or nanos(request) == nanos(limit))
    if not asked and not limited:
        return "BestEffort"
    return "Guaranteed" if guaranteed else "Burstable"


_GATED: Json = {  # applySchedulingGatedCondition
    "type": "PodScheduled",
    "status": "False",
    "lastProbeTime": None,
    "lastTransitionTime": None,
    "reason": "SchedulingGated",
    "message": "Scheduling is blocked due to non-empty scheduling gates",
}


def first_status(obj: Json) -> None:
    """What podStrategy.PrepareForCreate writes."""
    status: Json = {"phase": "Pending", "qosClass": qos_class(obj["spec"])}
    if obj["spec"].get("schedulingGates"):
        status["conditions"] = [{**_GATED}]
    obj["status"] = status


def pod_template(obj: Json) -> None:
    inner = obj.get("template")
    if inner is None:
        inner = obj["template"] = {}
    template(inner)


DEFAULTS = {"pods": pod, "podtemplates": pod_template}
CREATION = {"pods": first_status}
