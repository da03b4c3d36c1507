"""What a failing container could not reach, as its last words tell: one fact a container, with the Service behind it.

Sample: `dial tcp: lookup db.shop.svc.cluster.local on 10.96.0.10:53: no such host`. Of an init container that still
runs it is what it waits for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from k8sdiag.clock import parse_time
from k8sdiag.endings import ended_of, is_crashing, killer_of, kills_of
from k8sdiag.evidence import Json, ref_of
from k8sdiag.facts import Fact, goal_of, owner_word, pod_keys
from k8sdiag.finding import Proof
from k8sdiag.lastwords import last_words, log_of, tail_lines, telling_line
from k8sdiag.nearness import nearest
from k8sdiag.patterns import regex
from k8sdiag.podstate import ContainerView, containers_of, is_finished, is_quiet, is_ready
from k8sdiag.relations import View
from k8sdiag.servicefault import pods_behind, service_fault

KIND = "dependency"
KEYS = ("container", "pod", "node", "workload", "namespace")
FIELDS = {
    "outcome": "dns, refused, timeout, unreachable, reset, tls, or '' where only the command tells what it waits for",
    "line": "the log line that tells",
    "target": "host:port, or the host",
    "host": "the host name or address it names",
    "port": "the port it names",
    "service": "the Service that host stands for",
    "service.namespace": "its namespace",
    "service.exists": "yes, no or unknown",
    "service.nearest": "names of Services of that namespace that look alike",
    "service.elsewhere": "namespaces that do have a Service of that name",
    "service.ready": "ready pods behind the Service",
    "service.matching": "pods behind the Service",
    "service.ports": "spec.ports[].port of the Service",
    "service.fault": "what is wrong behind the Service: no pod matches its selector, or what its first pod does",
    "dns.silent": "the DNS server does not answer: yes, likely (EAI_AGAIN, SERVFAIL), or ''",
    "dns.server": "the DNS server that the line names",
    "dns.fault": "what is wrong behind the Service that is the DNS server",
    "service.closed": "the Service does not have the port that was asked",
    "trouble": "what is wrong with it: missing, no-pods, no-port, api (the API server's own), or ''",
    "local": "the host is the container itself (localhost)",
    "configured": "addresses in the container's environment, passwords masked",
    "failing": "the container ends by its own doing",
    "waiting": "it is an init container that still runs",
    "waiting.seconds": "how long it has run",
    "exit.code": "exit code of the last termination",
    "restarts": "status.containerStatuses[].restartCount",
    "command": "spec.containers[].command and args",
    "image": "spec.containers[].image",
    "dnsPolicy": "spec.dnsPolicy",
    "container": "the container's name",
    "type": "init, sidecar or app",
    "what": "the type in words: container, init container, sidecar container or ephemeral container",
    "pod": "metadata.name",
    "namespace": "metadata.namespace",
    "node": "spec.nodeName",
    "owner": "what to change: deployment/web, or pod/web",
    "goal": "what kubectl get shows when it is mended: Running, or for a Job COMPLETIONS is full",
}
_OUTCOMES = (
    (
        "dns",
        regex(
            r"lookup \S+ on [\d.]+:53: "
            r"|no such host|name or service not known|name resolution|\bENOTFOUND|EAI_AGAIN|UnknownHost"
            r"|translate host name|could ?n.?t resolve|could not resolve|can.?t resolve|bad address|NXDOMAIN"
            r"|host not found|failed to resolve|nodename nor serv"
            r"|no address associated|unknown host|server misbehaving|unknown mysql server host|name does not resolve"
            r"|SERVFAIL|unable to resolve host|server can.?t find|no servers could be reached",
            re.IGNORECASE,
        ),
    ),
    (
        "tls",
        regex(
            r"x509:|certificate verify failed|CERTIFICATE_VERIFY_FAILED|SSL routines|SSLHandshake|PKIX path"
            r"|self[- ]signed|certificate (?:has expired|signed by unknown|is not valid|required)|remote error: tls"
            r"|tls: |wrong version number|unable to verify the first certificate|ERR_TLS|does not match certificate"
            r"|hostname mismatch|SSL error",
            re.IGNORECASE,
        ),
    ),
    (
        "refused",
        regex(
            r"connection refused|ECONNREFUSED|Errno 111\b|actively refused|refused to connect|\(111\)"
            r"|connection to \S+ (?:was )?refused",
            re.IGNORECASE,
        ),
    ),
    (
        "unreachable",
        regex(r"no route to host|network is unreachable|host is unreachable|E(?:HOST|NET)UNREACH", re.IGNORECASE),
    ),
    (
        "timeout",
        regex(
            r"ETIMEDOUT|Errno 110\b|i/o timeout|(?:connect\w*|dial|request|operation|read) (?:\w+ )?time[d ]?-? ?out"
            r"|connection timed out|ConnectTimeout|context deadline exceeded|timed out (?:waiting|connecting|after)"
            r"|NoBrokersAvailable|ServerSelectionTimeout|no reachable servers|timeout expired|download timed out"
            r"|(?:cannot|can't|could not|unable to|failed to) (?:reach|connect)"
            r".{0,120}time[d ]?-? ?out",
            re.IGNORECASE,
        ),
    ),
    (
        "reset",
        regex(r"connection reset by peer|ECONNRESET|server closed the connection unexpectedly", re.IGNORECASE),
    ),
)
_HOST = r"(?P<host>[A-Za-z0-9_](?:[\w.-]*[A-Za-z0-9_])?)"
_NAME = r"(?P<host>[A-Za-z](?:[\w.-]*[A-Za-z0-9])?|\d+\.\d+\.\d+\.\d+)"
_PORT = r"(?P<port>\d{1,5})"
_QUOTED = rf"['\"]?{_HOST}(?::{_PORT})?"
_URL = rf"\b[a-z][\w+]*://(?:[^@/\s'\"]*@)?{_NAME}(?::{_PORT})?"
_TARGETS = tuple(
    regex(pattern, re.IGNORECASE)
    for pattern in (
        rf"lookup {_HOST}\.?(?: on [\d.:]+)?: ",
        rf"getaddrinfo (?:ENOTFOUND|EAI_AGAIN) {_HOST}(?::{_PORT})?",
        rf"UnknownHostException: {_HOST}",
        rf"translate host name \"{_HOST}\"",
        rf"(?:resolve(?: host(?: address)?)?|bad address|can.t find|in upstream|server host|ping:)[: ]+{_QUOTED}",
        rf"host=['\"]?{_HOST}['\"]?,? port=['\"]?{_PORT}",
        rf"host=['\"]?{_NAME}",
        rf"(?:server at|server on|connect\w* to|host) ['\"]?{_HOST}['\"]?(?: \([\d.:a-f]+\))?,? (?:on )?port {_PORT}",
        rf"\bhost {_NAME} ",
        rf"(?<![\w.-]){_NAME} \([\d.]+:{_PORT}\)",
        _URL,
        rf"dial (?:tcp|udp) {_HOST}:{_PORT}",
        rf"(?:ECONNREFUSED|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ECONNRESET) {_HOST}:{_PORT}",
        rf"->{_NAME}:{_PORT}",
        rf"remote host \({_HOST}\)(?::{_PORT})?",
        rf"(?<![\w./-]){_NAME}:{_PORT}(?!\w|[:.]\d)",
        rf"server on '{_HOST}'",
    )
)
_JAVA = rf"{_NAME}/(?:[\d.]+|<unresolved>):{_PORT}"
_TARGETS = (
    *_TARGETS[:-3],
    regex(_JAVA, re.IGNORECASE),
    regex(rf"(?<!\w)/(?P<host>[\d.]{{7,}}):{_PORT}"),
    *_TARGETS[-3:],
)
_SILENT = regex(
    r"lookup \S+ on (?P<server>[\d.]+:53): .*(?:timeout|refused|unreachable|no route)|no servers could be reached"
    r"|communications error to (?P<at>[\d.]+#53): (?:timed out|connection refused)"
    r"|DNS server .*(?:timed? ?out|no response)",
    re.IGNORECASE,
)
_UNSURE = regex(
    r"EAI_AGAIN|Temporary failure in name resolution|server misbehaving|SERVFAIL|\bTry again", re.IGNORECASE
)
_ASKED = regex(r"lookup \S+ on (?P<server>[\d.]+:53)")
_WAITS = regex(
    r"(?:\bnc|\bnslookup|\bwget|\bcurl|\bping|\bgetent hosts|\bhost|\bdig|pg_isready|wait-for-it(?:\.sh)?|wait-for)"
    r"(?:\s+-\S+(?:\s+\d+)?)*\s+(?:-h\s*)?['\"]?(?:https?://)?(?P<host>[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?)"
    r"(?:(?:[: ]|\s+-p\s*)(?P<port>\d{2,5}))?"
)
_PAIR = regex(r"[\"'](?P<host>[A-Za-z][\w.-]*)[\"'], ?(?P<port>\d{2,5})")
_ADDRESS = regex(rf"(?:\w+://(?:[^@/\s]*@)?)?{_NAME}(?::{_PORT})?(?:/\S*)?")
_NAMES_HOST = regex(r"HOST|URL|URI|ADDR|ENDPOINT|SERVER|DSN|BROKER|UPSTREAM|SERVICE$", re.IGNORECASE)
_SECRET = regex(r"://[^@/\s]*@")
_LOCAL = ("localhost", "127.0.0.1", "::1", "0.0.0.0")  # noqa: S104 (names, nothing is bound)


def derive(view: View) -> Iterator[Fact]:
    for pod in view.of_kind("Pod"):
        if is_quiet(pod) or (is_finished(pod) and (pod.get("status") or {}).get("reason")):
            continue
        for container in containers_of(pod):
            failing, waiting = _failing(view, pod, container), _waiting(container)
            if not failing and not waiting:
                continue
            ref = ref_of(pod)
            log = log_of(view.snapshot, ref.namespace, ref.name, container)
            lines = tail_lines(log.text) if log else tail_lines(str(ended_of(container.status).get("message") or ""))
            text = [line for _, line in lines]
            outcome, line = _complaint(text, waiting)
            if outcome or waiting:
                fields = _fields(view, pod, container, text, (outcome, line))
                fields |= {"failing": failing, "waiting": waiting}
                when = next((time for time, said in reversed(lines) if said.strip() == line), "")
                proof = Proof("log", f"pod/{ref.name} container {container.name}", when, line)
                yield Fact(KIND, ref, fields, pod_keys(view, pod, container.name), (proof, *_service_proof(fields)))


def _failing(view: View, pod: Json, container: ContainerView) -> bool:
    """The same as `crashing` and `exit.own` of the container."""
    ended = ended_of(container.status)
    meta, policy = pod["metadata"], (pod.get("spec") or {}).get("restartPolicy") or "Always"
    if ended.get("exitCode") in (None, 0, 137, 143) or ended.get("reason") not in ("Error", "", None):
        return False
    if meta.get("deletionTimestamp") or not is_crashing(container, policy, view.snapshot.taken_at):
        return False
    kills = kills_of(view.snapshot.events_of(ref_of(pod), meta.get("uid") or ""))
    return not killer_of(container, kills.get(container.name)).name


def _waiting(container: ContainerView) -> bool:
    return container.type == "init" and "running" in (container.status.get("state") or {})


def _complaint(lines: Sequence[str], waiting: bool) -> tuple[str, str]:
    """(outcome, line) of what could not be reached, where that is what the run complains of."""
    told = telling_line(lines)
    for line in (told, *(reversed(last_words(lines)) if waiting else ())):
        for outcome, pattern in _OUTCOMES:
            if line and pattern.search(line):
                return outcome, line.strip()
    return "", told


def _fields(
    view: View, pod: Json, container: ContainerView, lines: Sequence[str], said: tuple[str, str]
) -> dict[str, Any]:
    outcome, line = said
    spec, meta = pod.get("spec") or {}, pod["metadata"]
    command = " ".join([*(container.spec.get("command") or []), *(container.spec.get("args") or [])])
    configured = list(_configured(container.spec))
    host, port = _target(line if outcome else "", lines if outcome else (), command, [value for _, value in configured])
    started = parse_time(((container.status.get("state") or {}).get("running") or {}).get("startedAt"))
    return (
        {
            "outcome": outcome,
            "line": line,
            "target": f"{host}:{port}" if host and port else host,
            "host": host,
            "port": port,
            "local": host in _LOCAL,
            "configured": tuple(f"{name}={_SECRET.sub('://***@', value)}" for name, value in configured),
            "waiting.seconds": None if started is None else max(0, int(view.snapshot.taken_at - started)),
            "exit.code": ended_of(container.status).get("exitCode"),
            "restarts": container.status.get("restartCount") or 0,
            "command": command,
            "image": container.spec.get("image") or "",
            "dnsPolicy": spec.get("dnsPolicy") or "",
            "container": container.name,
            "type": container.type,
            "what": container.what,
            "pod": meta["name"],
            "namespace": meta.get("namespace") or "",
            "node": spec.get("nodeName") or "",
            "owner": owner_word(view, pod),
            "goal": goal_of(view, pod),
        }
        | _service(view, meta.get("namespace") or "", host, port)
        | _dns(view, outcome, line)
    )


def _dns(view: View, outcome: str, line: str) -> dict[str, Any]:
    """Is it the DNS server that does not answer, rather than a name that does not exist?"""
    silent, asked = _SILENT.search(line[:1000]), _ASKED.search(line[:1000])
    word = "" if outcome != "dns" else "yes" if silent else "likely" if _UNSURE.search(line[:1000]) else ""
    server = asked.group("server") if asked else ((silent.group("at") or "").replace("#", ":") if silent else "")
    address = server.rpartition(":")[0]
    services = view.snapshot.of_kind("Service") if word else ()
    known = (item["metadata"]["name"] in ("kube-dns", "coredns") for item in services)
    served = [
        item
        for item, usual in zip(services, known, strict=True)
        if (address and (item.get("spec") or {}).get("clusterIP") == address) or (not address and usual)
    ]
    fault = service_fault(view.snapshot, served[0]) if served and "Pod" in view.snapshot.kinds() else ""
    return {"dns.silent": word, "dns.server": server, "dns.fault": fault}


def _configured(spec: Json) -> Iterator[tuple[str, str]]:
    for item in spec.get("env") or []:
        value = str(item.get("value") or "")
        named = "://" in value or _NAMES_HOST.search(item.get("name") or "")
        if named and _ADDRESS.fullmatch(value.strip()):
            yield item.get("name") or "", value.strip()


def _target(line: str, lines: Sequence[str], command: str, configured: list[str]) -> tuple[str, str]:
    """(host, port): from the line, its neighbours, the environment (where it names but one) or the command."""
    for text in (line, *(said for said in reversed(last_words(lines)) if said.strip() != line)):
        for pattern in _TARGETS:
            found = pattern.search(text[:1000])
            if found and not found.group("host").isdigit():
                return found.group("host"), found.groupdict().get("port") or ""
    named = [found for value in configured if (found := _ADDRESS.fullmatch(value))]
    hosts = {found.group("host"): found.group("port") or "" for found in named}
    if len(hosts) == 1:
        return next(iter(hosts.items()))
    for pattern in (_WAITS, _PAIR, regex(_URL)):
        found = pattern.search(command[:4000])
        if found:
            return found.group("host"), found.group("port") or ""
    return "", ""


def _service(view: View, namespace: str, host: str, port: str) -> dict[str, Any]:
    """The Service a host name or cluster IP stands for, and how it is."""
    name, space = _named(view, namespace, host)
    found: dict[str, Any] = {"service": name, "service.namespace": space, "service.exists": "", "trouble": ""}
    found |= dict.fromkeys(("service.nearest", "service.elsewhere", "service.ports"), ())
    found |= {"service.ready": None, "service.matching": None, "service.closed": False, "service.fault": ""}
    if not name:
        return found
    service = view.snapshot.get("Service", space, name)
    exists = view.snapshot.exists("Service", space, name)
    found["service.exists"] = {True: "yes", False: "no", None: "unknown"}[exists]
    found["trouble"] = "api" if (space, name) == ("default", "kubernetes") else "missing" if exists is False else ""
    others = [item["metadata"]["name"] for item in view.snapshot.of_kind("Service", space)]
    found["service.nearest"] = tuple(nearest(name, others, n=2, cutoff=0.5)) if exists is False else ()
    found["service.elsewhere"] = tuple(
        item["metadata"].get("namespace") or ""
        for item in view.snapshot.of_kind("Service")
        if item["metadata"]["name"] == name and item["metadata"].get("namespace") != space
    )
    if service:
        spec = service.get("spec") or {}
        ports = tuple(str(item.get("port")) for item in spec.get("ports") or [])
        found |= {"service.ports": ports, "service.closed": bool(port) and bool(ports) and port not in ports}
        if spec.get("selector") and "Pod" in view.snapshot.kinds():
            pods = pods_behind(view.snapshot, service)
            found["service.fault"] = service_fault(view.snapshot, service)
            found |= {"service.matching": len(pods), "service.ready": sum(map(is_ready, pods))}
        wrong = "no-pods" if found["service.ready"] == 0 else "no-port" if found["service.closed"] else ""
        found["trouble"] = found["trouble"] or wrong
    return found


def _named(view: View, namespace: str, host: str) -> tuple[str, str]:
    """(Service, namespace) a host stands for, or ('', '')."""
    if not host or host in _LOCAL:
        return "", ""
    if re.fullmatch(r"[\d.]+", host):
        for service in view.snapshot.of_kind("Service"):
            if host == (service.get("spec") or {}).get("clusterIP"):
                return service["metadata"]["name"], service["metadata"].get("namespace") or ""
        return ("kubernetes", "default") if host == "10.96.0.1" else ("", "")
    parts = host.rstrip(".").split(".")
    if "svc" in parts[2:]:
        place = parts.index("svc", 2)
        return parts[place - 2], parts[place - 1]
    if len(parts) == 1:
        return host, namespace
    if len(parts) == 2 and view.snapshot.get("Namespace", "", parts[1]):
        return parts[0], parts[1]
    return "", ""


def _service_proof(fields: dict[str, Any]) -> Iterator[Proof]:
    if fields["service.exists"] in ("yes", "no"):
        where = f"service/{fields['service']}"
        if fields["service.exists"] == "no":
            text = f"Service {fields['service']} in namespace {fields['service.namespace']}: not found"
            yield Proof("object", where, "", text)
        elif fields["service.matching"] is not None:
            pods = f"{fields['service.ready']} of {fields['service.matching']} pods ready"
            pods += f"; {fields['service.fault']}" if fields["service.fault"] else ""
            yield Proof("object", where, "", f"Service ports {', '.join(fields['service.ports'])}; {pods}")
    if fields["configured"]:
        named = f"pod/{fields['pod']} container {fields['container']}"
        yield Proof("spec", named, "", f"env: {', '.join(fields['configured'][:6])}")
