"""Jobs and CronJobs (pkg/apis/batch/validation/validation.go)."""

from __future__ import annotations

from k8sdiag.evidence import Json
from k8sdiag.minicluster import cron
from k8sdiag.minicluster.apiserver.errors import duplicate, invalid_value, not_supported, required, too_many
from k8sdiag.minicluster.apiserver.validation import formats, pods
from k8sdiag.minicluster.apiserver.validation.fields import (
    LABELS_DIFFER,
    Causes,
    choice,
    each,
    immutable,
    label_selector,
    nonnegative,
    same,
)
from k8sdiag.minicluster.apiserver.validation.rules import Rules
from k8sdiag.patterns import regex
from k8sdiag.selectors import matches_selector

_MOST_INDEXES = 100_000
_ACTIONS = ("Count", "FailIndex", "FailJob", "Ignore")
_IMMUTABLE = ("completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy", "successPolicy")
_ZONE_PART = regex(r"[A-Za-z.\-_0-9+]{1,14}")
_SCHEDULING = ("nodeSelector", "tolerations", "schedulingGates", "affinity")


def _spec(spec: Json, path: str, out: Causes) -> None:
    for name in (
        "parallelism",
        "completions",
        "activeDeadlineSeconds",
        "backoffLimit",
        "ttlSecondsAfterFinished",
        "backoffLimitPerIndex",
        "maxFailedIndexes",
    ):
        nonnegative(spec.get(name), f"{path}.{name}", out)
    if spec.get("maxFailedIndexes") is not None and spec.get("backoffLimitPerIndex") is None:
        out.append(required(f"{path}.backoffLimitPerIndex", "when maxFailedIndexes is specified"))
    mode = spec.get("completionMode")
    if mode is not None and mode not in ("NonIndexed", "Indexed"):
        out.append(not_supported(f"{path}.completionMode", mode, ("NonIndexed", "Indexed")))
    if mode == "Indexed":
        _indexed(spec, path, out)
    elif mode in (None, "NonIndexed"):
        for name in ("backoffLimitPerIndex", "maxFailedIndexes"):
            if spec.get(name) is not None:
                out.append(invalid_value(f"{path}.{name}", spec[name], "requires indexed completion mode"))
    policy = spec.get("podFailurePolicy")
    if policy is not None:
        _failure_policy(policy, spec, f"{path}.podFailurePolicy.rules", out)
    if spec.get("successPolicy") is not None:
        _success_policy(spec, f"{path}.successPolicy", out)
    replacing = spec.get("podReplacementPolicy")
    choices = ("Failed", "TerminatingOrFailed") if policy is None else ("Failed",)
    if replacing is not None and replacing not in choices:
        out.append(not_supported(f"{path}.podReplacementPolicy", replacing, choices))
    template = spec.get("template") or {}
    pods.template(template, f"{path}.template", out)
    _restarts((template.get("spec") or {}).get("restartPolicy"), policy, f"{path}.template.spec.restartPolicy", out)


def _restarts(value: str | None, policy: Json | None, path: str, out: Causes) -> None:
    if value in (None, "", "Always"):  # Always is what it is by default
        out.append(required(path, 'valid values: "OnFailure", "Never"'))
    elif value not in ("OnFailure", "Never"):
        out.append(not_supported(path, value, ("OnFailure", "Never")))
    elif policy is not None and value != "Never":
        out.append(invalid_value(path, value, 'only "Never" is supported when podFailurePolicy is specified'))


def _indexed(spec: Json, path: str, out: Causes) -> None:
    completions, parallelism = spec.get("completions"), spec.get("parallelism")
    failed = spec.get("maxFailedIndexes")
    if completions is None:
        out.append(required(f"{path}.completions", "when completion mode is Indexed"))
    if parallelism is not None and parallelism > _MOST_INDEXES:
        why = f"must be less than or equal to {_MOST_INDEXES} when completion mode is Indexed"
        out.append(invalid_value(f"{path}.parallelism", parallelism, why))
    if completions is not None and failed is not None and failed > completions:
        out.append(invalid_value(f"{path}.maxFailedIndexes", failed, "must be less than or equal to completions"))
    if failed is not None and failed > _MOST_INDEXES:
        why = f"must be less than or equal to {_MOST_INDEXES}"
        out.append(invalid_value(f"{path}.maxFailedIndexes", failed, why))


def _failure_policy(policy: Json, spec: Json, path: str, out: Causes) -> None:
    rules = policy.get("rules") or []
    if len(rules) > 20:
        out.append(too_many(path, len(rules), 20))
    inner = (spec.get("template") or {}).get("spec") or {}
    names = {one.get("name") for part in ("containers", "initContainers") for one in inner.get(part) or ()}
    for index, rule in enumerate(rules):
        where, action = f"{path}[{index}]", rule.get("action")
        if not action:
            out.append(required(f"{where}.action", f"valid values: {_quoted(_ACTIONS)}"))
        elif action == "FailIndex" and spec.get("backoffLimitPerIndex") is None:
            out.append(invalid_value(f"{where}.action", action, "requires the backoffLimitPerIndex to be set"))
        elif action not in _ACTIONS:
            out.append(not_supported(f"{where}.action", action, _ACTIONS))
        codes, conditions = rule.get("onExitCodes"), rule.get("onPodConditions")
        if codes is not None:
            _exit_codes(codes, names, f"{where}.onExitCodes", out)
        for at, pattern in enumerate(conditions or ()):
            kind = pattern.get("type") or ""
            each(formats.qualified_name(kind), f"{where}.onPodConditions[{at}].type", kind, out)
            choice(pattern.get("status"), ("False", "True", "Unknown"), f"{where}.onPodConditions[{at}].status", out)


def _quoted(words: tuple[str, ...]) -> str:
    return "[" + " ".join(f'"{word}"' for word in words) + "]"


def _exit_codes(codes: Json, names: set[str | None], path: str, out: Causes) -> None:
    operator, values = codes.get("operator"), codes.get("values") or []
    if not operator:
        out.append(required(f"{path}.operator", f"valid values: {_quoted(('In', 'NotIn'))}"))
    elif operator not in ("In", "NotIn"):
        out.append(not_supported(f"{path}.operator", operator, ("In", "NotIn")))
    if codes.get("containerName") is not None and codes["containerName"] not in names:
        why = "must be one of the container or initContainer names in the pod template"
        out.append(invalid_value(f"{path}.containerName", codes["containerName"], why))
    if not values:
        out.append(invalid_value(f"{path}.values", values, "at least one value is required"))
    elif len(values) > 255:
        out.append(too_many(f"{path}.values", len(values), 255))
    for index, value in enumerate(values):
        if operator == "In" and value == 0:
            out.append(invalid_value(f"{path}.values[{index}]", value, "must not be 0 for the In operator"))
        if value in values[:index]:
            out.append(duplicate(f"{path}.values[{index}]", value))
    if values != sorted(values):
        out.append(invalid_value(f"{path}.values", values, "must be ordered"))


def _success_policy(spec: Json, path: str, out: Causes) -> None:
    policy = spec["successPolicy"]
    if spec.get("completionMode") != "Indexed":
        out.append(invalid_value(path, policy, "requires indexed completion mode"))
        return
    rules = policy.get("rules") or []
    if not rules:
        why = "at least one rules must be specified when the successPolicy is specified"
        out.append(required(f"{path}.rules", why))
    completions = spec.get("completions") or 0
    for index, rule in enumerate(rules):
        where, count = f"{path}.rules[{index}]", rule.get("succeededCount")
        if count is None and rule.get("succeededIndexes") is None:
            out.append(required(where, "at least one of succeededCount or succeededIndexes must be specified"))
        nonnegative(count, f"{where}.succeededCount", out)
        if count is not None and count > completions:
            why = f"must be less than or equal to {completions} (the number of specified completions)"
            out.append(invalid_value(f"{where}.succeededCount", count, why))


def _job(obj: Json, out: Causes) -> None:
    spec, meta = obj.get("spec") or {}, obj["metadata"]
    selector, template = spec.get("selector"), spec.get("template") or {}
    found = (template.get("metadata") or {}).get("labels") or {}
    if not spec.get("manualSelector") and selector is not None:
        _generated(meta, selector, found, out)
    _spec(spec, "spec", out)
    if selector is None:
        out.append(required("spec.selector"))
    else:
        label_selector(selector, "spec.selector", out)
        if not matches_selector(selector, found):
            out.append(invalid_value("spec.template.metadata.labels", found or None, LABELS_DIFFER))


def _generated(meta: Json, selector: Json, found: Json, out: Causes) -> None:
    """The labels that the server gave the pods must still be theirs."""
    expected = {}
    for prefix in ("", "batch.kubernetes.io/"):
        for name, value in (("controller-uid", meta.get("uid") or ""), ("job-name", meta.get("name") or "")):
            key = f"{prefix}{name}"
            expected[key] = value
            where = f"spec.template.metadata.labels[{key}]"
            if key not in found:
                out.append(required(where, f"must be '{value}'"))
            elif found[key] != value:
                out.append(invalid_value(where, found, f"must be '{value}'"))
    if not matches_selector(selector, expected):
        out.append(invalid_value("spec.selector", selector, "`selector` not auto-generated"))


def _new_job(obj: Json, out: Causes) -> None:
    spec, name = obj.get("spec") or {}, obj["metadata"].get("name") or ""
    if spec.get("completionMode") == "Indexed" and (spec.get("completions") or 0) > 0:
        host = f"{name}-{spec['completions'] - 1}"
        if formats.dns_label(host):
            why = f"will not able to create pod with invalid DNS label: {host}"
            out.append(invalid_value("metadata.name", name, why))


def _job_change(obj: Json, old: Json, out: Causes) -> None:
    new, was = obj.get("spec") or {}, old.get("spec") or {}
    completions = new.get("completions")
    if new.get("completionMode") != "Indexed":
        immutable(completions, was.get("completions"), "spec.completions", out)
    elif completions is not None and completions != was.get("completions") and completions != new.get("parallelism"):
        why = "can only be modified in tandem with spec.parallelism"
        out.append(invalid_value("spec.completions", completions, why))
    immutable(new.get("selector"), was.get("selector"), "spec.selector", out)
    template, before = new.get("template") or {}, was.get("template") or {}
    if was.get("suspend") and not (old.get("status") or {}).get("startTime"):
        # A Job that has not run yet may still be told where to: queues do.
        inner = {key: value for key, value in (before.get("spec") or {}).items() if key not in _SCHEDULING}
        kept = {key: value for key, value in (template.get("spec") or {}).items() if key in _SCHEDULING}
        before = {**before, "metadata": template.get("metadata"), "spec": inner | kept}
    if not same(template, before):
        immutable(template, before, "spec.template", out)
    for name in _IMMUTABLE:
        immutable(new.get(name), was.get(name), f"spec.{name}", out)


def _job_status(obj: Json, old: Json, out: Causes) -> None:
    status, was = obj.get("status") or {}, old.get("status") or {}
    for name in ("active", "succeeded", "failed", "ready", "terminating"):
        nonnegative(status.get(name), f"status.{name}", out)
    for name in ("failed", "succeeded"):
        if (status.get(name) or 0) < (was.get(name) or 0):
            why = f"cannot decrease the {name} counter"
            out.append(invalid_value(f"status.{name}", status.get(name) or 0, why))
    ready = status.get("ready") or 0
    if ready > (status.get("active") or 0):
        out.append(invalid_value("status.ready", ready, "cannot set more ready pods than active"))
    done = {item.get("type") for item in status.get("conditions") or () if item.get("status") == "True"}
    if done & {"Complete", "Failed"} and status.get("active"):
        out.append(invalid_value("status.active", status["active"], "active>0 is invalid for finished job"))
    if "Complete" in done and not status.get("completionTime"):
        out.append(required("status.completionTime", "completionTime is required for Complete jobs"))
    if "Complete" not in done and status.get("completionTime"):
        why = "cannot set completionTime when there is no Complete=True condition"
        out.append(invalid_value("status.completionTime", status["completionTime"], why))


def _cron_job(obj: Json, out: Causes) -> None:
    spec = obj.get("spec") or {}
    _schedule(spec, out)
    nonnegative(spec.get("startingDeadlineSeconds"), "spec.startingDeadlineSeconds", out)
    if spec.get("timeZone") is not None:
        _zone(spec["timeZone"], "spec.timeZone", out)
    choice(spec.get("concurrencyPolicy"), ("Allow", "Forbid", "Replace"), "spec.concurrencyPolicy", out)
    inner = (spec.get("jobTemplate") or {}).get("spec") or {}
    _spec(inner, "spec.jobTemplate.spec", out)
    if inner.get("selector") is not None:
        why = "`selector` will be auto-generated"
        out.append(invalid_value("spec.jobTemplate.spec.selector", inner["selector"], why))
    if inner.get("manualSelector"):
        out.append(not_supported("spec.jobTemplate.spec.manualSelector", True, ("nil", "false")))
    for name in ("successfulJobsHistoryLimit", "failedJobsHistoryLimit"):
        nonnegative(spec.get(name), f"spec.{name}", out)


def _schedule(spec: Json, out: Causes) -> None:
    schedule = spec.get("schedule") or ""
    if not schedule:
        out.append(required("spec.schedule"))
        return
    try:
        cron.parse(schedule)
    except cron.CronError as error:
        out.append(invalid_value("spec.schedule", schedule, str(error)))
    if "TZ" in schedule:
        why = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"
        out.append(invalid_value("spec.schedule", schedule, why))


def _zone(zone: str, path: str, out: Causes) -> None:
    if not zone:
        out.append(invalid_value(path, zone, "timeZone must be nil or non-empty string"))
        return
    for part in zone.split("/"):
        if part in (".", "..") or part.startswith("-") or not _ZONE_PART.fullmatch(part):
            out.append(invalid_value(path, zone, f"unknown time zone {zone}"))
            return
    if zone.lower() == "local":
        why = "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"
        out.append(invalid_value(path, zone, why))
    try:
        cron.load_zone(zone)
    except cron.CronError as error:
        out.append(invalid_value(path, zone, str(error)))


def _new_cron_job(obj: Json, out: Causes) -> None:
    name = obj["metadata"].get("name") or ""
    if len(name) > 52:  # eleven more are put behind it for each Job
        out.append(invalid_value("metadata.name", name, "must be no more than 52 characters"))


RULES = {
    "jobs.batch": Rules(_job, _job_change, _job_status, _new_job),
    "cronjobs.batch": Rules(_cron_job, created=_new_cron_job),
}
