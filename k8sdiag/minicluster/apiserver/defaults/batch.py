"""Jobs and CronJobs (pkg/apis/batch/v1/defaults.go; pkg/registry/batch/job/strategy.go generateSelector)."""

from __future__ import annotations

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.defaults import pods

_LIMIT_PER_INDEX = 2**31 - 1  # a limit for the whole Job would only be in the way where each index has its own


def job_spec(inner: Json) -> None:
    if inner.get("completions") is None and inner.get("parallelism") is None:
        inner["completions"] = 1
    _unset(inner, "parallelism", 1)
    _unset(inner, "backoffLimit", 6 if inner.get("backoffLimitPerIndex") is None else _LIMIT_PER_INDEX)
    _unset(inner, "completionMode", "NonIndexed")
    _unset(inner, "suspend", False)
    policy = inner.get("podFailurePolicy")
    for rule in (policy or {}).get("rules") or ():
        for pattern in rule.get("onPodConditions") or ():
            pattern["status"] = pattern.get("status") or "True"
    _unset(inner, "podReplacementPolicy", "TerminatingOrFailed" if policy is None else "Failed")
    _unset(inner, "manualSelector", False)
    _template(inner)


def _template(inner: Json) -> None:
    template = inner.get("template")
    if template is None:
        template = inner["template"] = {}
    pods.template(template)


def _unset(of: Json, key: str, value: object) -> None:
    if of.get(key) is None:
        of[key] = value


def job(obj: Json) -> None:
    inner = obj.get("spec")
    if inner is None:
        inner = obj["spec"] = {}
    job_spec(inner)
    _unset(obj, "status", {})


def cron_job(obj: Json) -> None:
    inner = obj.get("spec")
    if inner is None:
        inner = obj["spec"] = {}
    inner["concurrencyPolicy"] = inner.get("concurrencyPolicy") or "Allow"
    _unset(inner, "suspend", False)
    _unset(inner, "successfulJobsHistoryLimit", 3)
    _unset(inner, "failedJobsHistoryLimit", 1)
    template: Json | None = inner.get("jobTemplate")
    if template is None:
        template = inner["jobTemplate"] = {}
    _unset(template, "metadata", {})
    template["metadata"].setdefault("creationTimestamp", None)
    # A Job's own numbers are filled in when the Job is made; of its template only the pods' are.
    if template.get("spec") is None:
        template["spec"] = {}
    _template(template["spec"])
    _unset(obj, "status", {})


def generate_selector(obj: Json) -> None:
    """A Job that does not choose its own selector gets one, by its uid, and its pods the labels for it."""
    inner, metadata = obj["spec"], obj["metadata"]
    template = inner["template"]["metadata"]
    if not inner.get("manualSelector"):
        uid, name = metadata.get("uid") or "", metadata.get("name") or ""
        own = {"controller-uid": uid, "job-name": name}
        own |= {f"batch.kubernetes.io/{key}": value for key, value in own.items()}
        template["labels"] = own | (template.get("labels") or {})  # validation refuses other values
        selector = inner.get("selector") or {}
        wanted = {"batch.kubernetes.io/controller-uid": uid, **(selector.get("matchLabels") or {})}
        inner["selector"] = {**selector, "matchLabels": wanted}
    if not metadata.get("labels") and template.get("labels"):
        metadata["labels"] = dict(template["labels"])


DEFAULTS = {"jobs.batch": job, "cronjobs.batch": cron_job}
CREATION = {"jobs.batch": generate_selector}
