"""Taints and what tolerates them (api/core/v1 Toleration.ToleratesTaint)."""

from __future__ import annotations

from k8sdiag.evidence import Json

CORDON = "node.kubernetes.io/unschedulable"


def taint_text(taint: Json) -> str:
    """`key=value:Effect` as kubectl taint takes it; `key:Effect` without a value."""
    value = f"={taint['value']}" if taint.get("value") else ""
    return f"{taint.get('key')}{value}:{taint.get('effect')}"


def tolerates(toleration: Json, taint: Json) -> bool:
    """Does a toleration tolerate a taint?"""
    if toleration.get("effect") and toleration["effect"] != taint.get("effect"):
        return False
    if toleration.get("key") and toleration["key"] != taint.get("key"):
        return False
    if toleration.get("operator") == "Exists":
        return True
    return bool(toleration.get("key")) and (toleration.get("value") or "") == (taint.get("value") or "")


def untolerated(pod: Json, node: Json) -> list[Json]:
    """A node's taints that keep a pod off it (NoSchedule and NoExecute)."""
    tolerations = (pod.get("spec") or {}).get("tolerations") or []
    return [
        taint
        for taint in (node.get("spec") or {}).get("taints") or []
        if taint.get("effect") != "PreferNoSchedule" and not any(tolerates(item, taint) for item in tolerations)
    ]


def near_tolerations(pod: Json, taint: Json) -> list[str]:
    """Tolerations meant for this taint that miss it, and in what: `dedicated=db:NoSchedule (value is db, not gpu)`."""
    found = []
    for item in (pod.get("spec") or {}).get("tolerations") or []:
        if (item.get("key") or "").casefold() != (taint.get("key") or "").casefold() or tolerates(item, taint):
            continue
        wrong = []
        if item.get("key") != taint.get("key"):
            wrong.append(f"key is {item.get('key')}, not {taint.get('key')}")
        if item.get("operator") != "Exists" and (item.get("value") or "") != (taint.get("value") or ""):
            wrong.append(f"value is {item.get('value') or 'empty'}, not {taint.get('value') or 'empty'}")
        if item.get("effect") and item["effect"] != taint.get("effect"):
            wrong.append(f"effect is {item['effect']}, not {taint.get('effect')}")
        value = "" if item.get("operator") == "Exists" else f"={item.get('value') or ''}"
        found.append(f"{item.get('key')}{value}:{item.get('effect') or 'any effect'} ({'; '.join(wrong)})")
    return found
