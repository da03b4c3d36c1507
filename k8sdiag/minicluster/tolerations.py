"""Which taints a pod bears: the scheduler and the controllers judge alike (api/core/v1 Toleration.ToleratesTaint)."""

from __future__ import annotations

from k8sdiag.evidence import Json


def tolerates(toleration: Json, taint: Json) -> bool:
    effect, key = toleration.get("effect"), toleration.get("key")
    if effect and effect != taint.get("effect"):
        return False
    if key and key != taint.get("key"):
        return False
    if toleration.get("operator") == "Exists":
        return True
    return bool(key) and (toleration.get("value") or "") == (taint.get("value") or "")
