"""What an incident is made of: objects as a real 1.33 cluster serves them, events as its components word them.

Times are said as seconds before the end of the recording (`ago`); names, uids and times are the same at every run.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from k8sdiag.clock import format_time, parse_time
from k8sdiag.kinds import KINDS

Json = dict[str, Any]
END = parse_time("2026-11-21T22:40:00Z") or 0.0
INCIDENTS: dict[str, Callable[[], Incident]] = {}


def incident(make: Callable[[], Incident]) -> Callable[[], Incident]:
    """Marks a function that makes an incident; its name (with dashes) is the recording's."""
    INCIDENTS[make.__name__.replace("_", "-")] = make
    return make


def at(ago: float) -> str:
    """The moment `ago` seconds before the end, RFC 3339."""
    return format_time(END - ago)


def uid(*parts: str) -> str:
    """A uid that is the same at every run."""
    digest = hashlib.sha256("/".join(parts).encode()).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-4{digest[13:16]}-a{digest[17:20]}-{digest[20:32]}"


@dataclass
class Incident:
    """One made recording. `rule` is the finding expected first ('' where nothing may be found); `also` the other rules
    that may hold; `namespace` is the recording's own."""

    title: str
    subject: str
    rule: str
    also: tuple[str, ...] = ()
    namespace: str = "shop"
    objects: list[Json] = field(default_factory=list)
    changes: list[tuple[float, str, Json]] = field(default_factory=list)
    logs: dict[tuple[str, str, bool], str] = field(default_factory=dict)
    journals: dict[tuple[str, str], list[tuple[float, str]]] = field(default_factory=dict)
    kinds: list[str] = field(default_factory=list)
    nodes: tuple[str, ...] = ("node1",)
    _events: int = 0

    def __post_init__(self) -> None:
        for name in self.nodes:
            self.add("Node", name, namespace="", **node())
        self.add("Namespace", self.namespace, namespace="", status={"phase": "Active"})
        self.add("ServiceAccount", "default")

    def add(self, kind: str, name: str, *, namespace: str | None = None, ago: float = 600, **parts: Any) -> Json:
        """Add an object (replacing one of the same kind and name). `metadata=` is merged into the usual metadata."""
        space = self.namespace if namespace is None else namespace
        known = KINDS.get(kind)
        meta = {"name": name, "uid": uid(kind, space, name), "resourceVersion": str(1000 + len(self.objects))}
        if space:
            meta["namespace"] = space
        meta["creationTimestamp"] = at(ago)
        meta |= parts.pop("metadata", {})
        obj = {
            "kind": kind,
            "apiVersion": parts.pop("apiVersion", known.api_version if known else "v1"),
            "metadata": meta,
        }
        obj |= parts
        same = (kind, space, name)
        self.objects = [
            o for o in self.objects if (o["kind"], o["metadata"].get("namespace", ""), o["metadata"]["name"]) != same
        ]
        self.objects.append(obj)
        return obj

    def pod(
        self,
        name: str,
        *containers: Json,
        node: str | None = "node1",
        phase: str = "Running",
        ready: bool = False,
        owner: Json | None = None,
        init: Iterable[Json] = (),
        spec: Mapping[str, Any] | None = None,
        status: Mapping[str, Any] | None = None,
        labels: Mapping[str, str] | None = None,
        conditions: Iterable[Json] | None = None,
        ago: float = 600,
        metadata: Mapping[str, Any] | None = None,
        namespace: str | None = None,
    ) -> Json:
        """A pod. `containers` and `init` come from container(); its conditions follow from phase, node and ready."""
        space = namespace or self.namespace
        meta: Json = {"labels": dict(labels or {"app": name})} | dict(metadata or {})
        if owner is not None:
            meta["ownerReferences"] = [owner_reference(owner)]
        both = [*init, *containers]
        full: Json = {
            "containers": [c["spec"] for c in containers],
            "restartPolicy": "Always",
            "terminationGracePeriodSeconds": 30,
            "dnsPolicy": "ClusterFirst",
            "serviceAccountName": "default",
            "schedulerName": "default-scheduler",
            "priority": 0,
            "preemptionPolicy": "PreemptLowerPriority",
        }
        if init:
            full["initContainers"] = [c["spec"] for c in init]
        if node:
            full["nodeName"] = node
        state: Json = {"phase": phase, "qosClass": "BestEffort"}
        state["conditions"] = list(conditions) if conditions is not None else pod_conditions(both, node, ready, ago)
        if node:
            state |= {"hostIP": "192.0.2.2", "startTime": at(ago)}
            state["containerStatuses"] = [c["status"] for c in containers if c["status"]]
            if init:
                state["initContainerStatuses"] = [c["status"] for c in init if c["status"]]
        pod = self.add(
            "Pod",
            name,
            namespace=space,
            ago=ago,
            metadata=meta,
            spec=full | dict(spec or {}),
            status=state | dict(status or {}),
        )
        if node:
            self.event(
                pod,
                "Scheduled",
                f"Successfully assigned {space}/{name} to {node}",
                kind="Normal",
                by="default-scheduler",
                ago=ago,
            )
        return pod

    def event(
        self, about: Json, reason: str, message: str, *, kind: str = "Warning", by: str = "kubelet", count: int = 1,
        ago: float = 10, first: float | None = None, container: str = "",
    ) -> Json:  # fmt: skip
        """An event about an object, last seen `ago`, first seen `first` seconds before the end."""
        self._events += 1
        meta = about["metadata"]
        involved = {"kind": about["kind"], "name": meta["name"], "uid": meta["uid"], "apiVersion": about["apiVersion"]}
        if meta.get("namespace"):
            involved["namespace"] = meta["namespace"]
        if about["kind"] == "Node":
            involved["uid"] = meta["name"] if by == "kubelet" else meta["uid"]
        if container:
            group = "initContainers" if container.startswith("init:") else "containers"
            involved["fieldPath"] = f"spec.{group}{{{container.removeprefix('init:')}}}"
        began = ago if first is None else first
        return self.add(
            "Event", f"{meta['name']}.{self._events:016x}", namespace=meta.get("namespace") or "default", ago=began,
            involvedObject=involved, reason=reason, message=message, type=kind, count=count,
            source={"component": by} | ({"host": "node1"} if by == "kubelet" else {}),
            firstTimestamp=at(began), lastTimestamp=at(ago), reportingComponent=by, reportingInstance="",
        )  # fmt: skip

    def log(self, pod: str, container: str, text: str, *, previous: bool = False, ago: float = 30) -> None:
        """A container's log; each line gets the time stamp of `ago`."""
        lines = [f"{at(ago)[:-1]}.{n:09d}Z {line}" for n, line in enumerate(text.splitlines())]
        self.logs[pod, container, previous] = "\n".join(lines) + "\n"

    def journal(self, unit: str, *lines: str, node: str = "node1", ago: float = 30) -> None:
        """Messages of a node's unit, a second apart, the last one `ago` seconds before the end."""
        held = self.journals.setdefault((node, unit), [])
        held += [(END - ago - (len(lines) - 1 - n), line) for n, line in enumerate(lines)]

    def change(self, ago: float, kind: str, obj: Json) -> None:
        """An earlier state of an object (or its deletion), seen `ago` seconds before the end."""
        self.changes.append((END - ago, kind, json.loads(json.dumps(obj))))

    def files(self, name: str) -> dict[str, bytes]:
        """The recording's files by relative path."""
        about: Json = {
            "format": "k8sdiag-recording/v1",
            "title": self.title,
            "recordedAt": format_time(END),
            "recordedBy": "made by hand from Kubernetes' message formats",
            "server": {"gitVersion": "v1.33.0"},
            "nodes": sorted({o["metadata"]["name"] for o in self.objects if o["kind"] == "Node"}),
            "redacted": ["Secret.data"],
        }
        if self.kinds:
            about["kinds"] = self.kinds
        expect: Json = {"rule": self.rule} | ({"also": list(self.also)} if self.also else {})
        scenario = {
            "name": name,
            "title": self.title,
            "namespace": self.namespace,
            "subject": self.subject,
            "expect": expect,
        }
        files = {"recording.yaml": _yaml(about), "scenario.yaml": _yaml(scenario), "objects.jsonl": self._lines()}
        for (pod, container, previous), text in self.logs.items():
            end = ".previous.log" if previous else ".log"
            files[f"logs/{self.namespace}/{pod}/{container}{end}"] = text.encode()
        for (node_name, unit), lines in self.journals.items():
            files[f"journal/{node_name}/{unit}.export"] = b"".join(
                _entry(n, node_name, unit, *line) for n, line in enumerate(lines)
            )
        return files

    def _lines(self) -> bytes:
        moments = [(parse_time(o["metadata"]["creationTimestamp"]) or 0.0, "ADDED", o) for o in self.objects]
        last = [
            (END if kind == "now" else when, "MODIFIED" if kind == "now" else kind, o) for when, kind, o in self.changes
        ]
        ordered = (
            sorted([*moments, *last], key=lambda item: item[0])
            if not self.changes
            else [*sorted(last, key=lambda i: i[0]), *moments]
        )
        return b"".join(
            json.dumps(
                {"t": format_time(when)[:-1] + ".000Z", "type": kind, "object": obj}, ensure_ascii=False
            ).encode()
            + b"\n"
            for when, kind, obj in ordered
        )

    def write(self, folder: Path, name: str) -> None:
        """Write the recording below `folder`."""
        for path, data in self.files(name).items():
            target = folder / name / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)


def _yaml(value: Json) -> bytes:
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=1000).encode()


def _entry(number: int, node_name: str, unit: str, when: float, message: str) -> bytes:
    fields = {
        "__CURSOR": f"s=made;i={number}",
        "__REALTIME_TIMESTAMP": str(int(when * 1e6)),
        "_HOSTNAME": node_name,
        "PRIORITY": "6",
        "_SYSTEMD_UNIT": f"{unit}.service",
        "SYSLOG_IDENTIFIER": unit,
        "MESSAGE": message,
    }
    return "".join(f"{key}={value}\n" for key, value in fields.items()).encode() + b"\n"


def owner_reference(owner: Json) -> Json:
    """The controlling ownerReference to an object."""
    meta = owner["metadata"]
    return {
        "apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": meta["name"], "uid": meta["uid"],
        "controller": True, "blockOwnerDeletion": True,
    }  # fmt: skip


def condition(kind: str, status: str, reason: str = "", message: str = "", ago: float = 600) -> Json:
    """One of status.conditions."""
    found = {"type": kind, "status": status, "lastTransitionTime": at(ago)}
    if reason:
        found["reason"] = reason
    if message:
        found["message"] = message
    return found


def pod_conditions(containers: list[Json], node_name: str | None, ready: bool, ago: float) -> list[Json]:
    """The conditions the kubelet would set."""
    if not node_name:
        return []
    unready = [c["spec"]["name"] for c in containers if not (c["status"] or {}).get("ready")]
    message = f"containers with unready status: [{' '.join(unready)}]"
    why = ("True", "", "") if ready else ("False", "ContainersNotReady", message)
    return [
        condition("PodReadyToStartContainers", "True", ago=ago),
        condition("Initialized", "True", ago=ago),
        condition("Ready", *why, ago=ago),
        condition("ContainersReady", *why, ago=ago),
        condition("PodScheduled", "True", ago=ago),
    ]


def container(
    name: str = "app", image: str = "registry.example/shop/web:v1", *, state: Json | None = None, last: Json | None = None,
    restarts: int = 0, ready: bool = False, started: bool | None = None, status: bool = True, **spec: Any,
) -> Json:  # fmt: skip
    """A container's spec (more of it by keyword) and its status; `state` and `last` come from waiting(), running() and
    terminated()."""
    now = state or waiting("ContainerCreating")
    body: Json = {"name": name, "image": image, "resources": {}, "imagePullPolicy": "IfNotPresent"}
    body["terminationMessagePath"] = "/dev/termination-log"
    shown: Json = {
        "name": name, "state": now, "lastState": last or {}, "ready": ready, "restartCount": restarts, "image": image,
        "imageID": "sha256:" + hashlib.sha256(image.encode()).hexdigest() if "running" in now or last else "",
        "started": ("running" in now) if started is None else started,
    }  # fmt: skip
    if "running" in now or last or "terminated" in now:
        shown["containerID"] = "containerd://" + hashlib.sha256(f"{name}{restarts}".encode()).hexdigest()
    return {"spec": body | spec, "status": shown if status else None}


def waiting(reason: str, message: str = "") -> Json:
    """state.waiting."""
    return {"waiting": {"reason": reason} | ({"message": message} if message else {})}


def crash_loop(name: str = "app", pod: str = "web", namespace: str = "shop", back_off: str = "2m40s") -> Json:
    """state.waiting of a crash loop, in the kubelet's words."""
    text = f"back-off {back_off} restarting failed container={name} pod={pod}_{namespace}({uid('Pod', namespace, pod)})"
    return waiting("CrashLoopBackOff", text)


def running(ago: float = 300) -> Json:
    """state.running."""
    return {"running": {"startedAt": at(ago)}}


def terminated(
    code: int, reason: str = "", *, ago: float = 30, ran: float = 2, message: str = "", never: bool = False
) -> Json:
    """state.terminated (or lastState): ended `ago` seconds before the end, having run for `ran` seconds."""
    ended: Json = {"exitCode": code, "reason": reason or ("Error" if code else "Completed")}
    if message:
        ended["message"] = message
    ended["startedAt"] = "1970-01-01T00:00:00Z" if never else at(ago + ran)
    ended["finishedAt"] = at(ago)
    return {"terminated": ended}


def node(*, ready: str = "True", reason: str = "", message: str = "", ago: float = 3600, taints: Iterable[Json] = (),
         labels: Mapping[str, str] | None = None, conditions: Iterable[Json] = (), allocatable: Mapping[str, str] | None = None,
         name: str = "node1", **spec: Any) -> Json:  # fmt: skip
    """metadata, spec and status of a Node, for Incident.add('Node', name, namespace='', **node(...))."""
    room = {"cpu": "2", "memory": "4028280Ki", "ephemeral-storage": "47093746742", "pods": "110"} | dict(
        allocatable or {}
    )
    usual = {
        "MemoryPressure": condition(
            "MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available", ago
        ),
        "DiskPressure": condition(
            "DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure", ago
        ),
        "PIDPressure": condition(
            "PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available", ago
        ),
        "Ready": condition("Ready", ready, reason or "KubeletReady", message or "kubelet is posting ready status", ago),
    }
    usual |= {item["type"]: item for item in conditions}
    body: Json = dict(spec)
    if taints:
        body["taints"] = list(taints)
    return {
        "ago": 86400.0,
        "metadata": {"labels": {"kubernetes.io/hostname": name, "kubernetes.io/arch": "amd64", "kubernetes.io/os": "linux"} | dict(labels or {})},
        "spec": body,
        "status": {
            "capacity": room, "allocatable": room, "conditions": list(usual.values()),
            "addresses": [{"type": "InternalIP", "address": "192.0.2.2"}],
            "nodeInfo": {"architecture": "amd64", "containerRuntimeVersion": "containerd://1.7.27", "kubeletVersion": "v1.33.0",
                         "kernelVersion": "6.1.0", "osImage": "Debian GNU/Linux 12 (bookworm)", "operatingSystem": "linux"},
        },
    }  # fmt: skip
