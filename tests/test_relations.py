"""Who belongs to whom, and what can explain a subject."""

from __future__ import annotations

from typing import Any

from k8sdiag.diagnose import diagnose
from k8sdiag.evidence import Ref, Snapshot
from k8sdiag.playbook import bundled_folder, compile_folder
from k8sdiag.relations import View, closure, overcome, owner_chain, pods_of, top_owner
from tests.incidents.build import Incident, condition, container, node, terminated, waiting

Json = dict[str, Any]
PLAYBOOKS = compile_folder(bundled_folder())


def snapshot(made: Incident) -> Snapshot:
    return Snapshot(made.objects, taken_at=1_795_300_800.0)


def deployment(made: Incident, replicas: int = 3) -> tuple[Json, Json]:
    from tests.incidents.build import owner_reference

    spec = {"replicas": replicas, "selector": {"matchLabels": {"app": "web"}}}
    top = made.add("Deployment", "web", spec=spec, status={"replicas": replicas, "readyReplicas": 0})
    meta = {"ownerReferences": [owner_reference(top)]}
    middle = made.add("ReplicaSet", "web-5f", spec=spec, status={"replicas": replicas}, metadata=meta)
    return top, middle


def broken(made: Incident, name: str, owner: Json | None = None) -> Json:
    said = 'Back-off pulling image "web:v9": ErrImagePull: docker.io/library/web:v9: not found'
    state = container(image="web:v9", state=waiting("ImagePullBackOff", said))
    return made.pod(name, state, phase="Pending", owner=owner)


def test_ownership_is_followed_both_ways() -> None:
    made = Incident("", "", "")
    top, middle = deployment(made)
    pod = broken(made, "web-5f-a", middle)
    seen = snapshot(made)
    assert owner_chain(seen, pod) == [Ref("ReplicaSet", "shop", "web-5f"), Ref("Deployment", "shop", "web")]
    assert top_owner(seen, pod) == Ref("Deployment", "shop", "web")
    assert pods_of(seen, top) == [pod]


def test_an_owner_that_owns_itself_ends_the_walk() -> None:
    made = Incident("", "", "")
    pod = broken(made, "web")
    reference = {"kind": "Pod", "name": "web", "uid": pod["metadata"]["uid"], "controller": True, "apiVersion": "v1"}
    pod["metadata"]["ownerReferences"] = [reference]
    assert len(owner_chain(snapshot(made), pod)) <= 8


def test_one_cause_on_several_pods_of_a_workload_is_one_finding() -> None:
    made = Incident("", "", "")
    _, middle = deployment(made)
    for name in "abc":
        broken(made, f"web-5f-{name}", middle)
    findings = diagnose(snapshot(made), Ref("Deployment", "shop", "web"), PLAYBOOKS).findings
    assert [finding.rule for finding in findings if finding.severity == "error"] == ["image-not-found"]
    assert {ref.name for ref in findings[0].affects} >= {"web-5f-b", "web-5f-c"}


def test_a_failed_pod_that_its_job_got_over_explains_nothing() -> None:
    made = Incident("", "", "")
    job = made.add("Job", "report", spec={}, status={"succeeded": 1, "conditions": [condition("Complete", "True")]})
    pod = made.pod("report-a", container(state=terminated(1)), phase="Failed", owner=job)
    seen = snapshot(made)
    assert overcome(seen, pod)
    assert pod not in list(View(seen).of_kind("Pod"))
    assert Ref("Pod", "shop", "report-a") not in closure(seen, Ref("Job", "shop", "report"))
    assert Ref("Pod", "shop", "report-a") in closure(seen, Ref("Pod", "shop", "report-a")), "asked for by name"


def test_nodes_explain_an_unplaced_pod_only_where_none_takes_pods() -> None:
    made = Incident("", "", "", nodes=("node1", "node2"))
    made.pod("web", container(status=False), node=None, phase="Pending")
    ref = Ref("Pod", "shop", "web")
    assert not [item for item in closure(snapshot(made), ref) if item.kind == "Node"]
    for name in ("node1", "node2"):
        made.add("Node", name, namespace="", **node(name=name, ready="False"))
    assert len([item for item in closure(snapshot(made), ref) if item.kind == "Node"]) == 2


def test_a_subject_that_is_not_there_is_never_healthy() -> None:
    report = diagnose(snapshot(Incident("", "", "")), Ref("Pod", "shop", "gone"), PLAYBOOKS)
    assert (report.status, report.healthy, report.findings) == ("not found", False, ())
    assert any("gone" in gap.what for gap in report.gaps)
