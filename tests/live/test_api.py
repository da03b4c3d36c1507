"""A LiveApi against a real server: pages, credentials, connections, and every way of failing."""

from __future__ import annotations

import base64
import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from k8sdiag.live import connect
from k8sdiag.live.api import LiveApi
from k8sdiag.target import ApiError
from tests.canned_api import (
    Behaviour,
    CannedApi,
    Handler,
    Json,
    authority,
    break_off,
    hang,
    kubeconfig,
    refuse,
    serving,
    trickle,
)

POD = "/api/v1/namespaces/shop/pods/web"
PODS = "/api/v1/namespaces/shop/pods"
TIMEOUT = 0.4


def thing(kind: str, name: str, **more: object) -> Json:
    return {"kind": kind, "apiVersion": "v1", "metadata": {"name": name, "namespace": "shop"}, **more}


@pytest.fixture
def server() -> Iterator[CannedApi]:
    with serving([thing("Pod", "web")]) as api:
        yield api


def client(folder: Path, url: str, timeout: float = TIMEOUT, **extra: Any) -> LiveApi:
    target, _ = connect(str(kubeconfig(folder / "config", url, **extra)), None, timeout)
    assert isinstance(target.api, LiveApi)
    return target.api


def failure(api: LiveApi, path: str = POD) -> ApiError:
    with pytest.raises(ApiError) as caught:
        api.get(path)
    return caught.value


def test_one_object_comes_as_raw_json(server: CannedApi, tmp_path: Path) -> None:
    server.objects[0]["spec"] = {"nobody": {"knows": ["this", None, 1.5]}}
    assert client(tmp_path, server.url).get(POD)["spec"] == {"nobody": {"knows": ["this", None, 1.5]}}
    assert server.headers_seen[0]["authorization"] == "Bearer open-sesame"


def test_a_list_comes_whole_and_its_items_know_their_kind(server: CannedApi, tmp_path: Path) -> None:
    server.objects = [thing("Pod", f"web-{number}") for number in range(1201)]
    answer = client(tmp_path, server.url, 5.0).get(PODS, {"labelSelector": ""})
    assert [item["metadata"]["name"] for item in answer["items"]] == [f"web-{number}" for number in range(1201)]
    assert {(item["kind"], item["apiVersion"]) for item in answer["items"]} == {("Pod", "v1")}
    assert len(server.asked) == 3
    assert "continue" not in answer["metadata"]


def test_a_server_that_pages_for_ever_is_left(server: CannedApi, tmp_path: Path) -> None:
    page = {"kind": "PodList", "apiVersion": "v1", "metadata": {"continue": "again"}, "items": []}
    server.on("/pods", lambda handler: handler.send_json(page))
    with pytest.raises(ApiError, match="again and again"):
        client(tmp_path, server.url, 5.0).get(PODS)
    assert len(server.asked) == 2


def test_a_list_that_expires_while_it_is_read_is_asked_for_afresh(server: CannedApi, tmp_path: Path) -> None:
    server.objects = [thing("Pod", f"web-{number}") for number in range(600)]
    server.on("continue=", refuse(410, "the provided continue parameter is too old"))
    assert len(client(tmp_path, server.url, 5.0).get(PODS)["items"]) == 600
    assert "limit" not in server.asked[-1]


def test_impersonation_is_passed_on(server: CannedApi, tmp_path: Path) -> None:
    client(tmp_path, server.url, user={"token": "t", "as": "jane", "as-groups": ["dev", "ops"]}).get(POD)
    seen = server.headers_seen[0]
    assert seen["Impersonate-User"] == "jane"
    assert seen["Impersonate-Group"] == "dev|ops"


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (400, "bad request: no"),
        (401, "not authenticated: the API server does not accept these credentials (wrong or expired)"),
        (403, "forbidden: no"),
        (404, "not found: no"),
        (410, "expired: no"),
        (429, "too many requests: no"),
        (500, "server error 500: no"),
        (302, "unexpected answer 302: no"),
    ],
)
def test_a_refusal_is_one_clause(server: CannedApi, tmp_path: Path, status: int, reason: str) -> None:
    server.on(PODS, refuse(status, "no"))
    error = failure(client(tmp_path, server.url))
    assert (error.status, error.reason) == (status, reason)


def test_a_busy_server_is_asked_once_more_if_it_says_soon(server: CannedApi, tmp_path: Path) -> None:
    def first_busy(handler: Handler) -> None:
        if len(server.asked) == 1:
            handler.fail(429, "wait", Retry_After="0")
        else:
            handler.send_json(server.objects[0])

    server.on(PODS, first_busy)
    assert client(tmp_path, server.url).get(POD)["metadata"]["name"] == "web"
    server.rules.clear()
    server.on(PODS, refuse(503, "later", Retry_After="30"))
    asked = len(server.asked)
    assert failure(client(tmp_path, server.url)).reason == "server error 503: later"
    assert len(server.asked) == asked + 1


@pytest.mark.parametrize("behaviour", [hang, trickle], ids=["silence", "a byte now and then"])
def test_the_deadline_holds(server: CannedApi, tmp_path: Path, behaviour: Behaviour) -> None:
    server.on(PODS, behaviour)
    begin = monotonic()
    assert failure(client(tmp_path, server.url)).reason == "timed out after 0.4 s"
    assert monotonic() - begin < 1.5 * TIMEOUT + 0.3


def test_a_connection_that_breaks_mid_body(server: CannedApi, tmp_path: Path) -> None:
    server.on(PODS, break_off)
    error = failure(client(tmp_path, server.url))
    assert error.status == 0
    assert error.reason.startswith("the connection broke off")


def test_a_kept_alive_connection_that_the_server_closed_is_replaced(server: CannedApi, tmp_path: Path) -> None:
    def once_a_connection(handler: Handler) -> None:
        if handler.answered:
            handler.close_connection = True  # in the very moment it is used again
        else:
            handler.send_json(server.objects[0])
            handler.answered = True

    server.on(PODS, once_a_connection)
    api = client(tmp_path, server.url)
    assert [api.get(POD)["kind"] for _ in range(4)] == ["Pod"] * 4


@pytest.mark.parametrize("body", [b"<html>please log in</html>", b"[1]", b'{"metadata": {}}', b""])
def test_an_answer_that_is_no_object(server: CannedApi, tmp_path: Path, body: bytes) -> None:
    server.on(PODS, lambda handler: handler.send(200, body, "text/html"))
    assert failure(client(tmp_path, server.url)).reason.startswith("the answer is not a Kubernetes object")


def test_nobody_listens(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        assert failure(client(tmp_path, url)).reason == "connection refused"


def test_a_name_that_does_not_resolve(tmp_path: Path) -> None:
    assert "cannot be resolved" in failure(client(tmp_path, "http://api.invalid:6443", 5.0)).reason


def test_https(tmp_path: Path) -> None:
    with serving([thing("Pod", "web")], authority().issue_cert("127.0.0.1")) as server:
        assert client(tmp_path, server.url, 5.0, cluster=trusting()).get(POD)["kind"] == "Pod"
        insecure = client(tmp_path, server.url, 5.0, cluster={"insecure-skip-tls-verify": True})
        assert insecure.get(POD)["kind"] == "Pod"


def test_an_expired_certificate(tmp_path: Path) -> None:
    past = datetime.now(UTC) - timedelta(days=1)
    old = authority().issue_cert("127.0.0.1", not_before=past - timedelta(days=1), not_after=past)
    with serving([], old) as server:
        error = failure(client(tmp_path, server.url, 5.0, cluster=trusting()))
    assert (error.status, error.reason) == (0, "the API server's certificate has expired")


def test_an_unknown_authority(tmp_path: Path) -> None:
    with serving([], authority("theirs").issue_cert("127.0.0.1")) as server:
        error = failure(client(tmp_path, server.url, 5.0, cluster=trusting()))
    assert error.reason == "the API server's certificate is signed by an unknown authority"


def test_a_certificate_for_another_name(tmp_path: Path) -> None:
    with serving([], authority().issue_cert("elsewhere.example")) as server:
        error = failure(client(tmp_path, server.url, 5.0, cluster=trusting()))
    assert error.reason.startswith("the API server's certificate is for another name")


def test_plain_http_where_tls_is_expected(server: CannedApi, tmp_path: Path) -> None:
    error = failure(client(tmp_path, server.url.replace("http:", "https:"), 5.0, cluster=trusting()))
    assert error.reason.startswith("no TLS connection")


def trusting() -> dict[str, str]:
    return {"certificate-authority-data": base64.b64encode(authority().cert_pem.bytes()).decode()}


def test_requests_run_side_by_side_over_kept_connections(server: CannedApi, tmp_path: Path) -> None:
    server.pause = 0.05
    api = client(tmp_path, server.url, 5.0)
    with ThreadPoolExecutor(12) as pool:
        list(pool.map(api.get, [POD] * 36))
    assert server.busiest > 6
    assert server.connections <= 12


SECRET = "c2VzYW1l"


def test_secret_values_do_not_get_out(server: CannedApi, tmp_path: Path) -> None:
    last_applied = {"kubectl.kubernetes.io/last-applied-configuration": f'{{"data": "{SECRET}"}}', "note": "kept"}
    secret = thing("Secret", "db", data={"password": SECRET}, stringData={"user": SECRET}, type="Opaque")
    secret["metadata"] |= {"annotations": last_applied, "managedFields": [{"manager": SECRET}]}
    server.objects.append(secret)
    api = client(tmp_path, server.url)
    for path in ("/api/v1/namespaces/shop/secrets/db", "/api/v1/namespaces/shop/secrets", "/api/v1/secrets"):
        answer = api.get(path)
        got = answer["items"][0] if "items" in answer else answer
        assert (got["data"], got["stringData"]) == ({"password": ""}, {"user": ""})
        assert got["metadata"]["annotations"] == {"note": "kept"}
        assert SECRET not in json.dumps(answer)
    with pytest.raises(ApiError, match="secrets are not read as text"):
        api.text("/api/v1/namespaces/shop/secrets/db")


def test_a_secret_of_an_odd_shape_does_not_get_out_either(server: CannedApi, tmp_path: Path) -> None:
    server.on("secrets", lambda handler: handler.send_json({"kind": "Odd", "data": [SECRET], "stringData": SECRET}))
    assert SECRET not in json.dumps(client(tmp_path, server.url).get("/api/v1/namespaces/shop/secrets/db"))


def test_config_maps_keep_their_keys_only(server: CannedApi, tmp_path: Path) -> None:
    server.objects.append(thing("ConfigMap", "app", data={"mode": "fast"}))
    assert client(tmp_path, server.url).get("/api/v1/namespaces/shop/configmaps/app")["data"] == {"mode": ""}


def test_text_is_cut_at_its_beginning_and_never_fails_to_decode(server: CannedApi, tmp_path: Path) -> None:
    server.on("/log", lambda handler: handler.send(200, b"x" * 200_000 + b"\xff end", "text/plain"))
    api = client(tmp_path, server.url)
    assert api.text(f"{POD}/log", limit=6) == "x\ufffd end"
    assert len(api.text(f"{POD}/log")) == 200_005
