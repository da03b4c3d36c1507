"""DeleteOptions: in the body, or in the query where there is none (apimachinery/pkg/apis/meta/v1 types.go,
validation.go ValidateDeleteOptions)."""

from __future__ import annotations

from dataclasses import dataclass

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver import errors
from k8sdiag.minicluster.apiserver.errors import Cause
from k8sdiag.minicluster.apiserver.fieldvalidation import DecodeError, decode
from k8sdiag.minicluster.apiserver.incoming import dry_run_causes
from k8sdiag.minicluster.apiserver.listing import is_true
from k8sdiag.minicluster.apiserver.request import Request
from k8sdiag.minicluster.apiserver.schema import builtin

_POLICIES = ("Foreground", "Background", "Orphan")


@dataclass(frozen=True, slots=True)
class DeleteOptions:
    """What a deletion asks for; None where it does not say."""

    grace: int | None = None
    uid: str | None = None
    version: str | None = None
    policy: str = ""
    orphan: bool | None = None
    dry_run: bool = False


def read_options(request: Request) -> DeleteOptions:
    """Raises 400 for what cannot be read, 422 for what makes no sense."""
    body: Json = request.body if request.body is not None else _of_query(request)
    if not isinstance(body, dict):
        raise errors.bad_request("couldn't get version/kind; json parse error: unexpected end of JSON input")
    kind = body.get("kind")
    if kind and kind != "DeleteOptions":
        raise errors.bad_request("decoded object cannot be converted to DeleteOptions")
    try:
        decode(builtin("io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions"), body)
    except DecodeError as error:
        raise errors.bad_request(str(error)) from None
    grace, policy, orphan = body.get("gracePeriodSeconds"), body.get("propagationPolicy"), body.get("orphanDependents")
    causes: list[Cause] = []
    if orphan is not None and policy is not None:
        why = "orphanDependents and deletionPropagation cannot be both set"
        causes.append(errors.invalid_value("propagationPolicy", policy, why))
    if policy is not None and policy not in _POLICIES:
        causes.append(errors.not_supported("propagationPolicy", policy, (*_POLICIES, "nil")))
    dry_run = body.get("dryRun") or ([request.query["dryRun"]] if request.query.get("dryRun") else [])
    causes += dry_run_causes(dry_run)
    if causes:
        raise errors.invalid_kind("meta.k8s.io", "DeleteOptions", "", causes)
    conditions: Json = body.get("preconditions") or {}
    return DeleteOptions(
        # Less than none is the least there is.
        1 if isinstance(grace, int) and grace < 0 else grace,
        conditions.get("uid"),
        conditions.get("resourceVersion"),
        policy or "",
        orphan,
        bool(dry_run),
    )


def _of_query(request: Request) -> Json:
    query = request.query
    found: Json = {}
    if query.get("gracePeriodSeconds"):
        text = query["gracePeriodSeconds"]
        try:
            found["gracePeriodSeconds"] = int(text)
        except ValueError:
            raise errors.bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax') from None
    if query.get("propagationPolicy"):
        found["propagationPolicy"] = query["propagationPolicy"]
    if query.get("orphanDependents"):
        found["orphanDependents"] = is_true(query["orphanDependents"])
    return found
