"""`kubectl delete`: what goes with what, how long it may take, what is chosen how."""

from __future__ import annotations

import json

import pytest

from tests.minicluster.conftest import Kubectl
from tests.minicluster.kubectl.shows import shows

FORCED = (
    "Warning: Immediate deletion does not wait for confirmation that the running resource has been terminated. The "
    "resource may continue to run on the cluster indefinitely.\n"
)


@pytest.fixture
def deployed(here: Kubectl) -> Kubectl:
    """A Deployment with two pods."""
    here("create", "deployment", "web", "--image=nginx:1.27", "--replicas=2")
    here("wait", "--for=condition=Available", "deployment/web", "--timeout=20s")
    return here


def there(kubectl: Kubectl, *kinds: str) -> list[str]:
    return kubectl("get", ",".join(kinds), "-o", "name").stdout.split()


@shows("kubectl delete KIND NAME --cascade=background")
def test_dependents_go_after(deployed: Kubectl, namespace: str) -> None:
    done = deployed("delete", "deployment", "web", "--cascade=background").stdout
    assert done == f'deployment.apps "web" deleted from {namespace} namespace\n'
    deployed("wait", "--for=delete", "rs,pods", "-l", "app=web", "--timeout=20s")
    assert there(deployed, "deploy", "rs", "pods") == []


@shows("kubectl delete KIND NAME --cascade=foreground")
def test_dependents_go_first(deployed: Kubectl) -> None:
    deployed("delete", "deployment", "web", "--cascade=foreground", "--timeout=20s")
    assert there(deployed, "deploy", "rs", "pods") == []  # nothing is left to go when kubectl comes back


@shows("kubectl delete KIND NAME --cascade=orphan")
def test_dependents_stay(deployed: Kubectl) -> None:
    deployed("delete", "deployment", "web", "--cascade=orphan", "--timeout=20s")
    kept = there(deployed, "deploy", "rs", "pods")
    assert sorted(name.partition("/")[0] for name in kept) == ["pod", "pod", "replicaset.apps"]
    owners = "jsonpath={.items[*].metadata.ownerReferences}"
    assert deployed("get", "rs", "-o", owners).stdout == ""
    assert '"kind":"ReplicaSet"' in deployed("get", "pods", "-o", owners).stdout
    # A Deployment that fits takes them over again.
    deployed("create", "deployment", "web", "--image=nginx:1.27", "--replicas=2")
    deployed("wait", "--for=condition=Available", "deployment/web", "--timeout=20s")
    assert sorted(there(deployed, "rs", "pods")) == sorted(kept)


@shows(
    "kubectl delete pod NAME --grace-period=SECONDS",
    "kubectl delete pod NAME --now",
    "kubectl delete pod NAME --force",
    "kubectl delete KIND NAME --wait=false",
)
def test_how_long_a_pod_has(here: Kubectl, namespace: str) -> None:
    for name in ("slow", "now", "forced"):
        here("run", name, "--image=nginx:1.27")
    here("wait", "--for=condition=Ready", "pod", "--all", "--timeout=20s")
    here("delete", "pod", "slow", "--grace-period=25", "--wait=false")
    meta = json.loads(here("get", "pod", "slow", "-o", "json", "--ignore-not-found").stdout or "{}").get("metadata")
    assert meta is None or meta["deletionGracePeriodSeconds"] == 25
    assert here("delete", "pod", "now", "--now").stdout == f'pod "now" deleted from {namespace} namespace\n'
    forced = here("delete", "pod", "forced", "--force")
    assert forced.stderr == FORCED
    assert forced.stdout == f'pod "forced" force deleted from {namespace} namespace\n'
    here("wait", "--for=delete", "pod/slow", "--timeout=40s")
    assert there(here, "pods") == []


@shows("kubectl delete KIND -l SELECTOR", "kubectl delete KIND --all", "kubectl delete KIND --field-selector=SELECTOR")
def test_chosen(here: Kubectl, namespace: str) -> None:
    for name in ("a", "b", "c", "d"):
        here("create", "configmap", name)
    here("label", "cm", "a", "b", "go=now")
    dry = here("delete", "cm", "-l", "go=now", "--dry-run=server").stdout
    assert dry == "".join(
        f'configmap "{name}" deleted from {namespace} namespace (server dry run)\n' for name in ("a", "b")
    )
    done = here("delete", "cm", "-l", "go=now").stdout
    assert (
        done == f'configmap "a" deleted from {namespace} namespace\nconfigmap "b" deleted from {namespace} namespace\n'
    )
    here("delete", "cm", "--field-selector=metadata.name=c")
    assert there(here, "cm") == ["configmap/d", "configmap/kube-root-ca.crt"]
    assert len(here("delete", "cm", "--all").stdout.splitlines()) == 2
    nothing = here("delete", "cm", "-l", "go=now")
    assert nothing.stdout + nothing.stderr == "No resources found\n"
    assert here("delete", "cm", "gone", code=1).stderr == 'Error from server (NotFound): configmaps "gone" not found\n'
    assert here("delete", "cm", "gone", "--ignore-not-found").stdout == ""


@shows("kubectl delete -f FILE", "kubectl delete KIND/NAME KIND/NAME", "kubectl delete --raw PATH")
def test_named(here: Kubectl, namespace: str) -> None:
    text = "".join(
        f"---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n" for name in ("a", "b", "c", "d", "e")
    )
    here("create", "-f", "-", stdin=text)
    here("delete", "cm/a", "configmap/b")
    raw = json.loads(here("delete", "--raw", f"/api/v1/namespaces/{namespace}/configmaps/c").stdout)
    assert (raw["status"], raw["details"]["name"]) == ("Success", "c")
    rest = here("delete", "-f", "-", stdin=text, code=1)
    assert rest.stdout == "".join(f'configmap "{name}" deleted from {namespace} namespace\n' for name in ("d", "e"))
    assert rest.stderr == "".join(
        f'Error from server (NotFound): error when deleting "STDIN": configmaps "{name}" not found\n'
        for name in ("a", "b", "c")
    )


@shows("kubectl delete namespace NAME")
def test_a_namespace_takes_all_with_it(here: Kubectl, namespace: str) -> None:
    here("create", "configmap", "one")
    here("create", "deployment", "web", "--image=nginx:1.27")
    assert here("delete", "namespace", namespace, "--timeout=30s").stdout == f'namespace "{namespace}" deleted\n'
    refused = here("create", "configmap", "two", code=1).stderr
    assert refused == f'error: failed to create configmap: namespaces "{namespace}" not found\n'


@shows("kubectl delete KIND NAME --timeout=TIME")
def test_a_finalizer_holds_it(here: Kubectl) -> None:
    meta = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"held","finalizers":["example.com/wait"]}}'
    here("create", "-f", "-", stdin=meta)
    late = here("delete", "cm", "held", "--timeout=1s", code=1)
    assert (
        late.stderr.splitlines(keepends=True)[-1] == "error: timed out waiting for the condition on configmaps/held\n"
    )
    assert here("get", "cm", "held", "-o", "jsonpath={.metadata.deletionTimestamp}").stdout
    here("patch", "cm", "held", "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
    assert here("get", "cm", "held", "--ignore-not-found").stdout == ""
