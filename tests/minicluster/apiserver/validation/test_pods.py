"""Pods that the server refuses, and in which words."""

# ruff: noqa: E501 - what the server says stays whole, a message a line
from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from k8sdiag.minicluster.apiserver.validation import validate
from tests.minicluster.apiserver.validation.complaints import REGISTRY, changed, complaints, made, parsed, said

RECORDED = Path(__file__).parents[1] / "defaults" / "recorded.jsonl"


def pod(extra: str = "", container: str = "") -> str:
    inner = f"{{name: a, image: busybox{', ' if container else ''}{container}}}"
    return f"spec: {{containers: [{inner}]{', ' if extra else ''}{extra}}}"


@pytest.mark.parametrize("line", RECORDED.read_text().splitlines(), ids=lambda line: json.loads(line)["incident"])
def test_what_a_real_server_took_is_taken(line: str) -> None:
    kept = json.loads(line)["kept"]
    resource = REGISTRY.of(kept["apiVersion"], kept["kind"])
    assert resource is not None
    assert validate(resource, kept, None, "") == []
    assert validate(resource, copy.deepcopy(kept), kept, "") == []
    assert validate(resource, copy.deepcopy(kept), kept, "status") == []


LABEL = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with "
    "an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
SUBDOMAIN = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    r"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("spec: {}", ["spec.containers: Required value"]),
        ("spec: {containers: [{name: a}]}", ["spec.containers[0].image: Required value"]),
        ("spec: {containers: [{image: busybox}]}", ["spec.containers[0].name: Required value"]),
        (
            "spec: {containers: [{name: A_b, image: busybox}]}",
            [f'spec.containers[0].name: Invalid value: "A_b": {LABEL}'],
        ),
        ("spec: {containers: [{name: a.b, image: b}]}", ['spec.containers[0].name: Invalid value: "a.b": must not contain dots']),
        (
            "spec: {containers: [{name: a, image: b}, {name: a, image: c}]}",
            ['spec.containers[1].name: Duplicate value: "a"'],
        ),
        (pod(container="image: ' busybox'"), ['spec.containers[0].image: Invalid value: " busybox": must not have leading or trailing whitespace']),
        (pod("restartPolicy: Sometimes"), ['spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "OnFailure", "Never"']),
        (pod("dnsPolicy: Mine"), ['spec.dnsPolicy: Unsupported value: "Mine": supported values: "ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"']),
        (pod(container="imagePullPolicy: Maybe"), ['spec.containers[0].imagePullPolicy: Unsupported value: "Maybe": supported values: "Always", "IfNotPresent", "Never"']),
        (pod(container="ports: [{containerPort: 70000}]"), ["spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive"]),
        (pod(container="ports: [{}]"), ["spec.containers[0].ports[0].containerPort: Required value"]),
        (pod(container="ports: [{containerPort: 80, protocol: ICMP}]"), ['spec.containers[0].ports[0].protocol: Unsupported value: "ICMP": supported values: "SCTP", "TCP", "UDP"']),
        (
            pod(container="ports: [{containerPort: 80, hostPort: 80}, {containerPort: 81, hostPort: 80}]"),
            ['spec.containers[0].ports[1].hostPort: Duplicate value: "TCP//80"'],
        ),
        (
            pod(container="ports: [{containerPort: 80, name: a--}]"),
            [
                'spec.containers[0].ports[0].name: Invalid value: "a--": must not contain consecutive hyphens',
                'spec.containers[0].ports[0].name: Invalid value: "a--": must not begin or end with a hyphen',
            ],
        ),
        (
            pod("hostNetwork: true", "ports: [{containerPort: 80, hostPort: 81}]"),
            ["spec.containers[0].ports[0].hostPort: Invalid value: 81: must match `containerPort` when `hostNetwork` is true"],
        ),
        (pod(container="env: [{name: 'a=b', value: x}]"), ["spec.containers[0].env[0].name: Invalid value: \"a=b\": a valid environment variable name must consist only of printable ASCII characters other than '='"]),
        (pod(container="env: [{name: A, valueFrom: {}}]"), ['spec.containers[0].env[0].valueFrom: Invalid value: "": must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`']),
        (pod(container="env: [{name: A, valueFrom: {secretKeyRef: {name: s}}}]"), ["spec.containers[0].env[0].valueFrom.secretKeyRef.key: Required value"]),
        (pod(container="env: [{name: A, valueFrom: {fieldRef: {fieldPath: spec.nope}}}]"), ['spec.containers[0].env[0].valueFrom.fieldRef.fieldPath: Invalid value: "spec.nope": error converting fieldPath: field label not supported: spec.nope']),
        (pod(container="env: [{name: A, valueFrom: {resourceFieldRef: {resource: limits.cpu, divisor: 2}}}]"), ['spec.containers[0].env[0].valueFrom.resourceFieldRef.divisor: Invalid value: "limits.cpu": only divisor\'s values 1m and 1 are supported with the cpu resource']),
        (pod(container="envFrom: [{}]"), ['spec.containers[0].envFrom: Invalid value: "": must specify one of: `configMapRef` or `secretRef`']),
        (pod(container="volumeMounts: [{name: v, mountPath: /v}]"), ['spec.containers[0].volumeMounts[0].name: Not found: "v"']),
        (
            pod("volumes: [{name: v}]", "volumeMounts: [{name: v, mountPath: /v}, {name: v, mountPath: /v}]"),
            ['spec.containers[0].volumeMounts[1].mountPath: Invalid value: "/v": must be unique'],
        ),
        (pod("volumes: [{name: v, emptyDir: {}, hostPath: {path: /}}]"), ["spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type"]),
        (pod("volumes: [{name: v, configMap: {}}]"), ["spec.volumes[0].configMap.name: Required value"]),
        (pod("volumes: [{name: v, secret: {secretName: s, defaultMode: 999}}]"), ["spec.volumes[0].secret.defaultMode: Invalid value: 999: must be a number between 0 and 0777 (octal), both inclusive"]),
        (pod("volumes: [{name: v, hostPath: {path: /a/../b}}]"), ['spec.volumes[0].hostPath.path: Invalid value: "/a/../b": must not contain \'..\'']),
        (pod("volumes: [{name: v}, {name: v}]"), ['spec.volumes[1].name: Duplicate value: "v"']),
        (pod("volumes: [{name: v, nfs: {server: s, path: a}}]"), ['spec.volumes[0].nfs.path: Invalid value: "a": must be an absolute path']),
        (
            pod(container="resources: {requests: {cpu: 2}, limits: {cpu: 500m}}"),
            ['spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 500m'],
        ),
        (
            pod(container="resources: {limits: {gpu: 1}}"),
            [
                'spec.containers[0].resources.limits[gpu]: Invalid value: "gpu": must be a standard resource type or fully qualified',
                'spec.containers[0].resources.limits[gpu]: Invalid value: "gpu": must be a standard resource for containers',
                'spec.containers[0].resources.requests[gpu]: Invalid value: "gpu": must be a standard resource type or fully qualified',
                'spec.containers[0].resources.requests[gpu]: Invalid value: "gpu": must be a standard resource for containers',
            ],
        ),
        (pod(container="resources: {requests: {memory: '-1'}}"), ['spec.containers[0].resources.requests[memory]: Invalid value: "-1": must be greater than or equal to 0']),
        (pod(container="resources: {requests: {example.com/gpu: 1}}"), ["spec.containers[0].resources.limits: Required value: Limit must be set for non overcommitable resources"]),
        (pod(container="livenessProbe: {}"), ["spec.containers[0].livenessProbe: Required value: must specify a handler type"]),
        (pod(container="livenessProbe: {exec: {command: [a]}, successThreshold: 2}"), ["spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1"]),
        (pod(container="readinessProbe: {httpGet: {port: 0}}"), ["spec.containers[0].readinessProbe.httpGet.port: Invalid value: 0: must be between 1 and 65535, inclusive"]),
        (pod(container="readinessProbe: {tcpSocket: {port: 1}, exec: {command: [a]}}"), ["spec.containers[0].readinessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type"]),
        (pod(container="lifecycle: {preStop: {sleep: {seconds: 60}}}"), ["spec.containers[0].lifecycle.preStop.sleep: Invalid value: 60: must be non-negative and less than terminationGracePeriodSeconds (30)"]),
        (
            pod(container="securityContext: {privileged: true, allowPrivilegeEscalation: false}"),
            ['spec.containers[0].securityContext: Invalid value: {"privileged":true,"allowPrivilegeEscalation":false}: cannot set `allowPrivilegeEscalation` to false and `privileged` to true'],
        ),
        (pod("securityContext: {runAsUser: -1}"), ["spec.securityContext.runAsUser: Invalid value: -1: must be between 0 and 4294967295, inclusive"]),
        (pod("securityContext: {seccompProfile: {type: Localhost}}"), ["spec.securityContext.seccompProfile.localhostProfile: Required value: must be set when seccomp type is Localhost"]),
        (pod("tolerations: [{value: a}]"), ['spec.tolerations[0].operator: Invalid value: "": operator must be Exists when `key` is empty, which means "match all values and all keys"']),
        (pod("tolerations: [{key: a, operator: Exists, effect: Never}]"), ['spec.tolerations[0].effect: Unsupported value: "Never": supported values: "NoSchedule", "PreferNoSchedule", "NoExecute"']),
        (pod("tolerations: [{key: a, operator: Exists, tolerationSeconds: 3}]"), ["spec.tolerations[0].effect: Invalid value: \"\": effect must be 'NoExecute' when `tolerationSeconds` is set"]),
        (
            pod("affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: []}}}"),
            ["spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms: Required value: must have at least one node selector term"],
        ),
        (
            pod("topologySpreadConstraints: [{maxSkew: 0, topologyKey: zone, whenUnsatisfiable: DoNotSchedule}]"),
            ["spec.topologySpreadConstraints[0].maxSkew: Invalid value: 0: must be greater than zero"],
        ),
        (pod("activeDeadlineSeconds: 0"), ["spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, inclusive"]),
        (pod("hostname: A"), [f'spec.hostname: Invalid value: "A": {LABEL}']),
        (pod("nodeName: A"), [f'spec.nodeName: Invalid value: "A": {SUBDOMAIN}']),
        (pod("dnsPolicy: None"), ["spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None"]),
        (pod("initContainers: [{name: a, image: b}]"), ['spec.initContainers[0].name: Duplicate value: "a"']),
        (
            pod("initContainers: [{name: i, image: b, livenessProbe: {exec: {command: [a]}}}]"),
            ["spec.initContainers[0].livenessProbe: Forbidden: may not be set for init containers without restartPolicy=Always"],
        ),
        (pod(container="restartPolicy: Always"), ["spec.containers[0].restartPolicy: Forbidden: may not be set for non-init containers"]),
        (pod("ephemeralContainers: [{name: d, image: b}]"), ["spec.ephemeralContainers: Forbidden: cannot be set on create"]),
        (pod("nodeName: n, schedulingGates: [{name: g}]"), ["spec.nodeName: Forbidden: cannot be set until all schedulingGates have been cleared"]),
    ],
)  # fmt: skip
def test_refused(text: str, expected: list[str]) -> None:
    assert complaints("pods", text) == expected


@pytest.mark.parametrize(
    "extra",
    [
        "volumes: [{name: v, projected: {sources: [{configMap: {name: c}}, {secret: {name: s}}]}}]",
        "volumes: [{name: v, ephemeral: {volumeClaimTemplate: {spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}}}]",
        "initContainers: [{name: s, image: b, restartPolicy: Always, readinessProbe: {tcpSocket: {port: 80}}}]",
        "tolerations: [{operator: Exists}], nodeSelector: {disk: ssd}, priorityClassName: high",
        "affinity: {podAntiAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight: 1, podAffinityTerm: {topologyKey: zone, labelSelector: {}}}]}}",
        "topologySpreadConstraints: [{maxSkew: 1, topologyKey: zone, whenUnsatisfiable: ScheduleAnyway}]",
        "hostNetwork: true, dnsPolicy: ClusterFirstWithHostNet",
        "securityContext: {runAsNonRoot: true, fsGroup: 1, seccompProfile: {type: RuntimeDefault}, sysctls: [{name: net.core.somaxconn, value: '1'}]}",
    ],
)  # fmt: skip
def test_taken(extra: str) -> None:
    assert complaints("pods", pod(extra)) == []


@pytest.mark.parametrize(
    ("operator", "values", "field", "why"),
    [
        ("In", "[]", "values", "Required value: must be specified when `operator` is 'In' or 'NotIn'"),
        (
            "DoesNotExist",
            "[a]",
            "values",
            "Forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
        ),
        ("Like", "[a]", "operator", 'Invalid value: "Like": not a valid selector operator'),
        ("Gt", "[]", "values", "Required value: must be specified single value when `operator` is 'Lt' or 'Gt'"),
    ],
)
def test_selectors_of_nodes_and_of_labels_take_the_same_operators(
    operator: str, values: str, field: str, why: str
) -> None:
    asked = f"{{matchExpressions: [{{key: k, operator: {operator}, values: {values}}}]}}"
    must = "requiredDuringSchedulingIgnoredDuringExecution"
    nodes = f"affinity: {{nodeAffinity: {{{must}: {{nodeSelectorTerms: [{asked}]}}}}}}"
    at = f"spec.affinity.nodeAffinity.{must}.nodeSelectorTerms[0].matchExpressions[0]"
    assert complaints("pods", pod(nodes)) == [f"{at}.{field}: {why}"]
    others = f"affinity: {{podAffinity: {{{must}: [{{topologyKey: zone, labelSelector: {asked}}}]}}}}"
    at = f"spec.affinity.podAffinity.{must}[0].labelSelector.matchExpressions[0]"
    if operator == "Gt":  # labels are not compared as numbers
        field, why = "operator", 'Invalid value: "Gt": not a valid selector operator'
    assert complaints("pods", pod(others)) == [f"{at}.{field}: {why}"]


MUTABLE = (
    "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only "
    "additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was "
    "previously negative)"
)


def test_update_of_what_may_not_change() -> None:
    [text] = changed("pods", pod("hostname: a"), pod("hostname: b"))
    first, *shown = text.split("\n")
    assert first == f"spec: Forbidden: pod updates may not change fields other than {MUTABLE}"
    assert shown == [
        "  core.PodSpec{",
        "  \t... // 1 identical field",
        '- \tHostname: "a",',
        '+ \tHostname: "b",',
        "  \t... // 5 identical fields",
        "  }",
        "",
    ]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (pod().replace("busybox", "busybox:1"), pod().replace("busybox", "busybox:2"), []),
        (pod(), pod("activeDeadlineSeconds: 5"), []),
        (
            pod("activeDeadlineSeconds: 5"),
            pod("activeDeadlineSeconds: 6"),
            ["spec.activeDeadlineSeconds: Invalid value: 6: must be less than or equal to previous value"],
        ),
        (
            pod(),
            "spec: {containers: [{name: a, image: busybox}, {name: b, image: c}]}",
            ["spec.containers: Forbidden: pod updates may not add or remove containers"],
        ),
        (pod("tolerations: [{key: a, operator: Exists}]"), pod("tolerations: [{key: a, operator: Exists}, {key: b, operator: Exists}]"), []),
        (
            pod("tolerations: [{key: a, operator: Exists}]"),
            pod(),
            ["spec.tolerations: Forbidden: existing toleration can not be modified except its tolerationSeconds"],
        ),
        (pod("schedulingGates: [{name: g}]"), pod(), []),
        (
            pod(),
            pod("schedulingGates: [{name: g}]"),
            ["spec.schedulingGates[0].name: Forbidden: only deletion is allowed, but found new scheduling gate 'g'"],
        ),
        (pod("schedulingGates: [{name: g}]"), pod("schedulingGates: [{name: g}], nodeSelector: {a: b}"), []),
        (
            pod("schedulingGates: [{name: g}], nodeSelector: {a: b}"),
            pod("schedulingGates: [{name: g}], nodeSelector: {a: c}"),
            ['spec.nodeSelector: Invalid value: {"a":"c"}: only additions to spec.nodeSelector are allowed (no mutations or deletions)'],
        ),
    ],
)  # fmt: skip
def test_update(before: str, after: str, expected: list[str]) -> None:
    assert changed("pods", before, after) == expected


RESOURCES = "resources: {requests: {cpu: 1, memory: 1Gi}, limits: {memory: 2Gi}}"


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ("resources: {requests: {cpu: 2, memory: 1Gi}, limits: {memory: 2Gi}}", []),
        ("resources: {requests: {cpu: 1, memory: 1Gi}, limits: {memory: 3Gi}}", []),
        (
            "resources: {requests: {cpu: 1, memory: 1Gi}, limits: {memory: 1Gi}}",
            ["spec.containers[0].resources.limits[memory]: Forbidden: memory limits cannot be decreased unless resizePolicy is RestartContainer"],
        ),
        (
            "resources: {requests: {memory: 1Gi}, limits: {memory: 2Gi}}",
            ["spec.containers[0].resources.requests: Forbidden: resource requests cannot be removed"],
        ),
        (
            "resources: {requests: {cpu: 1, memory: 2Gi}, limits: {memory: 2Gi, cpu: 1}}",
            ['spec: Invalid value: "Burstable": Pod QOS Class may not change as a result of resizing'],
        ),
    ],
)  # fmt: skip
def test_resize(after: str, expected: list[str]) -> None:
    assert changed("pods", pod(container=RESOURCES), pod(container=after), "resize") == expected


def test_ephemeral_containers() -> None:
    old = made("pods", pod())
    new = copy.deepcopy(old)
    debug = {
        "name": "d", "image": "b", "imagePullPolicy": "Always", "terminationMessagePolicy": "File",
        "targetContainerName": "a",
    }  # fmt: skip
    new["spec"]["ephemeralContainers"] = [debug]
    assert said("pods", new, old, "ephemeralcontainers") == []
    bad = copy.deepcopy(new)
    bad["spec"]["ephemeralContainers"][0] |= {
        "targetContainerName": "z",
        "ports": [{"containerPort": 1, "protocol": "TCP"}],
    }
    assert said("pods", bad, old, "ephemeralcontainers") == [
        'spec.ephemeralContainers[0].targetContainerName: Not found: "z"',
        "spec.ephemeralContainers[0].ports: Forbidden: cannot be set for an Ephemeral Container",
    ]
    assert said("pods", copy.deepcopy(old), new, "ephemeralcontainers") == [
        'spec.ephemeralContainers: Forbidden: existing ephemeral containers "d" may not be removed\n'
    ]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({"terminated": {"exitCode": 0}}, {"running": {}}, 1),
        ({"terminated": {"exitCode": 1}}, {"running": {}}, 0),
        ({"running": {}}, {"terminated": {"exitCode": 0}}, 0),
    ],
)
def test_a_container_that_is_done_stays_done(before: Any, after: Any, expected: int) -> None:
    old = made("pods", pod("restartPolicy: OnFailure"))
    new = copy.deepcopy(old)
    old["status"]["containerStatuses"] = [{"name": "a", "state": before}]
    new["status"]["containerStatuses"] = [{"name": "a", "state": after}]
    text = "status.containerStatuses[0].state: Forbidden: may not be transitioned to non-terminated state"
    assert said("pods", new, old, "status") == [text] * expected


def test_status_writes_leave_the_spec_alone() -> None:
    old = made("pods", pod())
    new = copy.deepcopy(old)
    new["spec"]["containers"][0]["image"] = ""
    new["status"]["qosClass"] = "Guaranteed"
    assert said("pods", new, old, "status") == ['status.qosClass: Invalid value: "Guaranteed": field is immutable']


def test_yaml_of_the_tables_is_what_it_says() -> None:
    assert parsed(pod("hostname: a", "tty: true")) == {
        "spec": {"containers": [{"name": "a", "image": "busybox", "tty": True}], "hostname": "a"}
    }
