"""One Snapshot of a cluster, taken over real connections: what is in it, what is a gap, and how long it may take."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from k8sdiag.clock import ManualClock
from k8sdiag.collect import find_names, take, worst
from k8sdiag.evidence import Ref, Scope, Snapshot
from k8sdiag.live import connect
from k8sdiag.target import ApiError, Target
from tests.canned_api import CannedApi, Json, authority, break_off, hang, kubeconfig, refuse, serving

SECRET = "c2VzYW1lLW9wZW4="
CLOCK = ManualClock(1_790_000_000.0)


def thing(kind: str, name: str, namespace: str = "shop", **more: Any) -> Json:
    meta: Json = {"name": name, "uid": f"uid-{name}"} | ({"namespace": namespace} if namespace else {})
    meta |= more.pop("meta", {})
    return {"kind": kind, "apiVersion": "v1", "metadata": meta, **more}


def owner(kind: str, name: str, api: str = "apps/v1") -> Json:
    owned_by = {"kind": kind, "name": name, "apiVersion": api, "uid": f"uid-{name}", "controller": True}
    return {"ownerReferences": [owned_by]}


def event(about: Json, reason: str) -> Json:
    ref = {"kind": about["kind"], "name": about["metadata"]["name"], "uid": about["metadata"]["uid"]}
    namespace = about["metadata"].get("namespace") or "default"
    return thing("Event", f"{ref['name']}.{reason}", namespace, reason=reason, involvedObject=ref)


def crashing(name: str, **spec: Any) -> Json:
    status = {
        "phase": "Running",
        "containerStatuses": [
            {
                "name": "app",
                "ready": False,
                "restartCount": 4,
                "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                "lastState": {"terminated": {"exitCode": 1}},
            }
        ],
    }
    meta = {"labels": {"app": "web"}, **owner("ReplicaSet", "web-1")}
    return thing("Pod", name, meta=meta, status=status, spec={"containers": [{"name": "app"}], **spec})


def healthy(name: str, namespace: str = "shop") -> Json:
    status = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    return thing("Pod", name, namespace, meta={"labels": {"app": "web"}}, spec={"nodeName": "node1"}, status=status)


def shop() -> list[Json]:
    """A web application with all that a pod can lean on."""
    env = [{"valueFrom": {"secretKeyRef": {"name": "db", "key": "password"}}, "name": "PASSWORD"}]
    volumes = [
        {"name": "data", "persistentVolumeClaim": {"claimName": "data"}},
        {"name": "conf", "configMap": {"name": "gone"}},
    ]
    containers = [{"name": "app", "env": env, "envFrom": [{"configMapRef": {"name": "app-config"}}]}]
    pod = crashing("web", nodeName="node1", volumes=volumes, containers=containers, serviceAccountName="runner")
    selector = {"selector": {"matchLabels": {"app": "web"}}}
    replica_set = thing("ReplicaSet", "web-1", meta=owner("Deployment", "web") | {"labels": {"app": "web"}})
    replica_set["spec"] = {"replicas": 1, **selector}
    deployment = thing("Deployment", "web", spec=selector)
    node = thing("Node", "node1", "", status={"nodeInfo": {"containerRuntimeVersion": "containerd://1.7.1"}})
    node["status"]["conditions"] = [{"type": "Ready", "status": "True"}]
    secret = thing("Secret", "db", data={"password": SECRET})
    secret["metadata"]["annotations"] = {"kubectl.kubernetes.io/last-applied-configuration": SECRET}
    claim = thing("PersistentVolumeClaim", "data", spec={"volumeName": "pv-1", "storageClassName": "fast"})
    return [
        pod, replica_set, deployment, node, secret, claim,
        event(pod, "BackOff"), event(deployment, "ScalingReplicaSet"), event(claim, "Resizing"),
        thing("Event", "node1.Rebooted", "default", involvedObject={"kind": "Node", "name": "node1", "uid": "node1"}),
        thing("Event", "web.old", involvedObject={"kind": "Pod", "name": "web", "uid": "uid-of-a-namesake"}),
        thing("ConfigMap", "app-config", data={"mode": "fast"}),
        thing("ServiceAccount", "runner", imagePullSecrets=[{"name": "registry"}]),
        thing("PersistentVolume", "pv-1", "", spec={"csi": {"driver": "disk.example"}}),
        thing("StorageClass", "fast", ""), thing("VolumeAttachment", "va", ""), thing("CSIDriver", "disk.example", ""),
        thing("CSINode", "node1", ""), thing("Lease", "node1", "kube-node-lease"), thing("Namespace", "shop", ""),
        thing("Pod", "flannel", "kube-flannel", spec={"nodeName": "node1"}),
        thing("ResourceQuota", "quota"), thing("LimitRange", "limits"), thing("NetworkPolicy", "deny"),
        thing("Service", "web", spec={"selector": {"app": "web"}}), thing("EndpointSlice", "web-x"),
        thing("ConfigMap", "unrelated"), thing("Service", "elsewhere", "other"),
    ]  # fmt: skip


@pytest.fixture
def server() -> Iterator[CannedApi]:
    with serving(shop()) as api:
        log = "/api/v1/namespaces/shop/pods/web/log?container=app&timestamps=true&tailLines=200"
        api.texts[log] = "2026-11-21T22:31:07.5Z now\n"
        api.texts[f"{log}&previous=true"] = "2026-11-21T22:30:07.5Z before\n"
        line = "Nov 21 22:31:07.5 node1 {}[1]: level=error msg=no\n"
        api.on("proxy/logs/.query=kubelet", lambda handler: handler.send(200, line.format("kubelet").encode(), "text"))
        api.on("proxy/logs/.query=containerd", lambda handler: handler.send(200, line.format("x").encode(), "text"))
        yield api


def reach(folder: Path, server: CannedApi, timeout: float = 5.0, **extra: Any) -> Target:
    return connect(str(kubeconfig(folder / "config", server.url, **extra)), None, timeout)[0]


def look(folder: Path, server: CannedApi, subject: str = "Pod/web", timeout: float = 5.0, **options: Any) -> Snapshot:
    kind, name = subject.split("/")
    namespace = "" if kind in ("Node", "PersistentVolume") else "shop"
    return take(reach(folder, server, timeout), Scope("shop", Ref(kind, namespace, name)), CLOCK, **options)


def names(snapshot: Snapshot) -> set[str]:
    return {f"{kind}/{obj['metadata']['name']}" for kind in snapshot.kinds() for obj in snapshot.of_kind(kind)}


def test_one_pod_with_all_it_leans_on(server: CannedApi, tmp_path: Path) -> None:
    snapshot = look(tmp_path, server)
    expected = {f"{obj['kind']}/{obj['metadata']['name']}" for obj in shop()}
    assert names(snapshot) == expected - {"ConfigMap/unrelated", "Service/elsewhere", "Event/web.old"}
    assert snapshot.gaps == ()
    assert snapshot.missing == {Ref("ConfigMap", "shop", "gone"), Ref("Secret", "shop", "registry")}
    assert snapshot.taken_at == CLOCK.now()
    assert snapshot.source == "context test"


def test_logs_and_journals_of_one_pod(server: CannedApi, tmp_path: Path) -> None:
    snapshot = look(tmp_path, server)
    assert {key[3]: log.text.split()[1] for key, log in snapshot.logs.items()} == {False: "now", True: "before"}
    assert {key: len(entries) for key, entries in snapshot.journal.items()} == {
        ("node1", "kubelet"): 1,
        ("node1", "containerd"): 1,
    }


def test_what_exists_and_what_does_not(server: CannedApi, tmp_path: Path) -> None:
    snapshot = look(tmp_path, server)
    assert snapshot.exists("ConfigMap", "shop", "app-config") is True
    assert snapshot.exists("ConfigMap", "shop", "gone") is False
    assert snapshot.exists("ConfigMap", "shop", "unrelated") is None
    assert snapshot.exists("StorageClass", "", "slow") is False
    assert snapshot.exists("Service", "shop", "absent") is False
    assert snapshot.exists("Service", "other", "elsewhere") is None
    assert "Pod" in snapshot.complete
    assert "Event" not in snapshot.complete


def test_secret_values_never_arrive(server: CannedApi, tmp_path: Path) -> None:
    snapshot = look(tmp_path, server)
    assert snapshot.get("Secret", "shop", "db")["data"] == {"password": ""}  # type: ignore[index]
    everything = repr([vars(snapshot), snapshot.logs, snapshot.journal])
    assert "app-config" in everything
    assert SECRET not in everything


def test_requests_are_side_by_side_over_few_connections(server: CannedApi, tmp_path: Path) -> None:
    server.pause = 0.03
    begin = monotonic()
    look(tmp_path, server)
    assert len(server.asked) > 25
    assert monotonic() - begin < 0.5 * len(server.asked) * server.pause
    assert server.busiest > 4
    assert server.connections <= 12
    assert len(server.asked) == len(set(server.asked)), "nothing is asked for twice"


def test_everything_but_pods_forbidden(server: CannedApi, tmp_path: Path) -> None:
    server.rules.clear()
    server.on(r"^(?!.*/pods\b)", refuse(403, "not yours"))
    snapshot = look(tmp_path, server)
    assert snapshot.get("Pod", "shop", "web") is not None
    assert {"Service", "Secret", "ConfigMap", "Event"}.isdisjoint(snapshot.kinds())
    assert snapshot.missing == frozenset()
    assert snapshot.exists("ConfigMap", "shop", "gone") is None
    gaps = {gap.what: gap for gap in snapshot.gaps}
    assert gaps["ConfigMap gone"].reason == "forbidden: not yours"
    assert gaps["ConfigMap gone"].effect == "whether the ConfigMap gone exists could not be checked"
    assert {"events of pod/web", "Services of namespace shop", "PersistentVolumeClaim data", "Node node1"} <= set(gaps)
    assert len(snapshot.logs) == 2


def test_events_of_the_newer_api_where_the_older_is_forbidden(server: CannedApi, tmp_path: Path) -> None:
    server.on(r"^/api/v1/.*events", refuse(403, "no core events"))
    snapshot = look(tmp_path, server)
    assert "Event/web.BackOff" in names(snapshot)
    assert snapshot.gaps == ()


@pytest.mark.parametrize("status", [410, 429, 500])
def test_a_refused_part_is_a_gap(server: CannedApi, tmp_path: Path, status: int) -> None:
    server.on("/services", refuse(status, "not now"))
    snapshot = look(tmp_path, server)
    (gap,) = snapshot.gaps
    assert gap.what == "Services of namespace shop"
    assert gap.reason.endswith("not now")
    assert "Service" not in snapshot.complete


def test_a_kind_that_is_not_served_is_no_gap(server: CannedApi, tmp_path: Path) -> None:
    server.on("/endpointslices", refuse(404, "the server could not find the requested resource"))
    snapshot = look(tmp_path, server)
    assert snapshot.gaps == ()
    assert snapshot.exists("EndpointSlice", "shop", "web-x") is None


def test_a_broken_connection_is_a_gap(server: CannedApi, tmp_path: Path) -> None:
    server.on("/configmaps/app-config", break_off)
    (gap,) = look(tmp_path, server).gaps
    assert gap.reason.startswith("the connection broke off")


def test_a_journal_out_of_reach_is_a_gap(server: CannedApi, tmp_path: Path) -> None:
    server.rules.clear()
    server.on("/proxy/logs/", refuse(403, "nodes/proxy is not yours"))
    whats = {gap.what for gap in look(tmp_path, server).gaps}
    assert whats == {f"journal of {whose} on node/node1" for whose in ("the kubelet", "the container runtime")}


def test_a_server_that_hangs_on_all_but_the_pod(server: CannedApi, tmp_path: Path) -> None:
    server.rules.clear()
    server.on(r"^(?!.*/namespaces/shop/pods/web$)", hang)
    begin = monotonic()
    snapshot = look(tmp_path, server, timeout=5.0, deadline=0.5)
    assert monotonic() - begin < 1.5
    assert names(snapshot) == {"Pod/web"}
    assert {gap.reason for gap in snapshot.gaps} == {"timed out after 0.5 s"}


def test_each_request_has_its_own_deadline(server: CannedApi, tmp_path: Path) -> None:
    server.on("/services", hang)
    begin = monotonic()
    (gap,) = look(tmp_path, server, timeout=0.3).gaps
    assert gap.reason == "timed out after 0.3 s"
    assert monotonic() - begin < 1.5


@pytest.mark.parametrize("status", [401, 403, 500])
def test_a_subject_that_cannot_be_read_is_an_error(server: CannedApi, tmp_path: Path, status: int) -> None:
    server.on("/pods/web", refuse(status, "no"))
    with pytest.raises(ApiError) as caught:
        look(tmp_path, server)
    assert caught.value.status == status


def test_a_server_that_hangs_altogether(server: CannedApi, tmp_path: Path) -> None:
    server.rules.clear()
    server.on(".", hang)
    begin = monotonic()
    with pytest.raises(ApiError, match=r"timed out after 0.3 s"):
        look(tmp_path, server, timeout=0.3)
    with pytest.raises(ApiError, match=r"timed out after 0.3 s"):
        take(reach(tmp_path, server, 0.3), Scope("shop"), CLOCK)
    assert monotonic() - begin < 2


def test_no_trust_no_snapshot(tmp_path: Path) -> None:
    unknown = pytest.raises(ApiError, match="signed by an unknown authority")
    with serving(shop(), authority("theirs").issue_cert("127.0.0.1")) as server, unknown:
        look(tmp_path, server)


def test_a_subject_that_does_not_exist(server: CannedApi, tmp_path: Path) -> None:
    gone = thing("Pod", "gone")
    server.objects.append(event(gone, "Killing"))
    snapshot = look(tmp_path, server, "Pod/gone")
    assert snapshot.missing == {Ref("Pod", "shop", "gone")}
    assert names(snapshot) == {"Event/gone.Killing"}


def test_an_unscheduled_pod_is_seen_with_all_nodes_and_pods(server: CannedApi, tmp_path: Path) -> None:
    server.objects.append(thing("Pod", "pending", spec={"containers": []}, status={"phase": "Pending"}))
    server.objects.append(thing("Node", "node2", ""))
    snapshot = look(tmp_path, server, "Pod/pending")
    assert {"Node/node1", "Node/node2", "Pod/web", "Pod/flannel"} <= names(snapshot)
    assert {"Node", "Pod"} <= snapshot.complete
    assert snapshot.exists("Node", "", "node3") is False


@pytest.mark.parametrize("subject", ["Deployment/web", "ReplicaSet/web-1", "Service/web", "PersistentVolumeClaim/data"])
def test_whatever_has_pods_brings_those_in_trouble(server: CannedApi, tmp_path: Path, subject: str) -> None:
    snapshot = look(tmp_path, server, subject)
    assert {subject, "Pod/web", "ConfigMap/app-config", "Event/web.BackOff", "Node/node1"} <= names(snapshot)
    assert snapshot.exists("ConfigMap", "shop", "gone") is False
    assert len(snapshot.logs) == 2


SCALED = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}


@pytest.mark.parametrize(
    ("subject", "obj"),
    [
        ("HorizontalPodAutoscaler/web", {"scaleTargetRef": SCALED}),
        ("PersistentVolume/pv-2", {"claimRef": {"namespace": "shop", "name": "data"}}),
        ("PodDisruptionBudget/web", {"selector": {"matchLabels": {"app": "web"}}}),
        ("Ingress/web", {"defaultBackend": {"service": {"name": "web"}}}),
    ],
)
def test_a_subject_is_followed_to_its_pods(server: CannedApi, tmp_path: Path, subject: str, obj: Json) -> None:
    kind, name = subject.split("/")
    server.objects.append(thing(kind, name, "" if kind == "PersistentVolume" else "shop", spec=obj))
    assert {subject, "Pod/web", "Event/web.BackOff"} <= names(look(tmp_path, server, subject))


def test_a_service_that_selects_nothing_brings_the_pods_it_misses(server: CannedApi, tmp_path: Path) -> None:
    server.objects.append(thing("Service", "typo", spec={"selector": {"app": "wbe"}}))
    snapshot = look(tmp_path, server, "Service/typo")
    assert "Pod/web" in names(snapshot)
    assert "Pod" in snapshot.complete
    assert not snapshot.logs


def test_a_cron_job_brings_its_own_jobs_and_their_pods(server: CannedApi, tmp_path: Path) -> None:
    cron, job = thing("CronJob", "nightly"), thing("Job", "nightly-1", meta=owner("CronJob", "nightly", "batch/v1"))
    pod = crashing("nightly-1-x")
    pod["metadata"] |= {"labels": {"job-name": "nightly-1"}, **owner("Job", "nightly-1", "batch/v1")}
    server.objects += [cron, job, pod, thing("Job", "other"), event(job, "BackoffLimitExceeded"), event(pod, "Failed")]
    snapshot = look(tmp_path, server, "CronJob/nightly")
    told = {"Event/nightly-1.BackoffLimitExceeded", "Event/nightly-1-x.Failed"}
    assert {"Job/nightly-1", "Pod/nightly-1-x", *told} <= names(snapshot)
    assert "Job/other" not in names(snapshot)


def test_a_deployment_without_pods_is_checked_by_its_template(server: CannedApi, tmp_path: Path) -> None:
    template = {"spec": {"serviceAccountName": "nobody", "containers": []}}
    selector = {"matchLabels": {"a": "b"}}
    server.objects.append(thing("Deployment", "empty", spec={"template": template, "selector": selector}))
    snapshot = look(tmp_path, server, "Deployment/empty")
    assert Ref("ServiceAccount", "shop", "nobody") in snapshot.missing


def test_a_node_brings_its_pods_lease_and_journals(server: CannedApi, tmp_path: Path) -> None:
    snapshot = look(tmp_path, server, "Node/node1")
    assert {"Pod/web", "Pod/flannel", "Lease/node1", "CSINode/node1", "Event/node1.Rebooted"} <= names(snapshot)
    assert ("node1", "kubelet") in snapshot.journal


def test_a_listing_elsewhere_proves_nothing_here(server: CannedApi, tmp_path: Path) -> None:
    stray = crashing("stray", nodeName="node1")
    stray["metadata"]["namespace"] = "other"
    server.objects = [stray, thing("Node", "node1", ""), thing("Service", "elsewhere", "other")]
    snapshot = look(tmp_path, server, "Node/node1")
    assert {"Pod/stray", "Service/elsewhere"} <= names(snapshot)
    assert snapshot.exists("Service", "shop", "web") is None
    assert snapshot.exists("Service", "other", "web") is None


def test_only_some_of_many_failing_pods_are_read_in_full(server: CannedApi, tmp_path: Path) -> None:
    server.objects += [crashing(f"web-{number}", nodeName="node1") for number in range(30)]
    snapshot = look(tmp_path, server, "Deployment/web")
    assert snapshot.count("Pod") == 32
    assert len({path for path in server.asked if "/log?" in path}) == 10


def test_a_scan_lists_and_looks_closer_where_there_is_trouble(server: CannedApi, tmp_path: Path) -> None:
    server.objects += [healthy(f"fine-{number}") for number in range(50)] + [healthy("far", "other")]
    snapshot = take(reach(tmp_path, server), Scope("shop"), CLOCK)
    assert snapshot.gaps == ()
    assert snapshot.count("Pod") == 51
    assert {"Deployment/web", "Service/web", "Event/web.BackOff", "ConfigMap/app-config"} <= names(snapshot)
    assert len(snapshot.logs) == 2
    assert {"Pod", "Event", "Service", "Node", "PersistentVolumeClaim"} <= snapshot.complete
    assert not [path for path in server.asked if "/log?" in path and "pods/web/" not in path]
    assert not [path for path in server.asked if "proxy/logs" in path]
    assert len(server.asked) < 50


def test_a_scan_of_all_namespaces(server: CannedApi, tmp_path: Path) -> None:
    snapshot = take(reach(tmp_path, server), Scope(""), CLOCK)
    assert {"Pod/flannel", "Pod/web", "Service/elsewhere", "Namespace/shop"} <= names(snapshot)
    assert snapshot.exists("Service", "other", "nope") is False


def test_a_scan_says_what_it_left_out(server: CannedApi, tmp_path: Path) -> None:
    for number in range(40):
        server.objects.append(crashing(f"web-{number}", volumes=[{"configMap": {"name": f"cm-{number}"}}]))
    server.on("/log", lambda handler: handler.send(200, b"", "text/plain"))
    snapshot = take(reach(tmp_path, server), Scope("shop"), CLOCK)
    (gap,) = snapshot.gaps
    assert gap.what == "logs of 21 more failing pods"
    assert len(snapshot.logs) == 40
    assert len([ref for ref in snapshot.missing if ref.name.startswith("cm-")]) == 40


def test_a_scan_reads_the_journals_of_nodes_in_trouble(server: CannedApi, tmp_path: Path) -> None:
    node = next(obj for obj in server.objects if obj["kind"] == "Node")
    node["status"]["conditions"] = [{"type": "Ready", "status": "Unknown"}]
    assert ("node1", "kubelet") in take(reach(tmp_path, server), Scope("shop"), CLOCK).journal


def test_a_scan_of_nothing_but_refusals_is_an_error(server: CannedApi, tmp_path: Path) -> None:
    server.rules.clear()
    server.on(".", refuse(403, "nothing is yours"))
    with pytest.raises(ApiError, match="nothing is yours"):
        take(reach(tmp_path, server), Scope("shop"), CLOCK)


def test_the_worst_pods_come_first_and_one_of_each_owner() -> None:
    first, second, other = crashing("a"), crashing("b"), crashing("c")
    other["metadata"] |= owner("ReplicaSet", "other-1")
    found = worst([healthy("fine"), first, second, other])
    assert [pod["metadata"]["name"] for pod in found] == ["a", "c", "b"]


def test_names_of_a_kind(server: CannedApi, tmp_path: Path) -> None:
    target = reach(tmp_path, server)
    assert find_names(target, "ConfigMap", "shop") == ["app-config", "unrelated"]
    assert find_names(target, "Service", "") == ["elsewhere", "web"]
    with pytest.raises(ApiError, match="no kind"):
        find_names(target, "Gadget", "shop")
