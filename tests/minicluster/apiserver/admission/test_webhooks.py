"""Webhooks: a real HTTPS server on loopback is asked, and its answers are followed."""

from __future__ import annotations

import base64
import json
import time
from contextlib import nullcontext
from typing import Any

import pytest
import trustme

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.errors import ApiError
from k8sdiag.minicluster.apiserver.request import ADMIN, Request
from k8sdiag.minicluster.apiserver.webhooks import answered
from k8sdiag.minicluster.client import Client
from k8sdiag.minicluster.cluster import MiniCluster
from tests.minicluster.apiserver.admission.hook_server import Hook, Judge

ALLOW: Json = {"allowed": True}


def patching(*operations: Json) -> Json:
    return {
        "allowed": True,
        "patchType": "JSONPatch",
        "patch": base64.b64encode(json.dumps(operations).encode()).decode(),
    }


RULE: Json = {"operations": ["*"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"]}


def register(client: Client, hook: Hook, kind: str, *paths: str, judge: Judge | None = None, **more: Any) -> None:
    """One configuration with a webhook for each path."""
    webhooks = []
    for path in paths:
        if judge is not None:
            hook.judges[path] = judge
        webhooks.append(
            {
                "name": f"{path.strip('/')}.example.com",
                "clientConfig": {"url": hook.url(path), "caBundle": hook.bundle},
                "rules": [RULE],
                "sideEffects": "None",
                "admissionReviewVersions": ["v1"],
                "timeoutSeconds": 5,
                **more,
            }
        )
    client.create(
        f"{kind}webhookconfigurations", {"metadata": {"name": f"{kind}-{paths[0].strip('/')}"}, "webhooks": webhooks}
    )


def configmap(name: str = "a", **labels: str) -> Json:
    return {"metadata": {"name": name, "namespace": "default", "labels": labels}, "data": {"k": "v"}}


def error(client: Client, obj: Json, resource: str = "configmaps") -> ApiError:
    with pytest.raises(ApiError) as caught:
        client.create(resource, obj)
    return caught.value


def test_a_denial_comes_with_its_own_words_and_code(client: Client, hook: Hook) -> None:
    status = {"message": "not on a Friday", "code": 403, "reason": "Forbidden"}
    register(client, hook, "validating", "/judge", judge=lambda _: {"allowed": False, "status": status})
    caught = error(client, configmap())
    assert (caught.code, caught.reason) == (403, "Forbidden")
    assert caught.message == 'admission webhook "judge.example.com" denied the request: not on a Friday'
    hook.judges["/judge"] = lambda _: {"allowed": False}
    caught = error(client, configmap())
    assert caught.code == 400
    assert caught.message == 'admission webhook "judge.example.com" denied the request without explanation'
    assert client.find("configmaps", "default", "a") is None


def test_what_a_webhook_is_asked(client: Client, hook: Hook) -> None:
    register(client, hook, "validating", "/judge", judge=lambda _: ALLOW)
    client.create("configmaps", configmap())
    client.patch("configmaps", "default", "a", {"data": {"k": "w"}})
    client.delete("configmaps", "default", "a")
    created, updated, deleted = (request for _, request in hook.asked)
    assert created["operation"] == "CREATE"
    assert created["kind"] == {"group": "", "version": "v1", "kind": "ConfigMap"}
    assert created["resource"] == {"group": "", "version": "v1", "resource": "configmaps"}
    assert (created["name"], created["namespace"], created["dryRun"]) == ("a", "default", False)
    assert created["userInfo"]["username"] == "kubernetes-admin"
    assert created["object"]["metadata"]["uid"]
    assert created["object"]["kind"] == "ConfigMap"
    assert created["oldObject"] is None
    assert created["options"]["kind"] == "CreateOptions"
    assert (updated["oldObject"]["data"], updated["object"]["data"]) == ({"k": "v"}, {"k": "w"})
    assert (deleted["operation"], deleted["object"], deleted["oldObject"]["data"]) == ("DELETE", None, {"k": "w"})


def test_a_patch_is_applied_before_others_look(client: Client, hook: Hook) -> None:
    add = {"op": "add", "path": "/data/added", "value": "yes"}
    register(client, hook, "mutating", "/change", judge=lambda _: patching(add))
    register(client, hook, "validating", "/judge", judge=lambda _: ALLOW)
    made = client.create("configmaps", configmap())
    assert made["data"] == {"k": "v", "added": "yes"}
    assert hook.paths() == ["/change", "/judge"]
    assert hook.asked[1][1]["object"]["data"] == {"k": "v", "added": "yes"}


def test_what_a_webhook_adds_goes_through_admission_too(client: Client, hook: Hook) -> None:
    side = {"op": "add", "path": "/spec/containers/-", "value": {"name": "side", "image": "proxy"}}
    rule = {**RULE, "operations": ["CREATE"], "resources": ["pods"]}
    register(client, hook, "mutating", "/inject", judge=lambda _: patching(side), rules=[rule])
    limits = [{"type": "Container", "default": {"cpu": "1"}}]
    client.create("limitranges", {"metadata": {"name": "l", "namespace": "default"}, "spec": {"limits": limits}})
    pod = {
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"containers": [{"name": "app", "image": "nginx"}]},
    }
    made = client.create("pods", pod)
    app, injected = made["spec"]["containers"]
    assert injected["name"] == "side"
    assert injected["imagePullPolicy"] == "Always"
    assert injected["resources"]["limits"] == {"cpu": "1"}
    assert injected["volumeMounts"] == app["volumeMounts"]
    assert len(made["spec"]["volumes"]) == 1
    assert hook.paths() == ["/inject"]
    # As on a real server, the second time round leaves the word.
    assert made["metadata"]["annotations"]["kubernetes.io/limit-ranger"].endswith("cpu limit for container side")


def test_reinvocation(client: Client, hook: Hook) -> None:
    def count(request: Json) -> Json:
        data = request["object"]["data"]
        return patching({"op": "add", "path": "/data/count", "value": str(len(data.keys() - {"count"}))})

    register(client, hook, "mutating", "/count", judge=count, reinvocationPolicy="IfNeeded")
    grow = {"op": "add", "path": "/data/more", "value": "x"}
    register(client, hook, "mutating", "/grow", judge=lambda _: patching(grow))
    made = client.create("configmaps", configmap())
    assert made["data"] == {"k": "v", "more": "x", "count": "2"}
    assert hook.paths() == ["/count", "/grow", "/count"]


def test_whom_rules_and_selectors_leave_out(client: Client, hook: Hook) -> None:
    client.create("namespaces", {"metadata": {"name": "shop", "labels": {"team": "shop"}}})
    no = {"allowed": False}
    register(
        client,
        hook,
        "validating",
        "/judge",
        judge=lambda _: no,
        rules=[{**RULE, "operations": ["CREATE"]}],
        namespaceSelector={"matchLabels": {"team": "shop"}},
        objectSelector={"matchExpressions": [{"key": "free", "operator": "DoesNotExist"}]},
    )
    client.create("configmaps", configmap())  # in another namespace
    secret = {"metadata": {"name": "a", "namespace": "shop"}}
    client.create("secrets", secret)
    client.create("configmaps", {"metadata": {"name": "free", "namespace": "shop", "labels": {"free": "yes"}}})
    client.patch("configmaps", "shop", "free", {"data": {"a": "b"}})
    assert hook.asked == []
    assert "denied the request" in error(client, {"metadata": {"name": "a", "namespace": "shop"}}).message


def test_a_rule_for_another_version_matches_and_gets_that_version(client: Client, hook: Hook) -> None:
    rule = {
        "operations": ["CREATE"],
        "apiGroups": ["autoscaling"],
        "apiVersions": ["v1"],
        "resources": ["horizontalpodautoscalers"],
    }
    register(client, hook, "validating", "/judge", judge=lambda _: ALLOW, rules=[rule])
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    body = {"metadata": {"name": "web", "namespace": "default"}, "spec": {"maxReplicas": 3, "scaleTargetRef": target}}
    client.create("horizontalpodautoscalers", body)
    asked = hook.asked[0][1]
    assert (asked["kind"]["version"], asked["requestKind"]["version"]) == ("v1", "v2")
    assert asked["object"]["apiVersion"] == "autoscaling/v1"


def test_nobody_answers(client: Client, hook: Hook) -> None:
    hook.server.shutdown()
    hook.server.server_close()
    register(client, hook, "validating", "/judge")
    caught = error(client, configmap())
    assert (caught.code, caught.reason) == (500, "InternalError")
    assert caught.message == (
        'Internal error occurred: failed calling webhook "judge.example.com": failed to call webhook: Post '
        f'"https://127.0.0.1:{hook.port}/judge?timeout=5s": dial tcp 127.0.0.1:{hook.port}: connect: connection refused'
    )


@pytest.mark.parametrize(
    ("judge", "said"),
    [
        (
            lambda _: {"code": 500, "body": "oh no"},
            'failed to call webhook: an error on the server ("oh no") has prevented the request from succeeding',
        ),
        (
            lambda _: {"code": 404, "body": ""},
            "failed to call webhook: the server could not find the requested resource",
        ),
        (
            lambda _: {"code": 200, "body": "{}"},
            (
                "received invalid webhook response: expected webhook response of admission.k8s.io/v1,"
                " Kind=AdmissionReview, got /, Kind="
            ),
        ),
        (lambda _: {"uid": "x", "allowed": True}, 'received invalid webhook response: expected response.uid="'),
        (
            lambda _: {"allowed": True, "patch": "e30="},
            "received invalid webhook response: webhook response.patch may not be set",
        ),
    ],
)
def test_answers_that_are_none(client: Client, hook: Hook, judge: Judge, said: str) -> None:
    register(client, hook, "validating", "/judge", judge=judge)
    start = 'Internal error occurred: failed calling webhook "judge.example.com": '
    assert error(client, configmap()).message.startswith(start + said)


def test_an_authority_nobody_knows(client: Client, hook: Hook) -> None:
    other = base64.b64encode(trustme.CA().cert_pem.bytes()).decode()
    config = {"url": hook.url("/judge"), "caBundle": other}
    register(client, hook, "validating", "/judge", judge=lambda _: ALLOW, clientConfig=config)
    assert error(client, configmap()).message.endswith(
        "tls: failed to verify certificate: x509: certificate signed by unknown authority"
    )


def test_whom_to_ignore(client: Client, hook: Hook) -> None:
    register(client, hook, "validating", "/judge", judge=lambda _: {"code": 500, "body": ""}, failurePolicy="Ignore")
    client.create("configmaps", configmap())
    assert hook.paths() == ["/judge"]


def test_who_takes_too_long(client: Client, hook: Hook) -> None:
    def slow(_: Json) -> Json:
        time.sleep(1.3)
        return ALLOW

    register(client, hook, "validating", "/judge", judge=slow, timeoutSeconds=1)
    assert error(client, configmap()).message.endswith('/judge?timeout=1s": context deadline exceeded')


def test_services_that_lead_nowhere(client: Client, hook: Hook) -> None:
    client.create("namespaces", {"metadata": {"name": "shop"}})
    config = {"service": {"namespace": "shop", "name": "hook", "path": "/judge"}, "caBundle": hook.bundle}
    register(client, hook, "validating", "/judge", clientConfig=config)
    start = (
        'Internal error occurred: failed calling webhook "judge.example.com": failed to call webhook: Post '
        '"https://hook.shop.svc:443/judge?timeout=5s": '
    )
    assert error(client, configmap()).message == f'{start}service "hook" not found'
    service = {
        "metadata": {"name": "hook", "namespace": "shop"},
        "spec": {"ports": [{"port": 443}], "selector": {"a": "b"}},
    }
    client.create("services", service)
    assert error(client, configmap()).message == f'{start}no endpoints available for service "hook"'


def test_dry_runs(cluster: MiniCluster, client: Client, hook: Hook) -> None:
    register(client, hook, "validating", "/judge", judge=lambda _: {**ALLOW, "warnings": ["mind the gap"]})
    body = {"kind": "ConfigMap", "apiVersion": "v1", **configmap()}
    request = Request(
        "create", cluster.registry.named("configmaps"), ADMIN, "default", query={"dryRun": "All"}, body=body
    )
    assert answered(cluster.handlers.handle, request, cluster.storage, nullcontext).warnings == ["mind the gap"]
    assert hook.asked[0][1]["dryRun"] is True
    assert client.find("configmaps", "default", "a") is None


def test_of_a_collection_each_is_asked_for(cluster: MiniCluster, client: Client, hook: Hook) -> None:
    for name in ("a", "b", "c"):
        client.create("configmaps", configmap(name))
    kept = {"allowed": False}
    rule = {**RULE, "operations": ["DELETE"]}
    register(
        client, hook, "validating", "/judge", judge=lambda asked: kept if asked["name"] == "c" else ALLOW, rules=[rule]
    )
    request = Request("deletecollection", cluster.registry.named("configmaps"), ADMIN, "default")
    with pytest.raises(ApiError):
        answered(cluster.handlers.handle, request, cluster.storage, nullcontext)
    assert [asked["name"] for _, asked in hook.asked] == ["a", "b", "c"]
    assert [obj["metadata"]["name"] for obj in client.list("configmaps", "default")] == ["c"]


def test_an_eviction_is_asked_for_once_and_charged_once(client: Client, hook: Hook) -> None:
    labels = {"app": "web"}
    spec = {"containers": [{"name": "a", "image": "b"}], "nodeName": "n1"}
    client.create("pods", {"metadata": {"name": "web", "namespace": "default", "labels": labels}, "spec": spec})
    ready = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    client.patch("pods", "default", "web", {"status": ready}, subresource="status")
    meta = {"name": "web", "namespace": "default"}
    made = client.create("poddisruptionbudgets", {"metadata": meta, "spec": {"selector": {"matchLabels": labels}}})
    status = {"observedGeneration": made["metadata"]["generation"], "disruptionsAllowed": 2, "currentHealthy": 3}
    client.patch("poddisruptionbudgets", "default", "web", {"status": status}, subresource="status")
    rule = {**RULE, "resources": ["pods", "pods/eviction"]}
    register(client, hook, "validating", "/judge", judge=lambda _: ALLOW, rules=[rule])
    client.create("pods", {"metadata": meta}, "default", "eviction", "web")
    assert [(asked["operation"], asked["subResource"]) for _, asked in hook.asked] == [("CREATE", "eviction")]
    assert client.get("poddisruptionbudgets", "default", "web")["status"]["disruptionsAllowed"] == 1


def test_webhooks_have_no_say_in_webhooks(client: Client, hook: Hook) -> None:
    rule = {"operations": ["*"], "apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*/*"]}
    register(client, hook, "validating", "/judge", judge=lambda _: {"allowed": False}, rules=[rule])
    client.delete("validatingwebhookconfigurations", "", "validating-judge")
    client.create("configmaps", configmap())


def test_policies_in_cel_are_refused_rather_than_ignored(client: Client) -> None:
    policy = {
        "metadata": {"name": "p"},
        "spec": {"validations": [{"expression": "true"}], "matchConstraints": {"resourceRules": [RULE]}},
    }
    assert "does not evaluate CEL" in error(client, policy, "validatingadmissionpolicies").message
