"""A made recording of a large cluster: one pod in ten broken, in twenty ways, with the events that go with it."""

# ruff: noqa: E501 (messages stay whole, a line each)

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Json = dict[str, Any]
T0, NOW = "2026-11-21T20:00:00Z", "2026-11-21T22:30:00Z"

PULL = (
    'Back-off pulling image "{i}": ErrImagePull: failed to pull and unpack image "{i}": failed to resolve reference '
    '"{i}": {e}'
)
RUNC = (
    "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: "
    "unable to start container process: "
)

# How a container can be: (state, last termination, restarts)
WAYS: list[tuple[str, Json, Json, int]] = [
    (
        "tag",
        {
            "waiting": {
                "reason": "ImagePullBackOff",
                "message": PULL.format(i="reg.example/shop/web:v9", e="reg.example/shop/web:v9: not found"),
            }
        },
        {},
        0,
    ),
    (
        "dns",
        {
            "waiting": {
                "reason": "ImagePullBackOff",
                "message": PULL.format(
                    i="reg.nowhere.invalid/web:v1",
                    e='failed to do request: Head "https://reg.nowhere.invalid/v2/web/manifests/v1": dial tcp: lookup reg.nowhere.invalid: no such host',
                ),
            }
        },
        {},
        0,
    ),
    (
        "auth",
        {
            "waiting": {
                "reason": "ImagePullBackOff",
                "message": PULL.format(
                    i="reg.example/private:v1",
                    e="failed to authorize: failed to fetch anonymous token: unexpected status: 401 Unauthorized",
                ),
            }
        },
        {},
        0,
    ),
    (
        "name",
        {
            "waiting": {
                "reason": "InvalidImageName",
                "message": 'Failed to apply default image tag "Shop/Web": couldn\'t parse image name "Shop/Web": invalid reference format: repository name (Shop/Web) must be lowercase',
            }
        },
        {},
        0,
    ),
    (
        "never",
        {
            "waiting": {
                "reason": "ErrImageNeverPull",
                "message": 'Container image "web:dev" is not present with pull policy of Never',
            }
        },
        {},
        0,
    ),
    (
        "configmap",
        {"waiting": {"reason": "CreateContainerConfigError", "message": 'configmap "app-config" not found'}},
        {},
        0,
    ),
    ("secret", {"waiting": {"reason": "CreateContainerConfigError", "message": 'secret "db" not found'}}, {}, 0),
    (
        "key",
        {
            "waiting": {
                "reason": "CreateContainerConfigError",
                "message": "couldn't find key PASSWORD in Secret shop-0/db",
            }
        },
        {},
        0,
    ),
    (
        "nonroot",
        {
            "waiting": {
                "reason": "CreateContainerConfigError",
                "message": "container has runAsNonRoot and image will run as root",
            }
        },
        {},
        0,
    ),
    (
        "exec",
        {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s restarting failed container"}},
        {
            "terminated": {
                "exitCode": 128,
                "reason": "StartError",
                "message": RUNC + 'exec: "/app/server": stat /app/server: no such file or directory: unknown',
                "startedAt": "1970-01-01T00:00:00Z",
                "finishedAt": NOW,
            }
        },
        9,
    ),
    (
        "oom",
        {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s restarting failed container"}},
        {
            "terminated": {
                "exitCode": 137,
                "reason": "OOMKilled",
                "startedAt": "2026-11-21T22:25:00Z",
                "finishedAt": "2026-11-21T22:26:00Z",
            }
        },
        7,
    ),
    (
        "exit1",
        {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s restarting failed container"}},
        {
            "terminated": {
                "exitCode": 1,
                "reason": "Error",
                "startedAt": "2026-11-21T22:26:00Z",
                "finishedAt": "2026-11-21T22:26:01Z",
            }
        },
        12,
    ),
    (
        "segv",
        {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s restarting failed container"}},
        {
            "terminated": {
                "exitCode": 139,
                "reason": "Error",
                "startedAt": "2026-11-21T22:26:00Z",
                "finishedAt": "2026-11-21T22:26:01Z",
            }
        },
        12,
    ),
    (
        "exit0",
        {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s restarting failed container"}},
        {
            "terminated": {
                "exitCode": 0,
                "reason": "Completed",
                "startedAt": "2026-11-21T22:26:00Z",
                "finishedAt": "2026-11-21T22:26:01Z",
            }
        },
        12,
    ),
    (
        "liveness",
        {"running": {"startedAt": "2026-11-21T22:29:30Z"}},
        {
            "terminated": {
                "exitCode": 137,
                "reason": "Error",
                "startedAt": "2026-11-21T22:28:00Z",
                "finishedAt": "2026-11-21T22:29:29Z",
            }
        },
        20,
    ),
    ("readiness", {"running": {"startedAt": T0}}, {}, 0),
]
PENDING = [
    ("cpu", "0/100 nodes are available: 100 Insufficient cpu. preemption: 0/100 nodes are available: 100 No preemption victims found for incoming pod."),
    ("selector", "0/100 nodes are available: 100 node(s) didn't match Pod's node affinity/selector. preemption: 0/100 nodes are available: 100 Preemption is not helpful for scheduling."),
    ("taint", "0/100 nodes are available: 100 node(s) had untolerated taint {team: data}. preemption: 0/100 nodes are available: 100 Preemption is not helpful for scheduling."),
]  # fmt: skip

IMAGES = {
    0: "reg.example/shop/web:v9",
    1: "reg.nowhere.invalid/web:v1",
    2: "reg.example/private:v1",
    3: "Shop/Web",
    4: "web:dev",
}


def write(folder: Path, pods: int, nodes: int = 100, events: int = 60_000) -> Path:
    """A recording of `pods` pods on `nodes` nodes with `events` events, below `folder`."""
    target = folder / f"big-{pods}"
    target.mkdir(parents=True, exist_ok=True)
    (target / "recording.yaml").write_text(
        f"format: k8sdiag-recording/v1\ntitle: made, {pods} pods\nrecordedAt: '{NOW}'\nrecordedBy: made by hand\n"
    )
    with (target / "objects.jsonl").open("w") as out:
        for obj in objects(pods, nodes, events):
            out.write(
                json.dumps({"t": NOW[:-1] + ".000Z", "type": "ADDED", "object": obj}, separators=(",", ":")) + "\n"
            )
    return target


def objects(pods: int, nodes: int, events: int) -> Iterator[Json]:
    """The cluster's objects; pod n is broken where n is a multiple of ten."""
    yield from (_node(n) for n in range(nodes))
    each = max(1, events // pods)
    for n in range(pods):
        if n % 50 == 0:
            yield from _owner(n // 50)
        pod = _pod(n, nodes)
        yield pod
        yield from _events(pod, n, each)


def _node(n: int) -> Json:
    kinds = {"MemoryPressure": "False", "DiskPressure": "False", "PIDPressure": "False", "Ready": "True"}
    return {
        "kind": "Node", "apiVersion": "v1",
        "metadata": {"name": f"node{n}", "uid": f"node-{n}", "labels": {"kubernetes.io/hostname": f"node{n}"}, "creationTimestamp": T0},
        "spec": {"podCIDR": f"10.{n}.0.0/24"},
        "status": {
            "allocatable": {"cpu": "64", "memory": "256Gi", "pods": "250"},
            "conditions": [{"type": k, "status": s, "reason": "Kubelet", "lastTransitionTime": T0} for k, s in kinds.items()],
            "nodeInfo": {"architecture": "amd64", "containerRuntimeVersion": "containerd://1.7.27", "kubeletVersion": "v1.33.0"},
        },
    }  # fmt: skip


def _names(n: int) -> tuple[str, str]:
    return f"shop-{n // 50 % 40}", f"web{n // 50}"


def _owner(group: int) -> Iterator[Json]:
    space, name = _names(group * 50)
    meta = {"namespace": space, "creationTimestamp": T0, "generation": 1}
    status = {"replicas": 50, "readyReplicas": 45, "updatedReplicas": 50, "observedGeneration": 1}
    spec = {"replicas": 50, "selector": {"matchLabels": {"app": name}}}
    yield {
        "kind": "Deployment",
        "apiVersion": "apps/v1",
        "metadata": {"name": name, "uid": f"d-{name}", **meta},
        "spec": spec,
        "status": status,
    }
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name, "uid": f"d-{name}", "controller": True}
    yield {
        "kind": "ReplicaSet", "apiVersion": "apps/v1", "spec": spec, "status": status,
        "metadata": {"name": f"{name}-5f", "uid": f"r-{name}", "ownerReferences": [owner], **meta},
    }  # fmt: skip


def _pod(n: int, nodes: int) -> Json:
    space, app = _names(n)
    way = n // 10 % (len(WAYS) + len(PENDING) + 1) if n % 10 == 0 else -1
    name, uid = f"{app}-5f-{n:05d}", f"00000000-0000-4000-8000-{n:012d}"
    state: Json = {"running": {"startedAt": T0}}
    last: Json = {}
    restarts, word = 0, ""
    if 0 <= way < len(WAYS):
        word, state, last, restarts = WAYS[way]
    pending = PENDING[way - len(WAYS)][1] if len(WAYS) <= way < len(WAYS) + len(PENDING) else ""
    evicted = way == len(WAYS) + len(PENDING)
    ready = way < 0
    spec: Json = {
        "containers": [{
            "name": "app", "image": IMAGES.get(way, "reg.example/shop/web:v1"), "imagePullPolicy": "IfNotPresent",
            "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"memory": "128Mi"}},
            "ports": [{"containerPort": 8080, "protocol": "TCP"}],
            "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}, "periodSeconds": 10, "failureThreshold": 3},
            "livenessProbe": {"httpGet": {"path": "/live", "port": 8080}, "periodSeconds": 10, "failureThreshold": 3},
            "env": [{"name": f"SETTING_{i}", "value": f"value-{i}"} for i in range(8)],
            "volumeMounts": [{"name": "kube-api-access", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount", "readOnly": True}],
        }],
        "volumes": [{"name": "kube-api-access", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}],
        "restartPolicy": "Always", "dnsPolicy": "ClusterFirst", "serviceAccountName": "default", "schedulerName": "default-scheduler",
        "tolerations": [{"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}],
    }  # fmt: skip
    status: Json = {"phase": "Pending" if pending else "Failed" if evicted else "Running", "conditions": []}
    if pending:
        condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": pending}
        status["conditions"] = [condition | {"lastTransitionTime": T0}]
    else:
        spec["nodeName"] = f"node{n % nodes}"
        status["conditions"] = [
            {"type": kind, "status": "True" if ready or kind == "PodScheduled" else "False", "lastTransitionTime": T0}
            for kind in ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
        ]
        status |= {"podIP": f"10.{n % nodes}.0.{n // nodes % 250}", "startTime": T0}
        status["containerStatuses"] = [{
            "name": "app", "state": state, "lastState": last, "ready": ready, "restartCount": restarts, "started": "running" in state,
            "image": "reg.example/shop/web:v1", "imageID": "sha256:0e9ef66097db74dbc5f1", "containerID": f"containerd://{n:064x}",
        }]  # fmt: skip
    if evicted:
        status |= {
            "reason": "Evicted",
            "message": "The node was low on resource: memory. Threshold quantity: 100Mi, available: 90Mi. ",
        }
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": f"{app}-5f", "uid": f"r-{app}", "controller": True}
    meta: Json = {
        "name": name,
        "namespace": space,
        "uid": uid,
        "labels": {"app": app, "pod-template-hash": "5f"},
        "way": word,
    }
    meta |= {"ownerReferences": [owner], "creationTimestamp": T0}
    return {"kind": "Pod", "apiVersion": "v1", "metadata": meta, "spec": spec, "status": status}


def _events(pod: Json, n: int, each: int) -> Iterator[Json]:
    space, name, uid = pod["metadata"]["namespace"], pod["metadata"]["name"], pod["metadata"]["uid"]
    said = [
        ("Scheduled", "Normal", f"Successfully assigned {space}/{name} to node1"),
        ("Pulled", "Normal", "Container image already present"),
    ]
    said += [("Created", "Normal", "Created container: app"), ("Started", "Normal", "Started container app")]
    if n % 10 == 0:
        waiting = ((pod["status"].get("containerStatuses") or [{}])[0].get("state") or {}).get("waiting") or {}
        said[:0] = [
            ("BackOff", "Warning", "Back-off restarting failed container"),
            ("Failed", "Warning", f"Error: {waiting.get('message')}"),
        ]
        if pod["metadata"]["way"] in ("readiness", "liveness"):
            probe = pod["metadata"]["way"].capitalize()
            said[0] = ("Unhealthy", "Warning", f"{probe} probe failed: HTTP probe failed with statuscode: 500")
            said[1] = (
                ("Killing", "Normal", "Container app failed liveness probe, will be restarted")
                if probe == "Liveness"
                else said[1]
            )
        if pod["status"]["phase"] == "Pending":
            said[0] = ("FailedScheduling", "Warning", pod["status"]["conditions"][0]["message"])
    for i in range(each):
        reason, kind, message = said[i % len(said)]
        yield {
            "kind": "Event", "apiVersion": "v1", "reason": reason, "type": kind, "message": message, "count": 3,
            "metadata": {"name": f"{name}.{i:x}", "namespace": space, "uid": f"{uid}-{i}", "creationTimestamp": T0},
            "involvedObject": {"kind": "Pod", "namespace": space, "name": name, "uid": uid, "apiVersion": "v1", "fieldPath": "spec.containers{app}"},
            "source": {"component": "kubelet", "host": "node1"}, "firstTimestamp": T0, "lastTimestamp": NOW,
        }  # fmt: skip
