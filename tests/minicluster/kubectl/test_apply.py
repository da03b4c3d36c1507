"""`kubectl apply`: three-way, server-side, with pruning; `diff`, `kustomize` and what they say beforehand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.minicluster.conftest import Kubectl
from tests.minicluster.kubectl.shows import shows

FIRST = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}, annotations: {note: first}}
spec:
  replicas: 0
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: web, image: "nginx:1.27", env: [{name: A, value: "1"}], ports: [{containerPort: 80}]}
      - {name: side, image: "busybox:1.36"}
"""
# Without the note, the variable and the second container; another image.
SECOND = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 0
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: web, image: "nginx:1.28", ports: [{containerPort: 80}]}
"""
CONFLICT = """\
error: Apply failed with 1 conflict: conflict with "kubectl": .spec.template.spec.containers[name="web"].image
Please review the fields above--they currently have other managers. Here
are the ways you can resolve this warning:
* If you intend to manage all of these fields, please re-run the apply
  command with the `--force-conflicts` flag.
* If you do not intend to manage all of the fields, please edit your
  manifest to remove references to the fields that should keep their
  current managers.
* You may co-own fields by updating your manifest to match the existing
  value; in this case, you'll become the manager if the other manager(s)
  stop managing the field (remove it from their configuration).
See https://kubernetes.io/docs/reference/using-api/server-side-apply/#conflicts
"""


def got(kubectl: Kubectl, *what: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(kubectl("get", *what, "-o", "json").stdout)
    return found


def config_maps(*names: str) -> str:
    one = "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {0}, labels: {{set: mine}}}}\ndata: {{k: v}}\n"
    return "---\n".join(one.format(name) for name in names)


@shows("kubectl apply -f FILE")
def test_applied_twice_nothing_changes(here: Kubectl) -> None:
    assert here("apply", "-f", "-", stdin=FIRST).stdout == "deployment.apps/web created\n"
    before = got(here, "deploy", "web")["metadata"]["generation"]
    assert here("apply", "-f", "-", stdin=FIRST).stdout == "deployment.apps/web unchanged\n"
    assert got(here, "deploy", "web")["metadata"]["generation"] == before == 1


@shows("kubectl apply -f FILE")
def test_what_the_file_no_longer_says_goes_and_what_others_said_stays(here: Kubectl) -> None:
    here("apply", "-f", "-", stdin=FIRST)
    here("annotate", "deploy", "web", "other=stays")
    here("scale", "deploy", "web", "--replicas=0")
    assert here("apply", "-f", "-", stdin=SECOND).stdout == "deployment.apps/web configured\n"
    found = got(here, "deploy", "web")
    assert "note" not in found["metadata"]["annotations"]
    assert found["metadata"]["annotations"]["other"] == "stays"
    [container] = found["spec"]["template"]["spec"]["containers"]
    assert "env" not in container
    assert container["image"] == "nginx:1.28"
    assert container["ports"] == [{"containerPort": 80, "protocol": "TCP"}]


@shows(
    "kubectl apply view-last-applied KIND/NAME",
    "kubectl apply set-last-applied -f FILE",
    "kubectl apply edit-last-applied KIND/NAME",
)
def test_what_was_applied_last(here: Kubectl) -> None:
    here("apply", "-f", "-", stdin=config_maps("one"))
    said = here("apply", "view-last-applied", "configmap/one", "-o", "json").stdout
    assert json.loads(said)["data"] == {"k": "v"}
    done = here("apply", "set-last-applied", "-f", "-", stdin=config_maps("one").replace("k: v", "k: w")).stdout
    assert done == "configmap/one configured\n"
    assert "k: w" in here("apply", "view-last-applied", "configmap/one").stdout
    editor = {"KUBE_EDITOR": "sed -i 's/k: w/k: x/'"}
    assert here("apply", "edit-last-applied", "configmap/one", env=editor).stdout == "configmap/one edited\n"
    assert "k: x" in here("apply", "view-last-applied", "configmap/one").stdout
    assert got(here, "cm", "one")["data"] == {"k": "v"}


@shows("kubectl apply -f FILE")
def test_applying_over_what_was_created(here: Kubectl) -> None:
    here("create", "-f", "-", stdin=config_maps("one"))
    done = here("apply", "-f", "-", stdin=config_maps("one"))
    assert done.stdout == "configmap/one configured\n"
    assert done.stderr == (
        "Warning: resource configmaps/one is missing the kubectl.kubernetes.io/last-applied-configuration annotation "
        "which is required by kubectl apply. kubectl apply should only be used on resources created declaratively by "
        "either kubectl create --save-config or kubectl apply. The missing annotation will be patched automatically.\n"
    )


@shows("kubectl apply --server-side", "kubectl apply --server-side --force-conflicts")
def test_who_owns_a_field(here: Kubectl) -> None:
    apply = ("apply", "--server-side", "-f", "-")
    assert here(*apply, stdin=FIRST).stdout == "deployment.apps/web serverside-applied\n"
    assert here(*apply, stdin=FIRST).stdout == "deployment.apps/web serverside-applied\n"
    assert got(here, "deploy", "web")["metadata"]["generation"] == 1
    refused = here(*apply, "--field-manager=other", stdin=SECOND, code=1)
    assert (refused.stdout, refused.stderr) == ("", CONFLICT)
    done = here(*apply, "--field-manager=other", "--force-conflicts", "--dry-run=server", stdin=SECOND)
    assert done.stdout == "deployment.apps/web serverside-applied (server dry run)\n"
    here(*apply, "--field-manager=other", "--force-conflicts", stdin=SECOND)
    containers = got(here, "deploy", "web")["spec"]["template"]["spec"]["containers"]
    assert [(one["name"], one["image"]) for one in containers] == [("web", "nginx:1.28"), ("side", "busybox:1.36")]
    assert containers[0]["env"] == [{"name": "A", "value": "1"}]  # kubectl's own still


@shows("kubectl apply --server-side")
def test_what_its_owner_applies_no_longer_goes(here: Kubectl) -> None:
    here("apply", "--server-side", "-f", "-", stdin=FIRST)
    here("apply", "--server-side", "-f", "-", stdin=SECOND)
    found = got(here, "deploy", "web")
    [container] = found["spec"]["template"]["spec"]["containers"]
    assert (container["image"], "env" in container) == ("nginx:1.28", False)
    assert "note" not in found["metadata"]["annotations"]
    shown = got(here, "deploy", "web", "--show-managed-fields")["metadata"]["managedFields"]
    [entry] = [entry for entry in shown if entry["manager"] == "kubectl"]
    assert entry["operation"] == "Apply"
    assert sorted(entry["fieldsV1"]["f:spec"]) == ["f:replicas", "f:selector", "f:template"]


@shows("kubectl apply --server-side")
def test_from_three_way_to_server_side(here: Kubectl) -> None:
    """csaupgrade: what client-side apply owned becomes server-side apply's, so leaving it out removes it."""
    here("apply", "-f", "-", stdin=FIRST)
    here("apply", "--server-side", "-f", "-", stdin=SECOND)
    [container] = got(here, "deploy", "web")["spec"]["template"]["spec"]["containers"]
    assert (container["image"], "env" in container) == ("nginx:1.28", False)


@shows("kubectl apply --prune -l SELECTOR", "kubectl apply --prune --prune-allowlist GROUP/VERSION/KIND")
def test_pruning_by_label(here: Kubectl) -> None:
    prune = ("apply", "--prune", "-l", "set=mine", "-f", "-")
    assert here(*prune, stdin=config_maps("a", "b", "c")).stdout == (
        "configmap/a created\nconfigmap/b created\nconfigmap/c created\n"
    )
    dry = here(*prune, "--dry-run=server", stdin=config_maps("a", "b")).stdout
    assert dry == (
        "configmap/a unchanged (server dry run)\nconfigmap/b unchanged (server dry run)\n"
        "configmap/c pruned (server dry run)\n"
    )
    assert here(*prune, stdin=config_maps("a", "b")).stdout == (
        "configmap/a unchanged\nconfigmap/b unchanged\nconfigmap/c pruned\n"
    )
    narrow = "--prune-allowlist=core/v1/ConfigMap"
    assert here(*prune, narrow, stdin=config_maps("a")).stdout == "configmap/a unchanged\nconfigmap/b pruned\n"
    assert here("get", "cm", "-l", "set=mine", "-o", "name").stdout == "configmap/a\n"


@shows("kubectl apply --prune --applyset NAME")
def test_pruning_by_set(here: Kubectl, namespace: str) -> None:
    prune = ("apply", "--prune", "--applyset=mine", "-f", "-")
    alpha = {"KUBECTL_APPLYSET": "true"}
    assert here(*prune, stdin=config_maps("a", "b"), env=alpha).stdout == "configmap/a created\nconfigmap/b created\n"
    assert here(*prune, stdin=config_maps("a"), env=alpha).stdout == "configmap/a unchanged\nconfigmap/b pruned\n"
    parent = got(here, "secret", "mine")["metadata"]
    assert parent["annotations"]["applyset.kubernetes.io/contains-group-kinds"] == "ConfigMap"
    assert here("get", "cm", "-o", "name").stdout.split() == ["configmap/a", "configmap/kube-root-ca.crt"]


@shows("kubectl apply --dry-run=server", "kubectl apply --dry-run=client")
def test_nothing_happens_in_a_dry_run(here: Kubectl) -> None:
    for where, words in (("server", "server dry run"), ("client", "dry run")):
        done = here("apply", "-f", "-", f"--dry-run={where}", stdin=config_maps("one"))
        assert done.stdout == f"configmap/one created ({words})\n"
    assert here("get", "cm", "one", code=1).stderr == 'Error from server (NotFound): configmaps "one" not found\n'
    here("apply", "-f", "-", stdin=config_maps("one"))
    made = here("apply", "-f", "-", "--dry-run=server", "-o", "yaml", stdin=config_maps("one").replace("k: v", "k: w"))
    assert "k: w" in made.stdout
    assert got(here, "cm", "one")["data"] == {"k": "v"}


@shows("kubectl diff -f FILE", "kubectl diff --server-side")
def test_difference(here: Kubectl) -> None:
    here("apply", "-f", "-", stdin=FIRST)
    same = here("diff", "-f", "-", stdin=FIRST)
    assert (same.stdout, same.stderr) == ("", "")
    differs = here("diff", "-f", "-", stdin=SECOND, code=1)
    lines = [line for line in differs.stdout.splitlines() if line[0] in "+-" and line[:3] not in ("+++", "---")]
    assert lines == [
        "-    note: first",
        "-  generation: 1",
        "+  generation: 2",
        "-      - env:",
        "-        - name: A",
        '-          value: "1"',
        "-        image: nginx:1.27",
        "+      - image: nginx:1.28",
        "-      - image: busybox:1.36",
        "-        imagePullPolicy: IfNotPresent",
        "-        name: side",
        "-        resources: {}",
        "-        terminationMessagePath: /dev/termination-log",
        "-        terminationMessagePolicy: File",
    ]
    theirs = here("diff", "--server-side", "--field-manager=other", "-f", "-", stdin=config_maps("new"), code=1)
    assert "+kind: ConfigMap" in theirs.stdout
    assert got(here, "deploy", "web")["metadata"]["generation"] == 1


@shows("kubectl kustomize DIR", "kubectl apply -k DIR", "kubectl delete -k DIR")
def test_kustomization(here: Kubectl, tmp_path: Path) -> None:
    (tmp_path / "cm.yaml").write_text(config_maps("one"), encoding="utf-8")
    (tmp_path / "kustomization.yaml").write_text(
        "resources: [cm.yaml]\nnamePrefix: pre-\nlabels: [{pairs: {tier: gold}}]\n"
        "configMapGenerator: [{name: made, literals: [a=b]}]\n",
        encoding="utf-8",
    )
    built = here("kustomize", str(tmp_path)).stdout
    assert "name: pre-one" in built
    made = here("apply", "-k", str(tmp_path)).stdout.splitlines()
    assert made == ["configmap/pre-made-5m2h5f2m2b created", "configmap/pre-one created"] or (
        made[0].startswith("configmap/pre-made-") and made[1] == "configmap/pre-one created"
    )
    assert got(here, "cm", "pre-one")["metadata"]["labels"] == {"set": "mine", "tier": "gold"}
    assert [line.endswith(" unchanged") for line in here("apply", "-k", str(tmp_path)).stdout.splitlines()] == [
        True
    ] * 2
    assert len(here("delete", "-k", str(tmp_path)).stdout.splitlines()) == 2
