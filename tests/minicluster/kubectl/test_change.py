"""`edit`, `patch`, `replace`, `label`, `annotate`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.minicluster.conftest import Kubectl
from tests.minicluster.kubectl.shows import shows

MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one, labels: {app: web}}\ndata: {k: v}\n"


def got(kubectl: Kubectl, *what: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(kubectl("get", *what, "-o", "json").stdout)
    return found


@shows("kubectl edit KIND NAME")
def test_edit(here: Kubectl) -> None:
    here("create", "-f", "-", stdin=MAP)
    unchanged = here("edit", "cm", "one", env={"KUBE_EDITOR": "true"})
    assert unchanged.stderr + unchanged.stdout == "Edit cancelled, no changes made.\n"
    assert here("edit", "cm", "one", env={"KUBE_EDITOR": "sed -i 's/k: v/k: w/'"}).stdout == "configmap/one edited\n"
    assert got(here, "cm", "one")["data"] == {"k": "w"}
    here("create", "deployment", "web", "--image=nginx:1.27", "--replicas=0")
    wrong = here("edit", "deploy", "web", env={"KUBE_EDITOR": "sed -i 's/replicas: 0/replicas: -1/'"}, code=1)
    first = wrong.stderr.splitlines()[0]
    assert first == 'error: deployments.apps "web" is invalid'
    assert got(here, "deploy", "web")["spec"]["replicas"] == 0


@shows("kubectl edit KIND NAME --subresource=status")
def test_edit_of_a_status(here: Kubectl) -> None:
    here("create", "deployment", "web", "--image=nginx:1.27", "--replicas=0")
    here("wait", "--for=jsonpath={.status.observedGeneration}=1", "deploy/web", "--timeout=5s")
    done = here("edit", "deploy", "web", "--subresource=status", env={"KUBE_EDITOR": "true"})
    assert done.stderr + done.stdout == "Edit cancelled, no changes made.\n"


@shows("kubectl patch KIND NAME --type=strategic", "kubectl patch KIND NAME --type=merge")
def test_patches_of_lists(here: Kubectl) -> None:
    here("create", "deployment", "web", "--image=nginx:1.27", "--replicas=0")
    patch = '{"spec":{"template":{"spec":{"containers":[{"name":"side","image":"busybox"}]}}}}'
    assert here("patch", "deploy", "web", "-p", patch).stdout == "deployment.apps/web patched\n"
    names = "jsonpath={.spec.template.spec.containers[*].name}"
    assert here("get", "deploy", "web", "-o", names).stdout == "side nginx"
    assert here("patch", "deploy", "web", "-p", patch).stdout == "deployment.apps/web patched (no change)\n"
    assert here("patch", "deploy", "web", "--type=merge", "-p", patch).stdout == "deployment.apps/web patched\n"
    assert here("get", "deploy", "web", "-o", names).stdout == "side"
    gone = '{"spec":{"template":{"spec":{"containers":[{"name":"side","$patch":"delete"}]}}}}'
    refused = here("patch", "deploy", "web", "-p", gone, code=1)
    assert refused.stderr == ('The Deployment "web" is invalid: spec.template.spec.containers: Required value\n')


@shows("kubectl patch KIND NAME --type=json", "kubectl patch KIND NAME --patch-file=FILE")
def test_json_patches(here: Kubectl, tmp_path: Path) -> None:
    here("create", "-f", "-", stdin=MAP)
    steps = '[{"op":"test","path":"/data/k","value":"v"},{"op":"replace","path":"/data/k","value":"w"}]'
    assert here("patch", "cm", "one", "--type=json", "-p", steps).stdout == "configmap/one patched\n"
    again = here("patch", "cm", "one", "--type=json", "-p", steps, code=1)
    assert again.stderr == "The request is invalid: the server rejected our request due to an error in our request\n"
    file = tmp_path / "patch.yaml"
    file.write_text("data: {k: null, l: m}", encoding="utf-8")
    here("patch", "cm", "one", "--type=merge", f"--patch-file={file}")
    assert got(here, "cm", "one")["data"] == {"l": "m"}
    dry = here("patch", "cm", "one", "-p", '{"data":{"x":"y"}}', "--dry-run=server").stdout
    assert dry == "configmap/one patched\n"  # kubectl does not say more
    assert got(here, "cm", "one")["data"] == {"l": "m"}


@shows("kubectl patch KIND NAME --subresource=SUBRESOURCE")
def test_patches_of_parts(here: Kubectl) -> None:
    here("create", "deployment", "web", "--image=nginx:1.27", "--replicas=0")
    scaled = here("patch", "deploy", "web", "--subresource=scale", "--type=merge", "-p", '{"spec":{"replicas":0}}')
    assert scaled.stdout.startswith("scale.autoscaling/web patched")
    condition = '{"status":{"conditions":[{"type":"Odd","status":"True"}]}}'
    here("create", "-f", "-", stdin=BUDGET)
    done = here("patch", "pdb", "few", "--subresource=status", "--type=merge", "-p", condition)
    assert done.stdout == "poddisruptionbudget.policy/few patched\n"


BUDGET = """
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: few}
spec: {minAvailable: 1, selector: {matchLabels: {app: nobody}}}
"""


@shows("kubectl replace -f FILE", "kubectl replace --force -f FILE", "kubectl replace --raw PATH -f FILE")
def test_replace(here: Kubectl, namespace: str, tmp_path: Path) -> None:
    missing = here("replace", "-f", "-", stdin=MAP, code=1)
    assert missing.stderr == (
        'Error from server (NotFound): error when replacing "STDIN": configmaps "one" not found\n'
    )
    here("create", "-f", "-", stdin=MAP)
    before = got(here, "cm", "one")["metadata"]
    new = MAP.replace("k: v", "k: w")
    assert here("replace", "-f", "-", stdin=new).stdout == "configmap/one replaced\n"
    after = got(here, "cm", "one")
    assert (after["metadata"]["uid"], after["data"]) == (before["uid"], {"k": "w"})
    stale = json.dumps({**after, "metadata": {**after["metadata"], "resourceVersion": before["resourceVersion"]}})
    conflict = here("replace", "-f", "-", stdin=stale, code=1)
    assert conflict.stderr == (
        'Error from server (Conflict): error when replacing "STDIN": Operation cannot be fulfilled on configmaps '
        '"one": the object has been modified; please apply your changes to the latest version and try again\n'
    )
    forced = here("replace", "--force", "-f", "-", stdin=MAP)
    assert forced.stdout == f'configmap "one" deleted from {namespace} namespace\nconfigmap/one replaced\n'
    assert got(here, "cm", "one")["metadata"]["uid"] != before["uid"]
    file = tmp_path / "cm.json"
    file.write_text(json.dumps(after | {"metadata": {"name": "one"}}), encoding="utf-8")
    raw = here("replace", "--raw", f"/api/v1/namespaces/{namespace}/configmaps/one", "-f", str(file)).stdout
    assert json.loads(raw)["data"] == {"k": "w"}


@shows("kubectl replace --force -f FILE")
def test_a_pod_is_replaced_by_force(here: Kubectl) -> None:
    pod = json.loads(here("run", "web", "--image=nginx:1.27", "--dry-run=client", "-o", "json").stdout)
    here("create", "-f", "-", stdin=json.dumps(pod))
    pod["spec"]["containers"][0]["command"] = ["sleep", "9"]
    refused = here("replace", "-f", "-", stdin=json.dumps(pod), code=1).stderr
    assert refused.startswith(
        'The Pod "web" is invalid: spec: Forbidden: pod updates may not change fields other than '
    )
    here("replace", "--force", "--grace-period=0", "-f", "-", stdin=json.dumps(pod))
    assert got(here, "pod", "web")["spec"]["containers"][0]["command"] == ["sleep", "9"]


@shows(
    "kubectl label KIND NAME KEY=VALUE",
    "kubectl label KIND NAME KEY-",
    "kubectl label --overwrite",
    "kubectl label --all",
    "kubectl label -l SELECTOR",
    "kubectl label --list",
)
def test_labels(here: Kubectl) -> None:
    for name in ("a", "b"):
        here("create", "configmap", name)
    assert here("label", "cm", "a", "tier=gold").stdout == "configmap/a labeled\n"
    assert here("label", "cm", "a", "tier=gold").stdout == "configmap/a not labeled\n"
    refused = here("label", "cm", "a", "tier=tin", code=1)
    assert refused.stderr == "error: 'tier' already has a value (gold), and --overwrite is false\n"
    assert here("label", "cm", "a", "tier=tin", "--overwrite").stdout == "configmap/a labeled\n"
    assert here("label", "cm", "a", "--list").stdout == "tier=tin\n"
    many = here("label", "cm", "--all", "kept=yes").stdout
    assert many == "configmap/a labeled\nconfigmap/b labeled\nconfigmap/kube-root-ca.crt labeled\n"
    assert here("label", "cm", "-l", "tier=tin", "tier-").stdout == "configmap/a unlabeled\n"
    assert here("label", "cm", "a", "nothing-").stdout == ('label "nothing" not found.\nconfigmap/a not labeled\n')
    wrong = here("label", "cm", "a", "x=not ok", code=1).stderr
    assert wrong.startswith('error: invalid label value: "x=not ok": a valid label must be an empty string or ')
    dry = here("label", "cm", "a", "dry=yes", "--dry-run=server").stdout
    assert dry == "configmap/a labeled (server dry run)\n"
    assert got(here, "cm", "a")["metadata"]["labels"] == {"kept": "yes"}


@shows(
    "kubectl annotate KIND NAME KEY=VALUE",
    "kubectl annotate KIND NAME KEY-",
    "kubectl annotate --overwrite",
    "kubectl annotate --list",
)
def test_annotations(here: Kubectl) -> None:
    here("create", "configmap", "a")
    assert here("annotate", "cm", "a", "note=one two").stdout == "configmap/a annotated\n"
    refused = here("annotate", "cm", "a", "note=three", code=1)
    assert refused.stderr == (
        "error: --overwrite is false but found the following declared annotation(s): 'note' already has a value "
        "(one two)\n"
    )
    assert here("annotate", "cm", "a", "note=three", "--overwrite").stdout == "configmap/a annotated\n"
    assert here("annotate", "cm", "a", "--list").stdout == "note=three\n"
    assert here("annotate", "cm", "a", "note-").stdout == "configmap/a annotated\n"
    assert "annotations" not in got(here, "cm", "a")["metadata"]
