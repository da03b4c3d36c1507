"""Reads a request's body: not too much of it, not for too long, and as what it says it is."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
from aiohttp.web_request import BaseRequest

from k8sdiag.minicluster.apiserver import errors
from k8sdiag.minicluster.apiserver.negotiation import JSON_TYPE, PATCH_TYPES, PROTOBUF_TYPE, body_type, decode
from k8sdiag.minicluster.apiserver.request import Request

MOST_BYTES = 3 * 1024 * 1024  # apiserver/pkg/server/config.go MaxRequestBodyBytes
SECONDS = 30.0
_OPENERS = 100  # fewer brackets than this cannot nest too deep


async def read_into(request: Request, http: BaseRequest, kind: str) -> None:
    """Fill in a request's body, raw bytes and content type. `kind` is what it ought to be. Raises 400, 413, 415."""
    data = await read(http)
    optional = request.verb in ("delete", "deletecollection")
    if optional and not data:
        return
    media = body_type(http.headers.get("Content-Type", ""), request.verb)
    if not data and not optional:
        raise errors.bad_request(
            f"the object provided is unrecognized (must be of type {kind}): couldn't get version/kind; json parse "
            "error: unexpected end of JSON input (<empty>)"
        )
    body = decode(data, media, kind)
    if data.count(b"{") + data.count(b"[") + data.count(b"-") > _OPENERS:
        _check_depth(body)
    if not isinstance(body, dict) and media not in PATCH_TYPES:
        raise _no_object(body, kind)
    if media == PROTOBUF_TYPE:  # from here on it is what it would have been as JSON
        data, media = b"", JSON_TYPE
    request.body, request.raw, request.content_type = body, data, media


async def read(http: BaseRequest) -> bytes:
    """All of a body. Raises 413 before it is more than a real server takes."""
    if not http.can_read_body:
        return b""
    if (http.content_length or 0) > MOST_BYTES:
        raise _too_large()
    if http.headers.get("Expect", "").lower() == "100-continue":
        await http.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    data = bytearray()
    try:
        async with asyncio.timeout(SECONDS):
            async for chunk in http.content.iter_any():
                data += chunk
                if len(data) > MOST_BYTES:
                    raise _too_large()
    except TimeoutError:
        raise errors.timeout("request did not complete within the allotted timeout") from None
    return bytes(data)


def _too_large() -> errors.ApiError:
    return errors.too_large(f"limit is {MOST_BYTES}")


def _check_depth(body: Any) -> None:
    """What nests deeper than can be written out again is refused at once."""
    try:
        orjson.dumps([[[[[[[[body]]]]]]]])
    except TypeError:
        raise errors.bad_request("json: exceeded max depth") from None


def _no_object(body: Any, kind: str) -> errors.ApiError:
    called = "array" if isinstance(body, list) else "string" if isinstance(body, str) else "value"
    if isinstance(body, bool):
        called = "bool"
    elif isinstance(body, (int, float)):
        called = "number"
    elif body is None:
        return errors.bad_request(
            f"the object provided is unrecognized (must be of type {kind}): Object 'Kind' is missing in 'null'"
        )
    go_type = 'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }'
    return errors.bad_request(
        f"the object provided is unrecognized (must be of type {kind}): couldn't get version/kind; json parse error: "
        f"json: cannot unmarshal {called} into Go value of type {go_type}"
    )
