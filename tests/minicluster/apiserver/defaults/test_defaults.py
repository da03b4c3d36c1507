"""Defaults of fields and kinds that no recording shows."""

# ruff: noqa: E501 - what the server says stays whole, a message a line
from __future__ import annotations

import copy
from typing import Any

import pytest
import yaml

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver import defaults
from k8sdiag.minicluster.apiserver.defaults.pods import pull_policy, qos_class
from k8sdiag.minicluster.apiserver.errors import ApiError
from k8sdiag.minicluster.kinds import Registry

REGISTRY = Registry()


def filled(kind: str, text: str) -> Json:
    resource = REGISTRY.named(kind)
    obj: Json = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": {"name": "x"}}
    obj |= yaml.safe_load(text) or {}
    defaults.apply(resource, obj)
    again = copy.deepcopy(obj)
    defaults.apply(resource, again)
    assert again == obj, "filling in twice changes nothing"
    return obj


def at(obj: Any, path: str) -> Any:
    for part in path.split("."):
        obj = obj[int(part)] if part.isdigit() else obj[part]
    return obj


CONTAINER = "spec: {{containers: [{{name: a, image: b, {}}}]}}"
TEMPLATE = "template: {spec: {containers: [{name: a, image: b}]}}"


@pytest.mark.parametrize(
    ("kind", "text", "path", "expected"),
    [
        ("pods", CONTAINER.format("livenessProbe: {httpGet: {port: 80}}"), "spec.containers.0.livenessProbe", {"httpGet": {"port": 80, "path": "/", "scheme": "HTTP"}, "timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}),
        ("pods", CONTAINER.format("readinessProbe: {grpc: {port: 1}, periodSeconds: 5}"), "spec.containers.0.readinessProbe.grpc", {"port": 1, "service": ""}),
        ("pods", CONTAINER.format("resources: {limits: {cpu: 0.5, memory: 1024Mi}}"), "spec.containers.0.resources", {"limits": {"cpu": "500m", "memory": "1Gi"}, "requests": {"cpu": "500m", "memory": "1Gi"}}),
        ("pods", CONTAINER.format("env: [{name: A, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]"), "spec.containers.0.env.0.valueFrom.fieldRef", {"apiVersion": "v1", "fieldPath": "metadata.name"}),
        ("pods", CONTAINER.format("env: [{name: A, valueFrom: {resourceFieldRef: {resource: limits.cpu}}}]"), "spec.containers.0.env.0.valueFrom.resourceFieldRef", {"resource": "limits.cpu", "divisor": "0"}),
        ("pods", "spec: {hostNetwork: true, containers: [{name: a, image: b, ports: [{containerPort: 80}]}]}", "spec.containers.0.ports", [{"containerPort": 80, "hostPort": 80, "protocol": "TCP"}]),
        ("deployments", "spec: {template: {spec: {hostNetwork: true, containers: [{name: a, image: b, ports: [{containerPort: 80}]}]}}}", "spec.template.spec.containers.0.ports", [{"containerPort": 80, "protocol": "TCP"}]),
        ("pods", "spec: {serviceAccount: me, containers: []}", "spec.serviceAccountName", "me"),
        ("pods", "spec: {volumes: [{name: v}]}", "spec.volumes.0", {"name": "v", "emptyDir": {}}),
        ("pods", "spec: {volumes: [{name: v, hostPath: {path: /x}}]}", "spec.volumes.0.hostPath", {"path": "/x", "type": ""}),
        ("pods", "spec: {volumes: [{name: v, secret: {secretName: s}}]}", "spec.volumes.0.secret.defaultMode", 420),
        ("pods", "spec: {volumes: [{name: v, emptyDir: {sizeLimit: 1024Mi}}]}", "spec.volumes.0.emptyDir.sizeLimit", "1Gi"),
        ("pods", "spec: {volumes: [{name: v, projected: {sources: [{serviceAccountToken: {path: t}}]}}]}", "spec.volumes.0.projected", {"sources": [{"serviceAccountToken": {"path": "t", "expirationSeconds": 3600}}], "defaultMode": 420}),
        ("deployments", "spec: {strategy: {type: Recreate}, " + TEMPLATE + "}", "spec.strategy", {"type": "Recreate"}),
        ("statefulsets", "spec: {" + TEMPLATE + "}", "spec.updateStrategy", {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}),
        ("statefulsets", "spec: {" + TEMPLATE + "}", "spec.persistentVolumeClaimRetentionPolicy", {"whenDeleted": "Retain", "whenScaled": "Retain"}),
        ("statefulsets", "spec: {volumeClaimTemplates: [{metadata: {name: d}, spec: {resources: {requests: {storage: 1024Mi}}}}]}", "spec.volumeClaimTemplates.0", {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "d", "creationTimestamp": None}, "spec": {"resources": {"requests": {"storage": "1Gi"}}, "volumeMode": "Filesystem"}, "status": {"phase": "Pending"}}),
        ("jobs", "spec: {completions: 3}", "spec.parallelism", 1),
        ("jobs", "spec: {parallelism: 3}", "spec.backoffLimit", 6),
        ("jobs", "spec: {backoffLimitPerIndex: 1}", "spec.backoffLimit", 2147483647),
        ("jobs", "spec: {podFailurePolicy: {rules: [{action: Ignore, onPodConditions: [{type: DisruptionTarget}]}]}}", "spec.podReplacementPolicy", "Failed"),
        ("cronjobs", "spec: {schedule: '* * * * *'}", "spec.failedJobsHistoryLimit", 1),
        ("services", "spec: {ports: [{port: 80}]}", "spec.ports.0.targetPort", 80),
        ("services", "spec: {type: LoadBalancer}", "spec.allocateLoadBalancerNodePorts", True),
        ("services", "spec: {type: NodePort}", "spec.externalTrafficPolicy", "Cluster"),
        ("services", "spec: {sessionAffinity: ClientIP}", "spec.sessionAffinityConfig.clientIP.timeoutSeconds", 10800),
        ("secrets", "stringData: {a: b}\ndata: {c: ZA==}", "data", {"a": "Yg==", "c": "ZA=="}),
        ("namespaces", "{}", "metadata.labels", {"kubernetes.io/metadata.name": "x"}),
        ("persistentvolumes", "spec: {capacity: {storage: 1024Mi}, hostPath: {path: /d}}", "spec", {"capacity": {"storage": "1Gi"}, "hostPath": {"path": "/d", "type": ""}, "persistentVolumeReclaimPolicy": "Retain", "volumeMode": "Filesystem"}),
        ("storageclasses", "provisioner: p", "volumeBindingMode", "Immediate"),
        ("limitranges", "spec: {limits: [{type: Container, max: {cpu: 2}, min: {memory: 1Mi}}]}", "spec.limits.0", {"type": "Container", "max": {"cpu": "2"}, "min": {"memory": "1Mi"}, "default": {"cpu": "2"}, "defaultRequest": {"cpu": "2", "memory": "1Mi"}}),
        ("replicationcontrollers", "spec: {template: {metadata: {labels: {a: b}}}}", "spec.selector", {"a": "b"}),
        ("horizontalpodautoscalers", "spec: {maxReplicas: 2}", "spec.metrics", [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}}]),
        ("horizontalpodautoscalers", "spec: {behavior: {scaleDown: {stabilizationWindowSeconds: 5}}}", "spec.behavior.scaleDown", {"stabilizationWindowSeconds": 5, "selectPolicy": "Max", "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}]}),
        ("networkpolicies", "spec: {egress: [{}]}", "spec.policyTypes", ["Ingress", "Egress"]),
        ("networkpolicies", "spec: {ingress: [{ports: [{port: 80}]}]}", "spec.ingress.0.ports.0.protocol", "TCP"),
        ("priorityclasses", "value: 1", "preemptionPolicy", "PreemptLowerPriority"),
        ("rolebindings", "roleRef: {kind: Role, name: r}\nsubjects: [{kind: User, name: u}]", "subjects.0.apiGroup", "rbac.authorization.k8s.io"),
        ("customresourcedefinitions", "spec: {names: {kind: Widget, plural: widgets}}", "spec.names", {"kind": "Widget", "plural": "widgets", "singular": "widget", "listKind": "WidgetList"}),
        ("mutatingwebhookconfigurations", "webhooks: [{name: a.b.c, clientConfig: {service: {name: s}}}]", "webhooks.0.clientConfig.service.port", 443),
        ("nodes", "status: {capacity: {cpu: '2', memory: 1024Ki}}", "status.allocatable", {"cpu": "2", "memory": "1Mi"}),
    ],
)  # fmt: skip
def test_filled_in(kind: str, text: str, path: str, expected: object) -> None:
    assert at(filled(kind, text), path) == expected


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("nginx", "Always"),
        ("nginx:latest", "Always"),
        ("nginx:1.27", "IfNotPresent"),
        ("registry:5000/nginx", "Always"),
        ("registry:5000/nginx:1", "IfNotPresent"),
        ("nginx@sha256:0123", "IfNotPresent"),
        ("nginx:latest@sha256:0123", "Always"),
    ],
)
def test_pull_policy(image: str, policy: str) -> None:
    assert pull_policy(image) == policy


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        ([{}], "BestEffort"),
        ([{"requests": {"cpu": "0"}}], "BestEffort"),
        ([{"requests": {"cpu": "1"}}], "Burstable"),
        ([{"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"cpu": "1000m", "memory": "1024Mi"}}], "Guaranteed"),
        ([{"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"cpu": "1", "memory": "1Gi"}}, {}], "Burstable"),
        ([{"limits": {"cpu": "1"}}], "Burstable"),
        ([{"requests": {"ephemeral-storage": "1Gi"}}], "BestEffort"),
    ],
)
def test_qos_class(resources: list[Json], expected: str) -> None:
    assert qos_class({"containers": [{"resources": each} for each in resources]}) == expected


def test_a_job_keeps_its_own_selector() -> None:
    resource = REGISTRY.named("jobs")
    job = filled(
        "jobs", "spec: {manualSelector: true, selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}}}"
    )
    defaults.prepare(resource, job)
    assert job["spec"]["selector"] == {"matchLabels": {"a": "b"}}
    assert job["metadata"]["labels"] == {"a": "b"}


def test_no_quantity() -> None:
    with pytest.raises(ApiError) as caught:
        filled("pods", CONTAINER.format("resources: {requests: {cpu: lots}}"))
    assert caught.value.code == 400
    assert caught.value.message == (
        'Pod in version "v1" cannot be handled as a Pod: quantities must match the regular expression '
        "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
    )


def test_every_default_is_for_a_kind_that_is_served() -> None:
    served = {resource.qualified for resource in REGISTRY.all()}
    assert set(defaults._DEFAULTS) <= served
    assert set(defaults._CREATION) <= set(defaults._DEFAULTS)
