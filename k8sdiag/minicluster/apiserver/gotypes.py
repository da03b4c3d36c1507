"""What Kubernetes' Go types say that its OpenAPI does not: which fields are always written, which left out when empty.

A struct that is no pointer is written even when nothing is in it (`resources: {}`, `status: {}`); a number, text or
boolean that is no pointer is left out at zero, one behind a pointer is kept (staging/src/k8s.io/api/*/*/types.go).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_META: dict[str, Any] = {"creationTimestamp": None}
_SPEC_STATUS: dict[str, Any] = {"spec": {}, "status": {}}

# By the name of the struct: fields that are always there, and what they hold at least.
ALWAYS: Mapping[str, Mapping[str, Any]] = {
    **dict.fromkeys(
        (
            "CronJob", "CustomResourceDefinition", "DaemonSet", "Deployment", "HorizontalPodAutoscaler", "Ingress",
            "Job", "Namespace", "Node", "PersistentVolume", "PersistentVolumeClaim", "Pod", "PodDisruptionBudget",
            "ReplicaSet", "ReplicationController", "ResourceQuota", "Service", "StatefulSet", "FlowSchema",
            "PriorityLevelConfiguration", "VolumeAttachment", "CertificateSigningRequest", "APIService",
        ),
        _SPEC_STATUS,
    ),
    **{kind: {"spec": {}} for kind in ("LimitRange", "NetworkPolicy", "Lease", "CSIDriver", "CSINode")},
    "PodTemplateSpec": {"metadata": _META, "spec": {}},
    "JobTemplateSpec": {"metadata": _META, "spec": {}},
    "PersistentVolumeClaimTemplate": {"metadata": _META, "spec": {}},
    "PodTemplate": {"template": {"metadata": _META, "spec": {}}},
    "DeploymentSpec": {"strategy": {}, "template": {"metadata": _META, "spec": {}}},
    "StatefulSetSpec": {"updateStrategy": {}, "template": {"metadata": _META, "spec": {}}},
    "DaemonSetSpec": {"updateStrategy": {}, "template": {"metadata": _META, "spec": {}}},
    "ReplicaSetSpec": {"template": {"metadata": _META, "spec": {}}},
    "JobSpec": {"template": {"metadata": _META, "spec": {}}},
    "CronJobSpec": {"jobTemplate": {"metadata": _META, "spec": {"template": {"metadata": _META, "spec": {}}}}},
    "Container": {"resources": {}},
    "EphemeralContainer": {"resources": {}},
    "ContainerStatus": {"state": {}, "lastState": {}},
    "PersistentVolumeClaimSpec": {"resources": {}},
    "ServiceStatus": {"loadBalancer": {}},
    "IngressStatus": {"loadBalancer": {}},
    "NodeStatus": {"daemonEndpoints": {"kubeletEndpoint": {"Port": 0}}, "nodeInfo": {}},
    "NodeDaemonEndpoints": {"kubeletEndpoint": {"Port": 0}},
    "Endpoint": {"conditions": {}},
    "IngressServiceBackend": {"port": {}},
    "CustomResourceDefinitionStatus": {
        "conditions": None, "acceptedNames": {"plural": "", "kind": ""}, "storedVersions": None,
    },
    "HorizontalPodAutoscalerStatus": {"currentMetrics": None, "desiredReplicas": 0},
    "PodCondition": {"lastProbeTime": None, "lastTransitionTime": None},
    "EndpointSlice": {"endpoints": None, "ports": None},
    "Event": {
        "source": {}, "firstTimestamp": None, "lastTimestamp": None, "eventTime": None, "reportingComponent": "",
        "reportingInstance": "",
    },
}  # fmt: skip

# Texts and lists behind pointers, or written without `omitempty`: kept when empty.
POINTERS: Mapping[str, frozenset[str]] = {
    "PersistentVolumeClaimSpec": frozenset(("storageClassName", "volumeMode", "volumeAttributesClassName")),
    "PersistentVolumeSpec": frozenset(("volumeMode", "volumeAttributesClassName")),
    "IngressSpec": frozenset(("ingressClassName",)),
    "PodSpec": frozenset(("runtimeClassName",)),
    "TypedLocalObjectReference": frozenset(("apiGroup",)),
    "TypedObjectReference": frozenset(("apiGroup", "namespace")),
    "LeaseSpec": frozenset(("holderIdentity", "strategy", "preferredHolder")),
    "EndpointPort": frozenset(("name", "protocol", "appProtocol")),
    "ServicePort": frozenset(("appProtocol",)),
    "ObjectMeta": frozenset(("managedFields",)),  # `[]` asks to forget them
    "CustomResourceDefinitionStatus": frozenset(("conditions", "storedVersions")),
    "Event": frozenset(("reportingComponent", "reportingInstance")),
    "NetworkPolicyPort": frozenset(("protocol",)),
    "JSONSchemaProps": frozenset(("default", "example")),
}

# Booleans and numbers that are no pointers: left out when false or 0.
NO_POINTER: Mapping[str, frozenset[str]] = {
    "PodSpec": frozenset(("hostNetwork", "hostPID", "hostIPC")),
    "Container": frozenset(("stdin", "stdinOnce", "tty")),
    "EphemeralContainer": frozenset(("stdin", "stdinOnce", "tty")),
    "VolumeMount": frozenset(("readOnly",)),
    "PersistentVolumeClaimVolumeSource": frozenset(("readOnly",)),
    "DeploymentSpec": frozenset(("paused", "minReadySeconds")),
    "ReplicaSetSpec": frozenset(("minReadySeconds",)),
    "DaemonSetSpec": frozenset(("minReadySeconds",)),
    "StatefulSetSpec": frozenset(("minReadySeconds",)),
    "ReplicationControllerSpec": frozenset(("minReadySeconds",)),
    "DeploymentStatus": frozenset(
        (
            "observedGeneration", "replicas", "updatedReplicas", "readyReplicas", "availableReplicas",
            "unavailableReplicas",
        )
    ),
    "ReplicaSetStatus": frozenset(
        ("fullyLabeledReplicas", "readyReplicas", "availableReplicas", "observedGeneration")
    ),
    "ReplicationControllerStatus": frozenset(
        ("fullyLabeledReplicas", "readyReplicas", "availableReplicas", "observedGeneration")
    ),
    "StatefulSetStatus": frozenset(("observedGeneration", "readyReplicas", "currentReplicas", "updatedReplicas")),
    "DaemonSetStatus": frozenset(
        ("observedGeneration", "updatedNumberScheduled", "numberAvailable", "numberUnavailable")
    ),
    "JobStatus": frozenset(("active", "succeeded", "failed")),
    "NodeSpec": frozenset(("unschedulable",)),
    "ServiceSpec": frozenset(("publishNotReadyAddresses", "healthCheckNodePort")),
    "ServicePort": frozenset(("nodePort",)),
    "ContainerPort": frozenset(("hostPort",)),
    "Probe": frozenset(
        ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold")
    ),
    "ObjectMeta": frozenset(("generation",)),
    "Event": frozenset(("count", "deprecatedCount")),
    "PriorityClass": frozenset(("globalDefault",)),
    "HorizontalPodAutoscalerStatus": frozenset(("currentReplicas",)),
    "ContainerStateTerminated": frozenset(("signal",)),
    "PodDisruptionBudgetStatus": frozenset(("observedGeneration",)),
    "CustomResourceDefinitionVersion": frozenset(("deprecated",)),
    "CustomResourceDefinitionSpec": frozenset(("preserveUnknownFields",)),
    "JSONSchemaProps": frozenset(("nullable", "uniqueItems", "exclusiveMaximum", "exclusiveMinimum")),
}  # fmt: skip
