"""Which cluster, as whom and where: kubectl's rules, from real files, and what is said when they are wrong."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from k8sdiag.live.api import LiveApi
from k8sdiag.live.kubeconfig import Connection, configure
from k8sdiag.target import ApiError
from tests.canned_api import authority, kubeconfig, serving

POD = {"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "web", "namespace": "shop"}}


def made(folder: Path, name: str, **extra: Any) -> Path:
    return kubeconfig(folder / name, f"http://{name}.example", name=name, **extra)


def reason(*args: Any) -> str:
    with pytest.raises(ApiError) as caught:
        configure(*args)
    assert caught.value.status == 0
    return caught.value.reason


def host(connection: Connection) -> str:
    return str(connection.endpoint.host)


def test_the_flag_comes_before_the_variable_and_the_variable_before_home(tmp_path: Path) -> None:
    (tmp_path / ".kube").mkdir()
    kubeconfig(tmp_path / ".kube" / "config", "http://home.example")
    flag, variable = made(tmp_path, "flag"), made(tmp_path, "variable")
    home = {"HOME": str(tmp_path)}
    assert host(configure(None, None, home)) == "http://home.example"
    assert host(configure(None, None, {**home, "KUBECONFIG": str(variable)})) == "http://variable.example"
    assert host(configure(str(flag), None, {**home, "KUBECONFIG": str(variable)})) == "http://flag.example"


def test_several_files_are_merged_and_the_first_current_context_counts(tmp_path: Path) -> None:
    one = made(tmp_path, "one", context={"namespace": "shop"})
    two = made(tmp_path, "two")
    environ = {"KUBECONFIG": os.pathsep.join([str(tmp_path / "absent"), str(one), str(two)])}
    first, second = configure(None, None, environ), configure(None, "two", environ)
    assert (host(first), first.namespace, first.source) == ("http://one.example", "shop", "context one")
    assert (host(second), second.namespace, second.source) == ("http://two.example", "default", "context two")


def test_the_current_context_may_stand_in_any_file(tmp_path: Path) -> None:
    one, two = made(tmp_path, "one", current=False), made(tmp_path, "two")
    assert host(configure(None, None, {"KUBECONFIG": os.pathsep.join([str(one), str(two)])})) == "http://two.example"


def test_no_kubeconfig_at_all(tmp_path: Path) -> None:
    assert "no kubeconfig" in reason(None, None, {"HOME": str(tmp_path)})
    (tmp_path / "empty").touch()
    assert "no kubeconfig" in reason(None, None, {"KUBECONFIG": str(tmp_path / "empty")})
    assert "does not exist" in reason(str(tmp_path / "absent"), None, {})


def test_an_unknown_context_is_answered_with_those_there_are(tmp_path: Path) -> None:
    said = reason(str(made(tmp_path, "one")), "prod", {})
    assert "no context 'prod'" in said
    assert "(there is: one)" in said


def test_no_current_context(tmp_path: Path) -> None:
    assert "choose one with --context (one)" in reason(str(made(tmp_path, "one", current=False)), None, {})


@pytest.mark.parametrize(
    ("text", "clause"),
    [
        ("clusters: [unclosed", "is not YAML"),
        ("just words", "cannot be used"),
        ("- a\n- list", "cannot be used"),
        ("clusters: {a: b}\ncontexts: 7\nusers: x\ncurrent-context: c", "cannot be used"),
        ("current-context: c\ncontexts:\n- {name: c, context: {cluster: gone}}", "cannot be used"),
        ("current-context: c\ncontexts:\n- {name: c}", "no context 'c'"),
        ("current-context: c\ncontexts: [c]", "cannot be used"),
        ("\x00", "is not YAML"),
    ],
)
def test_a_malformed_kubeconfig_is_one_clause(tmp_path: Path, text: str, clause: str) -> None:
    path = tmp_path / "config"
    path.write_text(text, encoding="utf-8")
    said = reason(str(path), None, {})
    assert clause in said
    assert "\n" not in said


def test_a_line_number_for_what_is_not_yaml(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("clusters:\n- a\n\t- b\n", encoding="utf-8")
    assert "config, line 3" in reason(str(tmp_path / "config"), None, {})


def test_a_certificate_file_that_is_not_there(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path / "config", "https://one.example", cluster={"certificate-authority": "gone.pem"})
    assert "gone.pem" in reason(str(path), None, {})


def test_credentials_are_not_repeated_in_a_complaint(tmp_path: Path) -> None:
    user = {"exec": {"command": "login"}, "password": "hunter2"}
    said = reason(str(kubeconfig(tmp_path / "config", "http://x.example", user=user)), None, {})
    assert "apiVersion" in said
    broken = kubeconfig(tmp_path / "config", "http://x.example", context={"user": ["hunter2"], "cluster": None})
    assert "hunter2" not in said + reason(str(broken), None, {})


def plugin(folder: Path, script: str) -> dict[str, Any]:
    path = folder / "plugin"
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": str(path), "interactiveMode": "Never"}}


def test_a_credential_plugin_gives_the_token(tmp_path: Path) -> None:
    token = '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"fresh"}}'
    with serving([POD]) as server:
        path = kubeconfig(tmp_path / "config", server.url, user=plugin(tmp_path, f"echo '{token}'"))
        LiveApi(configure(str(path), None, {}).endpoint).get("/api/v1/namespaces/shop/pods/web")
    assert server.headers_seen[0]["authorization"] == "Bearer fresh"


@pytest.mark.parametrize(
    ("script", "clause"), [("echo 'please log in' >&2; exit 3", "please log in"), ("echo nonsense", "decode")]
)
def test_a_credential_plugin_that_fails(
    tmp_path: Path, script: str, clause: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = kubeconfig(tmp_path / "config", "http://one.example", user=plugin(tmp_path, script))
    said = reason(str(path), None, {})
    assert said.startswith("the credential plugin failed: ")
    assert clause in said
    assert capsys.readouterr() == ("", "")


def test_a_credential_plugin_that_is_not_installed(tmp_path: Path) -> None:
    user = {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "no-such-plugin"}}
    assert "no-such-plugin" in reason(str(kubeconfig(tmp_path / "config", "http://x.example", user=user)), None, {})


def test_in_a_cluster_the_service_account_is_used(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from-the-pod", encoding="utf-8")
    (tmp_path / "namespace").write_text("tools\n", encoding="utf-8")
    authority().cert_pem.write_to_path(str(tmp_path / "ca.crt"))
    with serving([POD], authority().issue_cert("127.0.0.1")) as server:
        port = str(server.server_address[1])
        environ = {"HOME": str(tmp_path), "KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": port}
        connection = configure(None, None, environ, tmp_path)
        LiveApi(connection.endpoint).get("/api/v1/namespaces/shop/pods/web")
    assert connection.namespace == "tools"
    assert server.headers_seen[0]["authorization"] == "bearer from-the-pod"


def test_in_a_cluster_without_a_service_account(tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path), "KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}
    assert "service account cannot be used" in reason(None, None, environ, tmp_path)
