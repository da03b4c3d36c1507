"""Probes and lifecycle hooks: what is run, asked or connected to (pkg/apis/core/validation validateHandler,
validateProbe, validateLifecycle)."""

from __future__ import annotations

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.errors import forbidden_field, invalid_value, not_supported, required
from k8sdiag.minicluster.apiserver.validation import formats
from k8sdiag.minicluster.apiserver.validation.fields import Causes, each, nonnegative, port

_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc", "sleep")
_NUMBERS = ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold")
PROBES = ("livenessProbe", "readinessProbe", "startupProbe")


def _handler(of: Json, grace: int | None, path: str, out: Causes, kinds: tuple[str, ...] = _HANDLERS) -> None:
    given = [name for name in kinds if of.get(name) is not None]
    if not given:
        out.append(required(path, "must specify a handler type"))
        return
    for name in given[1:]:
        out.append(forbidden_field(f"{path}.{name}", "may not specify more than 1 handler type"))
    kind, where = given[0], f"{path}.{given[0]}"
    action = of[kind]
    if kind == "exec":
        if not action.get("command"):
            out.append(required(f"{where}.command"))
    elif kind == "httpGet":
        _http(action, where, out)
    elif kind == "sleep":
        seconds = action.get("seconds") or 0
        if grace is not None and not 0 <= seconds <= grace:
            why = f"must be non-negative and less than terminationGracePeriodSeconds ({grace})"
            out.append(invalid_value(where, seconds, why))
    else:
        port(action.get("port"), f"{where}.port", out)


def _http(action: Json, path: str, out: Causes) -> None:
    if not action.get("path"):
        out.append(required(f"{path}.path"))
    port(action.get("port"), f"{path}.port", out)
    scheme = action.get("scheme")
    if scheme not in ("HTTP", "HTTPS"):
        out.append(not_supported(f"{path}.scheme", scheme or "", ("HTTP", "HTTPS")))
    for header in action.get("httpHeaders") or ():
        name = header.get("name") or ""
        each(formats.header_name(name), f"{path}.httpHeaders", name, out)


def probes(container: Json, grace: int | None, path: str, out: Causes) -> None:
    for name in PROBES:
        probe = container.get(name)
        if probe is None:
            continue
        where = f"{path}.{name}"
        _handler(probe, grace, where, out, _HANDLERS[:4])
        for number in _NUMBERS:
            if (probe.get(number) or 0) < 0:
                nonnegative(probe[number], f"{where}.{number}", out)
        seconds = probe.get("terminationGracePeriodSeconds")
        if seconds is not None and seconds <= 0:
            out.append(invalid_value(f"{where}.terminationGracePeriodSeconds", seconds, "must be greater than 0"))
        if name == "readinessProbe":
            if seconds is not None:
                why = "must not be set for readinessProbes"
                out.append(invalid_value(f"{where}.terminationGracePeriodSeconds", seconds, why))
        elif probe.get("successThreshold") != 1:
            out.append(invalid_value(f"{where}.successThreshold", probe.get("successThreshold") or 0, "must be 1"))


def lifecycle(hooks: Json, grace: int | None, path: str, out: Causes) -> None:
    for name in ("postStart", "preStop"):
        if hooks.get(name) is not None:
            _handler(hooks[name], grace, f"{path}.{name}", out)
