"""Lists: selectors and their complaints, pages that agree with each other, and what a resourceVersion asks for."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver import field_selectors, label_selectors
from k8sdiag.minicluster.apiserver.errors import ApiError
from k8sdiag.minicluster.kinds import Registry
from tests.minicluster.apiserver.server import Server, config, make_server, pod

REGISTRY = Registry()
_INVALID = 'ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: Forbidden:'


@pytest.fixture
def server() -> Server:
    return make_server()


def listed(server: Server, word: str = "configmaps", namespace: str = "shop", **query: str) -> list[str]:
    body = server.ask("list", word, query=query, namespace=namespace).body
    return [obj["metadata"]["name"] for obj in body["items"]]


# ---- label selectors

LABELS = {"app": "web", "tier": "front", "empty": ""}


@pytest.mark.parametrize(
    ("selector", "passes"),
    [
        ("", True),
        ("app=web", True),
        ("app==web,tier=front", True),
        ("app!=web", False),
        ("gone!=web", True),
        ("app", True),
        ("!app", False),
        ("!gone", True),
        (" app in ( web , db ) , tier notin (back)", True),
        ("app in (db)", False),
        ("gone notin (a)", True),
        ("empty=", True),
        ("app=,tier", False),
        ("empty in ()", True),
        ("empty in (,x)", True),
        ("in in (in)", False),
        ("app>1", False),
        ("example.com/a.b_c-d!=x", True),
    ],
)
def test_label_selectors(selector: str, passes: bool) -> None:
    matches = label_selectors.matcher(selector)
    assert (matches is None or matches(LABELS)) is passes


def test_numbers_are_compared() -> None:
    more, less = label_selectors.matcher("n>5"), label_selectors.matcher("n<5")
    assert more is not None
    assert less is not None
    assert [(more({"n": value}), less({"n": value})) for value in ("10", "5", "-1", "x")] == [
        (True, False),
        (False, False),
        (False, True),
        (False, False),
    ]


@pytest.mark.parametrize(
    ("selector", "complaint"),
    [
        ("app=web=", "found '=', expected: ',' or 'end of string'"),
        ("=web", "found '=', expected: !, identifier, or 'end of string'"),
        ("app in web", "unable to parse requirement: found 'web' expected: '('"),
        ("app in (web", "unable to parse requirement: found '', expected: ',' or ')'"),
        ("app,", "found '', expected: identifier after ','"),
        ("!!app", "unable to parse requirement: found '!', expected: identifier"),
        ("app is web", "unable to parse requirement: found 'is', expected: in, notin, =, ==, !=, gt, lt"),
        ("app>x", "unable to parse requirement: values[0]: Invalid value: \"x\": for 'Gt', 'Lt' operators"),
        (
            "-app=web",
            'unable to parse requirement: <nil>: Invalid value: "-app": name part must consist of alphanumeric',
        ),
        ("app=-web", 'unable to parse requirement: values[0][app]: Invalid value: "-web": a valid label must be'),
        ("a/b/c", 'unable to parse requirement: <nil>: Invalid value: "a/b/c": a qualified name must consist of'),
    ],
)
def test_label_selectors_refused(selector: str, complaint: str) -> None:
    with pytest.raises(ApiError) as refused:
        label_selectors.parse(selector)
    assert (refused.value.code, refused.value.reason) == (400, "BadRequest")
    assert refused.value.message.startswith(complaint)


@given(st.text(alphabet="ab=!(),<> in", max_size=20))
def test_any_text_is_a_selector_or_refused(text: str) -> None:
    with suppress(ApiError):
        matches = label_selectors.matcher(text)
        assert matches is None or matches({"a": "b"}) in (True, False)


# ---- field selectors


def test_field_selectors(server: Server) -> None:
    server.client.create("pods", pod("a", "n1"))
    made = server.client.create("pods", pod("b", "n2", restartPolicy="Never"))
    server.client.update("pods", {**made, "status": {**made["status"], "phase": "Running"}}, "status")
    assert listed(server, "pods", fieldSelector="spec.nodeName=n1") == ["a"]
    assert listed(server, "pods", fieldSelector="status.phase!=Running") == ["a"]
    assert listed(server, "pods", fieldSelector="status.phase==Running,spec.restartPolicy=Never") == ["b"]
    assert listed(server, "pods", fieldSelector="metadata.name=b") == ["b"]
    assert listed(server, "pods", "", fieldSelector="metadata.name=b") == ["b"]
    assert listed(server, "pods", "", fieldSelector="metadata.namespace=shop,metadata.name=c") == []
    assert listed(server, "pods", fieldSelector="spec.hostNetwork=false") == ["a", "b"]
    assert listed(server, "pods", fieldSelector="") == ["a", "b"]


@pytest.mark.parametrize(
    ("word", "selector", "complaint"),
    [
        ("pods", "spec.image=x", "field label not supported: spec.image"),
        ("nodes", "metadata.namespace=x", "field label not supported: metadata.namespace"),
        ("events", "count=1", "field label not supported: count"),
        ("jobs", "spec.x=1", 'field label "spec.x" not supported for batchv1.Job'),
        (
            "configmaps",
            "data.x=1",
            '"data.x" is not a known field selector: only "metadata.name", "metadata.namespace"',
        ),
        ("pods", "metadata.name", "invalid selector: 'metadata.name'; can't understand 'metadata.name'"),
    ],
)
def test_field_selectors_refused(server: Server, word: str, selector: str, complaint: str) -> None:
    with pytest.raises(ApiError) as refused:
        listed(server, word, fieldSelector=selector)
    assert (refused.value.code, refused.value.message) == (400, complaint)


def test_what_a_selector_demands() -> None:
    pods = REGISTRY.named("pods")
    assert field_selectors.exact("spec.nodeName=n1,status.phase!=x", pods, "spec.nodeName") == "n1"
    assert field_selectors.exact("spec.host=n1", pods, "spec.nodeName") == "n1"
    assert field_selectors.exact("spec.nodeName!=n1", pods, "spec.nodeName") == ""


# ---- pages


def pages(server: Server, **query: str) -> Iterator[Json]:
    token = ""
    while True:
        body = server.ask("list", "configmaps", query={**query, **({"continue": token} if token else {})}).body
        yield body
        token = body["metadata"].get("continue", "")
        if not token:
            return


def test_pages_show_one_moment_whatever_is_written_meanwhile(server: Server) -> None:
    for number in range(10):
        server.client.create("configmaps", config(f"c{number}", even=str(number % 2 == 0)))
    before = listed(server)
    version = str(server.storage.revision)
    seen: list[str] = []
    numbers = itertools.count(100)
    left: list[int | None] = []
    for body in pages(server, limit="3"):
        seen += [obj["metadata"]["name"] for obj in body["items"]]
        assert body["metadata"]["resourceVersion"] == version
        left.append(body["metadata"].get("remainingItemCount"))
        server.client.create("configmaps", config(f"a{next(numbers)}"))
        server.client.delete("configmaps", "shop", server.client.list("configmaps", "shop")[-1]["metadata"]["name"])
    assert seen == before
    assert left == [7, 4, 1, None]


def test_pages_of_a_selection_do_not_count_what_is_left(server: Server) -> None:
    for number in range(10):
        server.client.create("configmaps", config(f"c{number}", even=str(number % 2 == 0)))
    found = list(pages(server, limit="2", labelSelector="even=True"))
    assert [len(body["items"]) for body in found] == [2, 2, 1]
    assert all("remainingItemCount" not in body["metadata"] for body in found)


def test_pages_over_all_namespaces(server: Server) -> None:
    server.client.create("namespaces", {"metadata": {"name": "shop-2"}})
    for namespace in ("shop", "shop-2"):
        for number in range(3):
            made = config(f"c{number}")
            server.client.create("configmaps", {**made, "metadata": {**made["metadata"], "namespace": namespace}})
    seen, token = [], ""
    while True:
        query = {"limit": "2", **({"continue": token} if token else {})}
        body = server.ask("list", "configmaps", query=query, namespace="").body
        seen += [f"{obj['metadata']['namespace']}/{obj['metadata']['name']}" for obj in body["items"]]
        token = body["metadata"].get("continue", "")
        if not token:
            break
    assert seen == ["shop-2/c0", "shop-2/c1", "shop-2/c2", "shop/c0", "shop/c1", "shop/c2"]


def test_an_old_page_expires_and_offers_to_go_on(server: Server) -> None:
    for number in range(4):
        server.client.create("configmaps", config(f"c{number}"))
    token = next(pages(server, limit="2"))["metadata"]["continue"]
    server.client.create("configmaps", config("c9"))
    server.clock.advance(1000)
    server.storage.compact()
    with pytest.raises(ApiError) as refused:
        listed(server, limit="2", **{"continue": token})
    assert (refused.value.code, refused.value.reason) == (410, "Expired")
    again = refused.value.status()["metadata"]["continue"]
    assert listed(server, **{"continue": again}) == ["c2", "c3", "c9"]


# ---- versions


def test_versions(server: Server) -> None:
    server.client.create("configmaps", config("a"))
    then = str(server.storage.revision)
    server.client.create("configmaps", config("b"))
    assert listed(server, resourceVersion=then, resourceVersionMatch="Exact") == ["a"]
    assert listed(server, resourceVersion=then, resourceVersionMatch="NotOlderThan") == ["a", "b"]
    assert listed(server, resourceVersion=then) == ["a", "b"]
    assert listed(server, resourceVersion=then, limit="5") == ["a"]
    assert listed(server, resourceVersion="0", limit="1") == ["a", "b"]


@pytest.mark.parametrize(
    ("query", "code", "message"),
    [
        ({"resourceVersion": "999999"}, 504, "Timeout: Too large resource version: 999999, current: "),
        ({"resourceVersion": "x"}, 400, 'invalid resource version: resourceVersion: Invalid value: "x": strconv'),
        ({"limit": "x"}, 400, 'strconv.ParseInt: parsing "x": invalid syntax'),
        ({"continue": "!"}, 400, "invalid continue token: continue key is not valid"),
        ({"continue": "e30"}, 400, "invalid continue token: continue key is not valid: server does not recognize"),
        (
            {"resourceVersionMatch": "Exact"},
            422,
            f"{_INVALID} resourceVersionMatch is forbidden unless resourceVersion is provided",
        ),
        (
            {"resourceVersionMatch": "Exact", "resourceVersion": "0"},
            422,
            f'{_INVALID} resourceVersionMatch "exact" is forbidden for resourceVersion "0"',
        ),
    ],
)
def test_refused(server: Server, query: dict[str, str], code: int, message: str) -> None:
    with pytest.raises(ApiError) as refused:
        listed(server, **query)
    assert refused.value.code == code
    assert refused.value.message.startswith(message)


def test_exactly_what_was_before_the_history_begins(server: Server) -> None:
    server.client.create("configmaps", config("a"))
    server.clock.advance(1000)
    server.storage.compact()
    with pytest.raises(ApiError, match=r"The resourceVersion for the provided list is too old\."):
        listed(server, resourceVersion="1", resourceVersionMatch="Exact")


def test_items_do_not_repeat_their_kind(server: Server) -> None:
    server.client.create("configmaps", config("a"))
    body = server.ask("list", "configmaps").body
    assert (body["kind"], body["apiVersion"]) == ("ConfigMapList", "v1")
    assert "kind" not in body["items"][0]
