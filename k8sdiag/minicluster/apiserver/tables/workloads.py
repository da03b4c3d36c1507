"""Rows of the apps, batch, autoscaling and policy groups (printers.go)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from k8sdiag.clock import parse_time, short_duration
from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.tables.cells import NONE, UNKNOWN, age, born, containers, labels
from k8sdiag.podstate import conditions_of
from k8sdiag.selectors import format_selector


def _parts(obj: Json) -> tuple[str, Json, Json]:
    return obj["metadata"]["name"], obj.get("spec") or {}, obj.get("status") or {}


def _selector(spec: Json) -> str:
    return format_selector(spec.get("selector")) or NONE


def _deployment(obj: Json, now: float) -> list[Any]:
    name, spec, status = _parts(obj)
    return [
        name,
        f"{status.get('readyReplicas') or 0}/{spec.get('replicas') or 0}",
        str(status.get("updatedReplicas") or 0),
        str(status.get("availableReplicas") or 0),
        born(obj, now),
        *containers(spec.get("template")),
        _selector(spec),
    ]


def _replica_set(obj: Json, now: float) -> list[Any]:
    name, spec, status = _parts(obj)
    return [
        name,
        spec.get("replicas") or 0,
        status.get("replicas") or 0,
        status.get("readyReplicas") or 0,
        born(obj, now),
        *containers(spec.get("template")),
        _selector(spec),
    ]


def _stateful_set(obj: Json, now: float) -> list[Any]:
    name, spec, status = _parts(obj)
    ready = f"{status.get('readyReplicas') or 0}/{spec.get('replicas') or 0}"
    return [name, ready, born(obj, now), *containers(spec.get("template"))]


def _daemon_set(obj: Json, now: float) -> list[Any]:
    name, spec, status = _parts(obj)
    return [
        name,
        status.get("desiredNumberScheduled") or 0,
        status.get("currentNumberScheduled") or 0,
        status.get("numberReady") or 0,
        status.get("updatedNumberScheduled") or 0,
        status.get("numberAvailable") or 0,
        labels(((spec.get("template") or {}).get("spec") or {}).get("nodeSelector")),
        born(obj, now),
        *containers(spec.get("template")),
        _selector(spec),
    ]


def _controller_revision(obj: Json, now: float) -> list[Any]:
    owner = next((item for item in obj["metadata"].get("ownerReferences") or [] if item.get("controller")), None)
    called = NONE
    if owner:
        group = owner["apiVersion"].rpartition("/")[0]
        called = f"{owner['kind'].lower()}{'.' + group if group else ''}/{owner['name']}"
    return [obj["metadata"]["name"], called, str(obj.get("revision") or 0), born(obj, now)]


def _job(obj: Json, now: float) -> list[Any]:
    name, spec, status = _parts(obj)
    done = status.get("succeeded") or 0
    completions, parallelism = spec.get("completions"), spec.get("parallelism") or 0
    if completions is not None:
        progress = f"{done}/{completions}"
    else:
        progress = f"{done}/1 of {parallelism}" if parallelism > 1 else f"{done}/1"
    start, end = parse_time(status.get("startTime")), parse_time(status.get("completionTime"))
    took = "" if start is None else short_duration((now if end is None else end) - start)
    return [
        name,
        _job_word(obj),
        progress,
        took,
        born(obj, now),
        *containers(spec.get("template")),
        _selector(spec),
    ]


def _job_word(obj: Json) -> str:
    conditions = conditions_of(obj)

    def true(kind: str) -> bool:
        return (conditions.get(kind) or {}).get("status") == "True"

    if true("Complete"):
        return "Complete"
    if true("Failed"):
        return "Failed"
    if obj["metadata"].get("deletionTimestamp"):
        return "Terminating"
    for kind in ("Suspended", "FailureTarget", "SuccessCriteriaMet"):
        if true(kind):
            return kind
    return "Running"


def _cron_job(obj: Json, now: float) -> list[Any]:
    name, spec, status = _parts(obj)
    last = status.get("lastScheduleTime")
    return [
        name,
        spec.get("schedule", ""),
        spec.get("timeZone") or NONE,
        bool(spec.get("suspend")),
        len(status.get("active") or []),
        age(last, now) if last else NONE,
        born(obj, now),
        *containers(((spec.get("jobTemplate") or {}).get("spec") or {}).get("template")),
        _selector((spec.get("jobTemplate") or {}).get("spec") or {}),
    ]


def _autoscaler(obj: Json, now: float) -> list[Any]:
    name, spec, status = _parts(obj)
    target = spec.get("scaleTargetRef") or {}
    return [
        name,
        f"{target.get('kind')}/{target.get('name')}",
        _targets(spec.get("metrics") or [], status.get("currentMetrics") or []),
        str(spec["minReplicas"]) if spec.get("minReplicas") is not None else UNSET,
        str(spec.get("maxReplicas") or 0),
        str(status.get("currentReplicas") or 0),
        born(obj, now),
    ]


UNSET = "<unset>"


def _targets(wanted: list[Json], current: list[Json]) -> str:
    """At most two metrics, then how many more (formatHPAMetrics)."""
    if not wanted:
        return NONE
    shown = [_target(metric, current[index] if index < len(current) else {}) for index, metric in enumerate(wanted)]
    more = f" + {len(shown) - 2} more..." if len(shown) > 2 else ""
    return ", ".join(shown[:2]) + more


def _target(metric: Json, current: Json) -> str:
    kind = metric.get("type", "")
    key = kind[:1].lower() + kind[1:]
    source, now = metric.get(key) or {}, (current.get(key) or {}).get("current") or {}
    target = source.get("target") or {}
    if target.get("averageUtilization") is not None:
        have = f"{now['averageUtilization']}%" if now.get("averageUtilization") is not None else UNKNOWN
        text = f"{have}/{target['averageUtilization']}%"
    elif target.get("averageValue") is not None:
        text = f"{now.get('averageValue') or UNKNOWN}/{target['averageValue']}"
        if kind in ("Object", "External"):
            text += " (avg)"
    else:
        text = f"{now.get('value') or UNKNOWN}/{target.get('value')}"
    return f"{source['name']}: {text}" if kind in ("Resource", "ContainerResource") else text


def _budget(obj: Json, now: float) -> list[Any]:
    name, spec, status = _parts(obj)
    least, most = spec.get("minAvailable"), spec.get("maxUnavailable")
    return [
        name,
        "N/A" if least is None else str(least),
        "N/A" if most is None else str(most),
        status.get("disruptionsAllowed") or 0,
        born(obj, now),
    ]


ROWS: dict[str, Callable[[Json, float], list[Any]]] = {
    "deployments.apps": _deployment,
    "replicasets.apps": _replica_set,
    "statefulsets.apps": _stateful_set,
    "daemonsets.apps": _daemon_set,
    "controllerrevisions.apps": _controller_revision,
    "jobs.batch": _job,
    "cronjobs.batch": _cron_job,
    "horizontalpodautoscalers.autoscaling": _autoscaler,
    "poddisruptionbudgets.policy": _budget,
}
