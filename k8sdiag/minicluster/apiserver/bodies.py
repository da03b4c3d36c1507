"""Bodies that are no stored object: Eviction, Binding, Scale, TokenRequest, reviews. They are read by
their types like any object, so that what is the wrong thing is refused and nobody stumbles over it later
(apiserver/pkg/endpoints/handlers/rest.go transformDecodeError)."""

from __future__ import annotations

from typing import Any

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver import errors
from k8sdiag.minicluster.apiserver.fieldvalidation import DecodeError, decode
from k8sdiag.minicluster.apiserver.incoming import check_depth
from k8sdiag.minicluster.apiserver.schema import builtin


def read_body(definition: str, body: Any) -> Json:
    """The body as its type has it, nulls and unknown fields left out: `io.k8s.api.policy.v1.Eviction`. Raises 400."""
    check_depth(body)
    try:
        return decode(builtin(definition), body)[0]
    except DecodeError as error:
        version, kind = definition.rsplit(".", 2)[1:]
        raise errors.bad_request(f'{kind} in version "{version}" cannot be handled as a {kind}: {error}') from None
