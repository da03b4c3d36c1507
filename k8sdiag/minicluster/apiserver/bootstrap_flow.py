"""The priority levels and flow schemas an API server makes at its start
(apiserver/pkg/apis/flowcontrol/bootstrap/default.go). The lab lists them and holds nobody back."""

from __future__ import annotations

from collections.abc import Iterator

from k8sdiag.evidence import Json

API_VERSION = "flowcontrol.apiserver.k8s.io/v1"
LEVELS = "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io"
SCHEMAS = "flowschemas.flowcontrol.apiserver.k8s.io"

# Shares, percent to lend, and queues with the size of a hand; none are rejected rather than queued.
_LIMITED: tuple[tuple[str, int, int, tuple[int, int] | None], ...] = (
    ("catch-all", 5, 0, None),
    ("system", 30, 33, (64, 6)),
    ("node-high", 40, 25, (64, 6)),
    ("leader-election", 10, 0, (16, 4)),
    ("workload-high", 40, 50, (128, 6)),
    ("workload-low", 100, 90, (128, 6)),
    ("global-default", 20, 50, (128, 6)),
)
_EVERYBODY = ("Group:system:unauthenticated", "Group:system:authenticated")
_SYSTEM_ACCOUNTS = ("ServiceAccount:*",)
# Name, level, precedence, what tells flows apart, who, and what they do ("" is anything).
_FLOWS: tuple[tuple[str, str, int, str, tuple[str, ...], str], ...] = (
    ("exempt", "exempt", 1, "", ("Group:system:masters",), ""),
    ("catch-all", "catch-all", 10000, "ByUser", _EVERYBODY, ""),
    ("probes", "exempt", 2, "", _EVERYBODY, "probes"),
    (
        *("system-leader-election", "leader-election", 100, "ByUser"),
        *(
            ("User:system:kube-controller-manager", "User:system:kube-scheduler", *_SYSTEM_ACCOUNTS),
            "leading kube-system",
        ),
    ),
    ("workload-leader-election", "leader-election", 200, "ByUser", _SYSTEM_ACCOUNTS, "leading *"),
    ("system-node-high", "node-high", 400, "ByUser", ("Group:system:nodes",), "nodes"),
    ("system-nodes", "system", 500, "ByUser", ("Group:system:nodes",), ""),
    ("kube-controller-manager", "workload-high", 800, "ByNamespace", ("User:system:kube-controller-manager",), ""),
    ("kube-scheduler", "workload-high", 800, "ByNamespace", ("User:system:kube-scheduler",), ""),
    ("kube-system-service-accounts", "workload-high", 900, "ByNamespace", _SYSTEM_ACCOUNTS, ""),
    ("service-accounts", "workload-low", 9000, "ByUser", ("Group:system:serviceaccounts",), ""),
    ("global-default", "global-default", 9900, "ByUser", _EVERYBODY, ""),
)
_LEAD = ("get", "create", "update")


def flow_objects() -> Iterator[tuple[str, Json]]:
    """Each object with the resource it is of."""
    yield LEVELS, _object("PriorityLevelConfiguration", "exempt", {"type": "Exempt", "exempt": _shares(0, 0)})
    for name, shares, lend, queues in _LIMITED:
        response: Json = {"type": "Reject"}
        if queues:
            queuing = {"queues": queues[0], "handSize": queues[1], "queueLengthLimit": 50}
            response = {"type": "Queue", "queuing": queuing}
        limited = {**_shares(shares, lend), "limitResponse": response}
        yield LEVELS, _object("PriorityLevelConfiguration", name, {"type": "Limited", "limited": limited})
    for name, level, precedence, method, who, what in _FLOWS:
        spec: Json = {"priorityLevelConfiguration": {"name": level}, "matchingPrecedence": precedence}
        if method:
            spec["distinguisherMethod"] = {"type": method}
        spec["rules"] = [{"subjects": [_subject(one) for one in who], **_rules(what)}]
        yield SCHEMAS, _object("FlowSchema", name, spec)


def _object(kind: str, name: str, spec: Json) -> Json:
    meta = {"name": name, "annotations": {"apf.kubernetes.io/autoupdate-spec": "true"}}
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": meta, "spec": spec}


def _shares(shares: int, lend: int) -> Json:
    return {"nominalConcurrencyShares": shares, "lendablePercent": lend}


def _subject(words: str) -> Json:
    kind, _, name = words.partition(":")
    if kind == "ServiceAccount":
        return {"kind": kind, "serviceAccount": {"namespace": "kube-system", "name": name}}
    return {"kind": kind, kind.lower(): {"name": name}}


def _rules(what: str) -> Json:
    if what == "probes":
        return {"nonResourceRules": [{"verbs": ["get"], "nonResourceURLs": ["/healthz", "/readyz", "/livez"]}]}
    if what == "nodes":
        of_nodes = _rule(("*",), "", ("nodes", "nodes/status"), "*", cluster=True)
        return {"resourceRules": [of_nodes, _rule(("*",), "coordination.k8s.io", ("leases",), "*")]}
    if what:
        older = _rule(_LEAD, "", ("endpoints", "configmaps"), what.removeprefix("leading "))
        return {"resourceRules": [older, _rule(_LEAD, "coordination.k8s.io", ("leases",), "*")]}
    return {
        "resourceRules": [_rule(("*",), "*", ("*",), "*", cluster=True)],
        "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
    }


def _rule(verbs: tuple[str, ...], group: str, resources: tuple[str, ...], spaces: str, cluster: bool = False) -> Json:
    made: Json = {"verbs": [*verbs], "apiGroups": [group], "resources": [*resources], "namespaces": [spaces]}
    return {**made, "clusterScope": True} if cluster else made
