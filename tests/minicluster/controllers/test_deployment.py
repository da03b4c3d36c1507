"""Deployments: what a real one said step by step, rolling updates, rollbacks, pauses, deadlines."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from k8sdiag.evidence import Json
from tests.minicluster.controllers.stage import Stage, recorded, template


def deployment(replicas: int, **spec: Any) -> Json:
    selector = {"matchLabels": {"app": "web"}}
    return {"replicas": replicas, "selector": selector, "template": template(), **spec}


def new_template(text: str) -> Json:
    return {"spec": {"template": {"metadata": {"annotations": {"version": text}}}}}


def sets(stage: Stage) -> dict[str, Json]:
    """Replica sets by revision."""
    found = stage.client.list("replicasets", "shop")
    return {entry["metadata"]["annotations"]["deployment.kubernetes.io/revision"]: entry for entry in found}


def condition(stage: Stage, kind: str) -> Json:
    found: list[Json] = stage.status("deployments", "web")["conditions"]
    return next(entry for entry in found if entry["type"] == kind)


def plain(statuses: list[Json], replica_set: str) -> list[Json]:
    """Without times and made-up names, each only once in a row."""
    found: list[Json] = []
    for status in statuses:
        text = [
            {
                name: value.replace(replica_set, "web-hash") if name == "message" else value
                for name, value in entry.items()
                if not name.startswith("last")
            }
            for entry in status.get("conditions", [])
        ]
        entry = {**status, "conditions": text}
        if not found or found[-1] != entry:
            found.append(entry)
    return found


def test_it_says_what_a_real_one_said() -> None:
    stage = Stage()
    seen = stage.history("deployments")
    stage.make("deployments", "web", deployment(2), labels={"app": "web"})
    for pod in stage.pods():
        stage.ready(pod)
        stage.settle()
    name = stage.names("replicasets")[0]
    real = recorded("ok-web", "Deployment")
    real_name = real[1]["status"]["conditions"][0]["message"].split('"')[1]
    ours = plain([entry.get("status", {}) for entry in seen], name)
    assert ours == plain([entry["status"] for entry in real], real_name)
    assert [list(entry) for entry in ours] == [list(entry) for entry in plain([e["status"] for e in real], real_name)]
    assert stage.events("ScalingReplicaSet") == [f"Scaled up replica set {name} from 0 to 2"]


def test_its_replica_set_looks_like_a_real_one() -> None:
    stage = Stage()
    stage.make("deployments", "web", deployment(2), labels={"app": "web"})
    (ours,) = stage.client.list("replicasets", "shop")
    real = recorded("ok-web", "ReplicaSet")[0]
    assert ours["metadata"]["annotations"] == real["metadata"]["annotations"]
    assert ours["metadata"]["ownerReferences"][0]["name"] == "web"
    code = ours["metadata"]["labels"]["pod-template-hash"]
    assert ours["metadata"]["name"] == f"web-{code}"
    assert 8 <= len(code) <= 10
    assert ours["spec"]["selector"]["matchLabels"] == {"app": "web", "pod-template-hash": code}
    assert ours["spec"]["template"]["metadata"]["labels"] == {"app": "web", "pod-template-hash": code}


def test_quota_is_told_as_a_real_one_tells_it() -> None:
    stage = Stage()
    hard = {"metadata": {"name": "small"}, "spec": {"hard": {"pods": "0"}}}
    stage.client.create("resourcequotas", hard, "shop")
    stage.settle()
    stage.client.create("deployments", {"metadata": {"name": "web"}, "spec": deployment(1)}, "shop")
    stage.run_for(2)
    real = recorded("pend-quota", "Deployment")[-1]["status"]
    ours = stage.status("deployments", "web")
    assert list(ours) == list(real)
    assert [(entry["type"], entry["status"], entry["reason"]) for entry in ours["conditions"]] == [
        (entry["type"], entry["status"], entry["reason"]) for entry in real["conditions"]
    ]
    assert ours["conditions"][2]["message"].startswith('pods "web-')


@given(
    replicas=st.integers(1, 7),
    surge=st.sampled_from([0, 1, 3, "25%", "50%", "100%"]),
    fewer=st.sampled_from([0, 1, 2, "25%", "40%", "100%"]),
    seed=st.integers(0, 10_000),
)
@settings(max_examples=12, deadline=None)
def test_a_rolling_update_keeps_within_its_bounds(replicas: int, surge: Any, fewer: Any, seed: int) -> None:
    """Never more pods than allowed, never fewer available; and it comes to its end, whatever the order in which pods
    become ready and vanish."""
    if surge in (0, "0%") and fewer in (0, "0%"):
        surge = 1
    chance = random.Random(seed)
    stage = Stage()
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": fewer}}
    stage.make("deployments", "web", deployment(replicas, strategy=strategy))
    stage.ready_all()
    most = replicas + _share(surge, replicas, up=True)
    least = replicas - min(replicas, _share(fewer, replicas, up=False) or (0 if most > replicas else 1))

    def check(*_: Any) -> None:
        living = stage.living("web")
        assert len(living) <= most
        assert sum(_ready(pod) for pod in living) >= least

    stage.client.watch("pods", check)
    stage.change("deployments", "web", new_template("2"))
    for _ in range(400):
        waiting = [pod for pod in stage.living("web") if not _ready(pod)]
        gone = [pod for pod in stage.pods("web") if "deletionTimestamp" in pod["metadata"]]
        if not waiting and not gone:
            break
        pod = chance.choice([*waiting, *gone])
        if "deletionTimestamp" in pod["metadata"]:
            stage.bury(pod)
        else:
            stage.ready(pod)
        if chance.random() < 0.7:
            stage.settle()
        stage.run_for(chance.choice([0, 0, 1]))
    stage.settle()
    status = stage.status("deployments", "web")
    assert (status["replicas"], status["updatedReplicas"], status["availableReplicas"]) == (replicas,) * 3
    assert condition(stage, "Progressing")["reason"] == "NewReplicaSetAvailable"


def _ready(pod: Json) -> bool:
    return any(entry["type"] == "Ready" and entry["status"] == "True" for entry in pod["status"].get("conditions", ()))


def _share(value: int | str, whole: int, *, up: bool) -> int:
    if isinstance(value, int):
        return value
    part = int(value[:-1]) * whole
    return -(-part // 100) if up else part // 100


def test_recreate_never_has_both() -> None:
    stage = Stage()
    stage.make("deployments", "web", deployment(2, strategy={"type": "Recreate"}))
    stage.ready_all()
    stage.change("deployments", "web", new_template("2"))
    assert len(stage.pods()) == 2
    assert all("deletionTimestamp" in pod["metadata"] for pod in stage.pods())
    stage.bury(stage.pods()[0])
    stage.settle()
    assert len(stage.pods()) == 1
    stage.bury_all()
    assert len(stage.living()) == 2
    stage.ready_all()
    assert stage.status("deployments", "web")["updatedReplicas"] == 2


def test_rolling_back_finds_the_old_replica_set_again() -> None:
    stage = Stage()
    stage.make("deployments", "web", deployment(1))
    stage.ready_all()
    first = sets(stage)["1"]["metadata"]["name"]
    stage.change("deployments", "web", new_template("2"))
    stage.ready_all()
    stage.bury_all()
    assert set(sets(stage)) == {"1", "2"}
    stage.change("deployments", "web", {"spec": {"template": {"metadata": {"annotations": None}}}})
    stage.ready_all()
    stage.bury_all()
    found = sets(stage)
    assert set(found) == {"2", "3"}
    assert found["3"]["metadata"]["name"] == first
    assert found["3"]["metadata"]["annotations"]["deployment.kubernetes.io/revision-history"] == "1"
    assert stage.get("deployments", "web")["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "3"
    assert found["3"]["spec"]["replicas"] == 1


def test_only_so_much_history_is_kept() -> None:
    stage = Stage()
    stage.make("deployments", "web", deployment(1, revisionHistoryLimit=2))
    for number in range(5):
        stage.ready_all()
        stage.bury_all()
        stage.change("deployments", "web", new_template(str(number)))
    stage.ready_all()
    stage.bury_all()
    assert set(sets(stage)) == {"4", "5", "6"}


def test_a_pause_holds_a_change_back_and_says_so() -> None:
    stage = Stage()
    stage.make("deployments", "web", deployment(1))
    stage.ready_all()
    stage.change("deployments", "web", {"spec": {"paused": True}})
    stage.change("deployments", "web", new_template("2"))
    assert len(stage.names("replicasets")) == 1
    entry = condition(stage, "Progressing")
    assert (entry["status"], entry["reason"], entry["message"]) == (
        "Unknown",
        "DeploymentPaused",
        "Deployment is paused",
    )
    stage.change("deployments", "web", {"spec": {"replicas": 3}})
    assert len(stage.living()) == 3
    stage.change("deployments", "web", {"spec": {"paused": None}})
    assert len(stage.names("replicasets")) == 2


def test_a_rollout_that_does_not_move_runs_out_of_time() -> None:
    stage = Stage()
    stage.make("deployments", "web", deployment(1, progressDeadlineSeconds=60))
    name = stage.names("replicasets")[0]
    stage.run_for(59)
    assert condition(stage, "Progressing")["reason"] == "ReplicaSetUpdated"
    stage.run_for(5)
    entry = condition(stage, "Progressing")
    assert (entry["status"], entry["reason"]) == ("False", "ProgressDeadlineExceeded")
    assert entry["message"] == f'ReplicaSet "{name}" has timed out progressing.'
    stage.ready_all()
    assert condition(stage, "Progressing")["reason"] == "NewReplicaSetAvailable"


def test_a_new_size_is_shared_out_in_the_middle_of_a_rollout() -> None:
    stage = Stage()
    strategy = {"rollingUpdate": {"maxSurge": 3, "maxUnavailable": 2}}
    stage.make("deployments", "web", deployment(10, strategy=strategy))
    stage.ready_all()
    stage.change("deployments", "web", new_template("2"))  # 8 old ones and 5 new ones that are not ready
    assert {revision: entry["spec"]["replicas"] for revision, entry in sets(stage).items()} == {"1": 8, "2": 5}
    stage.change("deployments", "web", {"spec": {"replicas": 15}})
    sizes = {revision: entry["spec"]["replicas"] for revision, entry in sets(stage).items()}
    assert sizes == {"1": 11, "2": 7}  # the example of Kubernetes' documentation


def test_a_smaller_size_is_shared_out_too() -> None:
    stage = Stage()
    strategy = {"rollingUpdate": {"maxSurge": 2, "maxUnavailable": 0}}
    stage.make("deployments", "web", deployment(10, strategy=strategy))
    stage.ready_all()
    stage.change("deployments", "web", new_template("2"))
    assert {revision: entry["spec"]["replicas"] for revision, entry in sets(stage).items()} == {"1": 10, "2": 2}
    stage.change("deployments", "web", {"spec": {"replicas": 4}})
    sizes = {revision: entry["spec"]["replicas"] for revision, entry in sets(stage).items()}
    assert sizes == {"1": 4, "2": 2}


def test_nothing_is_wanted_and_nothing_is_missing() -> None:
    stage = Stage()
    stage.make("deployments", "web", deployment(0))
    assert stage.pods() == []
    assert condition(stage, "Available")["reason"] == "MinimumReplicasAvailable"
    assert condition(stage, "Progressing")["reason"] == "NewReplicaSetAvailable"
    assert stage.events("ScalingReplicaSet") == []


def test_scaling_keeps_the_revision() -> None:
    stage = Stage()
    stage.make("deployments", "web", deployment(2))
    stage.ready_all()
    stage.change("deployments", "web", {"spec": {"replicas": 4}})
    (entry,) = sets(stage).values()
    assert entry["spec"]["replicas"] == 4
    assert entry["metadata"]["annotations"]["deployment.kubernetes.io/max-replicas"] == "5"
    name = entry["metadata"]["name"]
    assert stage.events("ScalingReplicaSet")[-1] == f"Scaled up replica set {name} from 2 to 4"


def test_an_orphaned_replica_set_is_taken_in() -> None:
    stage = Stage()
    stage.make("deployments", "web", deployment(1))
    (name,) = stage.names("replicasets")
    stage.client.delete("deployments", "shop", "web", policy="Orphan")
    stage.run_for(2)
    assert "ownerReferences" not in stage.get("replicasets", name)["metadata"]
    stage.make("deployments", "web", deployment(1))
    assert stage.names("replicasets") == [name]
    uid = stage.get("deployments", "web")["metadata"]["uid"]
    assert stage.get("replicasets", name)["metadata"]["ownerReferences"][0]["uid"] == uid


def test_a_name_that_is_taken_is_counted_as_a_collision() -> None:
    stage = Stage()
    stage.make("deployments", "web", deployment(1))
    (name,) = stage.names("replicasets")
    stage.client.delete("deployments", "shop", "web")
    stage.run_for(2)
    other = {"matchLabels": {"app": "other"}}
    stage.make("replicasets", name, {"replicas": 0, "selector": other, "template": template("other")})
    stage.client.create("deployments", {"metadata": {"name": "web"}, "spec": deployment(1)}, "shop")
    stage.run_for(1)
    assert stage.status("deployments", "web")["collisionCount"] == 1
    assert len(stage.names("replicasets")) == 2
