"""Reads the protobuf field numbers of Kubernetes' types from the struct tags of its Go modules, and writes
`k8sdiag/minicluster/openapi/protobuf.json.gz` from them:

    go mod download k8s.io/api@v0.33.0 k8s.io/apimachinery@v0.33.0 k8s.io/apiextensions-apiserver@v0.33.0
    python tools/protobuf_fields.py ~/go/pkg/mod/k8s.io/*@v0.33.0

Of each struct: number to [JSON name, type, mark]. The name is '' for an embedded struct. Marks: `[]` a list, `{}` a map
with text as keys, `*` kept at zero (behind a pointer or without omitempty), '' left out at zero.
"""

from __future__ import annotations

import gzip
import json
import re
import sys
from pathlib import Path

GROUPS = (
    "admissionregistration/v1 apps/v1 authentication/v1 authorization/v1 autoscaling/v1 autoscaling/v2 batch/v1"
    " certificates/v1 coordination/v1 core/v1 discovery/v1 events/v1 flowcontrol/v1 networking/v1 node/v1 policy/v1"
    " rbac/v1 scheduling/v1 storage/v1 apis/meta/v1 apiextensions/v1"
).split()
TARGET = Path(__file__).parent.parent / "k8sdiag" / "minicluster" / "openapi" / "protobuf.json.gz"

# Types of other packages, by their last two folders and name, that are encoded in a way of their own.
SPECIAL = {
    "api/resource.Quantity": "Quantity",
    "util/intstr.IntOrString": "IntOrString",
    "meta/v1.Time": "Time",
    "meta/v1.MicroTime": "Time",
    "meta/v1.Duration": "Duration",
    "meta/v1.FieldsV1": "Raw",
    "meta/v1.Verbs": "Items",
    "pkg/runtime.RawExtension": "Raw",
    "apiextensions/v1.JSON": "Raw",
    "apiextensions/v1.JSONSchemaPropsOrArray": "OrArray",
    "apiextensions/v1.JSONSchemaPropsOrBool": "OrBool",
    "apiextensions/v1.JSONSchemaPropsOrStringArray": "OrStringArray",
    **{f"{group}/v1.ExtraValue": "Items" for group in ("authentication", "authorization", "certificates")},
}
BASIC = {"string": "string", "bool": "bool", "int32": "int", "int64": "int", "int": "int", "float64": "double"}

_STRUCT = re.compile(r"^type (\w+) struct \{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
_NAMED = re.compile(r"^\s*(?:type )?(\w+) ((?:map\[[^\]]+\]|\[\])*[\w.]+)$", re.MULTILINE)
_FIELD = re.compile(r"^\t(?:(\w+) )?(\S+)\s+`(.*)`", re.MULTILINE)
_IMPORT = re.compile(r'^\s*(?:import )?(?:(\w+) )?"([\w./-]+)"$', re.MULTILINE)


def short(path: str) -> str:
    return "/".join(path.split("/")[-2:])


class Package:
    """One Go package: its structs' fields and what its other names stand for."""

    def __init__(self, folder: Path) -> None:
        self.name = short(str(folder))
        self.structs: dict[str, list[tuple[str, str, str]]] = {}
        self.named: dict[str, str] = {}
        self.imports: dict[str, str] = {}
        for path in sorted(folder.glob("types*.go")):
            text = path.read_text()
            for alias, target in _IMPORT.findall(text):
                self.imports[alias or target.rpartition("/")[2]] = short(target)
            for name, body in _STRUCT.findall(text):
                self.structs[name] = _FIELD.findall(body)
            self.named.update(_NAMED.findall(_STRUCT.sub("", text)))


def resolve(package: Package, packages: dict[str, Package], text: str) -> tuple[str, str]:
    """A Go type to a type and its mark."""
    if text.startswith("*"):
        return resolve(package, packages, text[1:])[0], "*"
    if text == "[]byte":
        return "bytes", ""
    if text.startswith("[]"):
        return resolve(package, packages, text[2:])[0], "[]"
    if text.startswith("map["):
        return resolve(package, packages, text.partition("]")[2])[0], "{}"
    if text in BASIC:
        return BASIC[text], ""
    alias, _, name = text.rpartition(".")
    home = package.imports.get(alias, alias) if alias else package.name
    if f"{home}.{name}" in SPECIAL:
        return SPECIAL[f"{home}.{name}"], ""
    owner = packages.get(home)
    if owner is not None and name in owner.structs:
        return f"{home}.{name}", ""
    if owner is not None and name in owner.named:
        return resolve(owner, packages, owner.named[name])
    return "string", ""  # types.UID and other names for text


def fields(package: Package, packages: dict[str, Package], struct: str) -> dict[str, list[str]]:
    found = {}
    for name, go_type, tags in package.structs[struct]:
        protobuf = re.search(r'protobuf:"([^"]+)"', tags)
        json_tag = re.search(r'json:"([^"]*)"', tags)
        if protobuf is None:
            continue
        number = protobuf[1].split(",")[1]
        json_name, _, options = (json_tag[1] if json_tag else "").partition(",")
        kind, mark = resolve(package, packages, go_type)
        if not mark and "omitempty" not in options:
            mark = "*"
        embedded = "inline" in options or not (name or json_name)
        found[number] = ["" if embedded else json_name or name, kind, mark]
    return found


def main(roots: list[str]) -> None:
    packages: dict[str, Package] = {}
    for root in roots:
        for group in GROUPS:
            for folder in Path(root).rglob(group):
                if folder.is_dir() and any(folder.glob("types*.go")):
                    packages.setdefault(short(str(folder)), Package(folder))
    table = {
        f"{package.name}.{struct}": made
        for package in packages.values()
        for struct in sorted(package.structs)
        if (made := fields(package, packages, struct))
    }
    data = json.dumps(dict(sorted(table.items())), separators=(",", ":")).encode()
    TARGET.write_bytes(gzip.compress(data, 9, mtime=0))


if __name__ == "__main__":
    main(sys.argv[1:])
