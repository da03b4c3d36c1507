"""Who may do what: `kubectl auth`, tokens, certificates, kubeconfigs."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.minicluster.conftest import Kubectl, Lab
from tests.minicluster.kubectl.shows import shows

ROLE = """
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {{name: reader, namespace: {namespace}}}
rules: [{{apiGroups: [""], resources: [pods], verbs: [{verbs}]}}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: reader, namespace: {namespace}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}}
subjects: [{{apiGroup: rbac.authorization.k8s.io, kind: User, name: ann}}]
"""


@shows("kubectl auth can-i VERB KIND", "kubectl auth can-i --as", "kubectl auth can-i --list", "kubectl auth can-i -q")
@shows("kubectl auth reconcile -f FILE", "kubectl auth reconcile --remove-extra-permissions")
def test_what_a_role_allows(here: Kubectl, namespace: str) -> None:
    made = here("auth", "reconcile", "-f", "-", stdin=ROLE.format(namespace=namespace, verbs="get, list"))
    assert made.stdout == (
        "role.rbac.authorization.k8s.io/reader reconciled\nrolebinding.rbac.authorization.k8s.io/reader reconciled\n"
    )
    assert made.stderr == (
        "\treconciliation required create\n"
        "\tmissing rules added:\n"
        "\t\t{Verbs:[get list] APIGroups:[] Resources:[pods] ResourceNames:[] NonResourceURLs:[]}\n"
        "\treconciliation required create\n"
        "\tmissing subjects added:\n"
        "\t\t{Kind:User APIGroup:rbac.authorization.k8s.io Name:ann Namespace:}\n"
    )
    assert here("auth", "can-i", "list", "pods", "--as=ann").stdout == "yes\n"
    assert here("auth", "can-i", "delete", "pods", "--as=ann", code=1).stdout == "no\n"
    assert here("auth", "can-i", "get", "pods", "--subresource=log", "--as=ann", code=1).stdout == "no\n"
    assert here("auth", "can-i", "delete", "pods", "--as=ann", "-q", code=1).stdout == ""
    assert here("auth", "can-i", "get", "/healthz", "--as=ann").stdout == "yes\n"
    listed = here("auth", "can-i", "--list", "--as=ann").stdout.splitlines()
    assert listed[0].split("  ")[0] == "Resources"
    assert [line.split() for line in listed if line.startswith("pods ")] == [["pods", "[]", "[]", "[get", "list]"]]
    fewer = ROLE.format(namespace=namespace, verbs="get")
    less = here("auth", "reconcile", "-f", "-", "--remove-extra-permissions", stdin=fewer).stderr
    assert "\textra rules removed:\n\t\t{Verbs:[list]" in less
    assert here("auth", "can-i", "list", "pods", "--as=ann", code=1).stdout == "no\n"
    forbidden = here("get", "pods", "--as=ann", code=1).stderr
    assert forbidden.startswith('Error from server (Forbidden): pods is forbidden: User "ann" cannot list resource')


def test_the_administrator_may_do_anything(here: Kubectl) -> None:
    assert here("auth", "can-i", "*", "*").stdout == "yes\n"
    rows = [line.split() for line in here("auth", "can-i", "--list").stdout.splitlines()]
    assert ["*.*", "[]", "[]", "[*]"] in rows
    assert ["[*]", "[]", "[*]"] in rows
    nodes = here("auth", "can-i", "list", "nodes")
    assert nodes.stdout == "yes\n"
    assert nodes.stderr == "Warning: resource 'nodes' is not namespace scoped\n\n"


@shows("kubectl auth whoami")
def test_whoami(kubectl: Kubectl) -> None:
    assert kubectl("auth", "whoami").stdout.splitlines() == [
        "ATTRIBUTE   VALUE",
        "Username    kubernetes-admin",
        "Groups      [system:masters system:authenticated]",
    ]
    other = kubectl("auth", "whoami", "--as=ann", "--as-group=team", "-o", "json").stdout
    assert json.loads(other)["status"]["userInfo"] == {"username": "ann", "groups": ["team", "system:authenticated"]}


@shows("kubectl create token NAME", "kubectl create token --duration", "kubectl create token --bound-object-kind")
def test_tokens(here: Kubectl, namespace: str) -> None:
    here("create", "serviceaccount", "robot")
    token = here("create", "token", "robot").stdout.strip()
    whoami = ("auth", "whoami", "-o", "jsonpath={.status.userInfo.username}")
    assert here("--token", token, *whoami).stdout == f"system:serviceaccount:{namespace}:robot"
    asked = json.loads(here("create", "token", "robot", "--duration=10m", "--audience=vault", "-o", "json").stdout)
    assert (asked["spec"]["audiences"], asked["spec"]["expirationSeconds"]) == (["vault"], 600)
    payload = asked["status"]["token"].split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert claims["sub"] == f"system:serviceaccount:{namespace}:robot"
    assert claims["exp"] - claims["iat"] == 600
    assert here("create", "token", "nope", code=1).stderr == (
        'error: failed to create token: serviceaccounts "nope" not found\n'
    )
    short = here("create", "token", "robot", "--duration=1m", code=1).stderr
    assert short.endswith(
        "spec.expirationSeconds: Invalid value: 60: may not specify a duration less than 10 minutes\n"
    )
    here("run", "web", "--image=nginx", '--overrides={"spec":{"serviceAccountName":"robot"}}')
    bound = here("create", "token", "robot", "--bound-object-kind=Pod", "--bound-object-name=web").stdout.strip()
    assert here("--token", bound, *whoami).stdout == f"system:serviceaccount:{namespace}:robot"


@shows("kubectl certificate approve", "kubectl certificate deny", "kubectl config set-credentials")
@shows("kubectl config set-context", "kubectl config use-context", "kubectl config delete-context")
def test_a_certificate_of_ones_own(here: Kubectl, lab: Lab, tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "dev"), x509.NameAttribute(NameOID.COMMON_NAME, "carla")]
    )
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    for asked in ("carla", "mallory"):
        manifest = {
            "apiVersion": "certificates.k8s.io/v1",
            "kind": "CertificateSigningRequest",
            "metadata": {"name": asked},
            "spec": {
                "request": base64.b64encode(request.public_bytes(serialization.Encoding.PEM)).decode(),
                "signerName": "kubernetes.io/kube-apiserver-client",
                "expirationSeconds": 86400,
                "usages": ["client auth"],
            },
        }
        here("create", "-f", "-", stdin=yaml.safe_dump(manifest))
    pending = here("get", "csr", "carla", "--no-headers").stdout.split()
    assert pending[2:] == ["kubernetes.io/kube-apiserver-client", "kubernetes-admin", "24h", "Pending"]
    approved = here("certificate", "approve", "carla").stdout
    assert approved == "certificatesigningrequest.certificates.k8s.io/carla approved\n"
    here("wait", "--for=jsonpath={.status.certificate}", "csr/carla", "--timeout=10s")
    assert here("get", "csr", "carla", "--no-headers").stdout.split()[-1] == "Approved,Issued"
    denied = here("certificate", "deny", "mallory").stdout
    assert denied == "certificatesigningrequest.certificates.k8s.io/mallory denied\n"
    assert here("get", "csr", "mallory", "--no-headers").stdout.split()[-1] == "Denied"
    pem = base64.b64decode(here("get", "csr", "carla", "-o", "jsonpath={.status.certificate}").stdout)
    certificate = x509.load_pem_x509_certificate(pem)
    assert certificate.subject == name
    (tmp_path / "carla.crt").write_bytes(pem)
    (tmp_path / "carla.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    copied = tmp_path / "config"
    copied.write_bytes(lab.kubeconfig.read_bytes())
    own = {"KUBECONFIG": str(copied)}
    files = (f"--client-certificate={tmp_path}/carla.crt", f"--client-key={tmp_path}/carla.key", "--embed-certs")
    assert here("config", "set-credentials", "carla", *files, env=own).stdout == 'User "carla" set.\n'
    cluster = here("config", "view", "-o", "jsonpath={.clusters[0].name}", env=own).stdout
    made = here("config", "set-context", "carla", f"--cluster={cluster}", "--user=carla", env=own).stdout
    assert made == 'Context "carla" created.\n'
    assert here("config", "use-context", "carla", env=own).stdout == 'Switched to context "carla".\n'
    assert here("auth", "whoami", env=own).stdout.splitlines()[1:3] == [
        "Username    carla",
        "Groups      [dev system:authenticated]",
    ]
    assert "Forbidden" in here("get", "pods", env=own, code=1).stderr
    here("config", "delete-context", "carla", env=own)
    assert here("config", "get-contexts", "carla", env=own, code=1).stderr == "error: context carla not found\n"


@pytest.mark.parametrize("usages", [["server auth"], ["digital signature"]])
def test_a_certificate_for_other_uses_is_not_signed(here: Kubectl, namespace: str, usages: list[str]) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    manifest = {
        "apiVersion": "certificates.k8s.io/v1",
        "kind": "CertificateSigningRequest",
        "metadata": {"name": namespace},
        "spec": {
            "request": base64.b64encode(request.public_bytes(serialization.Encoding.PEM)).decode(),
            "signerName": "kubernetes.io/kube-apiserver-client",
            "usages": usages,
        },
    }
    here("create", "-f", "-", stdin=yaml.safe_dump(manifest))
    here("certificate", "approve", namespace)
    here("wait", "--for=condition=Failed", f"csr/{namespace}", "--timeout=10s")
    assert here("get", "csr", namespace, "--no-headers").stdout.split()[-1] == "Approved,Failed"


@shows("kubectl config view", "kubectl config get-contexts", "kubectl config current-context")
@shows("kubectl config get-clusters", "kubectl config get-users")
def test_the_labs_kubeconfig(kubectl: Kubectl, lab: Lab) -> None:
    seen = yaml.safe_load(kubectl("config", "view").stdout)
    assert seen["clusters"][0]["cluster"]["server"] == lab.url
    assert seen["users"][0]["user"] == {"token": "REDACTED"}
    context = kubectl("config", "current-context").stdout.strip()
    assert context == seen["current-context"]
    assert kubectl("config", "get-contexts", "-o", "name").stdout == f"{context}\n"
    assert kubectl("config", "get-clusters").stdout == f"NAME\n{seen['clusters'][0]['name']}\n"
    assert kubectl("config", "get-users").stdout == "NAME\nkubernetes-admin\n"
