"""Who may do what: roles, bindings, refusals word for word, escalation, tokens, certificates, impersonation."""

from __future__ import annotations

import base64
import json
import ssl

import pytest

from k8sdiag.clock import SystemClock
from k8sdiag.minicluster.apiserver.certificates import load_authority
from k8sdiag.minicluster.apiserver.kubeconfig import Credentials, kubeconfig
from tests.minicluster.conftest import Kubectl, Lab


@pytest.fixture(scope="module", autouse=True)
def _shop(lab: Lab) -> None:
    lab.request("POST", "/api/v1/namespaces", {"metadata": {"name": "shop"}})


@pytest.fixture(scope="module")
def eve(lab: Lab) -> str:
    """A kubeconfig by certificate, for one who has no role at all."""
    authority = load_authority(lab.folder / "keys")
    pair = authority.for_user(SystemClock().now(), "eve", ["dev", "ops"])
    path = lab.folder / "eve"
    credentials = Credentials(certificate=pair.certificate, key=pair.key)
    path.write_text(kubeconfig(lab.url, authority.pair.certificate, "eve", credentials), encoding="utf-8")
    return str(path)


def test_certificate_says_who(kubectl: Kubectl, eve: str) -> None:
    found = json.loads(kubectl("auth", "whoami", "-o", "json", env={"KUBECONFIG": eve}).stdout)
    assert found["status"]["userInfo"] == {"username": "eve", "groups": ["dev", "ops", "system:authenticated"]}


REFUSALS = {
    "get pods -n shop": 'pods is forbidden: User "eve" cannot list resource "pods" in API group "" in the namespace'
    ' "shop"',
    "get nodes": 'nodes is forbidden: User "eve" cannot list resource "nodes" in API group "" at the cluster scope',
    "get deployment web -n shop": 'deployments.apps "web" is forbidden: User "eve" cannot get resource "deployments" in'
    ' API group "apps" in the namespace "shop"',
    "get namespace shop": 'namespaces "shop" is forbidden: User "eve" cannot get resource "namespaces" in API group ""'
    ' in the namespace "shop"',
    "get --raw /metrics": 'forbidden: User "eve" cannot get path "/metrics"',
    "get --raw /api/v1/namespaces/shop/pods/web/log": 'pods "web" is forbidden: User "eve" cannot get resource'
    ' "pods/log" in API group "" in the namespace "shop"',
}


@pytest.mark.parametrize("command", REFUSALS)
def test_refusals(kubectl: Kubectl, eve: str, command: str) -> None:
    refused = kubectl(*command.split(), code=1, env={"KUBECONFIG": eve})
    assert refused.stderr == f"Error from server (Forbidden): {REFUSALS[command]}\n"


def test_missing_role_is_named(kubectl: Kubectl) -> None:
    kubectl("create", "rolebinding", "gone", "-n", "shop", "--role=missing", "--user=mallory")
    refused = kubectl("get", "pods", "-n", "shop", "--as=mallory", code=1)
    assert refused.stderr.endswith(': RBAC: role.rbac.authorization.k8s.io "missing" not found\n')


def test_view_reads_and_does_not_write(kubectl: Kubectl) -> None:
    kubectl("create", "rolebinding", "viewer", "-n", "shop", "--clusterrole=view", "--user=vera")
    assert kubectl("get", "pods,deployments", "-n", "shop", "--as=vera").returncode == 0
    assert "forbidden" in kubectl("get", "secrets", "-n", "shop", "--as=vera", code=1).stderr
    assert "forbidden" in kubectl("get", "pods", "-n", "default", "--as=vera", code=1).stderr
    assert "forbidden" in kubectl("delete", "pod", "x", "-n", "shop", "--as=vera", code=1).stderr
    assert kubectl("auth", "can-i", "get", "pods/log", "-n", "shop", "--as=vera").stdout == "yes\n"


def test_a_role_takes_effect_and_ends_at_once(kubectl: Kubectl) -> None:
    asked = ("auth", "can-i", "get", "configmaps/one", "-n", "shop", "--as=nina")
    assert kubectl(*asked, code=1).stdout == "no\n"
    kubectl("create", "role", "one", "-n", "shop", "--verb=get", "--resource=configmaps", "--resource-name=one")
    kubectl("create", "rolebinding", "one", "-n", "shop", "--role=one", "--user=nina")
    assert kubectl(*asked).stdout == "yes\n"
    assert kubectl("auth", "can-i", "get", "configmaps/two", "-n", "shop", "--as=nina", code=1).stdout == "no\n"
    kubectl("delete", "role", "one", "-n", "shop")
    assert kubectl(*asked, code=1).stdout.startswith("no")


def test_default_roles_aggregate(kubectl: Kubectl) -> None:
    def rules(role: str) -> list[str]:
        found = json.loads(kubectl("get", "clusterrole", role, "-o", "json").stdout)
        return [json.dumps(rule, sort_keys=True) for rule in found["rules"]]

    view, edit, admin = (set(rules(role)) for role in ("view", "edit", "admin"))
    assert view < edit < admin
    role = kubectl("get", "clusterrole", "view", "-o", "json").stdout
    assert json.loads(role)["metadata"]["labels"]["kubernetes.io/bootstrapping"] == "rbac-defaults"


def test_nobody_grants_what_they_do_not_hold(kubectl: Kubectl) -> None:
    kubectl("create", "rolebinding", "boss", "-n", "shop", "--clusterrole=admin", "--user=anna")
    refused = kubectl(
        *(
            "create",
            "role",
            "nodes",
            "-n",
            "shop",
            "--verb=get,list",
            "--resource=nodes",
            "--as=anna",
            "--as-group=dev",
        ),
        code=1,
    )
    assert refused.stderr == (
        'Error from server (Forbidden): roles.rbac.authorization.k8s.io "nodes" is forbidden: user "anna" '
        '(groups=["dev" "system:authenticated"]) is attempting to grant RBAC permissions not currently held:\n'
        '{APIGroups:[""], Resources:["nodes"], Verbs:["get" "list"]}\n'
    )
    kubectl("create", "role", "pods", "-n", "shop", "--verb=get", "--resource=pods", "--as=anna")
    refused = kubectl(
        *("create", "rolebinding", "top", "-n", "shop", "--clusterrole=cluster-admin", "--user=anna", "--as=anna"),
        code=1,
    )
    assert "is attempting to grant RBAC permissions not currently held" in refused.stderr
    kubectl(
        "create", "role", "binder", "-n", "shop", "--verb=bind", "--resource=clusterroles.rbac.authorization.k8s.io"
    )
    kubectl("create", "rolebinding", "binder", "-n", "shop", "--role=binder", "--user=anna")
    kubectl("create", "rolebinding", "top", "-n", "shop", "--clusterrole=cluster-admin", "--user=anna", "--as=anna")


def test_service_account_token(kubectl: Kubectl, lab: Lab) -> None:
    kubectl("create", "serviceaccount", "robot", "-n", "shop")
    kubectl("create", "rolebinding", "robot", "-n", "shop", "--clusterrole=view", "--serviceaccount=shop:robot")
    token = kubectl("create", "token", "robot", "-n", "shop").stdout.strip()
    claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    assert claims["iss"] == "https://kubernetes.default.svc.cluster.local"
    assert claims["sub"] == "system:serviceaccount:shop:robot"
    assert claims["kubernetes.io"]["serviceaccount"]["name"] == "robot"
    assert lab.request("GET", "/api/v1/namespaces/shop/pods", token=token).status == 200
    refused = lab.request("GET", "/api/v1/nodes", token=token)
    assert refused.status == 403
    assert refused.json["message"].startswith('nodes is forbidden: User "system:serviceaccount:shop:robot" cannot list')
    review = {"spec": {"token": token}}
    status = lab.request("POST", "/apis/authentication.k8s.io/v1/tokenreviews", review).json["status"]
    assert status["authenticated"]
    assert status["user"]["groups"] == ["system:serviceaccounts", "system:serviceaccounts:shop", "system:authenticated"]
    kubectl("delete", "serviceaccount", "robot", "-n", "shop")
    assert lab.request("GET", "/api/v1/namespaces/shop/pods", token=token).status == 401


def test_token_for_another_audience(kubectl: Kubectl, lab: Lab) -> None:
    kubectl("create", "serviceaccount", "vault", "-n", "shop")
    token = kubectl("create", "token", "vault", "-n", "shop", "--audience=vault").stdout.strip()
    assert lab.request("GET", "/version", token=token).status == 401
    review = {"spec": {"token": token, "audiences": ["vault"]}}
    status = lab.request("POST", "/apis/authentication.k8s.io/v1/tokenreviews", review).json["status"]
    assert (status["authenticated"], status["audiences"]) == (True, ["vault"])


@pytest.mark.parametrize("token", ["nonsense", "a.b.c", "eyJhbGciOiJub25lIn0.e30.", "ü"])
def test_tokens_that_are_none(lab: Lab, token: str) -> None:
    answer = lab.request("GET", "/api/v1/nodes", headers={"Authorization": f"Bearer {token}"}, token="")
    assert answer.status == 401
    assert answer.json == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": "Unauthorized",
        "reason": "Unauthorized",
        "code": 401,
    }


def test_nobody_in_particular(lab: Lab) -> None:
    assert lab.request("GET", "/healthz", token="").status == 200
    assert lab.request("GET", "/version", token="").status == 200
    refused = lab.request("GET", "/api/v1/nodes", token="")
    assert refused.status == 403
    assert 'User "system:anonymous"' in refused.json["message"]
    assert lab.request("GET", "/apis", token="").status == 403


def test_a_certificate_of_another_authority(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("other")
    pair = load_authority(folder).for_user(SystemClock().now(), "kubernetes-admin", ["system:masters"])
    both = folder / "both.pem"
    both.write_bytes(pair.certificate + pair.key)
    context = ssl.create_default_context(cafile=str(lab.folder / "keys" / "ca.crt"))
    context.load_cert_chain(both)
    connection = lab.connect()
    connection._context = context  # type: ignore[attr-defined]

    def ask() -> None:
        connection.request("GET", "/api/v1/nodes")
        connection.getresponse()

    with pytest.raises((ssl.SSLError, OSError)):
        ask()
    connection.close()


def test_impersonation_takes_leave(kubectl: Kubectl, eve: str) -> None:
    kubectl("get", "pods", code=None, env={"KUBECONFIG": eve})  # of a refused discovery, kubectl says but "unknown"
    refused = kubectl("get", "pods", "--as=vera", code=1, env={"KUBECONFIG": eve})
    assert refused.stderr == (
        'Error from server (Forbidden): users "vera" is forbidden: User "eve" cannot impersonate resource "users" in '
        'API group "" at the cluster scope\n'
    )
    found = json.loads(kubectl("auth", "whoami", "-o", "json", "--as=x", "--as-group=a", "--as-group=b").stdout)
    assert found["status"]["userInfo"] == {"username": "x", "groups": ["a", "b", "system:authenticated"]}
