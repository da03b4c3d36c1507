"""Bodies in protobuf mean what they would mean in JSON; OpenAPI v2 in protobuf says what it says in JSON."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from k8sdiag.minicluster.apiserver.openapi import OpenApi
from k8sdiag.minicluster.apiserver.openapi_protobuf import encode_document
from k8sdiag.minicluster.apiserver.protobuf import ProtobufError, _fields, decode
from k8sdiag.minicluster.kinds import Registry
from tests.minicluster.conftest import Kubectl, Lab

TYPED = [
    "configmap c --from-literal=a=b --from-literal=empty=",
    "secret generic s --from-literal=password=ü",
    "secret tls t --cert={cert} --key={key}",
    "secret docker-registry d --docker-username=u --docker-password=p",
    "deployment d --image=nginx --replicas=0 --port=80",
    "job j --image=busybox -- sh -c true",
    "cronjob c --image=busybox --schedule=*/5_*_*_*_*",
    "service clusterip web --tcp=80:8080",
    "service nodeport web --tcp=443:https --node-port=30443",
    "service loadbalancer web --tcp=80:80",
    "service externalname web --external-name=example.org",
    "ingress web --rule=example.org/a*=web:80,tls=cert --class=nginx",
    "role r --verb=get,list --resource=pods,deployments.apps --resource-name=a",
    "clusterrole r --verb=get --non-resource-url=/healthz",
    "rolebinding b --clusterrole=view --user=u --group=g --serviceaccount=default:s",
    "poddisruptionbudget p --selector=app=web --min-available=50%",
    "priorityclass p --value=0 --description=zero",
    "quota q --hard=pods=1 --scopes=BestEffort",
    "namespace n",
    "serviceaccount s",
]


def _without_times(value: Any) -> Any:
    """kubectl leaves out times that are not set, where the server says null."""
    if isinstance(value, dict):
        return {key: _without_times(below) for key, below in value.items() if key != "creationTimestamp"}
    return [_without_times(below) for below in value] if isinstance(value, list) else value


def _essence(text: str) -> Any:
    """An object without what differs from one creation to the next."""
    obj = _without_times(json.loads(text))
    for key in ("uid", "managedFields", "resourceVersion"):
        obj["metadata"].pop(key, None)
    if obj["kind"] == "Job":  # its uid is in its labels
        del obj["spec"]["template"]["metadata"]["labels"], obj["spec"]["selector"]
        obj["metadata"].pop("labels", None)
    if obj["kind"] == "Service":
        for key in ("clusterIP", "clusterIPs"):
            obj["spec"].pop(key, None)
        for port in obj["spec"].get("ports", ()):
            port.pop("nodePort", None)
    return obj


@pytest.mark.parametrize("command", TYPED)
def test_typed_clients_mean_what_their_json_means(kubectl: Kubectl, lab: Lab, command: str) -> None:
    keys = lab.folder / "keys"
    command = command.format(cert=keys / "apiserver.crt", key=keys / "apiserver.key")
    words = [word.replace("_", " ") if "schedule" in word else word for word in command.split()]
    before, after = (words[: words.index("--")], words[words.index("--") :]) if "--" in words else (words, [])
    manifest = kubectl("create", *before, "--dry-run=client", "-o", "json", *after).stdout
    typed = kubectl("create", *before, "--dry-run=server", "-o", "json", *after).stdout
    plain = kubectl("create", "-f", "-", "--dry-run=server", "-o", "json", stdin=manifest).stdout
    assert _essence(typed) == _essence(plain)


def _varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def _bytes(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


@given(st.text(max_size=20), st.dictionaries(st.text(max_size=10), st.text(max_size=10), max_size=5))
def test_config_maps(name: str, data: dict[str, str]) -> None:
    entries = b"".join(
        _bytes(2, _bytes(1, key.encode()) + _bytes(2, value.encode())) for key, value in sorted(data.items())
    )
    raw = _bytes(1, _bytes(1, name.encode())) + entries
    envelope = _bytes(1, _bytes(1, b"v1") + _bytes(2, b"ConfigMap")) + _bytes(2, raw)
    found = decode(b"k8s\x00" + envelope)
    expected: dict[str, Any] = {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": name} if name else {}}
    assert found == (expected | {"data": data} if data else expected)


@given(st.binary(max_size=60), st.sampled_from(["Pod", "ConfigMap", "Nothing"]))
def test_any_bytes_are_read_or_refused(raw: bytes, kind: str) -> None:
    envelope = _bytes(1, _bytes(1, b"v1") + _bytes(2, kind.encode())) + _bytes(2, raw)
    try:
        found = decode(b"k8s\x00" + envelope)
    except ProtobufError:
        return
    assert found["kind"] == kind


def test_openapi_says_the_same_in_protobuf(lab: Lab) -> None:
    document = OpenApi(Registry()).find("/openapi/v2")
    assert document is not None
    plain = orjson.loads(document)
    fields = dict(_fields(encode_document(document)))
    assert fields[1] == b"2.0"
    definitions = [dict(_fields(_raw(content))) for _, content in _fields(_raw(fields[9]))]
    assert [_raw(each[1]).decode() for each in definitions] == list(plain["definitions"])
    pod = dict(_fields(_raw(definitions[list(plain["definitions"]).index("io.k8s.api.core.v1.Pod")][2])))
    properties = [_raw(dict(_fields(_raw(each)))[1]).decode() for _, each in _fields(_raw(pod[25]))]
    assert properties == ["apiVersion", "kind", "metadata", "spec", "status"]
    assert len(list(_fields(_raw(fields[8])))) == len(plain["paths"])
    accept = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
    answered = lab.request("GET", "/openapi/v2", headers={"Accept": accept}).headers["content-type"]
    assert answered == "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"


def _raw(value: int | bytes) -> bytes:
    assert isinstance(value, bytes)
    return value
