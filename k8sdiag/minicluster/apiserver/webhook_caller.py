"""Calls admission webhooks over HTTPS: the part of them that takes time
(apiserver/pkg/util/webhook/client.go, pkg/admission/plugin/webhook/mutating/dispatcher.go)."""

from __future__ import annotations

import asyncio
import base64
import ssl

import aiohttp

from k8sdiag.minicluster.apiserver.admission import WebhookAnswer, WebhookCall

_MOST_BYTES = 16 << 20


async def call(asked: WebhookCall) -> WebhookAnswer:
    """Make the call. What goes wrong is an answer too, in Go's words, for the failure policy to judge."""
    try:
        context = _context(asked)
    except (ssl.SSLError, ValueError):
        return WebhookAnswer(error="unable to load root certificates: unable to parse bytes as PEM block")
    host = f"[{asked.host}]" if ":" in asked.host else asked.host
    try:
        async with (
            asyncio.timeout(asked.timeout),
            aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session,
            session.post(
                f"https://{host}:{asked.port}{asked.path}",
                data=asked.body,
                headers={"Content-Type": "application/json", "Accept": "application/json, */*"},
                ssl=context,
                server_hostname=asked.server_name,
                allow_redirects=False,
            ) as response,
        ):
            body = await response.content.read(_MOST_BYTES)
            return WebhookAnswer(response.status, body)
    except TimeoutError:
        return WebhookAnswer(error=f'Post "{asked.url}": context deadline exceeded')
    except aiohttp.ClientConnectorCertificateError as error:
        return WebhookAnswer(error=f'Post "{asked.url}": tls: failed to verify certificate: {_why(error)}')
    except aiohttp.ClientConnectorDNSError:
        return WebhookAnswer(error=f'Post "{asked.url}": dial tcp: lookup {asked.host}: no such host')
    except aiohttp.ClientConnectorError as error:
        return WebhookAnswer(error=f'Post "{asked.url}": dial tcp {host}:{asked.port}: connect: {_refused(error)}')
    except aiohttp.ClientError as error:
        return WebhookAnswer(error=f'Post "{asked.url}": {str(error) or "EOF"}')


def _context(asked: WebhookCall) -> ssl.SSLContext:
    if not asked.ca_bundle:
        return ssl.create_default_context()
    return ssl.create_default_context(cadata=base64.b64decode(asked.ca_bundle).decode("ascii"))


def _why(error: aiohttp.ClientConnectorCertificateError) -> str:
    inner = error.certificate_error
    text = getattr(inner, "verify_message", "") or str(inner)
    if "self-signed" in text or "unable to get local issuer" in text:
        return "x509: certificate signed by unknown authority"
    if "expired" in text:
        return "x509: certificate has expired or is not yet valid"
    return f"x509: {text}"


def _refused(error: aiohttp.ClientConnectorError) -> str:
    if isinstance(error.os_error, ConnectionRefusedError):
        return "connection refused"
    return str(error.os_error.strerror or error.os_error).lower()
