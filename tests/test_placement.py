"""How the scheduler's message is read, how requests are added up, and what is found in the way on each node."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from k8sdiag.evidence import Json, Snapshot
from k8sdiag.placement import (
    Nodes,
    Verdict,
    classify,
    host_ports,
    near_labels,
    near_tolerations,
    parse_message,
    pod_requests,
    request_parts,
    taint_text,
    tolerates,
    unmet_labels,
)

# --- the message ---

SLUGS = {
    "no nodes available to schedule pods": "no-nodes",
    "Insufficient cpu": "insufficient",
    "Insufficient nvidia.com/gpu": "insufficient",
    "Insufficient hugepages-2Mi": "insufficient",
    "Too many pods": "too-many-pods",
    "node(s) had untolerated taint {dedicated: gpu}": "taint",
    "node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }": "taint",
    "node(s) had untolerated taint(s)": "taint",
    "node(s) had taint {a: b}": "taint",
    "node(s) had taints that the pod didn't tolerate": "taint",
    "node(s) were unschedulable": "cordoned",
    "node(s) didn't match Pod's node affinity/selector": "affinity",
    "node(s) didn't match Pod's node affinity": "affinity",
    "node(s) didn't match node selector": "affinity",
    "node(s) didn't match scheduler-enforced node affinity": "affinity",
    "pod affinity terms conflict": "affinity",
    "node(s) didn't satisfy plugin(s) [NodeAffinity]": "affinity",
    "node(s) didn't match the requested node name": "node-name",
    "node(s) didn't have free ports for the requested pod ports": "ports",
    "node(s) didn't match pod affinity rules": "pod-affinity",
    "node(s) didn't match pod anti-affinity rules": "pod-anti-affinity",
    "node(s) didn't satisfy existing pods anti-affinity rules": "existing-anti-affinity",
    "node(s) didn't match pod topology spread constraints": "spread",
    "node(s) didn't match pod topology spread constraints (missing required label)": "spread",
    "pod has unbound immediate PersistentVolumeClaims": "claim-unbound",
    'persistentvolumeclaim "data" not found': "claim-missing",
    'persistentvolumeclaim "data" is being deleted': "claim-deleting",
    'persistentvolumeclaim "data" bound to non-existent persistentvolume "pv-1"': "volume-missing",
    "node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)": "volume-missing",
    'waiting for ephemeral volume controller to create the persistentvolumeclaim "web-tmp"': "claim-ephemeral",
    "node(s) didn't match PersistentVolume's node affinity": "volume-affinity",
    "node(s) had volume node affinity conflict": "volume-affinity",
    "node(s) had no available volume zone": "volume-zone",
    "node(s) had no available disk": "volume-zone",
    "node(s) exceed max volume count": "volume-count",
    "node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode": "volume-exclusive",
    "node(s) didn't find available persistent volumes to bind": "volume-none",
    "node(s) did not have enough free storage": "volume-none",
    "cannot allocate all claims": "device-claim",
    "resourceclaim not available on the node": "device-claim",
    "request gpu: device class gpu.example.com does not exist": "device-claim",
    "node(s) didn't pass the licence check": "extender",
}


@pytest.mark.parametrize("text", SLUGS)
def test_each_reason_has_its_slug(text: str) -> None:
    assert classify(text)[0] == SLUGS[text]


COUNTED = sorted(
    text for text in SLUGS if not text.startswith(("no nodes", "persistentvolumeclaim", "pod has", "waiting"))
)
PLAIN = [text for text in SLUGS if text.startswith(("persistentvolumeclaim", "pod has", "waiting"))]
PREEMPTION = (
    "0/{n} nodes are available: 1 No preemption victims found for incoming pod, 2 Preemption is not helpful.",
    "not eligible due to preemptionPolicy=Never.",
    "not eligible due to a terminating pod on the nominated node.",
    "no candidate node for preemption",
)
histograms = st.dictionaries(st.sampled_from(COUNTED), st.integers(1, 5000), min_size=1, max_size=6)


def said(total: int, body: str, preemption: str) -> str:
    return f"0/{total} nodes are available: {body}." + (f" preemption: {preemption}" if preemption else "")


@given(st.integers(1, 5000), histograms, st.sampled_from(["", *PREEMPTION]))
@example(3, {"Insufficient cpu": 1, "Insufficient memory": 1}, PREEMPTION[0])
def test_any_histogram_is_read_back(total: int, histogram: dict[str, int], preemption: str) -> None:
    body = ", ".join(sorted(f"{count} {text}" for text, count in histogram.items()))
    refusal = parse_message(said(total, body, preemption.format(n=total)))
    assert refusal.total == total
    assert {reason.text: reason.count for reason in refusal.reasons} == histogram
    assert all(reason.slug == SLUGS.get(reason.text, reason.slug) for reason in refusal.reasons)
    assert refusal.preemption == preemption.format(n=total)


@given(histograms)
def test_what_is_said_of_dynamic_resources_is_no_reason(histogram: dict[str, int]) -> None:
    body = ", ".join(sorted(f"{count} {text}" for text, count in histogram.items()))
    for extra in ("no new claims to deallocate,", "still not schedulable,"):
        refusal = parse_message(f"0/9 nodes are available: {body}. {extra} preemption: 0/9 nodes are available: 9 x.")
        assert {reason.text: reason.count for reason in refusal.reasons} == histogram


@pytest.mark.parametrize("text", PLAIN)
@pytest.mark.parametrize("preemption", ["", PREEMPTION[0]])
def test_a_reason_without_a_count_is_the_whole_pods(text: str, preemption: str) -> None:
    refusal = parse_message(said(3, text, preemption))
    assert [(reason.text, reason.count, reason.slug) for reason in refusal.reasons] == [(text, None, SLUGS[text])]


@pytest.mark.parametrize(
    ("message", "reasons"),
    [
        ("no nodes available to schedule pods", [("no nodes available to schedule pods", None)]),
        ('persistentvolumeclaim "a" not found', [('persistentvolumeclaim "a" not found', None)]),
        (
            "0/2 nodes are available: 1 node(s) had taint {a: b}, that the pod didn't tolerate, 1 Insufficient cpu.",
            [("node(s) had taint {a: b}", 1), ("Insufficient cpu", 1)],
        ),
        ("0/1 nodes are available: 1 licence expired, ask sales.", [("licence expired, ask sales", 1)]),
        ("0/0 nodes are available:", []),
        ("", []),
    ],
)
def test_other_wordings(message: str, reasons: list[tuple[str, int | None]]) -> None:
    assert [(reason.text, reason.count) for reason in parse_message(message).reasons] == reasons


@given(st.text(max_size=300))
def test_any_text_is_read_without_error(text: str) -> None:
    for message in (text, said(3, text, text)):
        for reason in parse_message(message).reasons:
            assert reason.slug


def test_parts_of_a_reason_are_named() -> None:
    assert classify("node(s) had untolerated taint {a/b: c}") == ("taint", {"key": "a/b", "value": "c"})
    assert classify("node(s) had untolerated taint {a: }")[1] == {"key": "a", "value": ""}
    assert classify("Insufficient nvidia.com/gpu")[1] == {"resource": "nvidia.com/gpu"}
    assert classify('persistentvolumeclaim "data-db" not found')[1] == {"claim": "data-db"}


# --- requests ---


def asking(cpu: int | None = None, **more: Any) -> Json:
    return {"name": "c", "resources": {"requests": {} if cpu is None else {"cpu": f"{cpu}m"}}} | more


amounts = st.lists(st.integers(0, 4000), max_size=4)


@given(amounts, amounts, amounts, st.integers(0, 500))
def test_requests_are_the_larger_of_init_and_running_plus_overhead(
    apps: list[int], inits: list[int], sidecars: list[int], overhead: int
) -> None:
    """Sidecars first, then init containers: each init container runs beside all sidecars."""
    started = [asking(cpu, restartPolicy="Always") for cpu in sidecars] + [asking(cpu) for cpu in inits]
    pod = {
        "spec": {
            "containers": [asking(cpu) for cpu in apps],
            "initContainers": started,
            "overhead": {"cpu": f"{overhead}m"},
        }
    }
    wanted = max(sum(apps), max(inits, default=0)) + sum(sidecars) + overhead
    assert round(pod_requests(pod).get("cpu", 0.0) * 1000) == wanted


@given(amounts, amounts)
def test_an_init_container_counts_only_the_sidecars_before_it(inits: list[int], sidecars: list[int]) -> None:
    started = [asking(cpu) for cpu in inits] + [asking(cpu, restartPolicy="Always") for cpu in sidecars]
    wanted = max(max(inits, default=0), sum(sidecars))
    assert round(pod_requests({"spec": {"initContainers": started}}).get("cpu", 0.0) * 1000) == wanted


def test_limits_stand_in_for_requests_and_the_pods_own_stand_for_all() -> None:
    only_limit = {"name": "c", "resources": {"limits": {"cpu": "2", "memory": "1Gi"}, "requests": {"memory": "512Mi"}}}
    assert pod_requests({"spec": {"containers": [only_limit]}}) == {"cpu": 2.0, "memory": 2.0**29}
    whole = {"spec": {"containers": [only_limit], "resources": {"requests": {"cpu": "3"}}}}
    assert pod_requests(whole)["cpu"] == 3.0
    assert request_parts(whole, "cpu") == ["spec.resources 3"]


def test_who_asks_is_told() -> None:
    spec = {
        "containers": [asking(500, name="app")],
        "initContainers": [asking(4000, name="migrate"), asking(250, name="proxy", restartPolicy="Always")],
        "overhead": {"cpu": "100m"},
    }
    told = ["container app 500m", "init container migrate 4", "sidecar proxy 250m", "overhead 100m"]
    assert request_parts({"spec": spec}, "cpu") == told


# --- taints ---


@pytest.mark.parametrize(
    ("toleration", "fits"),
    [
        ({"operator": "Exists"}, True),
        ({"key": "a", "operator": "Exists"}, True),
        ({"key": "a", "operator": "Exists", "effect": "NoExecute"}, False),
        ({"key": "a", "value": "b"}, True),
        ({"key": "a", "operator": "Equal", "value": "b", "effect": "NoSchedule"}, True),
        ({"key": "a", "value": "c"}, False),
        ({"key": "b", "operator": "Exists"}, False),
        ({}, False),
    ],
)
def test_tolerations(toleration: Json, fits: bool) -> None:
    assert tolerates(toleration, {"key": "a", "value": "b", "effect": "NoSchedule"}) is fits


def test_a_toleration_that_misses_is_told_with_what_it_misses() -> None:
    taint = {"key": "dedicated", "value": "gpu", "effect": "NoSchedule"}
    pod = {"spec": {"tolerations": [{"key": "dedicated", "value": "db", "effect": "NoExecute"}, {"key": "other"}]}}
    assert near_tolerations(pod, taint) == [
        "dedicated=db:NoExecute (value is db, not gpu; effect is NoExecute, not NoSchedule)"
    ]
    assert taint_text(taint) == "dedicated=gpu:NoSchedule"


# --- labels ---


def node(name: str = "node1", labels: Json | None = None, **spec: Any) -> Json:
    room = spec.pop("room", {"cpu": "4", "memory": "8Gi", "pods": "110"})
    meta = {"name": name, "labels": {"kubernetes.io/hostname": name} | (labels or {})}
    return {"kind": "Node", "metadata": meta, "spec": spec, "status": {"allocatable": room}}


@pytest.mark.parametrize(
    ("labels", "near"),
    [
        ({"disk": "SSD"}, ["node1 has disk=SSD"]),
        ({"disktype": "ssd"}, ["node1 has disktype=ssd"]),
        ({"disk": "hdd"}, ["node1 has disk=hdd"]),
        ({"disk": "hdd", "disktype": "ssd"}, ["node1 has disktype=ssd", "node1 has disk=hdd"]),
        ({"example.com/disk": "nvme"}, ["node1 has example.com/disk=nvme"]),
        ({"zone": "a"}, []),
    ],
)
def test_near_labels(labels: Json, near: list[str]) -> None:
    assert near_labels("disk", ["ssd"], [node(labels=labels)]) == near


def test_only_what_no_node_has_is_unmet() -> None:
    pod = {"spec": {"nodeSelector": {"disk": "ssd", "zone": "a"}}}
    assert unmet_labels(pod, [node(labels={"zone": "a"})]) == [("disk", ["ssd"])]
    assert unmet_labels(pod, [node(labels={"zone": "a"}), node("b", {"disk": "ssd"})]) == []


# --- nodes ---


def pod(name: str = "web", on: str = "", labels: Json | None = None, phase: str = "Running", **spec: Any) -> Json:
    body = {
        "containers": [
            {"name": "app", "resources": {"requests": spec.pop("requests", {})}, "ports": spec.pop("ports", [])}
        ]
    }
    meta = {"name": name, "namespace": "shop", "labels": labels or {}}
    return {
        "kind": "Pod",
        "metadata": meta,
        "spec": body | spec | ({"nodeName": on} if on else {}),
        "status": {"phase": phase},
    }


def judge(waiting: Json, *others: Json, message: str = "") -> Verdict:
    snapshot = Snapshot([*others, waiting], taken_at=0)
    return Nodes(snapshot).verdict(waiting, parse_message(message))


def about(verdict: Verdict, name: str = "node1") -> list[tuple[str, str]]:
    return [item.about for item in verdict.by_node[name]]


def test_a_node_that_would_do_has_nothing_in_its_way() -> None:
    assert judge(pod(requests={"cpu": "4"}), node()).by_node == {"node1": []}


def test_room_is_what_pods_that_have_not_finished_leave() -> None:
    other, done = (
        pod("other", "node1", requests={"cpu": "3"}),
        pod("done", "node1", phase="Succeeded", requests={"cpu": "4"}),
    )
    verdict = judge(pod(requests={"cpu": "2"}), node(), other, done)
    assert about(verdict) == [("insufficient", "cpu")]
    assert verdict.lines() == ["node1: wants 2 cpu, free 1 of 4 (requested by shop/other 3)"]
    assert verdict.change == "free 1 cpu there, or lower the request from 2 to 1"
    assert judge(pod(requests={"cpu": "1"}), node(), other, done).by_node == {"node1": []}


@given(st.integers(0, 9000), st.integers(0, 9000), st.integers(0, 9000))
def test_room_arithmetic(have: int, used: int, wanted: int) -> None:
    there = node(room={"cpu": f"{have}m", "pods": "10"})
    verdict = judge(pod(requests={"cpu": f"{wanted}m"}), there, pod("other", "node1", requests={"cpu": f"{used}m"}))
    assert bool(verdict.by_node["node1"]) is (wanted > 0 and used + wanted > have)


def test_the_node_with_the_least_in_its_way_is_chosen() -> None:
    control_plane = node("cp", taints=[{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}])
    full = node("full", {"disk": "ssd"}, room={"cpu": "1", "pods": "10"})
    near = node("near", {"disk": "SSD"})
    message = "0/3 nodes are available: 1 Insufficient cpu, 1 node(s) didn't match Pod's node affinity/selector, 1 x."
    verdict = judge(
        pod(requests={"cpu": "2"}, nodeSelector={"disk": "ssd"}), control_plane, full, near, message=message
    )
    assert verdict.nearest == "near"
    assert verdict.main() == {("affinity", "")}
    assert verdict.blocked(("insufficient", "cpu")) == ["full"]
    assert "disk=SSD" in verdict.change


def test_the_schedulers_word_fills_what_objects_do_not_tell() -> None:
    verdict = judge(pod(requests={"cpu": "2"}), node(), message="0/1 nodes are available: 1 Insufficient cpu.")
    assert about(verdict) == [("insufficient", "cpu")]
    tainted = node("tainted", taints=[{"key": "a", "effect": "NoSchedule"}])
    message = "0/2 nodes are available: 1 licence check failed, 1 node(s) had untolerated taint {a: }."
    verdict = judge(pod(), node(), tainted, message=message)
    assert (about(verdict), about(verdict, "tainted")) == ([("extender", "")], [("taint", "a")])


def test_cordon_and_taints_as_the_pod_tolerates_them() -> None:
    cordon = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}
    there = node(unschedulable=True, taints=[cordon, {"key": "a", "effect": "PreferNoSchedule"}])
    assert about(judge(pod(), there)) == [("cordoned", "")]
    assert about(judge(pod(tolerations=[{"operator": "Exists"}]), there)) == []


@pytest.mark.parametrize(
    ("other", "clash"),
    [
        ({"hostPort": 80}, True),
        ({"hostPort": 80, "hostIP": "10.0.0.1"}, True),
        ({"hostPort": 80, "protocol": "UDP"}, False),
        ({"hostPort": 81}, False),
        ({"containerPort": 80}, False),
    ],
)
def test_host_ports_clash_on_port_protocol_and_address(other: Json, clash: bool) -> None:
    verdict = judge(pod(ports=[{"hostPort": 80}]), node(), pod("other", "node1", ports=[other]))
    assert about(verdict) == ([("ports", "")] if clash else [])
    if clash:
        assert verdict.by_node["node1"][0].pods == ("shop/other",)


def test_host_ports_of_the_host_network_and_of_sidecars() -> None:
    sidecar = {"name": "s", "restartPolicy": "Always", "ports": [{"hostPort": 9090, "protocol": "UDP"}]}
    wanted = pod(
        hostNetwork=True,
        ports=[{"containerPort": 8080}],
        initContainers=[sidecar, {"name": "i", "ports": [{"hostPort": 1}]}],
    )
    assert {port[1:] for port in host_ports(wanted)} == {("TCP", 8080), ("UDP", 9090)}


def test_a_daemon_pod_is_only_ever_judged_by_its_own_node() -> None:
    term = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["node2"]}]}
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}}
    waiting = pod(requests={"cpu": "9"}, affinity=affinity)
    message = "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) didn't satisfy plugin(s) [NodeAffinity]."
    assert judge(waiting, node(), node("node2"), message=message).nearest == "node2"


# --- neighbours ---


def required(kind: str, value: str, key: str = "kubernetes.io/hostname", **more: Any) -> Json:
    term = {"labelSelector": {"matchLabels": {"app": value}}, "topologyKey": key} | more
    return {"affinity": {kind: {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}}


def test_anti_affinity_names_the_pod_in_the_way() -> None:
    waiting = pod(labels={"app": "web"}, **required("podAntiAffinity", "web"))
    verdict = judge(waiting, node(), node("node2"), pod("web-1", "node1", {"app": "web"}))
    assert about(verdict) == [("pod-anti-affinity", "")]
    assert verdict.by_node["node1"][0].pods == ("shop/web-1",)
    assert verdict.by_node["node2"] == []


def test_anti_affinity_of_a_pod_that_runs_counts_too_and_only_in_its_namespace() -> None:
    holder = pod("db", "node1", {"app": "db"}, **required("podAntiAffinity", "batch"))
    assert about(judge(pod(labels={"app": "batch"}), node(), holder)) == [("existing-anti-affinity", "")]
    elsewhere = pod(labels={"app": "batch"})
    elsewhere["metadata"]["namespace"] = "other"
    assert about(judge(elsewhere, node(), holder)) == []
    everywhere = pod("db", "node1", {"app": "db"}, **required("podAntiAffinity", "batch", namespaceSelector={}))
    assert about(judge(elsewhere, node(), everywhere)) == [("existing-anti-affinity", "")]


def test_pod_affinity_wants_company_unless_the_pod_is_its_own() -> None:
    waiting = pod(labels={"app": "web"}, **required("podAffinity", "cache"))
    assert about(judge(waiting, node())) == [("pod-affinity", "")]
    assert about(judge(waiting, node(), pod("cache", "node1", {"app": "cache"}))) == []
    assert about(judge(pod(labels={"app": "web"}, **required("podAffinity", "web")), node())) == []
    assert about(judge(waiting, node(), pod("cache", "node1", {"app": "cache"}, phase="Failed"))) == [
        ("pod-affinity", "")
    ]


def spread(key: str = "zone", **more: Any) -> Json:
    item = {
        "maxSkew": 1,
        "topologyKey": key,
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": {"app": "web"}},
    }
    return {"topologySpreadConstraints": [item | more]}


def test_spread_counts_pods_in_each_domain() -> None:
    nodes = [node("a", {"zone": "a"}), node("b", {"zone": "b"}, taints=[{"key": "x", "effect": "NoSchedule"}])]
    one = pod("web-1", "a", {"app": "web"})
    verdict = judge(pod(labels={"app": "web"}, **spread()), *nodes, one)
    assert about(verdict, "a") == [("spread", "")]
    assert about(verdict, "b") == [("taint", "x")]
    assert "zone=a has 1, zone=b has 0" in verdict.by_node["a"][0].text
    honour = judge(pod(labels={"app": "web"}, **spread(nodeTaintsPolicy="Honor")), *nodes, one)
    assert about(honour, "a") == []
    wish = judge(pod(labels={"app": "web"}, **spread(whenUnsatisfiable="ScheduleAnyway")), *nodes, one)
    assert about(wish, "a") == []


def test_spread_needs_its_label_on_the_node() -> None:
    verdict = judge(pod(labels={"app": "web"}, **spread()), node())
    assert "it has no label zone" in verdict.by_node["node1"][0].text


@given(st.lists(st.sampled_from("abc"), max_size=12), st.integers(1, 4))
def test_spread_skew_is_as_the_scheduler_reckons_it(placed: list[str], skew: int) -> None:
    nodes = [node(zone, {"zone": zone}) for zone in "abc"]
    others = [pod(f"web-{number}", zone, {"app": "web"}) for number, zone in enumerate(placed)]
    verdict = judge(pod(labels={"app": "web"}, **spread(maxSkew=skew)), *nodes, *others)
    least = min(placed.count(zone) for zone in "abc")
    for zone in "abc":
        assert bool(verdict.by_node[zone]) is (placed.count(zone) + 1 - least > skew)


# --- volumes ---


def claimed(mode: str = "ReadWriteOnce") -> list[Json]:
    spec = {"volumeName": "pv-1", "accessModes": [mode]}
    return [{"kind": "PersistentVolumeClaim", "metadata": {"name": "data", "namespace": "shop"}, "spec": spec}]


def volume(**spec: Any) -> Json:
    return {"kind": "PersistentVolume", "metadata": {"name": "pv-1", "labels": spec.pop("labels", {})}, "spec": spec}


MOUNTS: dict[str, Any] = {"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]}


def test_a_volume_keeps_the_pod_where_it_is() -> None:
    term = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": ["node2"]}]}
    there = volume(nodeAffinity={"required": {"nodeSelectorTerms": [term]}})
    verdict = judge(pod(**MOUNTS), node(), node("node2"), *claimed(), there)
    assert about(verdict) == [("volume-affinity", "")]
    assert about(verdict, "node2") == []


def test_a_volume_in_another_zone() -> None:
    zone = "topology.kubernetes.io/zone"
    verdict = judge(
        pod(**MOUNTS), node(labels={zone: "a"}), node("b", {zone: "b"}), *claimed(), volume(labels={zone: "b"})
    )
    assert (about(verdict), about(verdict, "b")) == ([("volume-zone", "")], [])


def test_read_write_once_pod_is_one_pods_on_any_node() -> None:
    other = pod("other", "node2", **MOUNTS)
    verdict = judge(pod(**MOUNTS), node(), node("node2"), other, *claimed("ReadWriteOncePod"), volume())
    assert about(verdict) == about(verdict, "node2") == [("volume-exclusive", "")]
    assert about(judge(pod(**MOUNTS), node(), node("node2"), other, *claimed(), volume())) == []
