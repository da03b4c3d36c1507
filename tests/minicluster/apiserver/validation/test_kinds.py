"""Everything else that the server refuses, a few of each kind."""

# ruff: noqa: E501 - what the server says stays whole, a message a line
from __future__ import annotations

from typing import Any

import pytest

from k8sdiag.minicluster.apiserver import validation
from tests.minicluster.apiserver.validation.complaints import REGISTRY, changed, complaints, made, said

RULE = "{apiGroups: [''], resources: [pods], verbs: [get]}"
BACKEND = "{service: {name: s, port: {number: 80}}}"
CLAIM = "accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}"
TARGET = "scaleTargetRef: {kind: Deployment, name: d}"
HOOK = "name: a.b.c, sideEffects: None, admissionReviewVersions: [v1], clientConfig: {url: 'https://h/p'}"


def test_every_rule_is_for_a_kind_that_is_served() -> None:
    served = {resource.qualified for resource in REGISTRY.all()}
    assert set(validation._RULES) <= served


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("services", "spec: {}", ["spec.ports: Required value"]),
        ("services", "spec: {clusterIP: None, clusterIPs: [None]}", []),
        ("services", "spec: {type: ExternalName}", ["spec.externalName: Required value"]),
        ("services", "spec: {ports: [{port: 80}, {port: 81}]}", ["spec.ports[0].name: Required value", "spec.ports[1].name: Required value"]),
        ("services", "spec: {ports: [{port: 0}]}", ["spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive", "spec.ports[0].targetPort: Invalid value: 0: must be between 1 and 65535, inclusive"]),
        ("services", "spec: {ports: [{port: 80, nodePort: 30000}]}", ["spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"]),
        ("services", "spec: {ports: [{port: 80, nodePort: 80}], type: NodePort}", ["spec.ports[0].nodePort: Invalid value: 80: provided port is not in the valid range. The range of valid ports is 30000-32767"]),
        ("services", "spec: {ports: [{port: 80, name: a}, {port: 80, name: b}]}", ['spec.ports[1]: Duplicate value: {"protocol":"TCP","port":80}']),
        ("services", "spec: {ports: [{port: 80}], externalTrafficPolicy: Local}", ['spec.externalTrafficPolicy: Invalid value: "Local": may only be set for externally-accessible services']),
        ("services", "spec: {ports: [{port: 80}], externalIPs: [127.0.0.1]}", ['spec.externalIPs[0]: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)']),
        ("configmaps", "data: {a/b: c}", ['data[a/b]: Invalid value: "a/b": a valid config key must consist of alphanumeric characters, \'-\', \'_\' or \'.\' (e.g. \'key.name\',  or \'KEY_NAME\',  or \'key-name\', regex used for validation is \'[-._a-zA-Z0-9]+\')']),
        ("configmaps", "data: {'..': c}", ["data[..]: Invalid value: \"..\": must not be '..'"]),
        ("configmaps", "data: {a: b}\nbinaryData: {a: ''}", ['data[a]: Invalid value: "a": duplicate of key present in binaryData']),
        ("secrets", "type: kubernetes.io/tls", ["data[tls.crt]: Required value", "data[tls.key]: Required value"]),
        ("secrets", "type: kubernetes.io/dockerconfigjson\nstringData: {.dockerconfigjson: nope}", ["data[.dockerconfigjson]: Invalid value: \"<secret contents redacted>\": invalid character 'n' looking for beginning of value"]),
        ("persistentvolumeclaims", "spec: {" + CLAIM + "}", []),
        ("persistentvolumeclaims", "spec: {accessModes: [Sometimes], resources: {requests: {storage: 0}}}", ['spec.accessModes: Unsupported value: "Sometimes": supported values: "ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"', 'spec.resources[storage]: Invalid value: "0": must be greater than zero']),
        ("persistentvolumes", "spec: {accessModes: [ReadWriteOnce], capacity: {storage: 1Gi}}", ["spec: Required value: must specify a volume type"]),
        ("persistentvolumes", "spec: {accessModes: [ReadWriteOnce], capacity: {storage: 1Gi}, local: {path: /d}}", ["spec.nodeAffinity: Required value: Local volume requires node affinity"]),
        ("storageclasses", "{}", ["provisioner: Required value"]),
        ("storageclasses", "provisioner: a/b\nvolumeBindingMode: Later", ['volumeBindingMode: Unsupported value: "Later": supported values: "Immediate", "WaitForFirstConsumer"']),
        ("resourcequotas", "spec: {hard: {foo: 1}}", ['spec.hard[foo]: Invalid value: "foo": must be a standard resource type or fully qualified', 'spec.hard[foo]: Invalid value: "foo": must be a standard resource for quota']),
        ("resourcequotas", "spec: {hard: {pods: 500m}}", ['spec.hard[pods]: Invalid value: "500m": must be an integer']),
        ("resourcequotas", "spec: {hard: {pods: 1, services: 1}, scopes: [BestEffort, NotBestEffort]}", ['spec.scopes: Invalid value: ["BestEffort","NotBestEffort"]: unsupported scope applied to resource'] * 2 + ['spec.scopes: Invalid value: ["BestEffort","NotBestEffort"]: conflicting scopes']),
        ("limitranges", "spec: {limits: [{type: Container, min: {cpu: 2}, max: {cpu: 1}, default: {cpu: 1}, defaultRequest: {cpu: 1}}]}", ['spec.limits[0].min[cpu]: Invalid value: "2": min value 2 is greater than max value 1', 'spec.limits[0].defaultRequest[cpu]: Invalid value: "1": min value 2 is greater than default request value 1', 'spec.limits[0].default[cpu]: Invalid value: "2": min value 2 is greater than default value 1']),
        ("limitranges", "spec: {limits: [{type: Pod, default: {cpu: 1}}]}", ["spec.limits[0].default: Forbidden: may not be specified when `type` is 'Pod'"]),
        ("poddisruptionbudgets", "spec: {minAvailable: 101%}", ['spec.minAvailable: Invalid value: "101%": must not be greater than 100%']),
        ("poddisruptionbudgets", "spec: {minAvailable: 1, maxUnavailable: 1}", ['spec: Invalid value: {"minAvailable":1,"maxUnavailable":1}: minAvailable and maxUnavailable cannot be both set']),
        ("horizontalpodautoscalers", "spec: {maxReplicas: 2, " + TARGET + "}", []),
        ("horizontalpodautoscalers", "spec: {maxReplicas: 1, minReplicas: 2, " + TARGET + "}", ["spec.maxReplicas: Invalid value: 1: must be greater than or equal to `minReplicas`"]),
        ("horizontalpodautoscalers", "spec: {maxReplicas: 1}", ["spec.scaleTargetRef.kind: Required value", "spec.scaleTargetRef.name: Required value"]),
        ("horizontalpodautoscalers", "spec: {maxReplicas: 2, metrics: [{type: Pods}], " + TARGET + "}", ["spec.metrics[0].pods: Required value: must populate information for the given metric source"]),
        ("horizontalpodautoscalers", "spec: {maxReplicas: 2, behavior: {scaleDown: {stabilizationWindowSeconds: 9999}}, " + TARGET + "}", ["spec.behavior.scaleDown.stabilizationWindowSeconds: Invalid value: 9999: must be less than or equal to 3600"]),
        ("priorityclasses", "value: 2000000000", ["value: Forbidden: maximum allowed value of a user defined priority is 1000000000"]),
        ("ingresses", "spec: {}", ["spec: Invalid value: null: either `defaultBackend` or `rules` must be specified"]),
        ("ingresses", "spec: {rules: [{http: {paths: [{path: a, pathType: Prefix, backend: " + BACKEND + "}]}}]}", ['spec.rules[0].http.paths[0].path: Invalid value: "a": must be an absolute path']),
        ("ingresses", "spec: {rules: [{host: 1.2.3.4, http: {paths: [{path: /, backend: " + BACKEND + "}]}}]}", ['spec.rules[0].host: Invalid value: "1.2.3.4": must be a DNS name, not an IP address', "spec.rules[0].http.paths[0].pathType: Required value: pathType must be specified"]),
        ("ingresses", "spec: {defaultBackend: {service: {name: s}}}", ["spec.defaultBackend: Required value: port name or number is required"]),
        ("ingressclasses", "spec: {controller: x}", ['spec.controller: Invalid value: "x": must be a domain-prefixed path (such as "acme.io/foo")']),
        ("networkpolicies", "spec: {ingress: [{from: [{}]}]}", ["spec.ingress[0].from[0]: Required value: must specify a peer"]),
        ("networkpolicies", "spec: {egress: [{to: [{ipBlock: {cidr: 10.0.0.0/8, except: [11.0.0.0/16]}}]}]}", ['spec.egress[0].to[0].ipBlock.except[0]: Invalid value: "11.0.0.0/16": must be a strict subset of `cidr`']),
        ("networkpolicies", "spec: {ingress: [{ports: [{port: 80, endPort: 70}]}]}", ["spec.ingress[0].ports[0].endPort: Invalid value: 70: must be greater than or equal to `port`"]),
        ("roles", f"rules: [{RULE}]", []),
        ("roles", "rules: [{}]", ["rules[0].verbs: Required value: verbs must contain at least one value", "rules[0].apiGroups: Required value: resource rules must supply at least one api group", "rules[0].resources: Required value: resource rules must supply at least one resource"]),
        ("roles", "rules: [{verbs: [get], nonResourceURLs: [/x]}]", ['rules[0].nonResourceURLs: Invalid value: ["/x"]: namespaced rules cannot apply to non-resource URLs']),
        ("rolebindings", "roleRef: {kind: Role, name: r}\nsubjects: [{kind: Robot, name: x}]", ['subjects[0].kind: Unsupported value: "Robot": supported values: "ServiceAccount", "User", "Group"']),
        ("clusterrolebindings", "roleRef: {kind: Role, name: r}", ['roleRef.kind: Unsupported value: "Role": supported values: "ClusterRole"']),
        ("nodes", "spec: {taints: [{key: a, effect: Sometimes}]}", ['metadata.taints[0].effect: Unsupported value: "Sometimes": supported values: "NoSchedule", "PreferNoSchedule", "NoExecute"']),
        ("nodes", "spec: {taints: [{key: a, effect: NoExecute}, {key: a, effect: NoExecute}]}", ['metadata.taints[1]: Duplicate value: {"key":"a","effect":"NoExecute"}: taints must be unique by key and effect pair']),
        ("leases", "spec: {leaseDurationSeconds: 0}", ["spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0"]),
        ("events", "involvedObject: {namespace: other}", ['involvedObject.namespace: Invalid value: "other": does not match event.namespace']),
        ("endpointslices", "addressType: IPv4\nendpoints: [{addresses: [x]}]", ['endpoints[0].addresses[0]: Invalid value: "x": must be a valid IPv4 address', 'endpoints[0].addresses[0]: Invalid value: "x": must be a valid IP address']),
        ("endpoints", "subsets: [{}]", ["subsets[0]: Required value: must specify `addresses` or `notReadyAddresses`"]),
        ("validatingwebhookconfigurations", "webhooks: [{" + HOOK + "}]", []),
        ("validatingwebhookconfigurations", "webhooks: [{" + HOOK.replace("a.b.c", "a") + "}]", ['webhooks[0].name: Invalid value: "a": should be a domain with at least three segments separated by dots']),
        ("mutatingwebhookconfigurations", "webhooks: [{" + HOOK + ", timeoutSeconds: 31}]", ["webhooks[0].timeoutSeconds: Invalid value: 31: the timeout value must be between 1 and 30 seconds"]),
    ],
)  # fmt: skip
def test_refused(kind: str, text: str, expected: list[str]) -> None:
    assert complaints(kind, text) == expected


SERVICE = "spec: {ports: [{port: 80}], clusterIP: 10.96.0.1, clusterIPs: [10.96.0.1], ipFamilies: [IPv4]}"


@pytest.mark.parametrize(
    ("kind", "before", "after", "expected"),
    [
        ("services", SERVICE, SERVICE.replace("port: 80", "port: 81"), []),
        ("services", SERVICE, SERVICE.replace("0.1", "0.2"), ['spec.clusterIPs[0]: Invalid value: ["10.96.0.2"]: may not change once set']),
        ("services", SERVICE, "spec: {ports: [{port: 80}]}", ["spec.clusterIPs[0]: Invalid value: null: primary clusterIP can not be unset"]),
        ("configmaps", "immutable: true\ndata: {a: b}", "data: {a: c}", ["immutable: Forbidden: field is immutable when `immutable` is set", "data: Forbidden: field is immutable when `immutable` is set"]),
        ("secrets", "type: a", "type: b", ['type: Invalid value: "b": field is immutable']),
        ("storageclasses", "provisioner: a/b\nparameters: {a: b}", "provisioner: a/c", ["parameters: Forbidden: updates to parameters are forbidden.", "provisioner: Forbidden: updates to provisioner are forbidden."]),
        ("persistentvolumeclaims", "spec: {" + CLAIM + "}", "spec: {volumeName: v, " + CLAIM + "}", []),
        ("resourcequotas", "spec: {scopes: [BestEffort]}", "spec: {}", ["spec.scopes: Invalid value: []: field is immutable"]),
        ("priorityclasses", "value: 1", "value: 2", ["value: Forbidden: may not be changed in an update."]),
        ("rolebindings", "roleRef: {kind: Role, name: r}", "roleRef: {kind: Role, name: s}", ['roleRef: Invalid value: {"kind":"Role","name":"s","apiGroup":"rbac.authorization.k8s.io"}: cannot change roleRef']),
        ("nodes", "spec: {providerID: a}", "spec: {providerID: b}", ['spec.providerID: Forbidden: node updates may not change providerID except from "" to valid']),
        ("ingressclasses", "spec: {controller: a.b/c}", "spec: {controller: a.b/d}", ['spec.controller: Invalid value: "a.b/d": field is immutable']),
    ],
)  # fmt: skip
def test_changes(kind: str, before: str, after: str, expected: list[str]) -> None:
    assert changed(kind, before, after) == expected


def test_a_claim_grows_once_it_is_bound() -> None:
    before, after = (
        f"spec: {{{CLAIM}}}".replace("1Gi", size) + "\nstatus: {phase: Bound, capacity: {storage: 2Gi}}"
        for size in ("2Gi", "3Gi")
    )
    assert changed("persistentvolumeclaims", before, after) == []
    assert changed("persistentvolumeclaims", after, before) == [
        "spec.resources.requests.storage: Forbidden: field can not be less than status.capacity"
    ]


def test_a_claim_that_waits_stays_as_it_is() -> None:
    before = f"spec: {{{CLAIM}}}"
    [text] = changed("persistentvolumeclaims", before, before.replace("1Gi", "2Gi"))
    assert text.startswith(
        "spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for "
        "bound claims\n  core.PersistentVolumeClaimSpec{\n"
    )


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({"labels": {"a b": "c"}}, 1),
        ({"labels": {"a": "b c"}}, 1),
        ({"annotations": {"UPPER.example.com/Name": "x"}}, 0),
        ({"finalizers": ["mine"]}, 1),
        ({"finalizers": ["example.com/mine"]}, 0),
        ({"ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "p"}]}, 1),
    ],
)
def test_metadata(metadata: dict[str, Any], expected: int) -> None:
    found = complaints("configmaps", "{}", **metadata)
    assert len(found) == expected
    assert all(text.startswith(f"metadata.{next(iter(metadata))}") for text in found)


def test_a_config_map_is_small() -> None:
    assert complaints("configmaps", f"data: {{a: {'x' * (1 << 20)}y}}") == [
        ": Too long: may not be more than 1048576 bytes"
    ]


def test_metadata_texts() -> None:
    assert complaints("configmaps", "{}", annotations={"a": "x" * (256 * 1024)}) == [
        "metadata.annotations: Too long: may not be more than 262144 bytes"
    ]
    assert complaints("configmaps", "{}", finalizers=["mine"]) == [
        'metadata.finalizers[0]: Invalid value: "mine": name is neither a standard finalizer name nor is it fully qualified'
    ]
    assert complaints("configmaps", "{}", name="") == [
        "metadata.name: Required value: name or generateName is required"
    ]
    assert complaints("namespaces", "{}", name="a.b") == ['metadata.name: Invalid value: "a.b": must not contain dots']
    assert complaints("roles", "{}", name="system:x") == []
    assert complaints("nodes", "{}", namespace="x") == ["metadata.namespace: Forbidden: not allowed on this type"]


def test_an_object_that_goes_gets_no_new_finalizers() -> None:
    old, new = made("configmaps", "{}"), made("configmaps", "{}", finalizers=["example.com/late"])
    old["metadata"]["deletionTimestamp"] = new["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert said("configmaps", new, old) == [
        (
            "metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new "
            'finalizers []string{"example.com/late"}'
        )
    ]
