"""Says of each FlowSchema whether the priority level it names is there
(apiserver/pkg/util/flowcontrol/apf_controller.go syncOne). Requests themselves are not held back by it."""

from __future__ import annotations

from k8sdiag.clock import format_time
from k8sdiag.evidence import Json
from k8sdiag.minicluster.controllers import Context

NAME = "flow-schema-status"

_SCHEMAS = "flowschemas.flowcontrol.apiserver.k8s.io"
_LEVELS = "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io"


def start(context: Context) -> None:
    _Schemas(context)


class _Schemas:
    def __init__(self, context: Context) -> None:
        self._client, self._clock = context.client, context.clock
        self._queue = context.loop.queue("flow-schemas", self._sync)
        self._client.watch(_SCHEMAS, lambda _, found, __: self._queue.add(found["metadata"]["name"]))
        self._client.watch(_LEVELS, self._on_level)

    def _on_level(self, kind: str, level: Json, _: Json | None) -> None:
        if kind == "MODIFIED":
            return
        for schema in self._client.list(_SCHEMAS):
            if schema["spec"]["priorityLevelConfiguration"].get("name") == level["metadata"]["name"]:
                self._queue.add(schema["metadata"]["name"])

    def _sync(self, name: str) -> None:
        schema = self._client.find(_SCHEMAS, "", name)
        if schema is None:
            return
        level = schema["spec"]["priorityLevelConfiguration"].get("name", "")
        missing = self._client.find(_LEVELS, "", level) is None
        text = f'This FlowSchema references the PriorityLevelConfiguration object named "{level}" '
        status = schema.get("status") or {}
        held = status.get("conditions") or []
        old: Json = next((each for each in held if each.get("type") == "Dangling"), {})
        word = "True" if missing else "False"
        since = old["lastTransitionTime"] if old.get("status") == word else format_time(self._clock.now())
        made = {
            "type": "Dangling",
            "status": word,
            "lastTransitionTime": since,
            "reason": "NotFound" if missing else "Found",
            "message": text + ("but there is no such object" if missing else "and it exists"),
        }
        if made != old:
            rest = [each for each in held if each.get("type") != "Dangling"]
            self._client.update(_SCHEMAS, {**schema, "status": {**status, "conditions": [*rest, made]}}, "status")
