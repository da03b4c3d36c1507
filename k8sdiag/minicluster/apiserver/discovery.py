"""What the server says it serves: /api, /apis and below, the old way (a document a group version) and the new
(everything in two), as kubectl asks (apiserver/pkg/endpoints/discovery/{legacy,group,version}.go, aggregated/)."""

from __future__ import annotations

import hashlib

import orjson

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver import errors
from k8sdiag.minicluster.apiserver.negotiation import JSON_TYPE, MEDIA_TYPES, read_accept
from k8sdiag.minicluster.kinds import Group, Registry, Resource

_AGGREGATED = "APIGroupDiscoveryList"
_GROUP = "apidiscovery.k8s.io"
_VERSIONS = ("v2", "v2beta1")


class Discovery:
    """Documents made from the registry, and made again only when it has changed. `address` is the server's own, told
    to clients by networks they come from."""

    def __init__(self, registry: Registry, address: str) -> None:
        self._registry = registry
        self._address = address
        self._made: dict[tuple[str, str], tuple[bytes, str]] = {}
        self._generation = registry.generation

    def find(self, path: str, accept: str) -> tuple[bytes, str, str] | None:
        """A discovery document, its content type and its ETag; None for a path that is none."""
        if self._generation != self._registry.generation:
            self._made.clear()
            self._generation = self._registry.generation
        version = _aggregated(accept) if path in ("/api", "/apis") else ""
        known = self._made.get((path, version))
        if known is None:
            document = self._aggregate(path, version) if version else self._document(path)
            if document is None:
                return None
            body = orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE)
            known = body, hashlib.sha256(body).hexdigest().upper() if version else ""
            self._made[path, version] = known
        kind = f"{JSON_TYPE};g={_GROUP};v={version};as={_AGGREGATED}" if version else JSON_TYPE
        return known[0], kind, known[1]

    def _document(self, path: str) -> Json | None:
        parts = path.strip("/").split("/")
        if parts == ["api"]:
            return {
                "kind": "APIVersions",
                "versions": ["v1"],
                "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": self._address}],
            }
        if parts == ["apis"]:
            groups = [_group(group) for group in self._registry.groups() if group.name]
            return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}
        if parts[0] == "api" and len(parts) == 2:
            return self._resources("", parts[1])
        if parts[0] == "apis" and len(parts) == 2:
            group = next((group for group in self._registry.groups() if group.name == parts[1]), None)
            return {"kind": "APIGroup", "apiVersion": "v1", **_group(group)} if group is not None else None
        if parts[0] == "apis" and len(parts) == 3:
            return self._resources(parts[1], parts[2])
        return None

    def _resources(self, group: str, version: str) -> Json | None:
        served = [entry for entry in self._registry.all() if (entry.group, entry.version) == (group, version)]
        if not served:
            return None
        entries: list[Json] = []
        for resource in sorted(served, key=lambda entry: entry.plural):
            entries.append(_entry(resource))
            entries.extend(_sub_entries(resource))
        name = f"{group}/{version}" if group else version
        return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": name, "resources": entries}

    def _aggregate(self, path: str, version: str) -> Json:
        groups = [group for group in self._registry.groups() if bool(group.name) == (path == "/apis")]
        return {
            "kind": _AGGREGATED,
            "apiVersion": f"{_GROUP}/{version}",
            "metadata": {},
            "items": [self._aggregated_group(group) for group in groups],
        }

    def _aggregated_group(self, group: Group) -> Json:
        versions = []
        for version in group.versions:
            served = [entry for entry in self._registry.all() if (entry.group, entry.version) == (group.name, version)]
            listed = [_aggregated_entry(entry) for entry in sorted(served, key=lambda entry: entry.plural)]
            versions.append({"version": version, "resources": listed, "freshness": "Current"})
        named: Json = {"name": group.name} if group.name else {}
        return {"metadata": {**named, "creationTimestamp": None}, "versions": versions}


def _aggregated(accept: str) -> str:
    """The version of the aggregated form that is asked for, '' for the plain one. Raises 406."""
    for clause in read_accept(accept):
        if clause.media not in (JSON_TYPE, "application/*", "*/*"):
            continue
        kind = clause.params.get("as", "")
        if not kind:
            return ""
        version = clause.params.get("v", "")
        if kind == _AGGREGATED and clause.params.get("g") == _GROUP and version in _VERSIONS:
            return version
    raise errors.not_acceptable(MEDIA_TYPES)


def _group(group: Group) -> Json:
    versions = [{"groupVersion": f"{group.name}/{version}", "version": version} for version in group.versions]
    return {"name": group.name, "versions": versions, "preferredVersion": versions[0]}


def _entry(resource: Resource) -> Json:
    entry: Json = {
        "name": resource.plural,
        "singularName": resource.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": list(resource.verbs),
    }
    if resource.short:
        entry["shortNames"] = list(resource.short)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    return entry


def _sub_entries(resource: Resource) -> list[Json]:
    entries = []
    for name, below in sorted(resource.subresources.items()):
        entry: Json = {"name": f"{resource.plural}/{name}", "singularName": "", "namespaced": resource.namespaced}
        if (below.group, below.version) != (resource.group, resource.version):
            entry |= {"group": below.group, "version": below.version}
        entries.append({**entry, "kind": below.kind, "verbs": list(below.verbs)})
    return entries


def _kind(group: str, version: str, kind: str) -> Json:
    return {"group": group, "version": version, "kind": kind}


def _aggregated_entry(resource: Resource) -> Json:
    entry: Json = {
        "resource": resource.plural,
        "responseKind": _kind(resource.group, resource.version, resource.kind),
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.singular,
        "verbs": list(resource.verbs),
    }
    if resource.short:
        entry["shortNames"] = list(resource.short)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    if resource.subresources:
        entry["subresources"] = [
            {
                "subresource": name,
                "responseKind": _kind(below.group, below.version, below.kind),
                "verbs": list(below.verbs),
            }
            for name, below in sorted(resource.subresources.items())
        ]
    return entry
