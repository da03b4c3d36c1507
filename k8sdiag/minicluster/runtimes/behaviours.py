"""What a simulated container does, as a pod's annotation says: a YAML list of steps, read and checked here.

The annotation is `lab.k8sdiag.dev/behaviour.CONTAINER`; docs/lab-behaviours.md describes the steps. `acting` runs them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import yaml

from k8sdiag.evidence import Json
from k8sdiag.quantity import parse_duration, parse_quantity

BEHAVIOUR = "lab.k8sdiag.dev/behaviour."
REGISTRY = "lab.k8sdiag.dev/registry"

_ACTIONS = (
    "log",
    "stderr",
    "memory",
    "cpu",
    "disk",
    "listen",
    "close",
    "http",
    "grpc",
    "file",
    "lookup",
    "exit",
    "ignore",
)
_WHEN = ("after", "at", "attempt", "on", "repeat", "every")
_EXTRA = {
    "disk": ("volume",), "file": ("content", "size"), "lookup": ("fails", "address"), "memory": ("over",),
}  # fmt: skip
_HTTP = ("path", "status", "body", "delay", "port", "times", "headers", "close", "tls")
_GRPC = ("service", "status", "delay", "port")
_GRPC_STATUS = ("SERVING", "NOT_SERVING", "UNKNOWN", "SERVICE_UNKNOWN", "UNIMPLEMENTED")
_SIGNALS = ("TERM", "INT", "HUP", "QUIT", "USR1", "USR2")
_LONGEST, _MOST_STEPS, _LARGEST = 10 * 365 * 86400.0, 1000, 2**60
FOREVER = -1


class BadBehaviour(ValueError):  # noqa: N818 (what is said of a behaviour)
    """A behaviour that cannot be read: one sentence that begins with the path of what is wrong (`[2].http.status`)."""


@dataclass(frozen=True, slots=True)
class Page:
    """What a path answers from now on. A delay of None never answers; a status of 0 drops the connection."""

    path: str = "/"
    status: int = 200
    body: str = ""
    delay: float | None = 0.0
    port: int = 0
    times: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    tls: bool = False


@dataclass(frozen=True, slots=True)
class Health:
    """What gRPC's health service answers from now on."""

    service: str = ""
    status: str = "SERVING"
    delay: float | None = 0.0
    port: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happens. `after` counts from the step before, `at` from the start."""

    action: str
    value: str = ""
    number: float = 0.0
    after: float = 0.0
    at: float | None = None
    attempts: tuple[int, ...] | None = None
    on: str = ""
    repeat: int = 1
    every: float = 0.0
    over: float = 0.0
    page: Page | None = None
    health: Health | None = None
    fails: bool = False


Behaviour = tuple[Step, ...]


def described(pod: Json) -> Iterator[str]:
    """The images of containers whose behaviour a pod describes."""
    said = pod["metadata"].get("annotations") or {}
    spec = pod.get("spec") or {}
    for kind in ("initContainers", "containers", "ephemeralContainers"):
        for container in spec.get(kind) or ():
            if f"{BEHAVIOUR}{container.get('name')}" in said and container.get("image"):
                yield str(container["image"])


def said_of(annotations: Mapping[str, str], container: str) -> Behaviour | None:
    """A container's behaviour; None where its pod says nothing of it."""
    text = annotations.get(BEHAVIOUR + container)
    if text is None:
        return None
    try:
        return read_behaviour(text)
    except BadBehaviour as fault:
        raise BadBehaviour(f"annotation {BEHAVIOUR}{container}: {fault}") from None


@lru_cache(maxsize=1024)
def read_behaviour(text: str) -> Behaviour:
    """A list of steps in YAML."""
    try:
        data = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as fault:
        raise BadBehaviour(f"it is not YAML: {' '.join(str(fault).split())[:200]}") from None
    if isinstance(data, dict):
        data = [data]
    if data is None:
        data = []
    if not isinstance(data, list):
        raise BadBehaviour("it must be a list of steps such as {after: 2s, log: ready}")
    if len(data) > _MOST_STEPS:
        raise BadBehaviour(f"it has {len(data)} steps, of at most {_MOST_STEPS}")
    return tuple(_step(entry, f"[{index}]") for index, entry in enumerate(data))


def _step(data: object, where: str) -> Step:
    if not isinstance(data, dict):
        raise BadBehaviour(f"{where} must be a mapping such as {{after: 2s, log: ready}}")
    # YAML 1.1 reads a bare `on` as true.
    said: Json = {"on" if key is True else key: value for key, value in data.items()}
    actions = [key for key in said if key in _ACTIONS]
    if len(actions) != 1:
        told = "has nothing to do" if not actions else f"does two things ({', '.join(map(str, actions))})"
        unknown = next((key for key in said if key not in (*_WHEN, *_ACTIONS, *sum(_EXTRA.values(), ()))), None)
        if unknown is not None:
            raise BadBehaviour(f"{where}.{_short(unknown)} is not known: a step is one of {', '.join(_ACTIONS)}")
        raise BadBehaviour(f"{where} {told}: a step is one of {', '.join(_ACTIONS)}")
    action = actions[0]
    allowed = (*_WHEN, action, *_EXTRA.get(action, ()))
    for key in said:
        if key not in allowed:
            raise BadBehaviour(f"{where}.{_short(key)} is not known: a {action} step has {', '.join(sorted(allowed))}")
    return _ACTING[action](said, where, _when(said, where, action))


def _when(said: Json, where: str, action: str) -> Step:
    at = None if "at" not in said else _duration(said["at"], f"{where}.at")
    on = "" if "on" not in said else _signal(said["on"], f"{where}.on")
    every = _duration(said["every"], f"{where}.every") if "every" in said else 0.0
    repeat = FOREVER if "every" in said and "repeat" not in said else 1
    if "repeat" in said:
        repeat = FOREVER if said["repeat"] in ("forever", True) else _whole(said["repeat"], f"{where}.repeat", 1, 10**6)
    if repeat != 1 and action not in ("log", "stderr", "memory", "disk"):
        raise BadBehaviour(f"{where} cannot be repeated: only log, stderr, memory and disk are")
    if repeat == FOREVER and every < 0.01:
        raise BadBehaviour(f"{where}.every must be at least 10ms where it is repeated for ever")
    after, attempts = (
        _duration(said.get("after", 0), f"{where}.after"),
        _attempts(said.get("attempt"), f"{where}.attempt"),
    )
    return Step(action, after=after, at=at, on=on, repeat=repeat, every=every, attempts=attempts)


def _text(said: Json, where: str, step: Step) -> Step:
    value = said[step.action]
    if isinstance(value, dict | list) or value is None:
        raise BadBehaviour(f"{where}.{step.action} must be a text")
    return replace(step, value=str(value))


def _amount(said: Json, where: str, step: Step) -> Step:
    number = parse_quantity(said[step.action])
    if number is None or not 0 <= number < _LARGEST:
        raise BadBehaviour(
            f"{where}.{step.action} must be a quantity such as {'200m' if step.action == 'cpu' else '64Mi'}"
        )
    volume = said.get("volume", "")
    if not isinstance(volume, str):
        raise BadBehaviour(f"{where}.volume must be the name of a volume")
    over = _duration(said["over"], f"{where}.over") if "over" in said else 0.0
    return replace(step, number=number, value=volume, over=over)


def _port(said: Json, where: str, step: Step) -> Step:
    return replace(step, number=_whole(said[step.action], f"{where}.{step.action}", 1, 65535))


def _http(said: Json, where: str, step: Step) -> Step:
    where = f"{where}.http"
    value = _mapping(said["http"], where, _HTTP)
    path = value.get("path", "/")
    if not isinstance(path, str) or not path.startswith("/"):
        raise BadBehaviour(f"{where}.path must be a path such as /ready")
    headers = _mapping(value.get("headers") or {}, f"{where}.headers", None)
    status = 0 if value.get("close") is True else _whole(value.get("status", 200), f"{where}.status", 100, 999)
    times = _whole(value["times"], f"{where}.times", 1, 10**6) if "times" in value else None
    page = Page(
        path, status, str(value.get("body", "")), _delay(value.get("delay", 0), f"{where}.delay"),
        _whole(value["port"], f"{where}.port", 1, 65535) if "port" in value else 0, times,
        tuple((str(key), str(text).replace("\n", " ")) for key, text in headers.items()), value.get("tls") is True,
    )  # fmt: skip
    return replace(step, page=page)


def _grpc(said: Json, where: str, step: Step) -> Step:
    where = f"{where}.grpc"
    raw = said["grpc"]
    value = _mapping({"port": raw} if isinstance(raw, int) and not isinstance(raw, bool) else raw, where, _GRPC)
    status = value.get("status", "SERVING")
    if status not in _GRPC_STATUS:
        raise BadBehaviour(f"{where}.status must be one of {', '.join(_GRPC_STATUS)}")
    port = _whole(value["port"], f"{where}.port", 1, 65535) if "port" in value else 0
    delay = _delay(value.get("delay", 0), f"{where}.delay")
    return replace(step, health=Health(str(value.get("service", "")), status, delay, port))


def _file(said: Json, where: str, step: Step) -> Step:
    path = said["file"]
    if not isinstance(path, str) or not path.startswith("/"):
        raise BadBehaviour(f"{where}.file must be an absolute path")
    content = said.get("content", "")
    if isinstance(content, dict | list):
        raise BadBehaviour(f"{where}.content must be a text")
    count = parse_quantity(said["size"]) if "size" in said else 0.0
    if count is None or not 0 <= count < _LARGEST:
        raise BadBehaviour(f"{where}.size must be a quantity such as 10Mi")
    text = "" if content is None else str(content)
    return replace(step, value=path, number=count, page=Page(body=text))


def _lookup(said: Json, where: str, step: Step) -> Step:
    name = said["lookup"]
    if not isinstance(name, str) or not name:
        raise BadBehaviour(f"{where}.lookup must be a host's name")
    return replace(step, value=name, fails=bool(said.get("fails", False)), page=Page(body=str(said.get("address", ""))))


def _exit(said: Json, where: str, step: Step) -> Step:
    return replace(step, number=_whole(said["exit"], f"{where}.exit", 0, 255))


def _ignore(said: Json, where: str, step: Step) -> Step:
    return replace(step, value=_signal(said["ignore"], f"{where}.ignore"))


_ACTING: Mapping[str, Callable[[Json, str, Step], Step]] = {
    "log": _text, "stderr": _text, "memory": _amount, "cpu": _amount, "disk": _amount, "listen": _port, "close": _port,
    "http": _http, "grpc": _grpc, "file": _file, "lookup": _lookup, "exit": _exit, "ignore": _ignore,
}  # fmt: skip


def _mapping(value: object, where: str, keys: tuple[str, ...] | None) -> Json:
    if not isinstance(value, dict):
        raise BadBehaviour(f"{where} must be a mapping")
    for key in value:
        if keys is not None and key not in keys:
            raise BadBehaviour(f"{where}.{_short(key)} is not known: one of {', '.join(keys)}")
    return value


def _duration(value: object, where: str) -> float:
    seconds = parse_duration(value)
    if seconds is None or not 0 <= seconds <= _LONGEST:
        raise BadBehaviour(f"{where} must be a duration such as 2s or 1m30s")
    return seconds


def _delay(value: object, where: str) -> float | None:
    return None if value == "forever" else _duration(value, where)


def _whole(value: object, where: str, least: int, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise BadBehaviour(f"{where} must be a whole number from {least} to {most}")
    return value


def _signal(value: object, where: str) -> str:
    name = str(value).removeprefix("SIG")
    if name not in _SIGNALS:
        raise BadBehaviour(f"{where} must be one of {', '.join(_SIGNALS)}")
    return name


def _attempts(value: object, where: str) -> tuple[int, ...] | None:
    if value is None:
        return None
    values = value if isinstance(value, list) else [value]
    return tuple(_whole(one, where, 0, 10**6) for one in values)


def _short(key: object) -> str:
    return str(key)[:60]
