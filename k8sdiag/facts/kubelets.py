"""What a node's kubelet can and cannot do now, by its journal and its node's conditions; one fact a node.

Samples: `E1121 23:10:54.75 1296 kubelet.go:3117] "Container runtime sanity check failed" err="... dial unix
/run/containerd/containerd.sock: connect: no such file or directory"`; `E1121 22:17:54.67 9061 run.go:72] "command
failed" err="failed to run Kubelet: ..."`; `Ready=Unknown NodeStatusUnknown: Kubelet stopped posting node status.`

A line counts only while nothing later contradicts it: a runtime that answers again, a node that is Ready again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from k8sdiag.clock import format_time, parse_time
from k8sdiag.evidence import JournalEntry, Json, Ref
from k8sdiag.facts import Fact
from k8sdiag.finding import Proof
from k8sdiag.patterns import regex
from k8sdiag.podstate import conditions_of
from k8sdiag.relations import View

KIND = "kubelet"
KEYS = ("node",)
FIELDS = {
    "node": "the node",
    "registered": "the Node object exists: yes, no or unknown",
    "ready": "condition Ready: True, False, Unknown, or '' where there is none",
    "ready.reason": "reason of condition Ready",
    "ready.message": "message of condition Ready",
    "ready.seconds": "seconds since condition Ready last changed",
    "state": "running, ended (by an error of its own), stopped (by someone), or '' where its journal does not say",
    "fatal": "the error it ended with and starts no more because of",
    "starts": "times it was started, as far as its journal goes back",
    "silent.seconds": "seconds since it last wrote to its journal",
    "last": "when it last wrote to its journal",
    "runtime": "down, where the container runtime does not answer it now",
    "runtime.name": "containerd, docker, cri-dockerd, cri-o or container runtime",
    "runtime.socket": "the runtime's socket",
    "runtime.error": "what keeps it from reaching the runtime",
    "runtime.seconds": "seconds the runtime has not answered, as far as its journal goes back",
    "runtime.stopped": "the runtime's own journal: the line that tells of its end",
    "network": "why the runtime's network is not ready now",
    "network.config": "what the runtime says of the CNI configuration it looks for",
    "network.removed": "the CNI configuration that was removed, by the runtime's journal",
    "pleg": "PLEG is not healthy, in its words",
    "api": "what keeps it from the API server now: refused, timeout, unreachable, dns, expired, not-yet-valid,"
    " unknown-authority, unauthorized, forbidden",
    "api.error": "in its words",
    "api.server": "host and port of the API server it asks",
    "api.seconds": "seconds it has failed so, as far as its journal goes back",
    "other": "condition Ready is not True for a reason that no other field here holds",
}
MAX_ENTRIES = 20_000
NOW = 25.0
"""A dead runtime is complained of every second: older complaints are of a runtime that answers again."""
API_NOW = 60.0
API_NOW_READY = 30.0
"""While the node still counts as Ready, and nobody else says that it is cut off."""
SETTLED = 20.0
PAUSE = 60.0
_RUNTIME_FIELDS = ("runtime", "runtime.name", "runtime.socket", "runtime.error", "runtime.seconds", "runtime.stopped")
_HEAD = regex(r"^[IWEF]\d{4} [\d:.]+ +(\d+) ")
_ERR = regex(r'err="((?:[^"\\]|\\.)*)"')
_FATAL = regex(
    r'^F\d{4} |"command failed" err=|failed to run Kubelet|"Failed to start ContainerManager"'
    r'|"Failed to start cAdvisor"|"Failed to listen and serve"|^Error: '
    r'|server is responsive, exiting\.|"Failed to start OOM watcher"'
)
_RUNTIME_BAD = regex(
    r"dial unix \S*(?:containerd|docker|crio|cri-dockerd)\S*\.sock: connect:|container runtime is down"
    r"|container runtime sanity check failed|Container runtime sanity check failed|RuntimeReady=false"
    r"|Cannot connect to the Docker daemon"
)
_RUNTIME_DOWN = regex(r"container runtime is down|RuntimeReady=false|container runtime not ready: R")
_TELLING = regex(r"sanity check failed|Skipping pod sync")
_SOCKET = regex(r"(?:dial unix |unix://)(/[\w./-]+?\.sock)")
_NETWORK = regex(r"(NetworkReady=false reason:.*?)(?:\"|$)")
_RUNTIME_END = regex(
    r"Stop CRI service|Stopped containerd|Stopped docker|Stopped CRI-O|Stopped cri-docker|stopping healthcheck"
    r"|Main process exited|Failed with result|Processing signal 'terminated'|Daemon shutdown complete|level=fatal"
)
_CNI_CONFIG = regex(r"no network config found in (\S+?): |cni config load failed: ([^\"]+)")
_CNI_REMOVED = regex(r'fs change event\(\\?"([^"\\]+)\\?": (?:REMOVE|RENAME)')
_SERVER = regex(r"https://([^/\s\"\\]+)/")
_API = regex(
    r"Failed to (?:ensure lease exists|update lease)|Error updating node status|Unable to (?:register|update) node"
    r"|[Ff]ailed to (?:watch|list)|Unable to write event|Failed to contact API server"
)
_OWN = regex(r"lease|node status|(?:register|update) node")
_PERSONAL = ("unauthorized", "forbidden")
"""Refusals that count only of the node's own objects: of ConfigMaps of pods that come and go they are common noise."""
_API_GOOD = regex(r"Successfully registered node|Caches populated|SyncLoop (?:ADD|UPDATE|DELETE)\" source=\"api\"")
_API_KINDS = (
    ("expired", regex(r"certificate has expired|certificate is expired|is after ")),
    ("not-yet-valid", regex(r"is not yet valid|is before ")),
    (
        "unknown-authority",
        regex(r"certificate signed by unknown authority|doesn't contain any IP SANs|certificate is valid for"),
    ),
    ("unauthorized", regex(r"Unauthorized")),
    ("forbidden", regex(r"is forbidden|not allowed to modify node|can only ")),
    ("refused", regex(r"connection refused")),
    ("dns", regex(r"no such host|server misbehaving|Temporary failure in name resolution")),
    ("unreachable", regex(r"no route to host|network is unreachable")),
    (
        "timeout",
        regex(r"i/o timeout|deadline exceeded|TLS handshake timeout|Client\.Timeout|connection timed out"),
    ),
)


@dataclass(slots=True)
class _Seen:
    """What one pass over a kubelet's journal found."""

    run: str = ""
    starts: int = 0
    begun: float = 0.0
    last: JournalEntry | None = None
    stopped: JournalEntry | None = None
    fatal: JournalEntry | None = None
    runtime: list[JournalEntry] = field(default_factory=list)
    network: JournalEntry | None = None
    api: list[JournalEntry] = field(default_factory=list)
    api_good: float = 0.0


def derive(view: View) -> Iterator[Fact]:
    snapshot = view.snapshot
    names = {node["metadata"]["name"] for node in view.of_kind("Node")}
    names |= {name for name, unit in snapshot.journal if unit == "kubelet" and Ref("Node", "", name) in view}
    for name in sorted(names):
        node = snapshot.get("Node", "", name)
        seen = _read(snapshot.journal.get((name, "kubelet"), [])[-MAX_ENTRIES:])
        fields, proof = _fields(view, name, node, seen)
        yield Fact(KIND, Ref("Node", "", name), fields, {"node": (name,)}, tuple(proof))


def _read(entries: list[JournalEntry]) -> _Seen:
    seen = _Seen()
    for entry in entries:
        text = entry.message
        if entry.fields.get("SYSLOG_IDENTIFIER") == "systemd":
            if "Stopped" in text or "Deactivated successfully" in text:
                seen.stopped = entry
            elif "Started" in text:
                seen.stopped = None
            continue
        head = _HEAD.match(text)
        run = head.group(1) if head else seen.run
        if run != seen.run:
            seen.starts += 1
            seen.run, seen.begun, seen.stopped = run, entry.at, None
            seen.runtime, seen.network = [], None
        seen.last = entry
        if '"Shutting down controller"' in text:
            seen.stopped = entry
        if text[:1] == "I":
            if _API_GOOD.search(text[:400]):
                seen.api_good = entry.at
                seen.api = []
            continue
        _read_complaint(seen, entry, text[:4000])
    if seen.fatal and seen.last and seen.begun > seen.fatal.at and seen.last.at - seen.begun > SETTLED:
        seen.fatal = None
    return seen


def _read_complaint(seen: _Seen, entry: JournalEntry, text: str) -> None:
    if _FATAL.search(text):
        seen.fatal = entry
    if _RUNTIME_BAD.search(text):
        seen.runtime.append(entry)
    if "NetworkReady=false" in text:
        seen.network = entry
    if _API.search(text) and "no relationship found" not in text:
        kind = _api_kind(text)
        if kind and (kind not in _PERSONAL or _OWN.search(text)):
            seen.api.append(entry)


def _fields(view: View, name: str, node: Json | None, seen: _Seen) -> tuple[dict[str, Any], list[Proof]]:
    now = view.snapshot.taken_at
    ready = conditions_of(node or {}).get("Ready") or {}
    changed, beat = parse_time(ready.get("lastTransitionTime")), parse_time(ready.get("lastHeartbeatTime")) or 0.0
    message = " ".join((ready.get("message") or "").split())
    known = view.snapshot.exists("Node", "", name)
    silent = max(now - seen.last.at, 0) if seen.last else None
    fatal = seen.fatal
    if fatal and ready.get("status") == "True" and beat > fatal.at + SETTLED:
        fatal = None
    stopped = bool(seen.stopped) and (silent or 0) > NOW
    running = silent is not None and silent < NOW
    fields: dict[str, Any] = {
        "node": name,
        "registered": {True: "yes", False: "no", None: "unknown"}[known],
        "ready": ready.get("status") or "",
        "ready.reason": ready.get("reason") or "",
        "ready.message": message,
        "ready.seconds": int(now - changed) if changed else None,
        "state": "ended" if fatal else "stopped" if stopped else "running" if running else "",
        "fatal": _error(fatal.message) if fatal else "",
        "starts": seen.starts,
        "silent.seconds": int(silent) if silent is not None else None,
        "last": format_time(seen.last.at) if seen.last else "",
        "pleg": message if "PLEG is not healthy: pleg was last seen active" in message else "",
    }
    proof = list(_condition_proof(name, ready))
    proof += [_line(entry) for entry in (fatal, seen.stopped if stopped else None) if entry]
    for part, found in (
        _runtime(view, name, node, seen, message, beat, now),
        _network(view, name, seen, message, beat, now),
        _api(seen, max(beat, _renewed(view, name)), now - (API_NOW_READY if fields["ready"] == "True" else API_NOW)),
    ):
        fields |= part
        proof += found
    told = any(fields[key] for key in ("runtime", "network", "pleg"))
    fields["other"] = message if fields["ready"] == "False" and not told else ""
    return fields, proof


def _runtime(
    view: View, name: str, node: Json | None, seen: _Seen, message: str, beat: float, now: float
) -> tuple[dict[str, Any], list[Proof]]:
    """The runtime is down by the condition, or by complaints that go on to this moment."""
    bad = _streak(seen.runtime)
    status = (node or {}).get("status") or {}
    well = (conditions_of(node or {}).get("Ready") or {}).get("status") == "True"
    goes_on = len(bad) >= 2 and now - bad[-1].at < NOW and not (well and beat > bad[-1].at + 5)
    if not goes_on and not _RUNTIME_DOWN.search(message):
        return dict.fromkeys(_RUNTIME_FIELDS, ""), []
    line = next((entry for entry in reversed(bad) if "dial unix" in entry.message), bad[-1] if bad else None)
    error = _error(line.message) if line else message
    socket = _SOCKET.search(line.message if line else message)
    path = socket.group(1) if socket else ""
    end = _runtime_end(view, name)
    version = (status.get("nodeInfo") or {}).get("containerRuntimeVersion") or ""
    values = (
        "down",
        _runtime_name(path, version, error),
        path,
        _core(error),
        int(now - bad[0].at) if bad else None,
        " ".join(end.message.split()) if end else "",
    )
    shown = [entry for entry in bad if _TELLING.search(entry.message)][-2:]
    shown = shown or [entry for entry in (line,) if entry]
    return dict(zip(_RUNTIME_FIELDS, values, strict=True)), [_line(entry) for entry in (*shown, end) if entry]


def _streak(entries: list[JournalEntry]) -> list[JournalEntry]:
    """The last of them, back to a pause of a minute."""
    first = len(entries) - 1
    while first > 0 and entries[first].at - entries[first - 1].at < PAUSE:
        first -= 1
    return entries[max(first, 0) :]


def _runtime_name(socket: str, version: str, error: str) -> str:
    for word in ("cri-dockerd", "containerd", "crio", "docker"):
        if word in socket:
            return "cri-o" if word == "crio" else word
    if "ocker daemon" in error or version.startswith("docker"):
        return "docker"
    return version.partition(":")[0] or "container runtime"


def _runtime_end(view: View, name: str) -> JournalEntry | None:
    """The line with which the runtime's own journal tells of its end, if its last lines do."""
    for unit in ("containerd", "docker", "crio", "cri-docker"):
        entries = view.snapshot.journal.get((name, unit), [])[-12:]
        for entry in reversed(entries):
            if _RUNTIME_END.search(entry.message[:400]):
                return entry
    return None


def _network(
    view: View, name: str, seen: _Seen, message: str, beat: float, now: float
) -> tuple[dict[str, Any], list[Proof]]:
    found = _NETWORK.search(message)
    text, proof = (found.group(1), []) if found else ("", [])
    if not text and "cni config uninitialized" in message:
        text = message
    if not text and seen.network and now - seen.network.at < NOW and beat <= seen.network.at:
        said = _NETWORK.search(seen.network.message)
        text, proof = (said.group(1) if said else ""), [_line(seen.network)]
    config = removed = ""
    for entry in reversed(view.snapshot.journal.get((name, "containerd"), [])[-2000:] if text else []):
        said = _CNI_CONFIG.search(entry.message[:2000])
        if said:
            config = said.group(0).rstrip(": ")
            gone = _CNI_REMOVED.search(entry.message[:2000])
            removed = gone.group(1) if gone else ""
            proof.append(_line(entry))
            break
    return {"network": text, "network.config": config, "network.removed": removed}, proof


def _api(seen: _Seen, beat: float, since: float) -> tuple[dict[str, Any], list[Proof]]:
    """What keeps it from the API server: at least three complaints, the last of them new, and no heartbeat since."""
    kept = _streak([entry for entry in seen.api if entry.at > beat + 5])
    if len(kept) < 3 or kept[-1].at < since:
        return {"api": "", "api.error": "", "api.server": "", "api.seconds": None}, []
    last = kept[-1]
    server = _SERVER.search(last.message)
    fields = {
        "api": _api_kind(last.message),
        "api.error": _error(last.message),
        "api.server": server.group(1) if server else "",
        "api.seconds": int(last.at - kept[0].at),
    }
    return fields, [_line(kept[0]), _line(last)]


def _renewed(view: View, name: str) -> float:
    """When the node's Lease was last renewed: until then the API server was there for it."""
    lease = view.snapshot.get("Lease", "kube-node-lease", name) or {}
    renewed = parse_time((lease.get("spec") or {}).get("renewTime")) or 0.0
    return renewed if renewed <= view.snapshot.taken_at else 0.0


def _api_kind(text: str) -> str:
    return next((kind for kind, pattern in _API_KINDS if pattern.search(text)), "")


def _error(message: str) -> str:
    """The `err=` of a line, unquoted; else the line without its klog header."""
    found = _ERR.search(message)
    if found:
        return " ".join(found.group(1).replace('\\"', '"').replace("\\n", " ").replace("\\\\", "\\").split())
    text = message.split("] ", 1)[-1] if _HEAD.match(message) else message
    return " ".join(text.strip('"').split())


def _core(error: str) -> str:
    """`dial unix /run/x.sock: connect: no such file or directory` out of what gRPC wraps round it."""
    at = error.find("dial unix ")
    return error[at:].rstrip('"') if at >= 0 else error


def _line(entry: JournalEntry) -> Proof:
    return Proof(
        "journal", f"node/{entry.node} {entry.unit}", format_time(entry.at), " ".join(entry.message[:2000].split())
    )


def _condition_proof(name: str, ready: Json) -> Iterator[Proof]:
    if ready and ready.get("status") != "True":
        text = f"condition Ready={ready.get('status')} {ready.get('reason') or ''}: {ready.get('message') or ''}"
        yield Proof("status", f"node/{name}", ready.get("lastTransitionTime") or "", text)
