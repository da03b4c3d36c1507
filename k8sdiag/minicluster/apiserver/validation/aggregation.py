"""APIServices (kube-aggregator/pkg/apis/apiregistration/validation/validation.go)."""

from __future__ import annotations

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.errors import invalid_value, required
from k8sdiag.minicluster.apiserver.validation import formats
from k8sdiag.minicluster.apiserver.validation.fields import Causes
from k8sdiag.minicluster.apiserver.validation.rules import Rules


def _api_service(obj: Json, out: Causes) -> None:
    spec, name = obj.get("spec") or {}, obj["metadata"].get("name") or ""
    group, version = spec.get("group") or "", spec.get("version") or ""
    wanted = f"{version}.{group}"
    if name != wanted:
        out.append(invalid_value("metadata.name", name, f'must be `spec.version+"."+spec.group`: "{wanted}"'))
    if not group and version != "v1":
        out.append(required("spec.group", "only v1 may have an empty group and it better be legacy kube"))
    for field, most in (("groupPriorityMinimum", 20000), ("versionPriority", 1000)):
        value = spec.get(field) or 0
        if not 0 < value <= most:
            out.append(invalid_value(f"spec.{field}", value, f"must be positive and less than {most}"))


RULES = {"apiservices.apiregistration.k8s.io": Rules(_api_service, name=formats.path_segment)}
