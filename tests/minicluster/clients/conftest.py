"""A lab with something of every kind in it, and the official client's configuration for it."""

from __future__ import annotations

import base64
import gc
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from k8sdiag.clock import sleep
from tests.minicluster.conftest import Lab, running

EVERYTHING = Path(__file__).with_name("everything.yaml")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab for a module's tests, with a namespace `zoo` that has everything in it."""
    with running(tmp_path_factory.mktemp("lab")) as started:
        fill(started)
        yield started


@pytest.fixture(scope="module")
def leftovers(lab: Lab) -> Iterator[None]:
    """For clients that leave sockets to the garbage collector: it comes here, and what it says is not about us."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def everything() -> list[dict[str, Any]]:
    return list(yaml.load_all(EVERYTHING.read_text(encoding="utf-8"), yaml.CSafeLoader))


def fill(lab: Lab) -> None:
    """Create everything, and wait until what runs, runs."""
    for body in everything():
        if body["kind"] == "CertificateSigningRequest":
            body["spec"]["request"] = _wish()
        space = body["metadata"].get("namespace", "")
        resource = lab.cluster.registry.of(body["apiVersion"], body["kind"])
        assert resource is not None, body["kind"]
        answer = lab.request("POST", resource.path(space), body)
        assert answer.status == 201, answer.body
    wait_for(lab, "/api/v1/namespaces/zoo/pods/rich", lambda pod: _is_true(pod, "Ready"))
    wait_for(lab, "/apis/batch/v1/namespaces/zoo/jobs/once", lambda job: _is_true(job, "Complete"))


def wait_for(lab: Lab, path: str, wanted: Any, patience: float = 20.0) -> Any:
    """An object, when it is as wanted."""
    found = lab.request("GET", path)
    for _ in range(int(patience / 0.05)):
        found = lab.request("GET", path)
        if found.status == 200 and wanted(found.json):
            return found.json
        sleep(0.05)
    raise AssertionError(f"{path} did not come to what is wanted: {found.body.decode()[:2000]}")


def _is_true(obj: Any, condition: str) -> bool:
    return any(
        one["type"] == condition and one["status"] == "True" for one in obj.get("status", {}).get("conditions") or ()
    )


def _wish() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "somebody")])
    made = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    return base64.b64encode(made.public_bytes(serialization.Encoding.PEM)).decode()
