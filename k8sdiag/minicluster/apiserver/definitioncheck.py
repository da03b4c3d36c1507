"""What is wrong with a CustomResourceDefinition (apiextensions-apiserver/pkg/apis/apiextensions/validation)."""

from __future__ import annotations

from collections.abc import Iterator

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.errors import Cause, duplicate, invalid_value, not_supported, required, too_many
from k8sdiag.minicluster.apiserver.structuralcheck import check_schema, has_rules
from k8sdiag.patterns import regex

_LABEL = regex(r"[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?")
_SUBDOMAIN = regex(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*")
_NOT_LABEL = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, "
    "and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is "
    "'[a-z]([-a-z0-9]*[a-z0-9])?')"
)
_MOST_SELECTABLE = 8
_NOT_SELECTABLE = (
    "must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed."
)
_COLUMN_TYPES = ("boolean", "date", "integer", "number", "string")


def warnings_of(crd: Json) -> list[str]:
    """What the lab does otherwise than a real server with this definition."""
    named = [version["name"] for version in _versions(crd) if has_rules(version.get("schema"))]
    found = [
        f"spec.versions[{name}]: x-kubernetes-validations (CEL) are kept, but not evaluated by this server"
        for name in named
    ]
    if ((crd.get("spec") or {}).get("conversion") or {}).get("strategy") == "Webhook":
        found.append("spec.conversion: this server calls no webhook, but serves objects as they are in every version")
    return found


def validate_definition(crd: Json, old: Json | None = None) -> list[Cause]:
    return [*_identity(crd), *_names(crd), *_all_versions(crd), *(_changes(crd, old) if old is not None else ())]


def _versions(crd: Json) -> list[Json]:
    found: list[Json] = (crd.get("spec") or {}).get("versions") or []
    return found


def _identity(crd: Json) -> Iterator[Cause]:
    spec = crd.get("spec") or {}
    name, plural, group = crd["metadata"].get("name", ""), spec["names"].get("plural", ""), spec.get("group", "")
    if name != f"{plural}.{group}":
        yield invalid_value("metadata.name", name, 'must be spec.names.plural+"."+spec.group')
    if not group:
        yield required("spec.group")
    elif not _SUBDOMAIN.fullmatch(group):
        yield invalid_value(
            "spec.group",
            group,
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must "
            "start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
            "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
        )
    elif "." not in group:
        yield invalid_value("spec.group", group, "should be a domain with at least one dot")
    scope = spec.get("scope", "")
    if not scope:
        yield required("spec.scope")
    elif scope not in ("Cluster", "Namespaced"):
        yield not_supported("spec.scope", scope, ("Cluster", "Namespaced"))


def _names(crd: Json) -> Iterator[Cause]:
    names = crd["spec"]["names"]
    for key in ("plural", "singular", "kind", "listKind"):
        value = names.get(key, "")
        where = f"spec.names.{key}"
        if not value:
            yield required(where)
        elif not _LABEL.fullmatch(value.lower()) or (key in ("plural", "singular") and value != value.lower()):
            yield invalid_value(where, value, _NOT_LABEL)
    for key in ("shortNames", "categories"):
        for at, value in enumerate(names.get(key) or ()):
            if not _LABEL.fullmatch(value):
                yield invalid_value(f"spec.names.{key}[{at}]", value, _NOT_LABEL)
    if names.get("kind") and names.get("kind") == names.get("listKind"):
        yield invalid_value("spec.names.listKind", names["listKind"], "kind and listKind may not be the same")


def _all_versions(crd: Json) -> Iterator[Cause]:
    versions = _versions(crd)
    if not versions:
        yield invalid_value("spec.versions", [], "must have exactly one version marked as storage version")
        return
    seen: set[str] = set()
    for at, version in enumerate(versions):
        where = f"spec.versions[{at}]"
        name = version.get("name", "")
        if not name or not _LABEL.fullmatch(name):
            yield invalid_value(f"{where}.name", name, _NOT_LABEL)
        if name in seen:
            yield duplicate(f"{where}.name", name)
        seen.add(name)
        yield from _columns(version, where)
        yield from _selectable(version, f"{where}.selectableFields")
    if sum(bool(version.get("storage")) for version in versions) != 1:
        shown = [{key: version.get(key) for key in ("name", "served", "storage")} for version in versions]
        yield invalid_value("spec.versions", shown, "must have exactly one version marked as storage version")
    yield from _schemas(versions)


def _schemas(versions: list[Json]) -> Iterator[Cause]:
    """Where all versions have one schema the server calls it `spec.validation`."""
    stated = [(version.get("schema") or {}).get("openAPIV3Schema") for version in versions]
    same = all(schema == stated[0] for schema in stated)
    for at, schema in enumerate(stated[:1] if same and stated[0] else stated):
        path = "spec.validation.openAPIV3Schema" if same else f"spec.versions[{at}].schema.openAPIV3Schema"
        if not schema:
            yield required(f"spec.versions[{at}].schema.openAPIV3Schema", "schemas are required")
        else:
            yield from check_schema(schema, path)


def _columns(version: Json, where: str) -> Iterator[Cause]:
    for at, column in enumerate(version.get("additionalPrinterColumns") or ()):
        path = f"{where}.additionalPrinterColumns[{at}]"
        for key in ("name", "jsonPath", "type"):
            if not column.get(key):
                yield required(f"{path}.{key}")
        if column.get("type") and column["type"] not in _COLUMN_TYPES:
            text = f"must be one of {','.join(_COLUMN_TYPES)}"
            yield invalid_value(f"{path}.type", column["type"], text)


def _selectable(version: Json, where: str) -> Iterator[Cause]:
    """ValidateCustomResourceSelectableFields."""
    schema = (version.get("schema") or {}).get("openAPIV3Schema") or {}
    seen: set[str] = set()
    for at, field in enumerate(version.get("selectableFields") or ()):
        path = field.get("jsonPath") or ""
        if not path:
            yield required(f"{where}[{at}].jsonPath")
            continue
        names = path.split(".")[1:]
        found: Json | None = schema
        for name in names:
            found = ((found or {}).get("properties") or {}).get(name)
        if not path.startswith(".") or (found is None and names[0] != "metadata"):
            why = "is an invalid path: does not refer to a valid field"
            yield invalid_value(f"{where}[{at}].jsonPath", path, why)
        elif names[0] == "metadata":
            yield invalid_value(f"{where}[{at}]", path, "must not point to fields in metadata")
        elif (found or {}).get("type") not in ("string", "boolean", "integer"):
            yield invalid_value(f"{where}[{at}]", path, _NOT_SELECTABLE)
        if path in seen:
            yield duplicate(f"{where}[{at}]", path)
        seen.add(path)
    if len(seen) > _MOST_SELECTABLE:
        yield too_many(where, len(seen), _MOST_SELECTABLE)


def _changes(crd: Json, old: Json) -> Iterator[Cause]:
    """What may not change: group and scope never, names not once they are in use, stored versions not while stored."""
    spec, was = crd["spec"], old["spec"]
    fixed = [("group", spec.get("group"), was.get("group")), ("scope", spec.get("scope"), was.get("scope"))]
    established = any(
        each["type"] == "Established" and each["status"] == "True"
        for each in (old.get("status") or {}).get("conditions") or ()
    )
    if established:
        fixed += [(f"names.{key}", spec["names"].get(key), was["names"].get(key)) for key in ("kind", "plural")]
    for key, new, before in fixed:
        if new != before:
            yield invalid_value(f"spec.{key}", new, "field is immutable")
    served = {version.get("name") for version in _versions(crd)}
    for at, name in enumerate((crd.get("status") or {}).get("storedVersions") or ()):
        if name not in served:
            text = (
                f"missing from spec.versions; {name} was previously a storage version, and must remain in "
                f"spec.versions until a storage migration ensures no data remains persisted in {name} and removes "
                f"{name} from status.storedVersions"
            )
            yield invalid_value(f"status.storedVersions[{at}]", name, text)
