"""The hash that tells one pod template from another (pkg/controller/controller_utils.go ComputeHash).

The real one is FNV-32a over Go's dump of the struct, which nothing but Go can repeat; this one is FNV-32a over the
template's JSON, in the same alphabet and length.
"""

from __future__ import annotations

from typing import Any

import orjson

from k8sdiag.evidence import Json

HASH_LABEL = "pod-template-hash"
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"  # apimachinery/pkg/util/rand


def short_hash(value: Any, collisions: int | None = None) -> str:
    """Eight to ten letters and digits of a JSON value."""
    number = 2166136261
    for byte in orjson.dumps(value, option=orjson.OPT_SORT_KEYS):
        number = ((number ^ byte) * 16777619) & 0xFFFFFFFF
    for byte in (collisions or 0).to_bytes(8, "little") if collisions is not None else b"":
        number = ((number ^ byte) * 16777619) & 0xFFFFFFFF
    return "".join(_ALPHABET[ord(digit) % len(_ALPHABET)] for digit in str(number))


def bare(template: Json) -> Json:
    """A template without what does not tell it from another: empty fields of its metadata and the hash label."""
    meta = {name: value for name, value in (template.get("metadata") or {}).items() if value}
    if HASH_LABEL in meta.get("labels", {}):
        meta["labels"] = {name: value for name, value in meta["labels"].items() if name != HASH_LABEL}
    return {"metadata": meta, "spec": template["spec"]}


def same_template(one: Json, other: Json) -> bool:
    """Equal but for the hash label (EqualIgnoreHash)."""
    return bool(one["spec"] == other["spec"]) and bare(one) == bare(other)
