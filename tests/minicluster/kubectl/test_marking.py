"""Labels, annotations and taints: what is written on objects without changing what they do."""

from __future__ import annotations

import json

from tests.minicluster.conftest import Kubectl
from tests.minicluster.kubectl.shows import shows


@shows(
    "kubectl label KIND NAME KEY=VALUE",
    "kubectl label --overwrite",
    "kubectl label --list",
    "kubectl label KIND NAME KEY-",
)
def test_labels(here: Kubectl) -> None:
    here("create", "configmap", "settings")
    assert here("label", "configmap", "settings", "tier=front").stdout == "configmap/settings labeled\n"
    taken = here("label", "configmap", "settings", "tier=back", code=1)
    assert taken.stderr == "error: 'tier' already has a value (front), and --overwrite is false\n"
    assert here("label", "cm", "settings", "tier=back", "--overwrite").stdout == "configmap/settings labeled\n"
    assert here("label", "cm", "settings", "tier=back", "--overwrite").stdout == "configmap/settings not labeled\n"
    assert here("label", "cm", "settings", "--list").stdout == "tier=back\n"
    assert here("get", "cm", "-l", "tier=back", "-o", "name").stdout == "configmap/settings\n"
    assert here("label", "cm", "settings", "tier-").stdout == "configmap/settings unlabeled\n"
    again = here("label", "cm", "settings", "tier-").stdout
    assert again == 'label "tier" not found.\nconfigmap/settings not labeled\n'


@shows("kubectl label --resource-version")
def test_labels_of_an_older_state(here: Kubectl) -> None:
    here("create", "configmap", "settings")
    stale = here("label", "cm", "settings", "a=b", "--resource-version=1", code=1).stderr
    assert stale == (
        'Error from server (Conflict): Operation cannot be fulfilled on configmaps "settings": the object has been'
        " modified; please apply your changes to the latest version and try again\n"
    )
    version = here("get", "cm", "settings", "-o", "jsonpath={.metadata.resourceVersion}").stdout
    here("label", "cm", "settings", "a=b", f"--resource-version={version}")


@shows("kubectl label --all", "kubectl label -l SELECTOR")
def test_labels_of_many(here: Kubectl) -> None:
    for name in ("one", "two"):
        here("create", "configmap", name)
    here("label", "cm", "one", "first=yes")
    all_of_them = here("label", "cm", "--all", "seen=yes").stdout.splitlines()
    assert all_of_them == [
        "configmap/kube-root-ca.crt labeled",
        "configmap/one labeled",
        "configmap/two labeled",
    ]
    assert here("label", "cm", "-l", "first=yes", "picked=").stdout == "configmap/one labeled\n"


def test_a_label_that_is_none_is_refused_by_the_server(here: Kubectl) -> None:
    here("create", "configmap", "settings")
    assert here("label", "cm", "settings", "bad key=x", code=1).stderr == (
        'The ConfigMap "settings" is invalid: metadata.labels: Invalid value: "bad key": name part must consist of'
        " alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g."
        " 'MyName',  or 'my.name',  or '123-abc', regex used for validation is"
        " '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')\n"
    )


@shows("kubectl annotate KIND NAME KEY=VALUE", "kubectl annotate --overwrite", "kubectl annotate KIND NAME KEY-")
def test_annotations(here: Kubectl) -> None:
    here("create", "configmap", "settings")
    assert here("annotate", "cm", "settings", "note=one").stdout == "configmap/settings annotated\n"
    taken = here("annotate", "cm", "settings", "note=two", code=1).stderr
    assert taken == (
        "error: --overwrite is false but found the following declared annotation(s): 'note' already has a value (one)\n"
    )
    assert here("annotate", "cm", "settings", "note=two", "--overwrite").stdout == "configmap/settings annotated\n"
    note = "jsonpath={.metadata.annotations.note}"
    assert here("get", "cm", "settings", "-o", note).stdout == "two"
    assert here("annotate", "cm", "settings", "note-").stdout == "configmap/settings annotated\n"
    assert here("get", "cm", "settings", "-o", note).stdout == ""


@shows("kubectl taint nodes NAME KEY=VALUE:EFFECT", "kubectl taint --overwrite", "kubectl taint nodes NAME KEY-")
def test_taints(kubectl: Kubectl) -> None:
    assert kubectl("taint", "nodes", "node1", "kept=for:PreferNoSchedule").stdout == "node/node1 tainted\n"
    taken = kubectl("taint", "nodes", "node1", "kept=from:PreferNoSchedule", code=1).stderr
    assert taken == "error: node node1 already has kept taint(s) with same effect(s) and --overwrite is false\n"
    changed = kubectl("taint", "nodes", "node1", "kept=from:PreferNoSchedule", "--overwrite").stdout
    assert changed == "node/node1 modified\n"
    taints = json.loads(kubectl("get", "node", "node1", "-o", "json").stdout)["spec"]["taints"]
    assert taints == [{"key": "kept", "value": "from", "effect": "PreferNoSchedule"}]
    assert "Taints:             kept=from:PreferNoSchedule\n" in kubectl("describe", "node", "node1").stdout
    assert kubectl("taint", "nodes", "node1", "kept:PreferNoSchedule-").stdout == "node/node1 untainted\n"
    assert kubectl("taint", "nodes", "node1", "kept-", code=1).stderr == 'error: taint "kept" not found\n'
    assert kubectl("taint", "nodes", "--all", "kept=:PreferNoSchedule").stdout == "node/node1 tainted\n"
    assert kubectl("taint", "nodes", "--all", "kept-").stdout == "node/node1 untainted\n"
