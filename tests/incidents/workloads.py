"""Controllers that have not what they want, or are switched off: Deployments to CronJobs, budgets, autoscalers."""

from __future__ import annotations

from tests.incidents._controllers import HASH, cron_job, daemon_set, deployment, job, replica_set, stateful_set
from tests.incidents.build import (
    Incident,
    Json,
    at,
    condition,
    container,
    crash_loop,
    incident,
    running,
    terminated,
    uid,
    waiting,
)

BACKOFF = ("BackoffLimitExceeded", "Job has reached the specified backoff limit")
DEADLINE = ("DeadlineExceeded", "Job was active longer than specified deadline")


def failed(reason: str, message: str, ago: float = 60) -> list[Json]:
    """The conditions of a Job that has failed."""
    return [condition("FailureTarget", "True", reason, message, ago=ago), condition("Failed", "True", reason, message, ago=ago)]


# Deployments and ReplicaSets


@incident
def workload_not_ready() -> Incident:
    made = Incident("a Deployment whose pod runs and is not ready, and nothing says why", "deployment/web", "workload-not-ready")
    below = replica_set(made, deployment(made), pods=1)
    made.pod(f"web-{HASH}-x7k2p", container(state=running()), owner=below, labels={"app": "web"})
    return made


@incident
def workload_not_ready_daemonset() -> Incident:
    made = Incident("a DaemonSet whose pod is not ready, and nothing says why", "daemonset/agent", "workload-not-ready")
    owner = daemon_set(made, pods=1)
    made.pod("agent-x7k2p", container(state=running()), owner=owner, labels={"app": "agent"})
    return made


@incident
def deployment_progress_deadline() -> Incident:
    made = Incident("a rollout past its progress deadline, and nothing says why", "deployment/web", "deployment-progress-deadline")
    top = deployment(made, replicas=2, ready=2, pods=3, updated=1, ago=5000, conditions=[
        condition("Available", "True", "MinimumReplicasAvailable", "Deployment has minimum availability.", ago=4900),
        condition("Progressing", "False", "ProgressDeadlineExceeded", f'ReplicaSet "web-{HASH}" has timed out progressing.', ago=300),
    ])  # fmt: skip
    old = replica_set(made, top, replicas=2, pods=2, ready=2, mark="5579d475ff", ago=5000)
    for name in ("k2x9p", "z8w4q"):
        made.pod(f"web-5579d475ff-{name}", container(state=running(4900), ready=True), ready=True, owner=old, labels={"app": "web"}, ago=5000)
    made.pod(f"web-{HASH}-x7k2p", container(state=running(880)), owner=replica_set(made, top, pods=1, ago=900), labels={"app": "web"}, ago=900)
    return made


@incident
def deployment_progress_deadline_image() -> Incident:
    made = Incident("a rollout past its progress deadline gives way to what keeps its pod from starting", "deployment/web", "image-not-found")
    image = "registry.example/shop/web:v9"
    top = deployment(made, pods=1, updated=1, conditions=[
        condition("Available", "False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.", ago=900),
        condition("Progressing", "False", "ProgressDeadlineExceeded", f'ReplicaSet "web-{HASH}" has timed out progressing.', ago=300),
    ], ago=900)  # fmt: skip
    error = f'rpc error: code = NotFound desc = failed to pull and unpack image "{image}": failed to resolve reference "{image}": {image}: not found'
    state = waiting("ImagePullBackOff", f'Back-off pulling image "{image}": ErrImagePull: {error}')
    made.pod(f"web-{HASH}-x7k2p", container(image=image, state=state), phase="Pending", owner=replica_set(made, top, pods=1), labels={"app": "web"})
    return made


@incident
def workload_scaled_to_zero() -> Incident:
    made = Incident("a Deployment that is scaled to zero", "deployment/web", "workload-scaled-to-zero")
    replica_set(made, deployment(made, replicas=0, pods=0), replicas=0)
    return made


@incident
def workload_scaled_to_zero_statefulset() -> Incident:
    made = Incident("a StatefulSet that is scaled to zero", "statefulset/web", "workload-scaled-to-zero")
    stateful_set(made, replicas=0, pods=0)
    return made


@incident
def deployment_paused() -> Incident:
    made = Incident("a paused Deployment whose new template is not rolled out", "deployment/web", "deployment-paused")
    top = deployment(made, ready=1, updated=0, paused=True, generation=3, conditions=[
        condition("Available", "True", "MinimumReplicasAvailable", "Deployment has minimum availability."),
        condition("Progressing", "Unknown", "DeploymentPaused", "Deployment is paused"),
    ])  # fmt: skip
    below = replica_set(made, top, pods=1, ready=1)
    made.pod(f"web-{HASH}-x7k2p", container(state=running(), ready=True), ready=True, owner=below, labels={"app": "web"})
    return made


@incident
def deployment_paused_no_pods() -> Incident:
    made = Incident("a Deployment that was paused from the start", "deployment/web", "deployment-paused-no-pods", ("deployment-paused",))
    deployment(made, pods=0, paused=True, conditions=[condition("Progressing", "Unknown", "DeploymentPaused", "Deployment is paused")])
    return made


@incident
def controller_manager_not_acting() -> Incident:
    made = Incident("a Deployment that no controller has looked at", "deployment/web", "controller-manager-not-acting")
    deployment(made, pods=0, observed=0, conditions=[])
    return made


@incident
def healthy_rollout_begins() -> Incident:
    made = Incident("healthy: a new pod of a rollout is being started", "deployment/web", "")
    top = deployment(made, ready=1, pods=2, updated=1, ago=9000)
    old = replica_set(made, top, pods=1, ready=1, mark="5579d475ff", ago=9000)
    made.pod("web-5579d475ff-k2x9p", container(state=running(8900), ready=True), ready=True, owner=old, labels={"app": "web"}, ago=9000)
    made.pod(f"web-{HASH}-x7k2p", container(state=running(2)), owner=replica_set(made, top, pods=1, ago=4), labels={"app": "web"}, ago=4)
    return made


# StatefulSets and DaemonSets


@incident
def statefulset_ordinal_crashing() -> Incident:
    made = Incident("the first pod of a StatefulSet crashes; the others wait for it", "statefulset/web", "exit-error")
    owner = stateful_set(made)
    state = container(state=crash_loop(pod="web-0"), last=terminated(1), restarts=6)
    pod = made.pod("web-0", state, owner=owner, labels={"app": "web", "controller-revision-hash": "web-5d8f6c9b7"})
    made.event(pod, "BackOff", "Back-off restarting failed container app in pod web-0_shop", count=20, ago=5, first=500, container="app")
    made.log("web-0", "app", "bootstrap: quorum of peers not reached", previous=True)
    return made


@incident
def statefulset_broken_revision() -> Incident:
    made = Incident("a StatefulSet was rolled back, but its broken pod is of the bad revision", "statefulset/web", "statefulset-broken-revision")
    owner = stateful_set(made, pods=3, ready=2, current="web-5d8f6c9b7", update="web-7f4d9b8c6", updated=0)
    for number in range(2):
        made.pod(f"web-{number}", container(state=running(5000), ready=True), ready=True, owner=owner, labels={"app": "web", "controller-revision-hash": "web-5d8f6c9b7"}, ago=5000)
    made.pod("web-2", container(state=running(500)), owner=owner, labels={"app": "web", "controller-revision-hash": "web-66c8d97d9f"}, ago=510)
    return made


@incident
def statefulset_broken_update() -> Incident:
    made = Incident("the update of a StatefulSet stops at a pod that crashes", "statefulset/web", "exit-error")
    owner = stateful_set(made, replicas=2, pods=2, ready=1, current="web-5d8f6c9b7", update="web-7f4d9b8c6", updated=1)
    made.pod("web-0", container(state=running(5000), ready=True), ready=True, owner=owner, labels={"app": "web", "controller-revision-hash": "web-5d8f6c9b7"}, ago=5000)
    state = container(state=crash_loop(pod="web-1"), last=terminated(3), restarts=6)
    made.pod("web-1", state, owner=owner, labels={"app": "web", "controller-revision-hash": "web-7f4d9b8c6"}, ago=510)
    return made


@incident
def rollout_stuck_old_pods_serve() -> Incident:
    made = Incident("a rollout does not get on; the old pods still serve", "deployment/web", "exit-error")
    top = deployment(made, replicas=2, ready=2, updated=1, pods=3, ago=9000)
    old = replica_set(made, top, replicas=2, pods=2, ready=2, mark="5579d475ff", ago=9000)
    for end in ("k2x9p", "m4z7q"):
        made.pod(f"web-5579d475ff-{end}", container(state=running(8900), ready=True), ready=True, owner=old, labels={"app": "web", "pod-template-hash": "5579d475ff"}, ago=9000)
    new = replica_set(made, top, pods=1, ago=510)
    state = container(state=crash_loop(pod=f"web-{HASH}-x7k2p"), last=terminated(3), restarts=6)
    made.pod(f"web-{HASH}-x7k2p", state, owner=new, labels={"app": "web", "pod-template-hash": HASH}, ago=510)
    return made


@incident
def update_waits_for_deletion() -> Incident:
    made = Incident("a StatefulSet that updates pods only when they are deleted", "statefulset/web", "")
    owner = stateful_set(made, replicas=1, pods=1, ready=1, update="web-7f4d9b8c6", updated=0, updateStrategy={"type": "OnDelete"})
    made.pod("web-0", container(state=running(5000), ready=True), ready=True, owner=owner, labels={"app": "web", "controller-revision-hash": "web-5d8f6c9b7"}, ago=5000)
    return made


@incident
def statefulset_partition() -> Incident:
    made = Incident("a partition holds the update of a StatefulSet", "statefulset/web", "")
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}
    owner = stateful_set(made, replicas=1, pods=1, ready=1, update="web-7f4d9b8c6", updated=0, updateStrategy=strategy)
    made.pod("web-0", container(state=running(5000), ready=True), ready=True, owner=owner, labels={"app": "web", "controller-revision-hash": "web-5d8f6c9b7"}, ago=5000)
    return made


@incident
def daemonset_matches_no_node() -> Incident:
    made = Incident("a DaemonSet whose nodeSelector no node has", "daemonset/agent", "daemonset-matches-no-node")
    daemon_set(made, desired=0, pod_spec={"nodeSelector": {"disktype": "ssd"}})
    return made


@incident
def daemonset_matches_no_node_taint() -> Incident:
    made = Incident("a DaemonSet without a toleration for the node's taint", "daemonset/agent", "daemonset-matches-no-node")
    next(o for o in made.objects if o["kind"] == "Node")["spec"]["taints"] = [{"key": "dedicated", "value": "db", "effect": "NoSchedule"}]
    daemon_set(made, desired=0)
    return made


@incident
def daemonset_misscheduled() -> Incident:
    made = Incident("a DaemonSet's pod runs on a node whose label was changed", "daemonset/agent", "daemonset-misscheduled", ("daemonset-matches-no-node",))
    owner = daemon_set(made, desired=0, misscheduled=1, pod_spec={"nodeSelector": {"role": "edge"}})
    made.pod("agent-x7k2p", container(state=running(5000), ready=True), ready=True, owner=owner, labels={"app": "agent"}, ago=5000)
    return made


@incident
def daemonset_pod_fails_again() -> Incident:
    made = Incident("a DaemonSet's pod fails again and again", "daemonset/agent", "daemonset-pod-fails-again")
    owner = daemon_set(made, pods=1)
    made.event(owner, "FailedDaemonPod", "Found failed daemon pod shop/agent-q7w8e on node node1, will try to kill it", by="daemonset-controller", count=12, ago=20, first=590)
    made.event(owner, "SuccessfulDelete", "Deleted pod: agent-q7w8e", kind="Normal", by="daemonset-controller", count=12, ago=20, first=590)
    made.pod("agent-x7k2p", container(status=False), owner=owner, phase="Pending", node=None, labels={"app": "agent"}, ago=2)
    return made


@incident
def selector_selects_everything() -> Incident:
    made = Incident("a DaemonSet with an empty selector", "daemonset/agent", "selector-selects-everything")
    owner = daemon_set(made, desired=0, selector={})
    made.event(owner, "SelectingAll", "This daemon set is selecting all pods. A non-empty selector is required.", by="daemonset-controller", ago=300)
    return made


@incident
def pods_claimed_by_another() -> Incident:
    made = Incident("a CronJob finds a Job that is not its own", "cronjob/nightly", "pods-claimed-by-another")
    owner = cron_job(made)
    made.event(owner, "UnexpectedJob", "Saw a job that the controller did not create or forgot: nightly-by-hand", by="cronjob-controller", ago=60)
    return made


@incident
def owner_in_another_namespace() -> Incident:
    made = Incident("a pod names an owner in another namespace", "pod/web", "owner-in-another-namespace")
    pod = made.pod("web", container(state=running(), ready=True), ready=True)
    pod["metadata"]["ownerReferences"] = [{"apiVersion": "v1", "kind": "ConfigMap", "name": "parent", "uid": uid("parent")}]
    said = f'ownerRef [v1/ConfigMap, namespace: shop, name: parent, uid: {uid("parent")}] does not exist in namespace "shop"'
    made.event(pod, "OwnerRefInvalidNamespace", said, by="garbage-collector-controller", ago=20)
    return made


# Jobs


@incident
def job_backoff_on_failure() -> Incident:
    made = Incident("a Job with restartPolicy OnFailure failed, and its pod is gone; the history knows it", "job/report", "job-backoff-limit")
    owner = job(made, policy="OnFailure", backoffLimit=2, conditions=failed(*BACKOFF), status={"failed": 1})
    made.event(owner, "BackoffLimitExceeded", BACKOFF[1], by="job-controller", ago=60)
    state = container(state=crash_loop(pod="report-8x2kq"), last=terminated(3, ago=80), restarts=2)
    pod = made.pod("report-8x2kq", state, owner=owner, spec={"restartPolicy": "OnFailure"}, ago=300)
    made.objects = [o for o in made.objects if o["kind"] != "Pod"]
    made.change(300, "ADDED", pod)
    made.change(80, "MODIFIED", pod)
    pod["metadata"]["deletionTimestamp"] = at(30)
    made.change(58, "DELETED", pod)
    made.log("report-8x2kq", "app", "starting\nERROR: table orders does not exist", ago=82)
    return made


@incident
def job_deadline_exceeded() -> Incident:
    made = Incident("a Job ran longer than it may; its pod was deleted", "job/report", "job-deadline-exceeded")
    owner = job(made, activeDeadlineSeconds=120, conditions=failed(*DEADLINE), status={"failed": 1})
    made.event(owner, "SuccessfulDelete", "Deleted pod: report-8x2kq", kind="Normal", by="job-controller", ago=60)
    made.event(owner, "DeadlineExceeded", DEADLINE[1], by="job-controller", ago=60)
    pod = made.pod("report-8x2kq", container(state=running(175), ready=True), ready=True, owner=owner, spec={"restartPolicy": "Never"}, ago=180)
    made.objects = [o for o in made.objects if o["kind"] != "Pod"]
    made.change(180, "ADDED", pod)
    pod["metadata"]["deletionTimestamp"] = at(30)
    made.change(60, "MODIFIED", pod)
    made.change(29, "DELETED", pod)
    made.log("report-8x2kq", "app", "waiting for the lock of report.lock", ago=170)
    return made


@incident
def job_deadline_exceeded_pending() -> Incident:
    made = Incident("a Job ran out of time while its pod waited for its image; nothing is left", "job/report", "job-deadline-exceeded")
    owner = job(made, activeDeadlineSeconds=60, conditions=failed(*DEADLINE), status={"failed": 1})
    made.event(owner, "DeadlineExceeded", DEADLINE[1], by="job-controller", ago=60)
    return made


@incident
def job_pod_failure_policy() -> Incident:
    made = Incident("a Job's podFailurePolicy ends it at exit code 42", "job/report", "job-pod-failure-policy")
    said = "Container app for pod shop/report-8x2kq failed with exit code 42 matching FailJob rule at index 0"
    rules = [{"action": "FailJob", "onExitCodes": {"containerName": "app", "operator": "In", "values": [42]}}]
    owner = job(made, podFailurePolicy={"rules": rules}, conditions=failed("PodFailurePolicy", said), status={"failed": 1})
    made.event(owner, "PodFailurePolicy", said, by="job-controller", ago=60)
    state = container(state=terminated(42, ago=61))
    made.pod("report-8x2kq", state, owner=owner, phase="Failed", spec={"restartPolicy": "Never"}, ago=100)
    made.log("report-8x2kq", "app", "no input for today, giving up")
    return made


@incident
def job_indexes_failed() -> Incident:
    made = Incident("two indexes of an indexed Job failed", "job/report", "job-indexes-failed")
    owner = job(made, completionMode="Indexed", completions=4, backoffLimitPerIndex=1, conditions=failed("FailedIndexes", "Job has failed indexes"),
                status={"failed": 4, "succeeded": 2, "failedIndexes": "1,3", "completedIndexes": "0,2"})  # fmt: skip
    made.pod("report-1-8x2kq", container(state=terminated(2, ago=61)), owner=owner, phase="Failed", spec={"restartPolicy": "Never"}, ago=100)
    made.log("report-1-8x2kq", "app", "shard 1: checksum error")
    return made


@incident
def job_failed() -> Incident:
    made = Incident("a Job failed for a reason that no rule knows", "job/report", "job-failed")
    job(made, conditions=failed("QuotaService", "the batch controller gave up"), status={"failed": 0})
    return made


@incident
def job_suspended() -> Incident:
    made = Incident("a suspended Job", "job/report", "job-suspended")
    owner = job(made, suspend=True, conditions=[condition("Suspended", "True", "JobSuspended", "Job suspended")])
    made.event(owner, "Suspended", "Job suspended", kind="Normal", by="job-controller", ago=590)
    return made


@incident
def job_not_finished() -> Incident:
    made = Incident("a Job whose pod is not ready, and nothing says why", "job/report", "job-not-finished")
    owner = job(made, status={"active": 1})
    made.pod("report-8x2kq", container(state=running()), owner=owner, spec={"restartPolicy": "Never"})
    return made


@incident
def job_not_started() -> Incident:
    made = Incident("a Job that no controller has taken up", "job/report", "job-not-started")
    job(made)["status"] = {}
    return made


@incident
def job_waits_for_terminating_pod() -> Incident:
    made = Incident("a Job that replaces a pod only when it is gone", "job/report", "terminating-stuck")
    owner = job(made, podReplacementPolicy="Failed", status={"terminating": 1})
    made.pod("report-8x2kq", container(state=running()), owner=owner, spec={"restartPolicy": "Never"},
             metadata={"deletionTimestamp": at(100), "deletionGracePeriodSeconds": 30})  # fmt: skip
    made.also = ("job-waits-for-terminating-pod",)
    return made


@incident
def job_held_by_sidecar() -> Incident:
    made = Incident("a sidecar keeps a Job from completing", "job/report", "job-held-by-sidecar")
    owner = job(made, status={"active": 1})
    made.pod("report-8x2kq", container(state=terminated(0, ago=400)), container("proxy", "registry.example/mesh/proxy:v2", state=running(590), ready=True),
             owner=owner, spec={"restartPolicy": "Never"})  # fmt: skip
    return made


@incident
def job_image_missing() -> Incident:
    made = Incident("a Job whose pod cannot get its image", "job/report", "image-not-found")
    image = "registry.example/shop/report:v9"
    owner = job(made, status={"active": 1})
    error = f'rpc error: code = NotFound desc = failed to pull and unpack image "{image}": failed to resolve reference "{image}": {image}: not found'
    state = waiting("ImagePullBackOff", f'Back-off pulling image "{image}": ErrImagePull: {error}')
    made.pod("report-8x2kq", container(image=image, state=state), phase="Pending", owner=owner, spec={"restartPolicy": "Never"})
    return made


@incident
def healthy_job_running() -> Incident:
    made = Incident("healthy: a Job at work, with a native sidecar", "job/report", "")
    owner = job(made, status={"active": 1, "ready": 1})
    proxy = container("proxy", "registry.example/mesh/proxy:v2", state=running(590), ready=True, restartPolicy="Always")
    made.pod("report-8x2kq", container(state=running(580), ready=True), init=[proxy], ready=True, owner=owner, spec={"restartPolicy": "Never"})
    return made


# CronJobs


@incident
def cronjob_last_job_failed() -> Incident:
    made = Incident("the last Job of a CronJob failed", "cronjob/nightly", "job-backoff-limit")
    top = cron_job(made, status={"lastScheduleTime": at(300), "lastSuccessfulTime": at(80000)})
    owner = job(made, "nightly-29393800", owner=top, backoffLimit=0, conditions=failed(*BACKOFF), status={"failed": 1}, ago=300)
    made.event(owner, "BackoffLimitExceeded", BACKOFF[1], by="job-controller", ago=60)
    made.pod("nightly-29393800-8x2kq", container(state=terminated(7, ago=61)), owner=owner, phase="Failed", spec={"restartPolicy": "Never"}, ago=100)
    made.log("nightly-29393800-8x2kq", "app", "cannot write to bucket: access denied")
    return made


@incident
def healthy_cronjob_failed_before() -> Incident:
    made = Incident("healthy: one run of a CronJob failed, the next succeeded", "cronjob/nightly", "")
    top = cron_job(made, status={"lastScheduleTime": at(300), "lastSuccessfulTime": at(280)})
    old = job(made, "nightly-29393795", owner=top, backoffLimit=0, conditions=failed(*BACKOFF, ago=500), status={"failed": 1}, ago=600)
    made.pod("nightly-29393795-8x2kq", container(state=terminated(7, ago=510)), owner=old, phase="Failed", spec={"restartPolicy": "Never"}, ago=600)
    done = [condition("SuccessCriteriaMet", "True", "CompletionsReached", "Reached expected number of succeeded pods", ago=280),
            condition("Complete", "True", "CompletionsReached", "Reached expected number of succeeded pods", ago=280)]  # fmt: skip
    new = job(made, "nightly-29393800", owner=top, conditions=done, status={"succeeded": 1}, ago=300)
    made.pod("nightly-29393800-2kq8x", container(state=terminated(0, ago=281)), owner=new, phase="Succeeded", spec={"restartPolicy": "Never"}, ago=300)
    return made


@incident
def cronjob_overdue() -> Incident:
    made = Incident("a CronJob has not run for an hour, and no event says why", "cronjob/nightly", "cronjob-overdue")
    cron_job(made, status={"lastScheduleTime": at(3700)})
    return made


@incident
def healthy_cronjob_on_time() -> Incident:
    made = Incident("healthy: CronJobs that ran at their last time", "cronjob/nightly", "")
    cron_job(made, status={"lastScheduleTime": at(290)}, timeZone="Europe/London")
    cron_job(made, "hourly", schedule="7 * * * *", status={"lastScheduleTime": at(3500)})
    cron_job(made, "weekly", schedule="0 3 * * 1", status={"lastScheduleTime": at(500000)})
    return made


@incident
def cronjob_timezone_invalid() -> Incident:
    made = Incident("a CronJob names a time zone that does not exist, and the event has expired", "cronjob/nightly", "cronjob-timezone-invalid")
    cron_job(made, timeZone="Europe/Atlantis")
    return made


@incident
def cronjob_runs_skipped() -> Incident:
    made = Incident("a CronJob skips runs while an old Job runs; the events have expired", "cronjob/nightly", "cronjob-runs-skipped")
    active = [{"kind": "Job", "namespace": "shop", "name": "nightly-29900010", "apiVersion": "batch/v1"}]
    cron_job(made, concurrencyPolicy="Forbid", status={"lastScheduleTime": at(5000), "active": active})
    return made


@incident
def job_without_pods() -> Incident:
    made = Incident("the pods of a Job are refused, and the events have expired", "job/scan", "job-without-pods")
    job(made, "scan", status={"startTime": at(4000)}, ago=4000)
    made.add("Namespace", "shop", namespace="", metadata={"labels": {"pod-security.kubernetes.io/enforce": "baseline"}}, status={"phase": "Active"})
    return made


@incident
def cronjob_suspended() -> Incident:
    made = Incident("a suspended CronJob", "cronjob/nightly", "cronjob-suspended")
    cron_job(made, suspend=True, status={"lastScheduleTime": at(90000)})
    return made


@incident
def cronjob_waits_for_old_job() -> Incident:
    made = Incident("a CronJob skips runs while an old Job runs", "cronjob/nightly", "cronjob-waits-for-old-job")
    top = cron_job(made, concurrencyPolicy="Forbid", status={"lastScheduleTime": at(1500), "active": [{"kind": "Job", "namespace": "shop", "name": "nightly-29393780"}]})
    owner = job(made, "nightly-29393780", owner=top, status={"active": 1, "ready": 1}, ago=1500)
    made.pod("nightly-29393780-8x2kq", container(state=running(1490), ready=True), ready=True, owner=owner, spec={"restartPolicy": "Never"}, ago=1500)
    said = "Not starting job because prior execution is running and concurrency policy is Forbid"
    made.event(top, "JobAlreadyActive", said, kind="Normal", by="cronjob-controller", count=4, ago=100, first=1200)
    return made


@incident
def healthy_cronjob_at_work() -> Incident:
    made = Incident("healthy: a CronJob with Forbid whose Job is at work", "cronjob/nightly", "")
    top = cron_job(made, concurrencyPolicy="Forbid", status={"lastScheduleTime": at(100), "active": [{"kind": "Job", "namespace": "shop", "name": "nightly-29393805"}]})
    owner = job(made, "nightly-29393805", owner=top, status={"active": 1, "ready": 1}, ago=100)
    made.pod("nightly-29393805-8x2kq", container(state=running(90), ready=True), ready=True, owner=owner, spec={"restartPolicy": "Never"}, ago=100)
    return made


@incident
def cronjob_missed_schedule() -> Incident:
    made = Incident("a CronJob missed a run", "cronjob/nightly", "cronjob-missed-schedule")
    top = cron_job(made, startingDeadlineSeconds=60, status={"lastScheduleTime": at(80000)})
    made.event(top, "MissSchedule", "Missed scheduled time to start a job: Sat, 21 Nov 2026 22:30:00 UTC", by="cronjob-controller", ago=500)
    return made


@incident
def cronjob_deadline_too_short() -> Incident:
    made = Incident("a CronJob whose startingDeadlineSeconds is too short", "cronjob/nightly", "cronjob-deadline-too-short", ("cronjob-missed-schedule",))
    top = cron_job(made, startingDeadlineSeconds=5)
    made.event(top, "MissSchedule", "Missed scheduled time to start a job: Sat, 21 Nov 2026 22:30:00 UTC", by="cronjob-controller", ago=500)
    return made


@incident
def cronjob_too_many_missed() -> Incident:
    made = Incident("a CronJob missed more than 100 runs", "cronjob/nightly", "cronjob-too-many-missed")
    top = cron_job(made, schedule="* * * * *", status={"lastScheduleTime": at(80000)})
    said = "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew"
    made.event(top, "TooManyMissedTimes", said, by="cronjob-controller", count=12, ago=20, first=500)
    return made


@incident
def cronjob_schedule_invalid() -> Incident:
    made = Incident("a CronJob whose schedule cannot be read", "cronjob/nightly", "cronjob-schedule-invalid")
    top = cron_job(made, schedule="61 * * * *")
    made.event(top, "UnparseableSchedule", 'unparseable schedule: "61 * * * *" : end of range (61) above maximum (59): 61', by="cronjob-controller", ago=300)
    return made


@incident
def cronjob_schedule_never_due() -> Incident:
    made = Incident("a CronJob for the 30th of February", "cronjob/nightly", "cronjob-schedule-never-due")
    cron_job(made, schedule="0 3 30 2 *")
    return made


@incident
def cronjob_timezone_unknown() -> Incident:
    made = Incident("a CronJob with a time zone that is not known", "cronjob/nightly", "cronjob-timezone-unknown")
    top = cron_job(made, timeZone="Europe/Atlantis")
    made.event(top, "UnknownTimeZone", 'invalid timeZone: "Europe/Atlantis": unknown time zone Europe/Atlantis', by="cronjob-controller", ago=300)
    return made


# disruption budgets


def budget(made: Incident, *, healthy: int, needed: int, expected: int, reason: str = "InsufficientPods", message: str = "", **spec: object) -> Json:
    """A PodDisruptionBudget."""
    allowed = max(0, healthy - needed)
    why = condition("DisruptionAllowed", "True" if allowed else "False", "SufficientPods" if allowed else reason, message)
    return made.add("PodDisruptionBudget", "web", spec={"selector": {"matchLabels": {"app": "web"}}, **spec}, metadata={"generation": 1}, status={
        "observedGeneration": 1, "disruptionsAllowed": allowed, "currentHealthy": healthy, "desiredHealthy": needed, "expectedPods": expected, "conditions": [why]})  # fmt: skip


@incident
def pdb_allows_no_eviction() -> Incident:
    made = Incident("a budget that needs as many pods as there are", "pdb/web", "pdb-allows-no-eviction")
    budget(made, healthy=1, needed=1, expected=1, minAvailable=1)
    below = replica_set(made, deployment(made, ready=1), pods=1, ready=1)
    made.pod(f"web-{HASH}-x7k2p", container(state=running(), ready=True), ready=True, owner=below, labels={"app": "web"})
    return made


@incident
def pdb_blocked_by_unhealthy() -> Incident:
    made = Incident("a budget that allows nothing because a pod is not ready", "pdb/web", "pdb-blocked-by-unhealthy", ("workload-not-ready",))
    budget(made, healthy=1, needed=1, expected=2, maxUnavailable=1)
    below = replica_set(made, deployment(made, replicas=2, ready=1), replicas=2, pods=2, ready=1)
    made.pod(f"web-{HASH}-x7k2p", container(state=running(), ready=True), ready=True, owner=below, labels={"app": "web"})
    made.pod(f"web-{HASH}-p9z4k", container(state=running()), owner=below, labels={"app": "web"})
    return made


@incident
def pdb_matches_no_pods() -> Incident:
    made = Incident("a budget that matches no pods", "pdb/web", "pdb-matches-no-pods")
    owner = budget(made, healthy=0, needed=0, expected=0, maxUnavailable=1)
    made.event(owner, "NoPods", "No matching pods found", kind="Normal", by="controllermanager", count=9, ago=60, first=590)
    return made


@incident
def pdb_cannot_count() -> Incident:
    made = Incident("a budget in per cent for pods without a controller", "pdb/web", "pdb-cannot-count")
    said = 'found no controller ref for pod "web"'
    owner = budget(made, healthy=0, needed=0, expected=0, reason="SyncFailed", message=said, maxUnavailable="50%")
    made.event(owner, "CalculateExpectedPodCountFailed", f"Failed to calculate the number of expected pods: {said}", by="controllermanager", count=9, ago=60, first=590)
    made.pod("web", container(state=running(), ready=True), ready=True)
    return made


@incident
def pdb_overlapping() -> Incident:
    made = Incident("two budgets match the same pod", "pod/web", "pdb-overlapping")
    pod = made.pod("web", container(state=running(), ready=True), ready=True)
    said = 'Pod "shop"/"web" matches multiple PodDisruptionBudgets.  Chose "web" arbitrarily.'
    made.event(pod, "MultiplePodDisruptionBudgets", said, by="controllermanager", count=3, ago=60, first=590)
    return made


@incident
def healthy_budget() -> Incident:
    made = Incident("healthy: a budget with room", "pdb/web", "")
    budget(made, healthy=2, needed=1, expected=2, minAvailable=1)
    below = replica_set(made, deployment(made, replicas=2, ready=2), replicas=2, pods=2, ready=2)
    for name in ("x7k2p", "p9z4k"):
        made.pod(f"web-{HASH}-{name}", container(state=running(), ready=True), ready=True, owner=below, labels={"app": "web"})
    return made


# autoscalers


def autoscaler(title: str, rule: str, *conditions: Json, target: str = "web", replicas: int = 2, **status: object) -> Incident:
    """A HorizontalPodAutoscaler of a Deployment that is well."""
    made = Incident(title, "hpa/web", rule)
    if target == "web":
        below = replica_set(made, deployment(made, replicas=replicas, ready=replicas), replicas=replicas, pods=replicas, ready=replicas)
        for number in range(replicas):
            made.pod(f"web-{HASH}-{number}x7k2", container(state=running(), ready=True), ready=True, owner=below, labels={"app": "web"})
    metric = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}}
    made.add("HorizontalPodAutoscaler", "web", spec={"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": target},
             "minReplicas": 1, "maxReplicas": 5, "metrics": [metric]},
             status={"currentReplicas": replicas, "desiredReplicas": replicas, "conditions": list(conditions)} | status)  # fmt: skip
    return made


ABLE = condition("AbleToScale", "True", "SucceededGetScale", "the HPA controller was able to get the target's current scale")
NO_METRIC = "the HPA was unable to compute the replica count: failed to get cpu utilization: "


def inactive(text: str, reason: str = "FailedGetResourceMetric") -> Json:
    """The condition by which an autoscaler says that it has no metrics."""
    return condition("ScalingActive", "False", reason, text)


@incident
def hpa_metrics_api_missing() -> Incident:
    said = "unable to get metrics for resource cpu: unable to fetch metrics from resource metrics API: the server could not find the requested resource (get pods.metrics.k8s.io)"
    return autoscaler("an autoscaler without metrics-server", "hpa-metrics-api-missing", ABLE, inactive(NO_METRIC + said))


@incident
def hpa_request_missing() -> Incident:
    return autoscaler("an autoscaler of pods without requests", "hpa-request-missing", ABLE, inactive(f"{NO_METRIC}missing request for cpu in container app of Pod web-{HASH}-0x7k2"))


@incident
def hpa_no_pod_metrics() -> Incident:
    return autoscaler("an autoscaler without values of its pods", "hpa-no-pod-metrics", ABLE, inactive(f"{NO_METRIC}did not receive metrics for targeted pods (pods might be unready)"))


@incident
def hpa_target_missing() -> Incident:
    said = 'the HPA controller was unable to get the target\'s current scale: deployments.apps "frontend" not found'
    return autoscaler("an autoscaler of a Deployment that does not exist", "hpa-target-missing", condition("AbleToScale", "False", "FailedGetScale", said), target="frontend", currentReplicas=0)


@incident
def hpa_selector_ambiguous() -> Incident:
    said = 'pods by selector app=web are controlled by multiple HPAs: [shop/web shop/web-too]'
    return autoscaler("two autoscalers of one Deployment", "hpa-selector-ambiguous", ABLE, inactive(said, "AmbiguousSelector"))


@incident
def hpa_scaling_disabled() -> Incident:
    said = "scaling is disabled since the replica count of the target is zero"
    made = autoscaler("an autoscaler of a Deployment that is scaled to zero", "hpa-scaling-disabled", ABLE, inactive(said, "ScalingDisabled"), replicas=0)
    made.also = ("workload-scaled-to-zero",)
    return made


@incident
def hpa_at_maximum() -> Incident:
    limited = condition("ScalingLimited", "True", "TooManyReplicas", "the desired replica count is more than the maximum replica count")
    valid = condition("ScalingActive", "True", "ValidMetricFound", "the HPA was able to successfully calculate a replica count from cpu resource utilization (percentage of request)")
    current = [{"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": 96, "averageValue": "480m"}}}]
    return autoscaler("an autoscaler at its maximum", "hpa-at-maximum", ABLE, valid, limited, replicas=5, currentMetrics=current)


@incident
def hpa_not_scaling() -> Incident:
    said = "the HPA was unable to compute the replica count: invalid metrics (1 invalid out of 1), first error is: failed to get queue external metric value: bad gateway"
    return autoscaler("an autoscaler that fails in words no rule knows", "hpa-not-scaling", ABLE, inactive(said, "FailedGetExternalMetric"))


@incident
def healthy_autoscaler() -> Incident:
    limited = condition("ScalingLimited", "True", "TooFewReplicas", "the desired replica count is less than the minimum replica count")
    valid = condition("ScalingActive", "True", "ValidMetricFound", "the HPA was able to successfully calculate a replica count from cpu resource utilization (percentage of request)")
    return autoscaler("healthy: an autoscaler at its minimum", "", ABLE, valid, limited)


# drains, deletions, and Jobs without room


def drained(title: str, subject: str) -> Incident:
    """A cordoned node, and a budget that lets its pod not go."""
    made = Incident(title, subject, "drain-blocked-by-budget")
    found = next(o for o in made.objects if o["kind"] == "Node")
    found["spec"] = {"unschedulable": True, "taints": [{"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}]}
    budget(made, healthy=1, needed=1, expected=1, minAvailable=1)
    below = replica_set(made, deployment(made, ready=1), pods=1, ready=1)
    made.pod(f"web-{HASH}-x7k2p", container(state=running(), ready=True), ready=True, owner=below, labels={"app": "web"})
    return made


@incident
def drain_blocked_by_budget() -> Incident:
    return drained("a budget holds up the drain of a node, as its pod sees it", f"pod/web-{HASH}-x7k2p")


@incident
def drain_blocked_by_budget_node() -> Incident:
    return drained("a budget holds up the drain of a node, as the node sees it", "node/node1")


@incident
def job_parallelism_zero() -> Incident:
    made = Incident("a Job that is allowed no pods", "job/report", "job-parallelism-zero")
    job(made, parallelism=0)
    return made


@incident
def job_removed_after_ttl() -> Incident:
    made = Incident("a finished Job was removed after its ttl", "job/report", "job-removed-after-ttl")
    done = [condition("Complete", "True", "CompletionsReached", "Reached expected number of succeeded pods", ago=60)]
    found = job(made, ttlSecondsAfterFinished=30, conditions=done, status={"succeeded": 1})
    made.objects.remove(found)
    made.change(300, "ADDED", found)
    made.change(30, "DELETED", found)
    return made


@incident
def workload_was_deleted() -> Incident:
    made = Incident("a Deployment was deleted", "deployment/web", "workload-was-deleted")
    found = deployment(made, ready=1)
    made.objects.remove(found)
    made.change(300, "ADDED", found)
    made.change(30, "DELETED", found)
    return made
