"""One object in another of its versions: kinds that are served twice are kept once.

Events live in core/v1 and events.k8s.io/v1 (pkg/apis/events/v1/conversion.go), HorizontalPodAutoscalers in
autoscaling/v1 and v2 (`autoscalers.py`); custom resources change nothing but their apiVersion (`strategy: None`).
"""

from __future__ import annotations

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver import autoscalers
from k8sdiag.minicluster.kinds import Resource

NEW_EVENTS = "events.k8s.io/v1"
_NEW_NAMES = {
    "involvedObject": "regarding",
    "message": "note",
    "source": "deprecatedSource",
    "firstTimestamp": "deprecatedFirstTimestamp",
    "lastTimestamp": "deprecatedLastTimestamp",
    "count": "deprecatedCount",
    "reportingComponent": "reportingController",
}
_OLD_NAMES = {new: old for old, new in _NEW_NAMES.items()}


def convert(obj: Json, to: Resource) -> Json:
    """The object as `to` serves it; the same object where it is that already."""
    version = to.api_version
    if obj.get("apiVersion") == version:
        return obj
    if to.storage == "events":
        return {**(_new_event(obj) if version == NEW_EVENTS else _old_event(obj)), "apiVersion": version}
    if to.storage == autoscalers.STORAGE:
        return autoscalers.to_v1(obj) if to.version == "v1" else autoscalers.to_v2(obj)
    return {**obj, "apiVersion": version}


def kept_form(obj: Json, resource: Resource) -> Json:
    """An object of a resource with the fields it has where it is kept, for who knows only those."""
    if resource.api_version == NEW_EVENTS:
        return _old_event(obj)
    if resource.storage == autoscalers.STORAGE and resource.version == "v1":
        return autoscalers.to_v2(obj)
    return obj


def _new_event(obj: Json) -> Json:
    """events.k8s.io requires a time where core/v1 does without, and clients with strict models insist on it."""
    made = {_NEW_NAMES.get(key, key): value for key, value in obj.items()}
    if not made.get("eventTime") and made.get("deprecatedFirstTimestamp"):
        made["eventTime"] = _micro(made["deprecatedFirstTimestamp"])
    return made


def _old_event(obj: Json) -> Json:
    made = {_OLD_NAMES.get(key, key): value for key, value in obj.items()}
    first = made.get("firstTimestamp")
    if first and made.get("eventTime") == _micro(first):
        made["eventTime"] = None  # as it was before it was made up for events.k8s.io
    return made


def _micro(time: str) -> str:
    """A whole second as a time with microseconds."""
    return time if "." in time else f"{time.removesuffix('Z')}.000000Z"
