"""The table of what the mini-cluster serves: groups, versions, resources, as a real 1.33 server lists them.

Read from `openapi/discovery.json` (the aggregated discovery documents of that server); custom resources join later.
"""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from urllib.parse import quote

import orjson

from k8sdiag.evidence import Json

OPENAPI = Path(__file__).parent / "openapi"

# Kinds served in two groups or versions are kept once: as what, under which name.
_SHARED_STORAGE = {"events.k8s.io": "events"}
METRICS_GROUP = "metrics.k8s.io"  # served by metrics-server on a real cluster; nothing of it is stored


@dataclass(frozen=True, slots=True)
class Subresource:
    """`status`, `scale`, `log`…: its own kind and verbs below a resource."""

    name: str
    group: str
    version: str
    kind: str
    verbs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource in one version, as discovery lists it.

    `storage` is where its objects are kept, the same for all versions: `pods`, `deployments.apps`. `definition` is its
    name in the OpenAPI definitions, '' for custom resources. `selectable` are the fields by which a custom resource's
    definition lets select.
    """

    group: str
    version: str
    plural: str
    kind: str
    singular: str
    namespaced: bool
    verbs: tuple[str, ...]
    short: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subresources: Mapping[str, Subresource] = field(default_factory=dict, hash=False)
    storage: str = ""
    definition: str = ""
    selectable: tuple[str, ...] = ()

    @property
    def api_version(self) -> str:
        """`v1`, `apps/v1`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def list_kind(self) -> str:
        return f"{self.kind}List"

    @property
    def qualified(self) -> str:
        """What error messages call it: `pods`, `deployments.apps` (apimachinery GroupResource.String)."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def path(self, namespace: str = "", name: str = "") -> str:
        """The path of one object, or of the collection where `name` is ''."""
        path = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        if self.namespaced and namespace:
            path += f"/namespaces/{quote(namespace, safe='')}"
        path += f"/{self.plural}"
        return f"{path}/{quote(name, safe='')}" if name else path


@dataclass(frozen=True, slots=True)
class Group:
    """An API group and its versions, the preferred one first. The core group's name is ''."""

    name: str
    versions: tuple[str, ...]


class Registry:
    """All resources served right now. `generation` grows with every change of the list."""

    def __init__(self) -> None:
        self.generation = 0
        self._paths: dict[tuple[str, str, str], Resource] = {}
        self._kinds: dict[tuple[str, str], Resource] = {}
        self._words: dict[str, Resource] = {}
        self._stored: dict[str, Resource] = {}
        for resource in _built_in():
            self._enter(resource)

    def find(self, group: str, version: str, plural: str) -> Resource | None:
        return self._paths.get((group, version, plural))

    def named(self, word: str) -> Resource:
        """`pods`, `deployments`, `deployments.apps` in the preferred version. KeyError for a word that is none."""
        return self._words[word]

    def of(self, api_version: str, kind: str) -> Resource | None:
        """The resource of an object's apiVersion and kind."""
        return self._kinds.get((api_version, kind))

    def all(self) -> list[Resource]:
        """Every resource in every version, in discovery's order."""
        return list(self._paths.values())

    def groups(self) -> list[Group]:
        versions: dict[str, list[str]] = {}
        for resource in self._paths.values():
            served = versions.setdefault(resource.group, [])
            if resource.version not in served:
                served.append(resource.version)
        return [Group(name, tuple(served)) for name, served in versions.items()]

    def storage_version(self, storage: str) -> Resource:
        """The version in which objects of a storage key are kept. KeyError where nothing is."""
        return self._stored[storage]

    def add(self, resource: Resource) -> None:
        """A custom resource in one version, or the same again, changed. The first version of a storage key is the
        one in which its objects are kept."""
        self.generation += 1
        self._enter(resource)

    def remove(self, resource: Resource) -> None:
        """A custom resource in one version; nothing where it is not there."""
        self.generation += 1
        left = [
            known for key, known in self._paths.items() if key != (resource.group, resource.version, resource.plural)
        ]
        for table in (self._paths, self._kinds, self._words, self._stored):
            table.clear()
        for known in left:
            self._enter(known)

    def _enter(self, resource: Resource) -> None:
        self._paths[resource.group, resource.version, resource.plural] = resource
        self._kinds[resource.api_version, resource.kind] = resource
        if "get" not in resource.verbs and "create" not in resource.verbs:
            return
        if not _hides(self._words.get(resource.plural), resource):
            self._words[resource.plural] = resource
        if not _hides(self._words.get(resource.qualified), resource):
            self._words[resource.qualified] = resource
        held = self._stored.get(resource.storage)
        if held is None or (held.group, held.version) == (resource.group, resource.version):
            self._stored[resource.storage] = resource


def _hides(known: Resource | None, new: Resource) -> bool:
    """The first version entered under a word stays, and is replaced only by itself."""
    return known is not None and (known.group, known.version) != (new.group, new.version)


def read_openapi(name: str) -> Json:
    """A file of `openapi/`, parsed."""
    path = OPENAPI / name
    found: Json = orjson.loads(gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes())
    return found


@cache
def _built_in() -> tuple[Resource, ...]:
    discovery = read_openapi("discovery.json")
    found = [
        _resource(item["metadata"].get("name", ""), version["version"], entry)
        for document in ("/api", "/apis")
        for item in discovery[document]["items"]
        for version in item["versions"]
        for entry in version["resources"]
    ]
    # The core group first, for `events` means core's; a metrics server's group last.
    return (*found, *_metrics())


# Where Kubernetes keeps the types of a group, where that is not `io.k8s.api.` and the first word of its name.
_PACKAGES = {
    "": "io.k8s.api.core",
    "apiregistration.k8s.io": "io.k8s.kube-aggregator.pkg.apis.apiregistration",
    "apiextensions.k8s.io": "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions",
}


def _definition(group: str, version: str, kind: str) -> str:
    package = _PACKAGES.get(group) or f"io.k8s.api.{group.partition('.')[0]}"
    return f"{package}.{version}.{kind}"


def _resource(group: str, version: str, entry: Json) -> Resource:
    kind, plural = entry["responseKind"]["kind"], entry["resource"]
    below = {
        sub["subresource"]: Subresource(
            sub["subresource"],
            sub["responseKind"]["group"] or group,
            sub["responseKind"]["version"] or version,
            sub["responseKind"]["kind"],
            tuple(sub["verbs"]),
        )
        for sub in entry.get("subresources", [])
    }
    return Resource(
        group=group,
        version=version,
        plural=plural,
        kind=kind,
        singular=entry["singularResource"],
        namespaced=entry["scope"] == "Namespaced",
        verbs=tuple(entry["verbs"]),
        short=tuple(entry.get("shortNames", ())),
        categories=tuple(entry.get("categories", ())),
        subresources=below,
        storage=_SHARED_STORAGE.get(group) or (f"{plural}.{group}" if group else plural),
        definition=_definition(group, version, kind),
    )


def _metrics() -> list[Resource]:
    return [
        Resource(
            METRICS_GROUP, "v1beta1", plural, kind, "", namespaced, ("get", "list"), storage=f"{plural}.{METRICS_GROUP}"
        )
        for plural, kind, namespaced in (("nodes", "NodeMetrics", False), ("pods", "PodMetrics", True))
    ]
