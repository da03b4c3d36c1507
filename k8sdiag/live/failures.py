"""Why a request brought nothing, as one clause: the only place that knows how sockets, TLS and Kubernetes say no."""

from __future__ import annotations

import http.client
import socket
import ssl
from typing import Any

import orjson

from k8sdiag.target import ApiError

_WORDS = {
    400: "bad request",
    401: "not authenticated",
    403: "forbidden",
    404: "not found",
    410: "expired",
    429: "too many requests",
}
_EXPIRED = 10  # X509_V_ERR_CERT_HAS_EXPIRED
_NOT_YET_VALID = 9  # X509_V_ERR_CERT_NOT_YET_VALID
_UNTRUSTED = (18, 19, 20, 21)  # X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT .. UNABLE_TO_VERIFY_LEAF_SIGNATURE
_WRONG_NAME = (62, 64)  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH
_LONGEST = 300


def refused(status: int, body: bytes) -> ApiError:
    """An answer that is no success: what the server said, Status object or plain text."""
    message = _said(body)
    if status == 401:
        message = "the API server does not accept these credentials (wrong or expired)"
    words = _WORDS.get(status) or (f"server error {status}" if status >= 500 else f"unexpected answer {status}")
    return ApiError(status, f"{words}: {message}" if message else words)


def timed_out(timeout: float) -> ApiError:
    """No answer, or not all of it, within the deadline."""
    return ApiError(0, f"timed out after {timeout:g} s")


def broken(error: Exception, timeout: float) -> ApiError:
    """No answer at all, or one that broke off."""
    cause = _innermost(error)
    if isinstance(cause, socket.gaierror):
        return ApiError(0, f"the API server's name cannot be resolved: {cause.strerror}")
    if isinstance(cause, TimeoutError):
        return timed_out(timeout)
    if isinstance(cause, ssl.SSLError):
        return ApiError(0, _tls(cause))
    if isinstance(cause, ConnectionRefusedError):
        return ApiError(0, "connection refused")
    if isinstance(cause, http.client.HTTPException | ConnectionError):
        return ApiError(0, f"the connection broke off: {_clause(cause)}")
    if isinstance(cause, OSError):
        return ApiError(0, f"the API server cannot be reached: {_clause(cause)}")
    return ApiError(0, _clause(cause))


def through_proxy(error: Exception) -> ApiError:
    """The proxy did not do its part."""
    return ApiError(0, f"the proxy failed: {_clause(_innermost(error))}")


def not_json(body: bytes) -> ApiError:
    """A success that is not the JSON of an API object: a login page, a proxy, another server."""
    return ApiError(0, f"the answer is not a Kubernetes object: {_clip(body.decode('utf-8', 'replace'))!r}")


def _tls(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        if error.verify_code == _EXPIRED:
            return "the API server's certificate has expired"
        if error.verify_code == _NOT_YET_VALID:
            return "the API server's certificate is not yet valid"
        if error.verify_code in _UNTRUSTED:
            return "the API server's certificate is signed by an unknown authority"
        if error.verify_code in _WRONG_NAME:
            return f"the API server's certificate is for another name: {error.verify_message}"
        return f"the API server's certificate cannot be verified: {error.verify_message}"
    return f"no TLS connection: {_clause(error)}"


def _innermost(error: BaseException) -> BaseException:
    """What happened comes wrapped in other exceptions, as an argument or as the cause."""
    for _ in range(5):
        inner = next((arg for arg in error.args if isinstance(arg, BaseException)), error.__cause__)
        if inner is None:
            break
        error = inner
    return error


def _clause(error: BaseException) -> str:
    text = getattr(error, "strerror", None) or next((a for a in error.args if isinstance(a, str)), "") or str(error)
    return _clip(text) or type(error).__name__


def _said(body: bytes) -> str:
    try:
        status: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        return _clip(body.decode("utf-8", "replace"))
    return _clip(str(status.get("message") or "")) if isinstance(status, dict) else ""


def _clip(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= _LONGEST else words[:_LONGEST] + "…"
