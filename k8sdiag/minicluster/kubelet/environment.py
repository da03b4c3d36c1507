"""A container's environment and command line, resolved (pkg/kubelet/kubelet_pods.go makeEnvironmentVariables,
third_party/forked/golang/expansion)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from k8sdiag.evidence import Json
from k8sdiag.minicluster.client import Client
from k8sdiag.minicluster.kubelet import downward
from k8sdiag.minicluster.kubelet.references import CONFIG_MAP, SECRET, References
from k8sdiag.patterns import regex

_TOKEN = regex(r"\$(\$|\(([^)]*)\))?")


def expand(text: str, known: Mapping[str, str]) -> str:
    """`$(NAME)` becomes the variable's value where there is one, and `$$` becomes `$`."""
    if "$" not in text:
        return text

    def put(found: object) -> str:
        whole, name = str(found[0]), found[2]  # type: ignore[index]
        if whole == "$$":
            return "$"
        return known.get(name, whole) if name is not None else whole

    return _TOKEN.sub(put, text)


def environment(
    pod: Json,
    container: Json,
    references: References,
    services: Mapping[str, str],
    place: tuple[str, tuple[str, ...]],
    node: Json | None,
) -> dict[str, str]:
    """All variables, the pod's own first; `place` is the host's address and the pod's. Raises UnresolvedError."""
    made = _from_sources(pod, container, references)
    known = dict(services)
    known.update(made)
    for entry in container.get("env") or ():
        name = entry["name"]
        value = _value(pod, container, entry, references, known, place, node)
        if value is not None:
            made[name] = known[name] = value
    for name, value in services.items():
        made.setdefault(name, value)
    return made


def _from_sources(pod: Json, container: Json, references: References) -> dict[str, str]:
    namespace = pod["metadata"]["namespace"]
    made: dict[str, str] = {}
    for source in container.get("envFrom") or ():
        for kind, reference in ((CONFIG_MAP, source.get("configMapRef")), (SECRET, source.get("secretRef"))):
            if reference is not None:
                data = references.data(kind, namespace, reference.get("name", ""), bool(reference.get("optional")))
                for key, value in sorted((data or {}).items()):
                    made[f"{source.get('prefix', '')}{key}"] = value.decode("utf-8", "replace")
    return made


def _value(
    pod: Json,
    container: Json,
    entry: Json,
    references: References,
    known: Mapping[str, str],
    place: tuple[str, tuple[str, ...]],
    node: Json | None,
) -> str | None:
    source = entry.get("valueFrom")
    if not source:
        return expand(str(entry.get("value") or ""), known)
    namespace = pod["metadata"]["namespace"]
    if source.get("configMapKeyRef"):
        return references.value(CONFIG_MAP, namespace, source["configMapKeyRef"])
    if source.get("secretKeyRef"):
        return references.value(SECRET, namespace, source["secretKeyRef"])
    if source.get("fieldRef"):
        return downward.field(pod, str(source["fieldRef"].get("fieldPath", "")), *place)
    if source.get("resourceFieldRef"):
        return downward.resource(pod, source["resourceFieldRef"], container, node)
    return ""


def words(texts: Sequence[str] | None, known: Mapping[str, str]) -> tuple[str, ...]:
    """A command or its arguments with variables put in."""
    return tuple(expand(str(text), known) for text in texts or ())


def service_variables(client: Client, namespace: str, links: bool) -> dict[str, str]:
    """The variables of the services that a container is told of (pkg/kubelet/envvars): the API server's, and with
    `links` those of its own namespace."""
    made: dict[str, str] = {}
    if namespace != "default":
        api_server = client.find("services", "default", "kubernetes")
        if api_server:
            _add_service(made, api_server)
    for service in client.list("services", namespace):
        if links or (namespace == "default" and service["metadata"]["name"] == "kubernetes"):
            _add_service(made, service)
    return made


def _add_service(made: dict[str, str], service: Json) -> None:
    spec = service["spec"]
    address, ports = spec.get("clusterIP"), spec.get("ports") or []
    if address in (None, "", "None") or not ports:
        return
    name = service["metadata"]["name"].upper().replace("-", "_")
    made[f"{name}_SERVICE_HOST"] = address
    made[f"{name}_SERVICE_PORT"] = str(ports[0]["port"])
    for port in ports:
        if port.get("name"):
            made[f"{name}_SERVICE_PORT_{port['name'].upper().replace('-', '_')}"] = str(port["port"])
    for index, port in enumerate(ports):
        protocol = str(port.get("protocol") or "TCP")
        url = f"{protocol.lower()}://{address}:{port['port']}"
        if not index:
            made[f"{name}_PORT"] = url
        lead = f"{name}_PORT_{port['port']}_{protocol}"
        made |= {
            lead: url,
            f"{lead}_PROTO": protocol.lower(),
            f"{lead}_PORT": str(port["port"]),
            f"{lead}_ADDR": address,
        }
