"""Controllers as a real cluster serves them, for the incidents of several areas."""

from __future__ import annotations

from typing import Any

from tests.incidents.build import Incident, Json, at, condition, container, owner_reference, running

HASH = "6c587697d"


def template(**spec: Any) -> Json:
    """A pod template with one container."""
    usual = {"containers": [container()["spec"]], "restartPolicy": "Always", "serviceAccountName": ""}
    return {"metadata": {"labels": {"app": "web"}}, "spec": {k: v for k, v in (usual | spec).items() if v != ""}}


def deployment(made: Incident, name: str = "web", *, replicas: int = 1, ready: int = 0, updated: int | None = None, pods: int | None = None,
               conditions: list[Json] | None = None, pod_spec: Json | None = None, ago: float = 600, generation: int = 1,
               observed: int | None = None, **spec: Any) -> Json:  # fmt: skip
    """A Deployment with its conditions as far as the numbers tell them."""
    there = replicas if pods is None else pods
    status: Json = {"observedGeneration": generation if observed is None else observed}
    numbers = {
        "replicas": there, "updatedReplicas": there if updated is None else updated, "readyReplicas": ready,
        "availableReplicas": ready, "unavailableReplicas": replicas - ready,
    }  # fmt: skip
    status |= {key: value for key, value in numbers.items() if value > 0}
    well = ("True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    ill = ("False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
    status["conditions"] = conditions if conditions is not None else [
        condition("Progressing", "True", "ReplicaSetUpdated", f'ReplicaSet "{name}-{HASH}" is progressing.', ago=ago),
        condition("Available", *(well if ready >= replicas else ill), ago=ago),
    ]  # fmt: skip
    return made.add(
        "Deployment", name, ago=ago, metadata={"generation": generation, "labels": {"app": name}},
        spec={"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template(**(pod_spec or {})),
              "strategy": {"type": "RollingUpdate"}, "progressDeadlineSeconds": 600, "revisionHistoryLimit": 10, **spec},
        status=status,
    )  # fmt: skip


def replica_set(made: Incident, owner: Json, *, replicas: int = 1, pods: int = 0, ready: int = 0, mark: str = HASH,
                conditions: list[Json] | None = None, ago: float = 600) -> Json:  # fmt: skip
    """The ReplicaSet of a Deployment."""
    status: Json = {"replicas": pods, "observedGeneration": 1}
    status |= {"readyReplicas": ready, "availableReplicas": ready} if ready else {}
    return made.add(
        "ReplicaSet", f"{owner['metadata']['name']}-{mark}", ago=ago,
        metadata={"generation": 1, "labels": {"app": "web", "pod-template-hash": mark}, "ownerReferences": [owner_reference(owner)]},
        spec={"replicas": replicas, "selector": {"matchLabels": {"app": "web", "pod-template-hash": mark}}, "template": owner["spec"]["template"]},
        status=status | ({"conditions": conditions} if conditions else {}),
    )  # fmt: skip


def refused(made: Incident, message: str, *, replicas: int = 1, pods: int = 0, expired: bool = False, **pod_spec: Any) -> Incident:
    """A Deployment whose ReplicaSet the API server refuses a pod, with `message`."""
    failed = condition("ReplicaFailure", "True", "FailedCreate", message, ago=590)
    top = deployment(
        made, replicas=replicas, ready=pods, pods=pods, pod_spec=pod_spec,
        conditions=[
            condition("Progressing", "True", "NewReplicaSetCreated", f'Created new replica set "web-{HASH}"'),
            condition("Available", "False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability."),
            failed,
        ],
    )  # fmt: skip
    below = replica_set(made, top, replicas=replicas, pods=pods, ready=pods, conditions=[failed])
    for number in range(pods):
        made.pod(f"web-{HASH}-{number}abcd", container(state=running(), ready=True), ready=True, owner=below, labels={"app": "web"})
    if not expired:
        made.event(top, "ScalingReplicaSet", f"Scaled up replica set web-{HASH} from 0 to {replicas}", kind="Normal",
                   by="deployment-controller", ago=599)  # fmt: skip
        made.event(below, "FailedCreate", f"Error creating: {message}", by="replicaset-controller", ago=590)
        made.event(below, "FailedCreate", f"(combined from similar events): Error creating: {message}", by="replicaset-controller",
                   count=7, ago=60, first=580)  # fmt: skip
    return made


def stateful_set(made: Incident, name: str = "web", *, replicas: int = 3, pods: int = 1, ready: int = 0, current: str = "web-5d8f6c9b7",
                 update: str | None = None, updated: int | None = None, pod_spec: Json | None = None, ago: float = 600, **spec: Any) -> Json:  # fmt: skip
    """A StatefulSet."""
    status: Json = {"observedGeneration": 1, "replicas": pods, "currentRevision": current, "updateRevision": update or current}
    status |= {"collisionCount": 0, "availableReplicas": ready, "readyReplicas": ready, "updatedReplicas": pods if updated is None else updated}
    return made.add(
        "StatefulSet", name, ago=ago, metadata={"generation": 1},
        spec={"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "serviceName": name, "template": template(**(pod_spec or {})),
              "podManagementPolicy": "OrderedReady", "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}, **spec},
        status=status,
    )  # fmt: skip


def daemon_set(made: Incident, name: str = "agent", *, desired: int = 1, pods: int = 0, ready: int = 0, misscheduled: int = 0,
               updated: int | None = None, pod_spec: Json | None = None, ago: float = 600, **spec: Any) -> Json:  # fmt: skip
    """A DaemonSet."""
    return made.add(
        "DaemonSet", name, ago=ago, metadata={"generation": 1},
        spec={"selector": {"matchLabels": {"app": name}}, "template": template(**(pod_spec or {})), "updateStrategy": {"type": "RollingUpdate"}, **spec},
        status={"observedGeneration": 1, "currentNumberScheduled": pods, "desiredNumberScheduled": desired, "numberReady": ready,
                "numberMisscheduled": misscheduled, "updatedNumberScheduled": pods if updated is None else updated},
    )  # fmt: skip


def job(made: Incident, name: str = "report", *, conditions: list[Json] | None = None, status: Json | None = None, owner: Json | None = None,
        policy: str = "Never", ago: float = 600, **spec: Any) -> Json:  # fmt: skip
    """A Job; its status starts as that of a Job that was taken up and has no pods."""
    state: Json = {"startTime": at(ago), "uncountedTerminatedPods": {}, "ready": 0, "terminating": 0} | (status or {})
    return made.add(
        "Job", name, ago=ago,
        metadata={"generation": 1} | ({"ownerReferences": [owner_reference(owner)]} if owner else {}),
        spec={"parallelism": 1, "completions": 1, "backoffLimit": 6, "completionMode": "NonIndexed", "suspend": False,
              "podReplacementPolicy": "TerminatingOrFailed", "selector": {"matchLabels": {"batch.kubernetes.io/job-name": name}},
              "template": template(restartPolicy=policy), **spec},
        status=state | ({"conditions": conditions} if conditions else {}),
    )  # fmt: skip


def cron_job(made: Incident, name: str = "nightly", *, schedule: str = "*/5 * * * *", status: Json | None = None, ago: float = 90000, **spec: Any) -> Json:  # fmt: skip
    """A CronJob."""
    return made.add(
        "CronJob", name, ago=ago, metadata={"generation": 1},
        spec={"schedule": schedule, "concurrencyPolicy": "Allow", "suspend": False, "successfulJobsHistoryLimit": 3, "failedJobsHistoryLimit": 1,
              "jobTemplate": {"spec": {"template": template(restartPolicy="Never")}}, **spec},
        status=status or {},
    )  # fmt: skip
