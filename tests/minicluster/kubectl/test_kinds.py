"""Every kind: an example of each is created, shown in all formats, described and deleted.

golden/ holds what kubectl prints about each of them, to be read as what a real cluster says (--update writes it anew).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.minicluster.conftest import Kubectl, Lab, kubectl_of
from tests.minicluster.kubectl.conftest import until
from tests.minicluster.kubectl.examples import REFUSED, Example, examples, steady
from tests.minicluster.kubectl.shows import shows

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture(scope="module")
def made(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One of each, in a file; all gone at the end, by one command."""
    kubectl = kubectl_of(lab)
    spaces = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": one.namespace}} for one in examples()]
    kubectl("create", "-f", "-", stdin=yaml.safe_dump_all(spaces))
    client = lab.cluster.client()
    last = examples()[-1].namespace
    until(lambda: lab.run(lambda: client.find("serviceaccounts", last, "default")) is not None)
    path = tmp_path_factory.mktemp("examples") / "all.yaml"
    namespaced = {name.rpartition("/")[2] for name in _words(kubectl, "--namespaced=true")}
    path.write_text(yaml.safe_dump_all(_placed(one, namespaced) for one in examples()), encoding="utf-8")
    said = kubectl("create", "-f", str(path)).stdout.splitlines()
    assert len(said) == len(examples())
    assert all(line.endswith(" created") for line in said)
    _quiet(lab)
    yield path
    gone = kubectl("delete", "-f", str(path), "--timeout=20s").stdout.splitlines()
    assert len(gone) == len(examples())
    assert all(" deleted" in line for line in gone)
    assert kubectl("get", "-f", str(path), "--ignore-not-found", "-o", "name").stdout == ""


def _words(kubectl: Kubectl, *args: str) -> list[str]:
    return kubectl("api-resources", "-o", "name", "--verbs=create,get", *args).stdout.split()


def _placed(one: Example, namespaced: set[str]) -> dict[str, object]:
    group = one.manifest["apiVersion"].rpartition("/")[0]
    kinds = {word.partition(".")[0] for word in namespaced if word.partition(".")[2] == group}
    kind = one.manifest["kind"].lower()
    inside = any(plural in (kind, f"{kind}s", f"{kind}es", f"{kind[:-1]}ies") for plural in kinds)
    place = {"namespace": one.namespace} if inside else {}
    return {**one.manifest, "metadata": {**one.manifest["metadata"], **place}}


def _quiet(lab: Lab) -> None:
    """Until nothing has been written for a while: controllers and nodes have had their say."""
    seen = [-1, 0]

    def still() -> bool:
        revision = lab.run(lambda: lab.cluster.storage.revision)
        seen[:] = [revision, seen[1] + 1 if revision == seen[0] else 0]
        return seen[1] > 40

    until(still, 20.0)


@pytest.mark.parametrize("one", examples(), ids=lambda one: one.word)
@shows("kubectl get KIND NAME -o wide", "kubectl get KIND NAME -o yaml", "kubectl describe KIND NAME")
def test_each_kind_shows_what_a_real_cluster_shows(
    one: Example, made: Path, kubectl: Kubectl, update: bool, lab: Lab
) -> None:
    where = ("--namespace", one.namespace)
    text = ""
    for args in (("get", one.word, one.name, "-o", "wide"), ("get", one.word, one.name, "-o", "yaml")):
        text += f"$ kubectl {' '.join(args)}\n{kubectl(*where, *args).stdout}\n"
    text += f"$ kubectl describe {one.word} {one.name}\n{kubectl(*where, 'describe', one.word, one.name).stdout}"
    path = GOLDEN / f"{one.key}.txt"
    if update:
        path.parent.mkdir(exist_ok=True)
        path.write_text(steady(text), encoding="utf-8")
    assert steady(text) == path.read_text(encoding="utf-8")


def test_there_is_an_example_of_every_kind(kubectl: Kubectl, made: Path) -> None:
    listed = {word for word in _words(kubectl) if not word.endswith("metrics.k8s.io") and "gadgets" not in word}
    said = kubectl("get", "-f", str(made), "-o", "name").stdout.split()
    assert len(said) == len(examples())
    shown = {name.partition("/")[0] for name in said}
    for word in listed:
        plural, _, group = word.partition(".")
        singular = {plural[:-1], plural[:-2], f"{plural[:-3]}y", plural}
        found = any(f"{one}.{group}" if group else one for one in singular if f"{one}.{group}".strip(".") in shown)
        assert found is (plural not in REFUSED), word


@shows("kubectl get -f FILE -o json", "kubectl get -f FILE -o yaml", "kubectl get -f FILE -o name")
def test_all_formats_say_the_same_of_all_kinds(kubectl: Kubectl, made: Path) -> None:
    from_json = json.loads(kubectl("get", "-f", str(made), "-o", "json").stdout)
    from_yaml = yaml.load(kubectl("get", "-f", str(made), "-o", "yaml").stdout, yaml.CSafeLoader)
    assert json.loads(json.dumps(from_yaml, default=str)).keys() == from_json.keys()
    names = kubectl("get", "-f", str(made), "-o", "name").stdout.split()
    listed = [(item["kind"].lower(), item["metadata"]["name"]) for item in from_json["items"]]
    assert [(name.partition("/")[0].partition(".")[0], name.partition("/")[2]) for name in names] == listed
    columns = "-o=custom-columns=KIND:.kind,NAME:.metadata.name"
    rows = [tuple(row.split()) for row in kubectl("get", "-f", str(made), columns).stdout.splitlines()[1:]]
    assert [(kind.lower(), name) for kind, name in rows] == listed
    path = "-o=jsonpath={range .items[*]}{.kind} {.metadata.name}{'\\n'}{end}"
    lines = [tuple(row.split()) for row in kubectl("get", "-f", str(made), path).stdout.splitlines()]
    assert [(kind.lower(), name) for kind, name in lines] == listed
