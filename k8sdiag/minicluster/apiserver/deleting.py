"""Delete objects: at once, after a grace period, or once their finalizers let them go
(apiserver/pkg/registry/generic/registry/store.go Delete, registry/rest/delete.go, endpoints/handlers/delete.go)."""

from __future__ import annotations

from dataclasses import replace

from k8sdiag.clock import format_time, parse_time
from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver import strategy
from k8sdiag.minicluster.apiserver.admission import Attributes
from k8sdiag.minicluster.apiserver.backend import Answers, Backend
from k8sdiag.minicluster.apiserver.conversion import convert
from k8sdiag.minicluster.apiserver.deletion_options import DeleteOptions, read_options
from k8sdiag.minicluster.apiserver.errors import ApiError
from k8sdiag.minicluster.apiserver.listing import list_objects, read_page
from k8sdiag.minicluster.apiserver.request import Answer, Request
from k8sdiag.minicluster.apiserver.selecting import select
from k8sdiag.minicluster.kinds import Resource

ORPHAN, FOREGROUND = "orphan", "foregroundDeletion"


def delete(backend: Backend, request: Request, answers: Answers, admitted: bool = False) -> Answer:
    """`admitted` where nobody else is to have a say (an eviction has been asked for already)."""
    options = read_options(request)
    kept = backend.kept(request.resource)
    old = backend.stored(request.resource, request.namespace, request.name)
    _check_preconditions(kept, options, old["metadata"])
    warnings = [] if admitted else _admit(backend, request, answers, kept, old, options)
    obj, gone = _delete_namespace(backend, kept, old, options) if kept.storage == "namespaces" else (None, False)
    if obj is None:
        obj, gone = _delete(backend, kept, old, options)
    # A client that asked for its dependents to go as well is told that there is more to come.
    code = 202 if not gone and options.orphan is False else 200
    if strategy.returns_deleted(kept) and not (kept.storage == "namespaces" and gone):
        return Answer(code, convert(obj, request.resource), warnings)
    return Answer(code, _status(kept, old["metadata"]), warnings)


def _status(kept: Resource, meta: Json) -> Json:
    """What most kinds answer: enough to tell whether it was the object one meant."""
    details: Json = {"name": meta["name"]}
    if kept.group:
        details["group"] = kept.group
    details |= {"kind": kept.plural, "uid": meta["uid"]}
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}


def _check_preconditions(kept: Resource, options: DeleteOptions, meta: Json) -> None:
    called = f"{kept.kind}.{kept.group}" if kept.group else kept.kind
    why = ""
    if options.uid is not None and options.uid != meta["uid"]:
        why = (
            f"the UID in the precondition ({options.uid}) does not match the UID in record ({meta['uid']}). "
            "The object might have been deleted and then recreated"
        )
    elif options.version is not None and options.version != meta["resourceVersion"]:
        why = (
            f"the ResourceVersion in the precondition ({options.version}) does not match the ResourceVersion in record "
            f"({meta['resourceVersion']}). The object might have been modified"
        )
    if why:
        details: Json = {"name": meta["name"], **({"group": kept.group} if kept.group else {}), "kind": kept.kind}
        text = f'Operation cannot be fulfilled on {called} "{meta["name"]}": {why}'
        raise ApiError(409, "Conflict", text, details)


def _admit(
    backend: Backend, request: Request, answers: Answers, kept: Resource, old: Json, options: DeleteOptions
) -> list[str]:
    attributes = Attributes(
        "delete",
        kept,
        request.user,
        request.name if kept.storage == "namespaces" else request.namespace,
        request.name,
        old=old,
        dry_run=options.dry_run,
        query=request.query,
        answers=answers,
        content=request.body if isinstance(request.body, dict) else None,
    )
    backend.admission.mutate(attributes)
    backend.validate(attributes)
    return attributes.warnings


def _delete(backend: Backend, kept: Resource, old: Json, options: DeleteOptions) -> tuple[Json, bool]:
    """What is left of the object or was, and whether it is gone."""
    now = backend.clock.now()
    meta = old["metadata"]
    graceful, pending, marked = _begin_grace(kept, old, options, now)
    if pending:
        return old, False
    finalizers = _finalizers(kept, meta, options)
    if finalizers:
        marked["finalizers"] = finalizers
    else:
        marked.pop("finalizers", None)
    if finalizers and not graceful:
        _mark(marked, now)
    leaving = {**old, "metadata": marked}
    storage, where = backend.storage, (meta.get("namespace", ""), meta["name"])
    if not options.dry_run and (graceful or finalizers) and leaving != old:
        leaving = storage.update(kept.storage, leaving)
    if finalizers or (graceful and marked["deletionGracePeriodSeconds"]):
        return leaving, False
    return leaving if options.dry_run else storage.delete(kept.storage, *where), True


def _begin_grace(kept: Resource, old: Json, options: DeleteOptions, now: float) -> tuple[bool, bool, Json]:
    """BeforeDelete: is the object to have a grace period, is it in one that this request does not shorten, and the
    metadata it gets. Only pods have one."""
    meta = {**old["metadata"]}
    if kept.storage != "pods":
        return False, False, meta
    held, given = meta.get("deletionGracePeriodSeconds"), options.grace
    if meta.get("deletionTimestamp"):
        if not held:
            return False, False, meta
        if given is None or given >= held:
            return False, True, meta
        end = parse_time(meta["deletionTimestamp"]) or now
        meta["deletionTimestamp"] = format_time(end - held + given)
        meta["deletionGracePeriodSeconds"] = given
        return True, False, meta
    period = strategy.pod_grace(old, given)
    meta["deletionTimestamp"] = format_time(now + period)
    meta["deletionGracePeriodSeconds"] = period
    if meta.get("generation"):
        meta["generation"] += 1
    return True, False, meta


def _mark(meta: Json, now: float) -> None:
    """markAsDeleting: from now on the finalizers know."""
    held = meta.get("deletionTimestamp")
    if not held and meta.get("generation"):
        meta["generation"] += 1
    if not held or (parse_time(held) or now) > now:
        meta["deletionTimestamp"] = format_time(now)
    meta["deletionGracePeriodSeconds"] = 0


def _finalizers(kept: Resource, meta: Json, options: DeleteOptions) -> list[str]:
    """Those it has, and the garbage collector's as the propagation policy wants them."""
    held = strategy.finalizers(kept, meta)
    policy = strategy.collection_policy(kept)
    if policy == strategy.UNSUPPORTED:
        wanted = ""
    elif options.orphan is not None:
        wanted = ORPHAN if options.orphan else ""
    elif options.policy:
        wanted = {"Orphan": ORPHAN, "Foreground": FOREGROUND}.get(options.policy, "")
    elif ORPHAN in held or FOREGROUND in held:
        wanted = next(name for name in held if name in (ORPHAN, FOREGROUND))
    else:
        wanted = ORPHAN if policy == strategy.ORPHAN_DEPENDENTS else ""
    if wanted in held and sum(name in (ORPHAN, FOREGROUND) for name in held) == 1:
        return held
    kept_names = [name for name in held if name not in (ORPHAN, FOREGROUND)]
    return [*kept_names, wanted] if wanted else kept_names


def _delete_namespace(backend: Backend, kept: Resource, old: Json, options: DeleteOptions) -> tuple[Json | None, bool]:
    """A Namespace is marked and left to its controller; None where nothing holds it back any more
    (pkg/registry/core/namespace/storage/storage.go Delete)."""
    if old["metadata"].get("deletionTimestamp"):
        return (old, False) if (old.get("spec") or {}).get("finalizers") else (None, False)
    meta = {**old["metadata"], "deletionTimestamp": format_time(backend.clock.now())}
    finalizers = _finalizers(kept, old["metadata"], options)
    if finalizers:
        meta["finalizers"] = finalizers
    marked = {**old, "metadata": meta, "status": {**(old.get("status") or {}), "phase": "Terminating"}}
    return (marked if options.dry_run else backend.storage.update(kept.storage, marked)), False


def delete_collection(backend: Backend, request: Request, answers: Answers) -> Answer:
    """Delete each one of a list; the answer is the list as it was (store.go DeleteCollection)."""
    read_options(request)
    resource = request.resource
    selection = select(resource, request.namespace, request.query)
    found = read_page(backend.storage, resource.storage, selection, request.query)
    listed = list_objects(backend, request, answers)
    warnings: list[str] = []
    for obj in found.objects:
        meta = obj["metadata"]
        one = replace(request, verb="delete", namespace=meta.get("namespace", ""), name=meta["name"])
        try:
            warnings += delete(backend, one, answers).warnings
        except ApiError as error:
            if error.code != 404:
                raise
    return Answer(200, listed.body, warnings)
