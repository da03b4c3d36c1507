"""The images of one node: policies, pulls one at a time, and their back-off (pkg/kubelet/images/image_manager.go)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import floor
from typing import Any, Protocol

import orjson

from k8sdiag.clock import Clock
from k8sdiag.evidence import Json
from k8sdiag.minicluster.kubelet.diary import Diary
from k8sdiag.minicluster.kubelet.image_names import error_of, split_domain
from k8sdiag.minicluster.kubelet.references import SECRET, References, content
from k8sdiag.minicluster.kubelet.restart import BackOff, duration
from k8sdiag.minicluster.kubelet.steps import Steps, Wait
from k8sdiag.minicluster.runtimes.base import (
    PULL_FAILED,
    REGISTRY_UNAVAILABLE,
    SIGNATURE_INVALID,
    Failure,
    ImageInfo,
    Runtime,
)


@dataclass(frozen=True, slots=True)
class NoImage:
    """Why there is no image: the waiting reason and its message."""

    reason: str
    message: str


class Speaker(Protocol):
    """Whoever the events are about."""

    pod: Json

    def say(self, kind: str, reason: str, message: str, path: str = "") -> None: ...


_Pull = tuple[str, Sequence[Json], Callable[[Any], None]]


class Images:
    """What a node has and fetches."""

    def __init__(self, runtime: Runtime, clock: Clock, diary: Diary) -> None:
        self._runtime, self._clock, self._diary = runtime, clock, diary
        self._back_off = BackOff()
        self._errors: dict[tuple[str, str], str] = {}
        self._waiting: deque[_Pull] = deque()
        self._pulling = False

    def ensure(self, owner: Speaker, container: Json, path: str, credentials: Sequence[Json]) -> Steps:
        """The image of a container as its policy wants it: an ImageInfo or NoImage, and the events on the way."""
        name = str(container.get("image", ""))
        wrong = error_of(name)
        if wrong:
            text = f'Failed to apply default image tag "{name}": couldn\'t parse image name "{name}": {wrong}'
            owner.say("Warning", "InspectFailed", text, path)
            return NoImage("InvalidImageName", text)
        policy = container.get("imagePullPolicy") or "IfNotPresent"
        present = self._runtime.image(name)
        if present is not None and policy != "Always":
            owner.say("Normal", "Pulled", f'Container image "{name}" already present on machine', path)
            return present
        if policy == "Never":
            text = f'Container image "{name}" is not present with pull policy of Never'
            owner.say("Warning", "ErrImageNeverPull", text, path)
            return NoImage("ErrImageNeverPull", text)
        key = (owner.pod["metadata"]["uid"], name)
        if self._back_off.left(key, self._clock.now()) > 0:
            text = f'Back-off pulling image "{name}"'
            owner.say("Normal", "BackOff", text, path)
            before = self._errors.get(key)
            return NoImage("ImagePullBackOff", f"{text}: {before}" if before else text)
        return (yield from self._fetch(owner, name, key, path, credentials))

    def _fetch(self, owner: Speaker, name: str, key: tuple[str, str], path: str, credentials: Sequence[Json]) -> Steps:
        owner.say("Normal", "Pulling", f'Pulling image "{name}"', path)
        asked = self._clock.now()
        answer, begun = yield Wait(lambda resume: self._queue((name, credentials, resume)), open_ended=True)
        now = self._clock.now()
        if isinstance(answer, Failure):
            owner.say("Warning", "Failed", f'Failed to pull image "{name}": {answer.message}', path)
            self._diary.pull_failed(name, answer.message)
            self._back_off.next(key, now, now)
            reason, text = _judged(name, answer)
            self._errors[key] = f"{reason}: {text}"
            return NoImage(reason, text)
        self._diary.runtime.pulled(name, answer.id)
        took, waited = duration(_milli(now - begun)), duration(_milli(now - asked))
        text = f'Successfully pulled image "{name}" in {took} ({waited} including waiting).'
        owner.say("Normal", "Pulled", f"{text} Image size: {answer.size} bytes.", path)
        self._back_off.forget(key)
        self._errors.pop(key, None)
        return answer

    def _queue(self, pull: _Pull) -> None:
        self._waiting.append(pull)
        self._next()

    def _next(self) -> None:
        if self._pulling or not self._waiting:
            return
        name, credentials, resume = self._waiting.popleft()
        self._pulling, begun = True, self._clock.now()
        self._diary.runtime.pulling(name)

        def done(answer: ImageInfo | Failure) -> None:
            self._pulling = False
            resume((answer, begun))
            self._next()

        self._runtime.pull(name, credentials, done)

    def forget_pod(self, uid: str) -> None:
        self._back_off.forget_pod(uid)
        for key in [key for key in self._errors if key[0] == uid]:
            del self._errors[key]


def _milli(seconds: float) -> float:
    return floor(seconds * 1000 + 1e-6) / 1000


def _judged(name: str, failure: Failure) -> tuple[str, str]:
    """The waiting reason and message of a failed pull (evalCRIPullErr)."""
    if failure.reason == REGISTRY_UNAVAILABLE:
        return failure.reason, f"image pull failed for {name} because the registry is unavailable: {failure.message}"
    if failure.reason == SIGNATURE_INVALID:
        return (
            failure.reason,
            f"image pull failed for {name} because the signature validation failed: {failure.message}",
        )
    return PULL_FAILED, failure.message


def pull_secrets(pod: Json, references: References) -> tuple[list[Json], list[str]]:
    """The credentials of a pod's pull secrets, one entry a registry with its `registry`, and the secrets that are not
    there."""
    found: list[Json] = []
    missing: list[str] = []
    for entry in pod["spec"].get("imagePullSecrets") or ():
        name = entry.get("name", "")
        if not name:
            continue
        secret = references.find(SECRET, pod["metadata"]["namespace"], name)
        if secret is None:
            missing.append(name)
            continue
        data = content(SECRET, secret)
        found += _auths(data.get(".dockerconfigjson"), nested=True) + _auths(data.get(".dockercfg"), nested=False)
    return found, missing


def _auths(raw: bytes | None, nested: bool) -> list[Json]:
    if not raw:
        return []
    try:
        parsed = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return []
    auths = (parsed.get("auths") or {}) if nested and isinstance(parsed, dict) else parsed
    if not isinstance(auths, dict):
        return []
    return [{"registry": host, **entry} for host, entry in auths.items() if isinstance(entry, dict)]


def fitting(image: str, credentials: Sequence[Json]) -> list[Json]:
    """The credentials for an image's registry (pkg/credentialprovider)."""
    if not credentials:
        return []
    domain = split_domain(image)[0]
    return [one for one in credentials if _host(str(one["registry"])) == domain]


def _host(registry: str) -> str:
    host = registry.partition("://")[2] or registry
    host = host.partition("/")[0]
    return "docker.io" if host in ("index.docker.io", "registry-1.docker.io") else host
