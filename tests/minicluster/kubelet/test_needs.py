"""What a container needs before it can run: its image, its volumes, its environment."""

from __future__ import annotations

import itertools
import json
from base64 import b64encode
from typing import Any

import pytest

from k8sdiag.evidence import Json
from k8sdiag.minicluster.kubelet.environment import expand
from k8sdiag.minicluster.kubelet.image_names import error_of
from k8sdiag.minicluster.kubelet.images import fitting
from k8sdiag.minicluster.runtimes.base import image_name

from .stage import Stage


@pytest.fixture
def stage() -> Stage:
    return Stage()


def waiting(pod: Json) -> Json:
    found: Json = pod["status"]["containerStatuses"][0]["state"].get("waiting", {})
    return found


# ---- images


def test_a_pull(stage: Stage) -> None:
    stage.runtime.pulls["shop/web:v1"] = (1.2, "")
    stage.pod(container={"image": "shop/web:v1"})
    pod = stage.run(5)
    assert pod["status"]["phase"] == "Running"
    assert stage.messages("Pulling") == ['Pulling image "shop/web:v1"']
    assert stage.messages("Pulled") == [
        'Successfully pulled image "shop/web:v1" in 1.2s (1.2s including waiting). Image size: 2000000 bytes.'
    ]
    assert pod["status"]["containerStatuses"][0]["image"] == "docker.io/shop/web:v1"


def test_images_are_pulled_one_after_the_other(stage: Stage) -> None:
    for name in ("one", "two"):
        stage.runtime.pulls[f"{name}:v1"] = (2.0, "")
        stage.pod(name, containers=[{"name": "app", "image": f"{name}:v1"}])
    stage.run(8)
    (second,) = stage.messages("Pulled", "two")
    assert second.startswith('Successfully pulled image "two:v1" in 2s (4s including waiting)')


def test_a_pull_that_fails(stage: Stage) -> None:
    stage.pod(container={"image": "nope:v1"})
    pod = stage.run(3)
    error = "rpc error: code = NotFound desc = nope:v1: not found"
    assert waiting(pod) == {"reason": "ErrImagePull", "message": error}
    pod = stage.run(40)
    assert stage.states()[:4] == [
        *("waiting/ContainerCreating", "waiting/ErrImagePull", "waiting/ImagePullBackOff", "waiting/ErrImagePull")
    ]
    assert set(stage.messages("Failed")) == {
        f'Failed to pull image "nope:v1": {error}',
        "Error: ErrImagePull",
        "Error: ImagePullBackOff",
    }
    assert stage.messages("BackOff") == ['Back-off pulling image "nope:v1"']
    backed_off = [
        one["state"]["waiting"]["message"]
        for _, _, seen in stage.seen
        for one in seen["status"].get("containerStatuses") or ()
        if one["state"].get("waiting", {}).get("reason") == "ImagePullBackOff"
    ]
    assert set(backed_off) == {f'Back-off pulling image "nope:v1": ErrImagePull: {error}'}
    assert pod["status"]["phase"] == "Pending"
    stage.runtime.pulls["nope:v1"] = (0.1, "")
    assert stage.run(120)["status"]["phase"] == "Running", "once it is there"


def test_pulls_back_off_to_five_minutes(stage: Stage) -> None:
    stage.pod(container={"image": "nope:v1"})
    stage.run(1800)
    pulls = [at for at, what, _ in stage.runtime.asked if what == "pull"]
    waits = [later - at for at, later in itertools.pairwise(pulls)]
    for wait, least in zip(waits, (10, 20, 40, 80, 160, 300, 300), strict=False):
        assert least <= wait <= least + 17


@pytest.mark.parametrize(
    ("container", "reason", "message", "event"),
    [
        (
            {"image": "Shop/Web"},
            "InvalidImageName",
            (
                'Failed to apply default image tag "Shop/Web": couldn\'t parse image name "Shop/Web": invalid reference'
                " format: repository name (Web) must be lowercase"
            ),
            "InspectFailed",
        ),
        (
            {"image": "absent:v1", "imagePullPolicy": "Never"},
            "ErrImageNeverPull",
            'Container image "absent:v1" is not present with pull policy of Never',
            "ErrImageNeverPull",
        ),
    ],
)
def test_images_that_are_never_pulled(stage: Stage, container: Json, reason: str, message: str, event: str) -> None:
    stage.pod(container=container)
    pod = stage.run(20)
    assert waiting(pod) == {"reason": reason, "message": message}
    assert stage.messages(event) == [message]
    assert stage.messages("Failed") == [f"Error: {reason}"]


def test_always_means_to_ask_the_registry(stage: Stage) -> None:
    stage.runtime.pulls["busybox:1.36"] = (0.3, "")
    stage.pod(container={"imagePullPolicy": "Always"})
    stage.run(5)
    assert [about for _, what, about in stage.runtime.asked if what == "pull"] == ["busybox:1.36"]


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("nginx", ""),
        ("registry.example.com:5000/team/web:v1.2", ""),
        ("nginx@sha256:" + "a" * 64, ""),
        ("Nginx", "invalid reference format: repository name (library/Nginx) must be lowercase"),
        ("nginx:", "invalid reference format"),
        ("nginx:::latest", "invalid reference format"),
        ("http://nginx", "invalid reference format"),
        ("nginx latest", "invalid reference format"),
        ("${IMAGE}", "invalid reference format: repository name (library/${IMAGE}) must be lowercase"),
        ("a" * 64, f"invalid repository name ({'a' * 64}), cannot specify 64-byte hexadecimal strings"),
    ],
)
def test_names_of_images(name: str, error: str) -> None:
    assert error_of(name) == error


def test_full_names_of_images() -> None:
    assert image_name("nginx") == "docker.io/library/nginx:latest"
    assert image_name("shop/web:v1") == "docker.io/shop/web:v1"
    assert image_name("localhost/web") == "localhost/web:latest"
    assert image_name("r.io:5000/web:v1@sha256:ab") == "r.io:5000/web@sha256:ab"


def test_pull_secrets(stage: Stage) -> None:
    auths = {"auths": {"https://registry.example.com/v1/": {"auth": "eA=="}, "other.io": {"auth": "eQ=="}}}
    data = {".dockerconfigjson": b64encode(json.dumps(auths).encode()).decode()}
    made = {
        "metadata": {"name": "there", "namespace": "default"},
        "type": "kubernetes.io/dockerconfigjson",
        "data": data,
    }
    stage.client.create("secrets", made)
    stage.pod(imagePullSecrets=[{"name": "there"}, {"name": "missing"}])
    assert stage.run(5)["status"]["phase"] == "Running"
    assert stage.messages("FailedToRetrieveImagePullSecret") == [
        "Unable to retrieve some image pull secrets (missing); attempting to pull the image may not succeed."
    ]
    credentials = [{"registry": "https://registry.example.com/v1/"}, {"registry": "other.io"}]
    assert fitting("registry.example.com/web:v1", credentials) == credentials[:1]
    assert fitting("nginx", credentials) == []


# ---- volumes


def test_a_config_map_that_comes_late(stage: Stage) -> None:
    stage.pod(volumes=[{"name": "cfg", "configMap": {"name": "x"}}])
    pod = stage.run(20)
    (event,) = stage.events("FailedMount")
    assert event["message"] == 'MountVolume.SetUp failed for volume "cfg" : configmap "x" not found'
    assert event["count"] == 6, "at once, after 0.5 s, 1 s, 2 s, 4 s and 8 s"
    assert waiting(pod) == {"reason": "ContainerCreating"}
    stage.client.create("configmaps", {"metadata": {"name": "x", "namespace": "default"}, "data": {"a": "1"}})
    assert stage.run(30)["status"]["phase"] == "Running"


@pytest.mark.parametrize(
    ("volume", "message"),
    [
        ({"secret": {"secretName": "x"}}, 'MountVolume.SetUp failed for volume "v" : secret "x" not found'),
        (
            {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "nope", "path": "p"}]}},
            'MountVolume.SetUp failed for volume "v" : configmap references non-existent config key: nope',
        ),
        (
            {"projected": {"sources": [{"secret": {"name": "a"}}, {"configMap": {"name": "b"}}]}},
            'MountVolume.SetUp failed for volume "v" : [secret "a" not found, configmap "b" not found]',
        ),
        (
            {"hostPath": {"path": "/nope", "type": "Directory"}},
            'MountVolume.SetUp failed for volume "v" : hostPath type check failed: /nope is not a directory',
        ),
        (
            {"csi": {"driver": "ghost.csi"}},
            (
                'MountVolume.NewMounter initialization failed for volume "v" : driver name ghost.csi not found in the'
                " list of registered CSI drivers"
            ),
        ),
    ],
)
def test_volumes_that_cannot_be_mounted(stage: Stage, volume: Json, message: str) -> None:
    stage.pod(volumes=[{"name": "v", **volume}])
    stage.run(3)
    assert stage.messages("FailedMount") == [message]


def test_a_claim_that_is_not_bound(stage: Stage) -> None:
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, "storageClassName": ""}
    stage.client.create("persistentvolumeclaims", {"metadata": {"name": "data", "namespace": "default"}, "spec": claim})
    volumes = [{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}]
    stage.pod(nodeName="node1", volumes=volumes, container={"volumeMounts": [{"name": "v", "mountPath": "/v"}]})
    stage.run(3)
    assert stage.messages("FailedMount") == [
        (
            "Unable to attach or mount volumes: unmounted volumes=[v], unattached volumes=[], failed to process"
            " volumes=[v]: error processing PVC default/data: PVC is not bound"
        )
    ]


def test_what_a_volume_holds(stage: Stage) -> None:
    stage.client.create("configmaps", {"metadata": {"name": "x", "namespace": "default"}, "data": {"a": "1", "b": "2"}})
    labels = [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]
    sources: list[Any] = [
        {"configMap": {"name": "x", "items": [{"key": "a", "path": "sub/a"}]}},
        {"downwardAPI": {"items": labels}},
    ]
    stage.pod(
        metadata={"labels": {"app": "web"}},
        volumes=[{"name": "v", "projected": {"sources": sources}}],
        container={"volumeMounts": [{"name": "v", "mountPath": "/v", "readOnly": True}]},
    )
    stage.run(3)
    mount = next(mount for mount in stage.runtime.spec("app").mounts if mount.path == "/v")
    assert dict(mount.volume.files) == {"sub/a": b"1", "labels": b'app="web"'}
    assert mount.read_only
    stage.client.patch("configmaps", "default", "x", {"data": {"a": "new"}})
    assert mount.volume.files["sub/a"] == b"new"


# ---- environment


@pytest.mark.parametrize(
    ("env", "message"),
    [
        ({"envFrom": [{"configMapRef": {"name": "x"}}]}, 'configmap "x" not found'),
        ({"envFrom": [{"secretRef": {"name": "x"}}]}, 'secret "x" not found'),
        (
            {"env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "kube-root-ca.crt", "key": "k"}}}]},
            "couldn't find key k in ConfigMap default/kube-root-ca.crt",
        ),
        (
            {"securityContext": {"runAsNonRoot": True}},
            'container has runAsNonRoot and image will run as root (pod: "web_default(UID)", container: app)',
        ),
    ],
)
def test_containers_that_cannot_be_described(stage: Stage, env: Json, message: str) -> None:
    stage.pod(container=env)
    pod = stage.run(40)
    wanted = message.replace("UID", pod["metadata"]["uid"])
    assert waiting(pod) == {"reason": "CreateContainerConfigError", "message": wanted}
    (event,) = stage.events("Failed")
    assert event["message"] == f"Error: {wanted}"
    assert 3 <= event["count"] <= 5, "soon after the first time, then every 10 to 15 s"
    assert pod["status"]["containerStatuses"][0]["restartCount"] == 0


def test_the_environment(stage: Stage) -> None:
    stage.client.create(
        "configmaps", {"metadata": {"name": "x", "namespace": "default"}, "data": {"HOST": "db", "PORT": "1"}}
    )
    service = {"selector": {"a": "b"}, "ports": [{"port": 80, "name": "http"}], "clusterIP": "10.96.0.77"}
    stage.client.create("services", {"metadata": {"name": "my-api", "namespace": "default"}, "spec": service})
    env: list[Any] = [
        {"name": "PORT", "value": "2"},
        {"name": "URL", "value": "$(HOST):$(PORT)/$(NOPE)/$$(HOST)"},
        {"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        {"name": "CPU", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu", "divisor": "1m"}}},
        {"name": "GONE", "valueFrom": {"secretKeyRef": {"name": "no", "key": "k", "optional": True}}},
    ]
    container = {"env": env, "envFrom": [{"configMapRef": {"name": "x"}}], "command": ["serve", "$(URL)"]}
    stage.pod(container=container | {"resources": {"limits": {"cpu": "500m"}}})
    pod = stage.run(3)
    spec = stage.runtime.spec("app")
    assert spec.env["URL"] == "db:2/$(NOPE)/$(HOST)"
    assert (spec.env["NAME"], spec.env["IP"], spec.env["CPU"]) == ("web", pod["status"]["podIP"], "500")
    assert "GONE" not in spec.env
    assert spec.env["MY_API_PORT_80_TCP_ADDR"] == "10.96.0.77"
    assert spec.env["KUBERNETES_SERVICE_PORT"] == "443"
    assert spec.command == ("serve", "db:2/$(NOPE)/$(HOST)")
    assert spec.limits.cpu == 0.5


@pytest.mark.parametrize(
    ("text", "made"), [("$(A)", "1"), ("$$(A)", "$(A)"), ("$(B)", "$(B)"), ("$A $", "$A $"), ("x$(A)$(A)", "x11")]
)
def test_expansion(text: str, made: str) -> None:
    assert expand(text, {"A": "1"}) == made
