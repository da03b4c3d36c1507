"""What the API server refuses to a controller: the same shape each time, in the words of each admission plugin."""

from typing import Any

from tests.incidents._controllers import HASH, daemon_set, deployment, job, refused, replica_set, stateful_set, template
from tests.incidents.build import Incident, condition, container, incident, running, uid

POD = f'pods "web-{HASH}-x7k2p" is forbidden: '
HOOK = 'Internal error occurred: failed calling webhook "policy.guard.example": failed to call webhook: '
POST = 'Post "https://guard.policy.svc:443/validate?timeout=10s": '


def made(title: str, rule: str, message: str, *also: str, **spec: Any) -> Incident:
    """A Deployment that gets no pod, with that answer."""
    return refused(Incident(title, "deployment/web", rule, also), message, **spec)


@incident
def quota_exceeded_surge() -> Incident:
    text = "exceeded quota: compute, requested: limits.memory=512Mi,pods=1, used: limits.memory=1Gi,pods=2, limited: limits.memory=1Gi,pods=2"
    found = Incident("the quota has no room for a rollout's extra pod; two old pods run", "replicaset/web-7c9f8d6b5", "quota-exceeded")
    top = deployment(found, replicas=2, ready=2, pods=2, updated=0)
    old = replica_set(found, top, replicas=2, pods=2, ready=2, mark="5579d475ff")
    failed = condition("ReplicaFailure", "True", "FailedCreate", POD + text, ago=300)
    replica_set(found, top, replicas=1, mark="7c9f8d6b5", conditions=[failed], ago=300)
    for name in ("a1b2c", "d3e4f"):
        found.pod(f"web-5579d475ff-{name}", container(state=running(5000), ready=True), owner=old, ready=True, labels={"app": "web"})
    return found


@incident
def quota_exceeded_claim() -> Incident:
    found = Incident("a StatefulSet's claim does not fit the storage quota", "statefulset/db", "quota-exceeded")
    owner = stateful_set(found, "db", replicas=2, pods=0)
    said = (
        'persistentvolumeclaims "data-db-0" is forbidden: exceeded quota: disks, requested: requests.storage=50Gi, '
        "used: requests.storage=80Gi, limited: requests.storage=100Gi"
    )
    for text in (f"create Claim data-db-0 for Pod db-0 in StatefulSet db failed error: {said}", f"create Pod db-0 in StatefulSet db failed error: failed to create PVC data-db-0: {said}"):
        found.event(owner, "FailedCreate", text, by="statefulset-controller", count=14, ago=20, first=590)
    return found


@incident
def quota_exceeded_job() -> Incident:
    found = Incident("a CronJob may make no more Jobs", "cronjob/nightly", "quota-exceeded")
    owner = found.add("CronJob", "nightly", spec={"schedule": "*/5 * * * *", "concurrencyPolicy": "Allow", "suspend": False,
                      "jobTemplate": {"spec": {"template": template(restartPolicy="Never")}}}, status={})  # fmt: skip
    said = 'jobs.batch "nightly-29393800" is forbidden: exceeded quota: objects, requested: count/jobs.batch=1, used: count/jobs.batch=0, limited: count/jobs.batch=0'
    found.event(owner, "FailedCreate", f"Error creating job: {said}", by="cronjob-controller", count=3, ago=60, first=500)
    return found


@incident
def quota_exceeded_replicaset() -> Incident:
    found = Incident("a Deployment may make no ReplicaSet", "deployment/web", "quota-exceeded")
    said = f'replicasets.apps "web-{HASH}" is forbidden: exceeded quota: objects, requested: count/replicasets.apps=1, used: count/replicasets.apps=5, limited: count/replicasets.apps=5'
    deployment(found, pods=0, conditions=[
        condition("Progressing", "False", "ReplicaSetCreateError", f'Failed to create new replica set "web-{HASH}": {said}'),
        condition("Available", "False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability."),
    ])  # fmt: skip
    return found


@incident
def healthy_quota_full_before() -> Incident:
    found = Incident("healthy: a quota was full for a while, and the pod came later", "deployment/web", "")
    top = deployment(found, ready=1)
    below = replica_set(found, top, pods=1, ready=1)
    text = POD + "exceeded quota: small, requested: pods=1, used: pods=5, limited: pods=5"
    found.event(below, "FailedCreate", f"Error creating: {text}", by="replicaset-controller", count=4, ago=500, first=590)
    found.event(below, "SuccessfulCreate", f"Created pod: web-{HASH}-x7k2p", kind="Normal", by="replicaset-controller", ago=400)
    found.pod(f"web-{HASH}-x7k2p", container(state=running(390), ready=True), ready=True, owner=below, labels={"app": "web"}, ago=400)
    return found


@incident
def statefulset_refused_once() -> Incident:
    found = Incident("a StatefulSet was refused a pod once, and now waits for its first pod", "statefulset/web", "statefulset-ordinal-blocked")
    owner = stateful_set(found)
    text = 'create Pod web-0 in StatefulSet web failed error: pods "web-0" is forbidden: error looking up service account shop/web: serviceaccount "web" not found'
    found.event(owner, "FailedCreate", text, by="statefulset-controller", count=3, ago=580, first=590)
    found.event(owner, "SuccessfulCreate", "create Pod web-0 in StatefulSet web successful", kind="Normal", by="statefulset-controller", ago=570)
    found.add("ServiceAccount", "web")
    found.pod("web-0", container(state=running(560)), owner=owner, labels={"app": "web"}, ago=570)
    return found


@incident
def quota_needs_requests() -> Incident:
    said = "failed quota: compute: must specify limits.cpu for: app; limits.memory for: app; requests.cpu for: app"
    return made("a quota counts limits that the pods do not have", "quota-needs-requests", POD + said)


@incident
def quota_scope_not_allowed() -> Incident:
    said = "insufficient quota to match these scopes: [{PriorityClass In [system-node-critical system-cluster-critical]}]"
    return made("a system priority class outside kube-system", "quota-scope-not-allowed", POD + said, priorityClassName="system-node-critical")


@incident
def quota_status_unknown() -> Incident:
    return made("a quota that nobody has counted", "quota-status-unknown", POD + "status unknown for quota: compute, resources: pods")


@incident
def limit_range_maximum() -> Incident:
    found = made("a limit above the LimitRange's maximum", "limit-range-violated", POD + "maximum cpu usage per Container is 100m, but limit is 1")
    found.add("LimitRange", "small-pods", spec={"limits": [{"type": "Container", "max": {"cpu": "100m"}, "default": {"cpu": "100m"}}]})
    return found


@incident
def limit_range_several() -> Incident:
    said = "[minimum memory usage per Container is 64Mi.  No request is specified, memory max limit to request ratio per Container is 2, but provided ratio is 4.000000]"
    found = Incident("several limits of a LimitRange at once, for a DaemonSet", "daemonset/agent", "limit-range-violated")
    owner = daemon_set(found)
    found.event(owner, "FailedCreate", f'Error creating: pods "agent-" is forbidden: {said}', by="daemonset-controller", count=9, ago=30, first=590)
    found.add("LimitRange", "bounds", spec={"limits": [{"type": "Container", "min": {"memory": "64Mi"}, "maxLimitRequestRatio": {"memory": "2"}}]})
    return found


@incident
def pod_security_baseline() -> Incident:
    said = 'violates PodSecurity "baseline:v1.33": host namespaces (hostNetwork=true), hostPath volumes (volume "run"), hostPort (container "agent" uses hostPort 9100)'
    found = Incident("Pod Security baseline refuses a DaemonSet's pods", "daemonset/agent", "pod-security-violated")
    found.add("Namespace", "shop", namespace="", metadata={"labels": {"pod-security.kubernetes.io/enforce": "baseline"}}, status={"phase": "Active"})
    owner = daemon_set(found)
    found.event(owner, "FailedCreate", f'Error creating: pods "agent-w2x5z" is forbidden: {said}', by="daemonset-controller", count=12, ago=30, first=590)
    return found


@incident
def pod_security_job() -> Incident:
    said = 'pods "report-8x2kq" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true (pod or container "app" must set securityContext.runAsNonRoot=true)'
    found = Incident("Pod Security restricted refuses a Job's pods", "job/report", "pod-security-violated")
    owner = job(found)
    found.event(owner, "FailedCreate", f"Error creating: {said}", by="job-controller", count=5, ago=30, first=590)
    return found


@incident
def security_policy_refused() -> Incident:
    said = "unable to validate against any security context constraint: [provider restricted-v2: .spec.securityContext.hostNetwork: Invalid value: true: Host network is not allowed to be used]"
    return made("OpenShift: no SCC allows the pods", "security-policy-refused", POD + said)


@incident
def webhook_denied() -> Incident:
    said = 'admission webhook "validation.gatekeeper.sh" denied the request: [ns-must-have-team] you must provide labels: {"team"}'
    return made("Gatekeeper denies the pods", "webhook-denied", said)


@incident
def webhook_denied_kyverno() -> Incident:
    said = (
        'admission webhook "validate.kyverno.svc-fail" denied the request: \n\nresource Pod/shop/web was blocked due to the following '
        "policies \n\ndisallow-latest-tag:\n  require-image-tag: 'validation error: An image tag is required.'\n"
    )
    return made("Kyverno denies the pods, in several lines", "webhook-denied", said)


@incident
def admission_policy_denied() -> Incident:
    said = "ValidatingAdmissionPolicy 'require-owner' with binding 'require-owner-shop' denied request: every pod needs the label owner"
    return made("a ValidatingAdmissionPolicy denies the pods", "admission-policy-denied", POD + said)


@incident
def webhook_service_missing() -> Incident:
    return made("a webhook whose Service is gone", "webhook-service-missing", HOOK + POST + 'service "guard" not found')


@incident
def webhook_no_endpoints() -> Incident:
    return made("a webhook without pods", "webhook-no-endpoints", HOOK + POST + 'no endpoints available for service "guard"')


@incident
def webhook_refused() -> Incident:
    return made("a webhook that refuses connections", "webhook-no-endpoints", HOOK + POST + "dial tcp 10.96.14.7:443: connect: connection refused")


@incident
def webhook_timeout() -> Incident:
    return made("a webhook that does not answer", "webhook-timeout", HOOK + POST + "context deadline exceeded")


@incident
def webhook_certificate_invalid() -> Incident:
    said = "tls: failed to verify certificate: x509: certificate signed by unknown authority"
    return made("a webhook whose certificate is not trusted", "webhook-certificate-invalid", HOOK + POST + said)


@incident
def webhook_call_failed() -> Incident:
    return made("a webhook that answers with an error", "webhook-call-failed", HOOK + "the server could not find the requested resource")


@incident
def service_account_missing() -> Incident:
    said = 'error looking up service account shop/web-runner: serviceaccount "web-runner" not found'
    return made("a ServiceAccount that does not exist", "service-account-missing", POD + said, serviceAccountName="web-runner")


@incident
def service_account_missing_expired() -> Incident:
    found = Incident("a ServiceAccount that does not exist, long after the events have expired", "daemonset/agent", "service-account-missing")
    daemon_set(found, pod_spec={"serviceAccountName": "agent-runner"}, ago=90000)
    return found


@incident
def priority_class_missing() -> Incident:
    return made("a PriorityClass that does not exist", "priority-class-missing", POD + "no PriorityClass with name urgent was found", priorityClassName="urgent")


@incident
def runtime_class_missing() -> Incident:
    return made("a RuntimeClass that does not exist", "runtime-class-missing", POD + 'pod rejected: RuntimeClass "gvisor" not found', runtimeClassName="gvisor")


@incident
def namespace_being_deleted() -> Incident:
    found = Incident("a Deployment in a namespace that is being deleted", "deployment/web", "namespace-being-deleted", ("namespace-held-by-finalizers",))
    terminating = {"deletionTimestamp": "2026-11-21T22:30:00Z"}
    found.add("Namespace", "shop", namespace="", ago=9000, metadata=terminating, spec={"finalizers": ["kubernetes"]}, status={
        "phase": "Terminating", "conditions": [
            condition("NamespaceDeletionDiscoveryFailure", "False", "ResourcesDiscovered", "All resources successfully discovered"),
            condition("NamespaceContentRemaining", "True", "SomeResourcesRemain", "Some resources are remaining: widgets.example.com has 1 resource instances"),
            condition("NamespaceFinalizersRemaining", "True", "SomeFinalizersRemain", "Some content in the namespace has finalizers remaining: example.com/cleanup in 1 resource instances"),
        ]})  # fmt: skip
    top = deployment(found, pods=0)
    replica_set(found, top)
    return found


@incident
def controller_not_permitted() -> Incident:
    said = 'pods is forbidden: User "system:serviceaccount:kube-system:replicaset-controller" cannot create resource "pods" in API group "" in the namespace "shop"'
    return made("the ReplicaSet controller lost its rights", "controller-not-permitted", said)


@incident
def owner_deletion_not_permitted() -> Incident:
    found = Incident("an operator without the right to set finalizers", "job/report", "owner-deletion-not-permitted")
    owner = job(found)
    said = "cannot set blockOwnerDeletion if an ownerReference refers to a resource you can't set finalizers on: , <nil>"
    found.event(owner, "FailedCreate", f'Error creating: pods "report-" is forbidden: {said}', by="job-controller", count=5, ago=30, first=590)
    return found


@incident
def pod_template_invalid() -> Incident:
    said = f'Pod "web-{HASH}-x7k2p" is invalid: spec.containers[0].resources.requests: Invalid value: "500m": must be less than or equal to cpu limit of 100m'
    return made("a template that is invalid only as a pod", "pod-template-invalid", said)


@incident
def pod_name_taken() -> Incident:
    found = Incident("another pod has the name a StatefulSet needs", "statefulset/web", "pod-name-taken")
    owner = stateful_set(found, pods=0)
    found.pod("web-0", container(state=running(), ready=True), ready=True, labels={"app": "other"})
    said = 'create Pod web-0 in StatefulSet web failed error: pods "web-0" already exists'
    found.event(owner, "FailedCreate", said, by="statefulset-controller", count=14, ago=20, first=590)
    return found


@incident
def namespace_node_selector_conflict() -> Incident:
    return made("the namespace prescribes another node selector", "namespace-node-selector-conflict", POD + "pod node label selector conflicts with its namespace node label selector")


@incident
def create_refused() -> Incident:
    said = POD + f'unknown plugin "{uid("plugin")[:8]}" says no'
    return made("a refusal in words that no rule knows", "create-refused", said)


@incident
def quota_exceeded_expired() -> Incident:
    found = Incident("a quota of pods is full, long after the events have expired", "statefulset/web", "quota-exceeded")
    found.add("ResourceQuota", "few-pods", spec={"hard": {"pods": "4"}}, status={"hard": {"pods": "4"}, "used": {"pods": "4"}})
    stateful_set(found, pods=0, ago=90000)
    return found


@incident
def workload_without_pods() -> Incident:
    found = Incident("a DaemonSet without pods, long after the events have expired", "daemonset/agent", "workload-without-pods")
    daemon_set(found, ago=90000)
    return found
