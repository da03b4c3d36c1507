"""Container logs: the last words of the run that failed, one fact a container.

Sample: `2026-11-21T22:32:31.559192618Z ModuleNotFoundError: No module named 'flask'`. Of a container that runs again
the previous run's log is read, else the current one; where no log was kept, what the run left as termination message.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from k8sdiag.endings import ended_of
from k8sdiag.evidence import Json, ref_of
from k8sdiag.facts import Fact, pod_keys
from k8sdiag.finding import Proof
from k8sdiag.lastwords import last_words, listens, log_of, place_of, tail_lines, telling_line
from k8sdiag.patterns import regex
from k8sdiag.podstate import ContainerView, containers_of, is_quiet
from k8sdiag.relations import View

KIND = "log"
KEYS = ("container", "pod", "node", "workload", "namespace")
FIELDS = {
    "text": "the last 200 lines, without time stamps",
    "tail": "the last 25 lines that are neither empty nor stack frames",
    "last": "the last line that is not empty",
    "error": "the line that most looks like the error, else the last",
    "place": "the file and line that a parser names around it",
    "path": "the path it names",
    "mount": "the mountPath of this container that holds the path",
    "mount.source": "what is mounted there: ConfigMap app-config, claim data, emptyDir ...",
    "mount.readOnly": "the mount is read-only",
    "previous": "it is the previous run's log",
    "container": "the container's name",
    "empty": "the container wrote nothing",
    "listens": "ports on which it says it listens",
    "loopback": "the address (127.0.0.1 or localhost) it says it listens on, and on no other",
}


def derive(view: View) -> Iterator[Fact]:
    for pod in view.of_kind("Pod"):
        if is_quiet(pod):
            continue
        ref = ref_of(pod)
        for container in containers_of(pod):
            log = log_of(view.snapshot, ref.namespace, ref.name, container)
            if log is not None:
                where = f"pod/{log.pod} container {container.name}" + (" (previous run)" if log.previous else "")
                yield _fact(view, pod, container, tail_lines(log.text), Proof("log", where, "", ""), log.previous)
                continue
            ended = ended_of(container.status)
            said = str(ended.get("message") or "")
            if said.strip() and ended.get("reason") == "Error":
                where = f"pod/{ref.name} container {container.name} (terminated.message)"
                proof = Proof("status", where, ended.get("finishedAt") or "", "")
                yield _fact(view, pod, container, tail_lines(said), proof, previous=False)


def _fact(
    view: View, pod: Json, container: ContainerView, lines: list[tuple[str, str]], head: Proof, previous: bool
) -> Fact:
    text = [line for _, line in lines]
    last = next((line for line in reversed(text) if line.strip()), "")
    places = list(listens(text))
    local = {host for host, _ in places} <= {"127.0.0.1", "localhost", "[::1]"}
    fields = {
        "text": "\n".join(text),
        "tail": "\n".join(last_words(text)),
        "last": last,
        "error": telling_line(text),
        "place": place_of(text, telling_line(text)),
        "previous": previous,
        "container": container.name,
        "empty": not last,
        "listens": tuple(dict.fromkeys(port for _, port in places)),
        "loopback": places[0][0] if places and local else "",
    }
    fields |= _mounted(pod, container, f"{fields['error']} {fields['place']}")
    shown = [(time, line) for time, line in lines if line.strip()][-6:]
    error = [(time, line) for time, line in lines if line.strip() == fields["error"] and (time, line) not in shown][-1:]
    proof = tuple(Proof(head.source, head.ref, time or head.time, line) for time, line in (*error, *shown))
    return Fact(KIND, ref_of(pod), fields, pod_keys(view, pod, container.name), proof)


_PATH = regex(r"(?<![\w:/.])(/(?:[\w.@+-]+/)*[\w.@+-]*[\w@+-])")
_SOURCES = {
    "configMap": ("ConfigMap", "name"),
    "secret": ("Secret", "secretName"),
    "persistentVolumeClaim": ("claim", "claimName"),
    "hostPath": ("hostPath", "path"),
}


def _mounted(pod: Json, container: ContainerView, said: str) -> dict[str, Any]:
    """The last path that the line names, and the volume mount that holds it."""
    paths = [path for path in _PATH.findall(said[:1000]) if path.count("/") > 1 or len(path) > 4]
    found: dict[str, Any] = {"path": "", "mount": "", "mount.source": "", "mount.readOnly": False}
    if not paths:
        return found
    held = [
        (mount.get("mountPath") or "", mount)
        for mount in container.spec.get("volumeMounts") or []
        if f"{paths[-1]}/".startswith(f"{(mount.get('mountPath') or '').rstrip('/')}/")
    ]
    found["path"] = paths[-1]
    if held:
        path, mount = max(held, key=lambda item: len(item[0]))
        volumes = (pod.get("spec") or {}).get("volumes") or []
        volume: Json = next((item for item in volumes if item.get("name") == mount.get("name")), {})
        found |= {"mount": path, "mount.source": _source(volume), "mount.readOnly": bool(mount.get("readOnly"))}
    return found


def _source(volume: Json) -> str:
    kind = next((key for key in volume if key != "name"), "")
    word, field = _SOURCES.get(kind, (kind, ""))
    name = (volume.get(kind) or {}).get(field) if field else ""
    return f"{word} {name}".strip()
