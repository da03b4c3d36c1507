"""How the server is, in the words of a real one: /healthz, /livez, /readyz, /version, /metrics
(apiserver/pkg/server/healthz/healthz.go, staging/src/k8s.io/component-base/version)."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Iterable, Mapping

from k8sdiag.evidence import Json

# What a 1.33 server checks; all of it is one process here, so what answers at all is well.
CHECKS = {
    "healthz": (
        "ping",
        "log",
        "etcd",
        "poststarthook/start-apiextensions-controllers",
        "poststarthook/rbac/bootstrap-roles",
    ),
    "livez": (
        "ping",
        "log",
        "etcd",
        "poststarthook/start-apiextensions-controllers",
        "poststarthook/rbac/bootstrap-roles",
    ),
    "readyz": (
        "ping",
        "log",
        "etcd",
        "etcd-readiness",
        "informer-sync",
        "poststarthook/start-apiextensions-controllers",
        "poststarthook/rbac/bootstrap-roles",
        "shutdown",
    ),
}
_MACHINES = {"x86_64": "amd64", "AMD64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


def version() -> Json:
    """/version. The lab says that it is Kubernetes 1.33, for that is how it behaves; `+k8sdiag` says which."""
    system = platform.system().lower()
    return {
        "major": "1",
        "minor": "33",
        "emulationMajor": "1",
        "emulationMinor": "33",
        "minCompatibilityMajor": "1",
        "minCompatibilityMinor": "32",
        "gitVersion": GIT_VERSION,
        "gitCommit": "0000000000000000000000000000000000000000",
        "gitTreeState": "clean",
        "buildDate": "2025-04-23T13:38:48Z",
        "goVersion": "go1.24.2",
        "compiler": "gc",
        "platform": f"{system}/{_MACHINES.get(platform.machine(), platform.machine())}",
    }


GIT_VERSION = "v1.33.0+k8sdiag"


def check(path: str, query: Mapping[str, str], is_ready: bool) -> tuple[int, str] | None:
    """Status and text for a health path; None for a path that is none."""
    name, _, one = path.strip("/").partition("/")
    checks = CHECKS.get(name)
    if checks is None:
        return None
    ready = is_ready or name != "readyz"
    if one:
        if one not in checks:
            return None
        return (200, "ok") if ready or one != "informer-sync" else (500, "internal server error: not started yet\n")
    excluded = set(query.get("exclude", "").split(","))
    lines = [f"[+]{each} {'excluded: ok' if each in excluded else 'ok'}" for each in checks]
    if not ready:
        lines = [line.replace("[+]informer-sync ok", "[-]informer-sync failed: reason withheld") for line in lines]
        return 500, "\n".join([*lines, f"{name} check failed", ""])
    return (200, "\n".join([*lines, f"{name} check passed", ""])) if "verbose" in query else (200, "ok")


class Counters:
    """What /metrics shows: requests by verb, resource and code, and what is open."""

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, str, int]] = Counter()
        self.watches = 0

    def text(self, objects: Iterable[tuple[str, int]]) -> str:
        """Prometheus' text format. `objects` are storage keys with how many are kept under them."""
        lines = [
            "# HELP apiserver_request_total [STABLE] Counter of apiserver requests by verb, resource and HTTP code.",
            "# TYPE apiserver_request_total counter",
        ]
        for (verb, resource, code), count in sorted(self.requests.items()):
            lines.append(
                f'apiserver_request_total{{code="{code}",resource="{resource}",verb="{verb.upper()}"}} {count}'
            )
        lines += [
            "# HELP apiserver_longrunning_requests [STABLE] Gauge of all active long-running apiserver requests.",
            "# TYPE apiserver_longrunning_requests gauge",
            f'apiserver_longrunning_requests{{verb="WATCH"}} {self.watches}',
            "# HELP apiserver_storage_objects [STABLE] Number of stored objects at the time of last check.",
            "# TYPE apiserver_storage_objects gauge",
        ]
        lines += [f'apiserver_storage_objects{{resource="{key}"}} {count}' for key, count in sorted(objects)]
        return "\n".join([*lines, ""])
