"""Images and registries: what exists, and containerd's words for what does not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from k8sdiag.minicluster.runtimes.base import Failure, ImageInfo
from k8sdiag.minicluster.runtimes.images import BadTable, ImageStore, default_table, read_overrides, read_table
from tests.minicluster.runtimes.rig import Rig

PREFIX = 'failed to pull and unpack image "{ref}": failed to resolve reference "{ref}": '
TRUTH = Path(__file__).parents[3] / "recordings"


@pytest.mark.parametrize(
    ("image", "ref", "code", "cause"),
    [
        ("nginx:nope", "docker.io/library/nginx:nope", "NotFound", "docker.io/library/nginx:nope: not found"),
        ("127.0.0.1:5000/web:v9", "127.0.0.1:5000/web:v9", "NotFound", "127.0.0.1:5000/web:v9: not found"),
        (
            "127.0.0.1:5001/web:v1", "127.0.0.1:5001/web:v1", "",
            "pulling from host 127.0.0.1:5001 failed with status code [manifests v1]: 401 Unauthorized",
        ),
        (
            "registry.nowhere.invalid/team/web:1.0", "registry.nowhere.invalid/team/web:1.0", "",
            ('failed to do request: Head "https://registry.nowhere.invalid/v2/team/web/manifests/1.0": dial tcp: lookup'
            " registry.nowhere.invalid on 10.0.0.2:53: no such host"),
        ),
        (
            "mycorp/private", "docker.io/mycorp/private:latest", "",
            ("pull access denied, repository does not exist or may require authorization: server message:"
            " insufficient_scope: authorization failed"),
        ),
        (
            "127.0.0.1:1/x", "127.0.0.1:1/x:latest", "",
            ('failed to do request: Head "http://127.0.0.1:1/v2/x/manifests/latest": dial tcp 127.0.0.1:1: connect:'
            " connection refused"),
        ),
    ],
)  # fmt: skip
def test_a_pull_fails_in_the_words_of_containerd(image: str, ref: str, code: str, cause: str) -> None:
    text = PREFIX.replace("{ref}", ref) + cause
    if code:
        text = f"rpc error: code = {code} desc = {text}"
    assert Rig().pull(image) == Failure("ErrImagePull", text)


@pytest.mark.parametrize(
    "image", ["nginx", "nginx:1.27-alpine", "redis:7", "postgres:16", "registry.k8s.io/pause:3.10"]
)
def test_common_images_are_pulled_and_stay(image: str) -> None:
    rig = Rig()
    assert rig.runtime.image(image) is None or "pause" in image
    found = rig.pull(image)
    assert isinstance(found, ImageInfo)
    assert rig.runtime.image(image) == found
    assert found in rig.runtime.node.images
    assert "@sha256:" in found.id


def test_what_the_recorded_cluster_held_is_on_every_node() -> None:
    assert Rig().runtime.image("busybox:1.36") is not None
    assert Rig().runtime.image("python:3.11-slim") is not None


def test_every_image_of_the_table_has_a_tag_and_something_to_run() -> None:
    table = default_table()
    tags = ("latest", "1.0", "9", "3.9", "2.0.0", "v1.0.0", "1.36", "1.0.4")
    assert [name for name, image in table.images.items() if not any(map(image.holds, tags))] == []
    bare = {name for name, image in table.images.items() if not (*image.entrypoint, *image.cmd)}
    assert bare == {"gcr.io/distroless/static", "gcr.io/distroless/base"}


@pytest.mark.parametrize("tag", ["nope", "lates", "v9", "99.99", "1.25.3-alpyne", "doesnotexist"])
def test_a_tag_that_nginx_never_had_is_not_found(tag: str) -> None:
    assert isinstance(Rig().pull(f"nginx:{tag}"), Failure)


def test_a_pod_says_how_its_pulls_go() -> None:
    store = ImageStore(default_table())
    store.trouble(
        read_overrides(
            "nginx:1.27: rate-limit\nregistry.example.com: {fails: timeout, times: 1}\nshop/web: {fails: none, private: true}"
        )
    )
    limited, _ = store.pull("nginx:1.27", ())
    assert isinstance(limited, Failure)
    assert "429 Too Many Requests" in limited.message
    assert isinstance(store.pull("nginx:1.26", ())[0], ImageInfo)
    first, seconds = store.pull("registry.example.com/a:1", ())
    assert isinstance(first, Failure)
    assert ("i/o timeout" in first.message, seconds) == (True, 30.0)
    refused, _ = store.pull("shop/web:2", ())
    assert isinstance(refused, Failure)
    assert "pull access denied" in refused.message
    assert isinstance(store.pull("shop/web:2", [{"docker.io": {"auth": "x"}}])[0], ImageInfo)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("images: {a: {tags: '('}}", "images.a.tags is no regular expression"),
        ("images: {a: {colour: red}}", "images.a has no 'colour': one of base"),
        ("registries: {a.b: {fails: sometimes}}", "registries.a.b.fails must be one of none, "),
        ("images: [a]", "images must be a mapping"),
        ("things: 1", "the table has no 'things': one of images, present, registries"),
        ("images: {a: {size: big}}", "images.a.size is no quantity: 'big'"),
    ],
)
def test_a_table_that_cannot_be_is_refused_with_its_path(text: str, said: str) -> None:
    with pytest.raises(BadTable) as refused:
        read_table(text)
    assert str(refused.value).startswith(said)


@pytest.mark.parametrize("name", ["wait-tag-missing", "wait-registry-auth", "wait-registry-dns"])
def test_a_recorded_pull_failed_in_the_same_words(name: str) -> None:
    folder = TRUTH / name
    if not folder.exists():
        pytest.skip(f"{folder} is not here")
    changes = [json.loads(line)["object"] for line in (folder / "objects.jsonl").read_text().splitlines()]
    pods = [one for one in changes if one["kind"] == "Pod"]
    failure = Rig().pull(pods[0]["spec"]["containers"][0]["image"])
    assert isinstance(failure, Failure)
    statuses = [status for pod in pods for status in (pod.get("status") or {}).get("containerStatuses") or ()]
    waiting = [status["state"]["waiting"] for status in statuses if "waiting" in status["state"]]
    assert failure.message in {one.get("message") for one in waiting if one["reason"] == "ErrImagePull"}
