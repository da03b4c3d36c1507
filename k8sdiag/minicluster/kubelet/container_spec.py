"""A container as the runtime is to make it (pkg/kubelet/kuberuntime generateContainerConfig)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from k8sdiag.evidence import Json
from k8sdiag.minicluster.kubelet.containers import called
from k8sdiag.minicluster.kubelet.environment import expand, words
from k8sdiag.minicluster.kubelet.references import UnresolvedError
from k8sdiag.minicluster.runtimes.base import ContainerSpec, ImageInfo, Limits, Mount, Volume
from k8sdiag.quantity import parse_quantity


@dataclass(frozen=True, slots=True)
class Parts:
    """What has been worked out for a container: its environment, the pod's volumes by name, the id of the container
    that it is to look into."""

    env: Mapping[str, str]
    volumes: Mapping[str, Volume]
    attempt: int = 0
    target: str = ""


def container_spec(pod: Json, container: Json, image: ImageInfo, parts: Parts) -> ContainerSpec:
    """Raises UnresolvedError where it cannot be made."""
    meta, spec = pod["metadata"], pod["spec"]
    security = effective_security(spec, container)
    check_user(pod, container, image, security)
    return ContainerSpec(
        namespace=meta["namespace"],
        pod=meta["name"],
        uid=meta["uid"],
        name=container["name"],
        image=image,
        attempt=parts.attempt,
        command=words(container.get("command"), parts.env),
        args=words(container.get("args"), parts.env),
        env=parts.env,
        working_dir=str(container.get("workingDir") or ""),
        mounts=tuple(_mount(mount, container, parts) for mount in container.get("volumeMounts") or ()),
        limits=limits_of(container.get("resources") or {}),
        security=security,
        annotations=meta.get("annotations") or {},
        tty=bool(container.get("tty")),
        stdin=bool(container.get("stdin")),
        stdin_once=bool(container.get("stdinOnce")),
        share_processes=bool(spec.get("shareProcessNamespace")),
        target=parts.target,
        message_path=str(container.get("terminationMessagePath") or "/dev/termination-log"),
        message_from_log=container.get("terminationMessagePolicy") == "FallbackToLogsOnError",
        raw=container,
    )


def _mount(mount: Json, container: Json, parts: Parts) -> Mount:
    name = mount["name"]
    volume = parts.volumes.get(name)
    if volume is None:
        raise UnresolvedError(f'cannot find volume "{name}" to mount into container "{container["name"]}"')
    sub_path = str(mount.get("subPath") or "")
    if mount.get("subPathExpr"):
        sub_path = expand(str(mount["subPathExpr"]), parts.env)
    if sub_path.startswith("/"):
        raise UnresolvedError(f"error SubPath `{sub_path}` must not be an absolute path")
    return Mount(volume, mount["mountPath"], sub_path, bool(mount.get("readOnly")))


def limits_of(resources: Json) -> Limits:
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    memory, disk = parse_quantity(limits.get("memory")), parse_quantity(limits.get("ephemeral-storage"))
    return Limits(
        parse_quantity(limits.get("cpu")),
        None if memory is None else int(memory),
        None if disk is None else int(disk),
        parse_quantity(requests.get("cpu")) or 0.0,
        int(parse_quantity(requests.get("memory")) or 0),
    )


_FROM_POD = ("runAsUser", "runAsGroup", "runAsNonRoot", "seLinuxOptions", "seccompProfile", "appArmorProfile")


def effective_security(spec: Json, container: Json) -> Json:
    """The container's securityContext, with the pod's where it says nothing (pkg/securitycontext)."""
    of_pod, own = spec.get("securityContext") or {}, container.get("securityContext") or {}
    return {**{key: of_pod[key] for key in _FROM_POD if key in of_pod}, **own}


def check_user(pod: Json, container: Json, image: ImageInfo, security: Json) -> None:
    """runAsNonRoot against the user it would run as (security_context_others.go verifyRunAsNonRoot)."""
    if not security.get("runAsNonRoot"):
        return
    about = f'(pod: "{called(pod)}", container: {container["name"]})'
    wanted = security.get("runAsUser")
    if wanted is not None:
        if wanted == 0:
            raise UnresolvedError(f"container's runAsUser breaks non-root policy {about}")
        return
    user = image.user.partition(":")[0]
    if user in ("", "0"):
        raise UnresolvedError(f"container has runAsNonRoot and image will run as root {about}")
    if not user.isdigit():
        lead = f"container has runAsNonRoot and image has non-numeric user ({user}), cannot verify user is non-root"
        raise UnresolvedError(f"{lead} {about}")
