"""What the direct way takes on, and what it leaves to the official client."""

from __future__ import annotations

import base64
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from k8sdiag.live import direct
from k8sdiag.live.kubeconfig import configure
from tests.canned_api import authority, kubeconfig


@pytest.mark.parametrize(
    ("extra", "taken"),
    [
        ({}, True),
        ({"cluster": {"insecure-skip-tls-verify": True, "tls-server-name": "api.example"}}, True),
        ({"user": {}}, True),
        ({"user": {"token": "t", "as": "somebody"}}, True),
        ({"user": {"exec": {"command": "login"}}}, False),
        ({"user": {"auth-provider": {"name": "oidc"}}}, False),
        ({"user": {"username": "u", "password": "p"}}, False),
        ({"user": {"tokenFile": "somewhere"}}, False),
        ({"user": {"client-certificate-data": "bm8="}}, False),
        ({"cluster": {"proxy-url": "http://proxy.example"}}, False),
        ({"cluster": {"certificate-authority": "gone.pem"}}, False),
        ({"cluster": {"certificate-authority-data": "not base 64"}}, False),
        ({"context": {"cluster": "another"}}, False),
        ({"context": ["hunter2"]}, False),
    ],
)
def test_what_is_taken(tmp_path: Path, extra: dict[str, Any], taken: bool, way: str) -> None:
    if isinstance(extra.get("context"), list):
        path = tmp_path / "config"
        path.write_text("contexts: [hunter2]\ncurrent-context: hunter2\n", encoding="utf-8")
    else:
        path = kubeconfig(tmp_path / "config", "https://one.example", **extra)
    assert (direct.choose([str(path)], None, {}) is not None) == (taken and way == "direct")


def test_a_proxy_in_the_environment_is_the_clients_business(tmp_path: Path, way: str) -> None:
    path = kubeconfig(tmp_path / "config", "https://one.example")
    assert direct.choose([str(path)], None, {"HTTPS_PROXY": "http://proxy.example"}) is None
    assert (direct.choose([str(path)], None, {}) is not None) == (way == "direct")


def test_both_ways_come_to_the_same(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    folder.mkdir()
    authority().cert_pem.write_to_path(str(folder / "ca.pem"))
    leaf = authority().issue_cert("somebody")
    inline = base64.b64encode(leaf.private_key_pem.bytes()).decode()
    leaf.cert_chain_pems[0].write_to_path(str(folder / "me.pem"))
    path = kubeconfig(
        folder / "config",
        "https://one.example:6443",
        cluster={"certificate-authority": "ca.pem"},
        user={
            "client-certificate": "me.pem",
            "client-key-data": inline,
            "token": "t",
            "as": "x",
            "as-groups": ["a", "b"],
        },
        context={"namespace": "shop"},
    )
    connection = configure(str(path), None, {})
    assert (connection.endpoint.host, connection.namespace, connection.source) == (
        "https://one.example:6443",
        "shop",
        "context test",
    )
    assert connection.endpoint.authorization() == [("authorization", "Bearer t")]
    assert connection.headers == (("Impersonate-User", "x"), ("Impersonate-Group", "a"), ("Impersonate-Group", "b"))


def test_the_direct_way_does_without_the_client(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path / "config", "https://one.example")
    call = f"connect({str(path)!r}, None, 1.0)"
    code = (
        f"import sys; from k8sdiag.live import connect; {call}; print({{'kubernetes', 'urllib3'}} & {{*sys.modules}})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
