"""Calls admission webhooks over HTTPS: the part of them that takes time
(apiserver/pkg/util/webhook/client.go, pkg/admission/plugin/webhook/mutating/dispatcher.go)."""

from __future__ import annotations

import asyncio

import aiohttp

from k8sdiag.minicluster.apiserver.admission import WebhookAnswer, WebhookCall
from k8sdiag.minicluster.apiserver.webhook_failures import failed, trust, untrusting

_MOST_BYTES = 16 << 20


async def call(asked: WebhookCall) -> WebhookAnswer:
    """Make the call. What goes wrong is an answer too, for the failure policy to judge."""
    context = trust(asked)
    if context is None:
        return untrusting()
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
    except (TimeoutError, aiohttp.ClientError) as error:
        return failed(asked, _cause(error))


def _cause(error: Exception) -> Exception:
    """The failure beneath aiohttp's name for it."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return error.certificate_error
    if isinstance(error, aiohttp.ClientConnectorError):
        return error.os_error
    if isinstance(error, (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)):
        return ConnectionResetError()
    return error
