"""Bodies read as Go reads them: the complaints, word for word, and real objects, which come through as they are."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver import gotypes
from k8sdiag.minicluster.apiserver.duplicates import duplicate_fields
from k8sdiag.minicluster.apiserver.errors import ApiError
from k8sdiag.minicluster.apiserver.fieldvalidation import IGNORE, STRICT, WARN, decode, decode_body
from k8sdiag.minicluster.apiserver.schema import builtin, definitions
from k8sdiag.minicluster.kinds import Registry

REGISTRY = Registry()
DEPLOYMENTS = REGISTRY.named("deployments")
DEPLOYMENT = builtin(DEPLOYMENTS.definition)
RECORDINGS = Path(__file__).parents[3] / "recordings"


def with_container(**fields: Any) -> Json:
    return {"spec": {"template": {"spec": {"containers": [{"name": "a", **fields}]}}}}


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (
            {"spec": {"replicas": "3"}},
            "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32",
        ),
        (
            {"spec": {"replicas": 1.5}},
            "json: cannot unmarshal number 1.5 into Go struct field DeploymentSpec.spec.replicas of type int32",
        ),
        (
            {"spec": {"replicas": 2**31}},
            "json: cannot unmarshal number 2147483648 into Go struct field DeploymentSpec.spec.replicas of type int32",
        ),
        (
            with_container(image=5),
            (
                "json: cannot unmarshal number into Go struct field Container.spec.template.spec.containers.image "
                "of type string"
            ),
        ),
        (
            {"metadata": {"labels": {"a.b/c": True}}},
            "json: cannot unmarshal bool into Go struct field ObjectMeta.metadata.labels of type string",
        ),
        (
            {"spec": {"template": {"spec": {"containers": {}}}}},
            (
                "json: cannot unmarshal object into Go struct field PodSpec.spec.template.spec.containers "
                "of type []v1.Container"
            ),
        ),
        (
            with_container(resources={"limits": {"cpu": "x"}}),
            "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
        ),
        (
            {"metadata": {"creationTimestamp": "yesterday"}},
            'parsing time "yesterday" as "2006-01-02T15:04:05Z07:00": cannot parse "yesterday" as "2006"',
        ),
    ],
)
def test_wrong_types_are_told_in_gos_words(body: Json, why: str) -> None:
    with pytest.raises(ApiError) as found:
        decode_body(DEPLOYMENTS, DEPLOYMENT, body)
    assert found.value.code == 400
    assert found.value.message == f'Deployment in version "v1" cannot be handled as a Deployment: {why}'


STRANGE = with_container(foo=1)
STRANGE["spec"]["bar"] = 2


def test_unknown_fields_are_refused_warned_of_or_dropped() -> None:
    named = ['unknown field "spec.template.spec.containers[0].foo"', 'unknown field "spec.bar"']
    with pytest.raises(ApiError) as found:
        decode_body(DEPLOYMENTS, DEPLOYMENT, STRANGE, STRICT)
    assert found.value.message == (
        'Deployment in version "v1" cannot be handled as a Deployment: strict decoding error: ' + ", ".join(named)
    )
    obj, warnings = decode_body(DEPLOYMENTS, DEPLOYMENT, STRANGE, WARN)
    assert warnings == named
    assert "bar" not in obj["spec"]
    assert "foo" not in obj["spec"]["template"]["spec"]["containers"][0]
    assert decode_body(DEPLOYMENTS, DEPLOYMENT, STRANGE, IGNORE) == (obj, [])
    assert STRANGE["spec"]["bar"] == 2


def test_fields_stated_twice() -> None:
    raw = (
        b'{"spec": {"replicas": 1, "replicas": 2, "template": {"spec": {"containers": [{"name": "a", "name": "b"}]}}}}'
    )
    body = orjson.loads(raw)
    named = ['duplicate field "spec.replicas"', 'duplicate field "spec.template.spec.containers[0].name"']
    assert decode_body(DEPLOYMENTS, DEPLOYMENT, body, WARN, raw)[1] == named
    with pytest.raises(ApiError, match=r'strict decoding error: duplicate field "spec\.replicas"'):
        decode_body(DEPLOYMENTS, DEPLOYMENT, body, STRICT, raw)


def test_go_leaves_out_and_writes() -> None:
    given = with_container(
        args=[], command=None, tty=False, image="", resources={"limits": {"cpu": 1, "memory": "1024Mi"}}
    )
    given["spec"] |= {"replicas": 0, "paused": False}
    obj, _ = decode(DEPLOYMENT, given)
    assert obj == {
        "spec": {
            "replicas": 0,
            "strategy": {},
            "template": {
                "metadata": {"creationTimestamp": None},
                "spec": {"containers": [{"name": "a", "resources": {"limits": {"cpu": "1", "memory": "1Gi"}}}]},
            },
        },
        "status": {},
    }


def test_an_empty_class_name_is_not_no_class_name() -> None:
    claim = builtin("io.k8s.api.core.v1.PersistentVolumeClaim")
    obj, _ = decode(claim, {"spec": {"storageClassName": "", "volumeName": ""}})
    assert obj["spec"] == {"storageClassName": "", "resources": {}}


def recorded() -> Iterator[Json]:
    """Objects as a real server served them."""
    for path in sorted(RECORDINGS.glob("*/objects.jsonl"))[:40]:
        for line in path.read_bytes().splitlines()[:30]:
            obj = orjson.loads(line).get("object") or {}
            resource = REGISTRY.of(obj.get("apiVersion", ""), obj.get("kind", ""))
            if resource is not None and resource.definition:
                yield obj


def test_real_objects_have_no_unknown_fields_and_decode_twice_alike() -> None:
    count = 0
    for obj in recorded():
        resource = REGISTRY.of(obj["apiVersion"], obj["kind"])
        assert resource is not None
        node = builtin(resource.definition)
        before = copy.deepcopy(obj)
        read, unknown = decode(node, obj)
        assert (obj, unknown) == (before, [])
        assert decode(node, read)[0] == read
        count += 1
    assert count > 100


def test_what_needs_no_change_is_the_same_object() -> None:
    read, _ = decode(DEPLOYMENT, with_container(image="x"))
    assert decode(DEPLOYMENT, read)[0] is read


def test_the_valid_path_is_fast() -> None:
    read, _ = decode(DEPLOYMENT, with_container(image="x", env=[{"name": "A", "value": "b"}]))
    start = time.process_time()
    for _ in range(500):
        decode(DEPLOYMENT, read)
    assert time.process_time() - start < 0.25  # 500 µs each on a busy machine; a tenth of that on an idle one


def test_the_tables_of_go_types_name_fields_that_exist() -> None:
    fields: dict[str, set[str]] = {}
    for name, stated in definitions().items():
        fields.setdefault(name.rpartition(".")[2], set()).update(stated.get("properties", {}))
    for table in (gotypes.ALWAYS, gotypes.POINTERS, gotypes.NO_POINTER):
        for struct, named in table.items():
            assert set(named) <= fields.get(struct, set()), struct


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=3),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=2), below, max_size=3),
)


@given(JSON)
def test_parsed_json_has_no_duplicates(value: Any) -> None:
    for raw in (orjson.dumps(value), orjson.dumps(value, option=orjson.OPT_INDENT_2)):
        assert duplicate_fields(raw, value) == []


@given(st.dictionaries(st.sampled_from(["metadata", "spec", "status", "kind"]), JSON))
def test_any_body_is_read_or_refused(body: Json) -> None:
    try:
        obj, _ = decode_body(DEPLOYMENTS, DEPLOYMENT, body)
    except ApiError as refusal:
        code = refusal.code
    else:
        assert decode(DEPLOYMENT, obj)[0] == obj
        code = 400
    assert code == 400
