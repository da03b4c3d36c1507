"""Where a pod may run: affinity, node selectors, tolerations, spread (pkg/apis/core/validation validateAffinity,
ValidateNodeSelector, ValidateTolerations, validateTopologySpreadConstraints)."""

from __future__ import annotations

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.errors import duplicate, forbidden_field, invalid_value, not_supported, required
from k8sdiag.minicluster.apiserver.validation import formats
from k8sdiag.minicluster.apiserver.validation.fields import NOT_POSITIVE, Causes, each, label_selector, set_operator

EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_REQUIRED, _PREFERRED = (
    "requiredDuringSchedulingIgnoredDuringExecution",
    "preferredDuringSchedulingIgnoredDuringExecution",
)
_OPERATOR = "not a valid selector operator"


def affinity(of: Json, path: str, out: Causes) -> None:
    node = of.get("nodeAffinity")
    if node:
        where = f"{path}.nodeAffinity"
        if node.get(_REQUIRED) is not None:
            node_selector(node[_REQUIRED], f"{where}.{_REQUIRED}", out)
        for index, term in enumerate(node.get(_PREFERRED) or ()):
            at = f"{where}.{_PREFERRED}[{index}]"
            _weight(term, at, out)
            _node_term(term.get("preference") or {}, f"{at}.preference", out, strict=False)
    for name in ("podAffinity", "podAntiAffinity"):
        pod = of.get(name)
        if pod:
            for index, term in enumerate(pod.get(_REQUIRED) or ()):
                _pod_term(term, f"{path}.{name}.{_REQUIRED}[{index}]", out)
            for index, weighted in enumerate(pod.get(_PREFERRED) or ()):
                at = f"{path}.{name}.{_PREFERRED}[{index}]"
                _weight(weighted, at, out)
                _pod_term(weighted.get("podAffinityTerm") or {}, f"{at}.podAffinityTerm", out)


def _weight(term: Json, path: str, out: Causes) -> None:
    weight = term.get("weight") or 0
    if not 1 <= weight <= 100:
        out.append(invalid_value(f"{path}.weight", weight, "must be in the range 1-100"))


def node_selector(selector: Json, path: str, out: Causes) -> None:
    terms = selector.get("nodeSelectorTerms") or ()
    if not terms:
        out.append(required(f"{path}.nodeSelectorTerms", "must have at least one node selector term"))
    for index, term in enumerate(terms):
        _node_term(term, f"{path}.nodeSelectorTerms[{index}]", out)


def _node_term(term: Json, path: str, out: Causes, strict: bool = True) -> None:
    for index, requirement in enumerate(term.get("matchExpressions") or ()):
        _node_requirement(requirement, f"{path}.matchExpressions[{index}]", strict, out)
    for index, requirement in enumerate(term.get("matchFields") or ()):
        _node_field(requirement, f"{path}.matchFields[{index}]", out)


def _node_requirement(requirement: Json, path: str, strict: bool, out: Causes) -> None:
    operator, values = requirement.get("operator") or "", requirement.get("values") or ()
    if operator in ("Gt", "Lt"):
        if len(values) != 1:
            out.append(required(f"{path}.values", "must be specified single value when `operator` is 'Lt' or 'Gt'"))
    elif not set_operator(requirement, path, out):
        out.append(invalid_value(f"{path}.operator", operator, _OPERATOR))
    key = requirement.get("key") or ""
    each(formats.qualified_name(key), f"{path}.key", key, out)
    for index, value in enumerate(values if strict else ()):
        each(formats.label_value(value), f"{path}.values[{index}]", value, out)


def _node_field(requirement: Json, path: str, out: Causes) -> None:
    operator, values = requirement.get("operator") or "", requirement.get("values") or ()
    if operator not in ("In", "NotIn"):
        out.append(invalid_value(f"{path}.operator", operator, _OPERATOR))
    elif len(values) != 1:
        why = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"
        out.append(required(f"{path}.values", why))
    if requirement.get("key") != "metadata.name":
        out.append(invalid_value(f"{path}.key", requirement.get("key") or "", "not a valid field selector key"))
        return
    for index, value in enumerate(values):
        each(formats.dns_subdomain(value), f"{path}.values[{index}]", value, out)


def _pod_term(term: Json, path: str, out: Causes) -> None:
    for name in ("labelSelector", "namespaceSelector"):
        label_selector(term.get(name), f"{path}.{name}", out)
    for namespace in term.get("namespaces") or ():
        each(formats.dns_label(namespace), f"{path}.namespace", namespace, out)
    selector = term.get("labelSelector")
    for name in ("matchLabelKeys", "mismatchLabelKeys"):
        keys = term.get(name)
        if keys and selector is None:
            out.append(forbidden_field(f"{path}.{name}", "must not be specified when labelSelector is not set"))
        for index, key in enumerate(keys or () if selector is not None else ()):
            each(formats.qualified_name(key), f"{path}.{name}[{index}]", key, out)
    for index, key in enumerate(term.get("matchLabelKeys") or ()):
        if key in (term.get("mismatchLabelKeys") or ()):
            why = "exists in both matchLabelKeys and mismatchLabelKeys"
            out.append(invalid_value(f"{path}.matchLabelKeys[{index}]", key, why))
    topology = term.get("topologyKey") or ""
    if not topology:
        out.append(required(f"{path}.topologyKey", "can not be empty"))
    each(formats.qualified_name(topology), f"{path}.topologyKey", topology, out)


def effect(value: str, path: str, out: Causes) -> None:
    if value not in EFFECTS:
        out.append(not_supported(path, value, EFFECTS))


def tolerations(items: list[Json], path: str, out: Causes) -> None:
    for index, item in enumerate(items):
        key, operator, value = item.get("key") or "", item.get("operator") or "", item.get("value") or ""
        if key:
            messages = formats.qualified_name(key)
            if messages:
                each(messages, f"{path}[{index}].key", key, out)
        elif operator != "Exists":
            why = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
            out.append(invalid_value(f"{path}[{index}].operator", operator, why))
        if item.get("tolerationSeconds") is not None and item.get("effect") != "NoExecute":
            why = "effect must be 'NoExecute' when `tolerationSeconds` is set"
            out.append(invalid_value(f"{path}[{index}].effect", item.get("effect") or "", why))
        if operator in ("", "Equal"):
            messages = formats.label_value(value)
            if messages:
                out.append(invalid_value(f"{path}[{index}].operator", value, ";".join(messages)))
        elif operator != "Exists":
            out.append(not_supported(f"{path}[{index}].operator", operator, ("Equal", "Exists")))
        elif value:
            why = "value must be empty when `operator` is 'Exists'"
            out.append(invalid_value(f"{path}[{index}].operator", value, why))
        if item.get("effect"):
            effect(item["effect"], f"{path}[{index}].effect", out)


def spread(items: list[Json], path: str, out: Causes) -> None:
    for index, item in enumerate(items):
        where = f"{path}[{index}]"
        skew, topology, action = item.get("maxSkew") or 0, item.get("topologyKey"), item.get("whenUnsatisfiable") or ""
        if skew <= 0:
            out.append(invalid_value(f"{where}.maxSkew", skew, NOT_POSITIVE))
        if not topology:
            out.append(required(f"{where}.topologyKey", "can not be empty"))
        if action not in ("DoNotSchedule", "ScheduleAnyway"):
            out.append(not_supported(f"{where}.whenUnsatisfiable", action, ("DoNotSchedule", "ScheduleAnyway")))
        same = ((other.get("topologyKey"), other.get("whenUnsatisfiable")) for other in items[index + 1 :])
        if (topology, action) in same:
            out.append(duplicate(f"{where}.{{topologyKey, whenUnsatisfiable}}", f"{{{topology}, {action}}}"))
        domains = item.get("minDomains")
        if domains is not None and domains <= 0:
            out.append(invalid_value(f"{where}.minDomains", domains, NOT_POSITIVE))
        if domains is not None and action != "DoNotSchedule":
            why = f"can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {action}"
            out.append(invalid_value(f"{where}.minDomains", domains, why))
        for name in ("nodeAffinityPolicy", "nodeTaintsPolicy"):
            if item.get(name) not in (None, "Honor", "Ignore"):
                out.append(not_supported(f"{where}.{name}", item[name], ("Honor", "Ignore")))
        _spread_keys(item, f"{where}.matchLabelKeys", out)
        label_selector(item.get("labelSelector"), f"{where}.labelSelector", out)


def _spread_keys(item: Json, path: str, out: Causes) -> None:
    keys, selector = item.get("matchLabelKeys") or (), item.get("labelSelector")
    if keys and selector is None:
        out.append(forbidden_field(path, "must not be specified when labelSelector is not set"))
    used = set((selector or {}).get("matchLabels") or ())
    used |= {expression.get("key") for expression in (selector or {}).get("matchExpressions") or ()}
    for index, key in enumerate(keys):
        each(formats.qualified_name(key), f"{path}[{index}]", key, out)
        if key in used:
            out.append(invalid_value(f"{path}[{index}]", key, "exists in both matchLabelKeys and labelSelector"))
