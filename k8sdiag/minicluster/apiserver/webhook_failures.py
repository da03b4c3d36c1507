"""What goes wrong on the way to a webhook, in the words of Go's net/http and crypto/tls, as a real cluster states it in
refusals and events. Both callers, the one that waits and the one that awaits, say it alike."""

from __future__ import annotations

import base64
import http.client
import socket
import ssl

from k8sdiag.minicluster.apiserver.admission import WebhookAnswer, WebhookCall

_NO_ROOTS = "unable to load root certificates: unable to parse bytes as PEM block"


def trust(asked: WebhookCall) -> ssl.SSLContext | None:
    """Whom a webhook's certificate has to come from; None where its caBundle cannot be read."""
    try:
        bundle = base64.b64decode(asked.ca_bundle).decode("ascii")
        return ssl.create_default_context(cadata=bundle or None)
    except (ssl.SSLError, ValueError):
        return None


def untrusting() -> WebhookAnswer:
    """The answer where there is no trust."""
    return WebhookAnswer(error=_NO_ROOTS)


def failed(asked: WebhookCall, error: Exception) -> WebhookAnswer:
    return WebhookAnswer(error=f'Post "{asked.url}": {_words(asked, error)}')


def _words(asked: WebhookCall, error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "context deadline exceeded"
    if isinstance(error, socket.gaierror):
        return f"dial tcp: lookup {asked.host}: no such host"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"tls: failed to verify certificate: x509: {_certificate_words(asked, error)}"
    if isinstance(error, (ConnectionResetError, http.client.RemoteDisconnected, ssl.SSLEOFError)):
        return "EOF"
    if isinstance(error, ssl.SSLError):
        return "tls: first record does not look like a TLS handshake"
    if isinstance(error, OSError) and error.strerror:
        host = f"[{asked.host}]" if ":" in asked.host else asked.host
        refused = isinstance(error, ConnectionRefusedError)  # asyncio's says which address, not why
        return f"dial tcp {host}:{asked.port}: connect: {'connection refused' if refused else error.strerror.lower()}"
    return str(error) or "EOF"


def _certificate_words(asked: WebhookCall, error: ssl.SSLCertVerificationError) -> str:
    text = error.verify_message
    if "mismatch" in text or "not valid for" in text:
        return f"certificate is not valid for any names, but wanted to match {asked.server_name}"
    if "expired" in text:
        return "certificate has expired or is not yet valid"
    return "certificate signed by unknown authority"
