"""One item of a LimitRange held against requests and limits: the sentences of
plugin/pkg/admission/limitranger/admission.go (minConstraint, maxConstraint, limitRequestRatioConstraint)."""

from __future__ import annotations

from collections.abc import Iterator

from k8sdiag.evidence import Json
from k8sdiag.minicluster.amounts import Amount, Amounts, amounts


def limit_container(limit: Json, requests: Amounts, limits: Amounts) -> Iterator[str]:
    """For limits of type Container and Pod."""
    kind = str(limit.get("type"))
    for name, least in sorted(amounts(limit.get("min")).items()):
        yield from _minimum(kind, name, least, requests, limits)
    for name, most in sorted(amounts(limit.get("max")).items()):
        yield from _maximum(kind, name, most, requests, limits)
    for name, ratio in sorted(amounts(limit.get("maxLimitRequestRatio")).items()):
        yield from _ratio(kind, name, ratio, requests, limits)


def limit_claim(limit: Json, requests: Amounts) -> Iterator[str]:
    """For limits of type PersistentVolumeClaim, which know requests only."""
    kind = str(limit.get("type"))
    for name, least in sorted(amounts(limit.get("min")).items()):
        yield from _minimum(kind, name, least, requests, {})
    for name, most in sorted(amounts(limit.get("max")).items()):
        asked = requests.get(name)
        if asked is None:
            yield f"maximum {name} usage per {kind} is {most}.  No request is specified"
        elif asked.nanos > most.nanos:
            yield f"maximum {name} usage per {kind} is {most}, but request is {asked}"


def _minimum(kind: str, name: str, least: Amount, requests: Amounts, limits: Amounts) -> Iterator[str]:
    asked, limit = requests.get(name), limits.get(name)
    if asked is None:
        yield f"minimum {name} usage per {kind} is {least}.  No request is specified"
    elif asked.nanos < least.nanos:
        yield f"minimum {name} usage per {kind} is {least}, but request is {asked}"
    elif limit is not None and limit.nanos < least.nanos:
        yield f"minimum {name} usage per {kind} is {least}, but limit is {limit}"


def _maximum(kind: str, name: str, most: Amount, requests: Amounts, limits: Amounts) -> Iterator[str]:
    asked, limit = requests.get(name), limits.get(name)
    if limit is None:
        yield f"maximum {name} usage per {kind} is {most}.  No limit is specified"
    elif limit.nanos > most.nanos:
        yield f"maximum {name} usage per {kind} is {most}, but limit is {limit}"
    elif asked is not None and asked.nanos > most.nanos:
        yield f"maximum {name} usage per {kind} is {most}, but request is {asked}"


def _ratio(kind: str, name: str, most: Amount, requests: Amounts, limits: Amounts) -> Iterator[str]:
    asked, limit = requests.get(name), limits.get(name)
    start = f"{name} max limit to request ratio per {kind} is {most}, but"
    if asked is None or not asked.nanos:
        yield f"{start} no request is specified or request is 0"
    elif limit is None or not limit.nanos:
        yield f"{start} no limit is specified or limit is 0"
    elif limit.nanos * 10**9 > most.nanos * asked.nanos:
        yield f"{start} provided ratio is {limit.nanos / asked.nanos:f}"
