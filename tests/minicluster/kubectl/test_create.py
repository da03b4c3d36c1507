"""`kubectl create`: every generator, files, strictness, dry runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from k8sdiag.clock import SystemClock
from k8sdiag.minicluster.apiserver.certificates import Authority
from tests.minicluster.conftest import Kubectl
from tests.minicluster.kubectl.shows import shows

# What is made, how; what kubectl says; a path in the object and what is there. NAME is the test's namespace.
MADE: tuple[tuple[str, tuple[str, ...], str, str, Any], ...] = (
    (
        "clusterrole NAME",
        ("--verb=get,list", "--resource=pods,deployments.apps"),
        "clusterrole.rbac.authorization.k8s.io/NAME",
        "rules",
        [
            {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]},
            {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "list"]},
        ],
    ),
    (
        "clusterrolebinding NAME",
        ("--clusterrole=view", "--user=ann"),
        "clusterrolebinding.rbac.authorization.k8s.io/NAME",
        "subjects",
        [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "ann"}],
    ),
    ("configmap it", ("--from-literal=a=b", "--from-literal=c=d"), "configmap/it", "data", {"a": "b", "c": "d"}),
    ("cronjob it", ("--image=busybox", "--schedule=0 4 * * *"), "cronjob.batch/it", "spec.schedule", "0 4 * * *"),
    ("deployment it", ("--image=nginx", "--replicas=0"), "deployment.apps/it", "spec.replicas", 0),
    (
        "ingress it",
        ("--rule=shop.example.com/*=web:80,tls=shop-tls", "--class=nginx"),
        "ingress.networking.k8s.io/it",
        "spec.tls",
        [{"hosts": ["shop.example.com"], "secretName": "shop-tls"}],
    ),
    ("job it", ("--image=busybox", "--", "date"), "job.batch/it", "spec.completions", 1),
    ("namespace NAME-x", (), "namespace/NAME-x", "status.phase", "Active"),
    (
        "poddisruptionbudget it",
        ("--selector=app=web", "--min-available=50%"),
        "poddisruptionbudget.policy/it",
        "spec.minAvailable",
        "50%",
    ),
    ("priorityclass NAME", ("--value=10",), "priorityclass.scheduling.k8s.io/NAME", "value", 10),
    ("quota it", ("--hard=pods=3,services=2",), "resourcequota/it", "spec.hard", {"pods": "3", "services": "2"}),
    (
        "role it",
        ("--verb=get", "--resource=pods/log", "--resource-name=web"),
        "role.rbac.authorization.k8s.io/it",
        "rules",
        [{"apiGroups": [""], "resourceNames": ["web"], "resources": ["pods/log"], "verbs": ["get"]}],
    ),
    (
        "rolebinding it",
        ("--clusterrole=view", "--serviceaccount=NAME:default", "--group=crew"),
        "rolebinding.rbac.authorization.k8s.io/it",
        "subjects",
        [
            {"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "crew"},
            {"kind": "ServiceAccount", "name": "default", "namespace": "NAME"},
        ],
    ),
    (
        "secret docker-registry it",
        ("--docker-server=r.example.com", "--docker-username=u", "--docker-password=p"),
        "secret/it",
        "type",
        "kubernetes.io/dockerconfigjson",
    ),
    ("secret generic it", ("--from-literal=a=b",), "secret/it", "data", {"a": "Yg=="}),
    ("service clusterip it", ("--tcp=80:8080",), "service/it", "spec.selector", {"app": "it"}),
    ("service externalname it", ("--external-name=a.example.com",), "service/it", "spec.type", "ExternalName"),
    ("service loadbalancer it", ("--tcp=80",), "service/it", "spec.type", "LoadBalancer"),
    ("service nodeport it", ("--tcp=80", "--node-port=30077"), "service/it", "spec.ports.0.nodePort", 30077),
    ("serviceaccount it", (), "serviceaccount/it", "metadata.name", "it"),
)


@pytest.mark.parametrize("row", MADE, ids=lambda row: row[0].rpartition(" ")[0].replace(" ", "-"))
@shows(
    "kubectl create clusterrole NAME",
    "kubectl create clusterrolebinding NAME",
    "kubectl create configmap NAME",
    "kubectl create cronjob NAME",
    "kubectl create deployment NAME",
    "kubectl create ingress NAME",
    "kubectl create job NAME",
    "kubectl create namespace NAME",
    "kubectl create poddisruptionbudget NAME",
    "kubectl create priorityclass NAME",
    "kubectl create quota NAME",
    "kubectl create role NAME",
    "kubectl create rolebinding NAME",
    "kubectl create secret docker-registry NAME",
    "kubectl create secret generic NAME",
    "kubectl create service clusterip NAME",
    "kubectl create service externalname NAME",
    "kubectl create service loadbalancer NAME",
    "kubectl create service nodeport NAME",
    "kubectl create serviceaccount NAME",
    "kubectl create --dry-run=client",
    "kubectl create --dry-run=server",
)
def test_each_generator(row: tuple[str, tuple[str, ...], str, str, Any], here: Kubectl, namespace: str) -> None:
    what, how, said, path, value = json.loads(json.dumps(row).replace("NAME", namespace))
    command = ["create", *what.split(), *how]
    dry = [*command[: len(what.split()) + 1], "--dry-run=server", *how]
    assert here(*dry).stdout == f"{said} created (server dry run)\n"
    drawn = here(*[word.replace("server", "client") for word in dry[: -len(how) or None]], "-o", "name", *how).stdout
    assert drawn == f"{said}\n"
    assert here(*command).stdout == f"{said} created\n"
    found = json.loads(here("get", said, "-o", "json").stdout)
    for part in path.split("."):
        found = found[int(part)] if part.isdigit() else found[part]
    assert found == value
    again = here(*command, code=1).stderr
    kind, _, name = said.partition("/")
    plural = {"ingress": "ingresses", "priorityclass": "priorityclasses"}.get(kind.partition(".")[0])
    plural = plural or f"{kind.partition('.')[0]}s"
    group = kind.partition(".")[1] + kind.partition(".")[2]
    taken = "provided port is already allocated" if "nodeport" in what else f'{plural}{group} "{name}" already exists'
    assert again.endswith(f"{taken}\n")
    if namespace in said:
        assert " deleted" in here("delete", said).stdout


@shows("kubectl create job NAME --from=cronjob/NAME")
def test_a_job_from_a_cron_job(here: Kubectl) -> None:
    here("create", "cronjob", "nightly", "--image=busybox:1.36", "--schedule=0 4 31 2 *", "--", "date")
    assert here("create", "job", "now", "--from=cronjob/nightly").stdout == "job.batch/now created\n"
    made = json.loads(here("get", "job", "now", "-o", "json").stdout)
    assert made["metadata"]["annotations"]["cronjob.kubernetes.io/instantiate"] == "manual"
    assert made["metadata"]["ownerReferences"][0]["name"] == "nightly"


@shows("kubectl create secret tls NAME")
def test_a_certificate_as_a_secret(here: Kubectl, tmp_path: Path) -> None:
    pair = Authority.make().for_user(SystemClock().now(), "ann")
    (tmp_path / "tls.crt").write_bytes(pair.certificate)
    (tmp_path / "tls.key").write_bytes(pair.key)
    where = (f"--cert={tmp_path / 'tls.crt'}", f"--key={tmp_path / 'tls.key'}")
    assert here("create", "secret", "tls", "shop", *where).stdout == "secret/shop created\n"
    assert here("get", "secret", "shop", "--no-headers").stdout.split()[:3] == ["shop", "kubernetes.io/tls", "2"]


@shows("kubectl create token NAME")
def test_a_token(here: Kubectl, namespace: str) -> None:
    token = here("create", "token", "default", "--duration=10m").stdout.strip()
    who = here("--token", token, "auth", "whoami", "-o", "jsonpath={.status.userInfo.username}").stdout
    assert who == f"system:serviceaccount:{namespace}:default"


ODD = """
apiVersion: v1
kind: Service
metadata: {name: odd}
spec:
  ports: [{port: 80, prot: TCP}]
  selecter: {app: web}
"""


@shows("kubectl create --validate=strict", "kubectl create --validate=warn", "kubectl create --validate=ignore")
def test_unknown_fields(here: Kubectl) -> None:
    refused = here("create", "-f", "-", "--validate=strict", stdin=ODD, code=1)
    assert refused.stderr == (
        'Error from server (BadRequest): error when creating "STDIN": Service in version "v1" cannot be handled as a '
        'Service: strict decoding error: unknown field "spec.ports[0].prot", unknown field "spec.selecter"\n'
    )
    warned = here("create", "-f", "-", "--validate=warn", stdin=ODD)
    assert warned.stdout == "service/odd created\n"
    assert warned.stderr == ('Warning: unknown field "spec.ports[0].prot"\nWarning: unknown field "spec.selecter"\n')
    here("delete", "service", "odd")
    ignored = here("create", "-f", "-", "--validate=ignore", stdin=ODD)
    assert (ignored.stdout, ignored.stderr) == ("service/odd created\n", "")


@shows("kubectl create -f FILE", "kubectl create -f FILE --save-config", "kubectl create -f FILE --edit")
def test_from_files(here: Kubectl, tmp_path: Path) -> None:
    for name in ("one", "two"):
        text = json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}})
        (tmp_path / f"{name}.json").write_text(text, encoding="utf-8")
    made = here("create", "-f", str(tmp_path), "--save-config").stdout
    assert made == "configmap/one created\nconfigmap/two created\n"
    assert here("apply", "-f", str(tmp_path)).stdout == "configmap/one unchanged\nconfigmap/two unchanged\n"
    again = here("create", "-f", str(tmp_path), code=1).stderr
    assert again == "".join(
        f'Error from server (AlreadyExists): error when creating "{tmp_path}/{name}.json": configmaps "{name}" '
        "already exists\n"
        for name in ("one", "two")
    )
    text = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"three"},"data":{"k":"v"}}'
    edited = here("create", "-f", "-", "--edit", stdin=text, env={"KUBE_EDITOR": "sed -i 's/k: v/k: w/'"})
    assert edited.stdout == "configmap/three created\n"
    assert here("get", "cm", "three", "-o", "jsonpath={.data}").stdout == '{"k":"w"}'
    plural = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"generateName":"part-"}}'
    assert here("create", "-f", "-", stdin=plural).stdout.startswith("configmap/part-")
    wrong = here("create", "-f", "-", stdin='{"apiVersion":"v1","kind":"Confmap","metadata":{"name":"x"}}', code=1)
    assert wrong.stderr == (
        'error: resource mapping not found for name: "x" namespace: "" from "STDIN": no matches for kind "Confmap" in '
        'version "v1"\nensure CRDs are installed first\n'
    )
