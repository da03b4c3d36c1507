"""Calls webhooks: the waiting that request handling itself never does.

A request that needs a webhook is handled again with the answer, until it needs none. `answered` makes the calls itself;
the HTTP server awaits them (`webhook_caller.py`), for a webhook may take ten seconds.
"""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace

import orjson

from k8sdiag.minicluster.apiserver import errors
from k8sdiag.minicluster.apiserver.admission import NeedsWebhook, Store, WebhookAnswer, WebhookCall
from k8sdiag.minicluster.apiserver.admission.webhook_rules import MUTATING, VALIDATING
from k8sdiag.minicluster.apiserver.request import Answer, Request
from k8sdiag.minicluster.apiserver.webhook_failures import failed, trust, untrusting

Handle = Callable[[Request, Mapping[str, WebhookAnswer]], Answer]
Outside = Callable[[], AbstractContextManager[None]]
MAX_ANSWER = 16 * 1024 * 1024
MAX_CALLS = 64  # for one request; a chain longer than that goes in circles


def answered(handle: Handle, request: Request, store: Store, outside: Outside) -> Answer:
    """Handle a request, calling webhooks as it needs them, `outside` the cluster's own turns. Raises what `handle`
    raises."""
    if not registered(store):
        return handle(request, {})
    attempts = Attempts(request)
    while True:
        try:
            return handle(attempts.request(), attempts.answers)
        except NeedsWebhook as needs:
            asked = needs.call
        with outside():
            answer = call(asked)
        attempts.add(asked, answer)


async def answered_async(
    handle: Handle, request: Request, store: Store, ask: Callable[[WebhookCall], Awaitable[WebhookAnswer]]
) -> Answer:
    """The same where waiting is awaiting."""
    if not registered(store):
        return handle(request, {})
    attempts = Attempts(request)
    while True:
        try:
            return handle(attempts.request(), attempts.answers)
        except NeedsWebhook as needs:
            attempts.add(needs.call, await ask(needs.call))


def registered(store: Store) -> bool:
    """Is there any webhook at all? Mostly there is none, and nothing to be careful about."""
    return bool(store.list(MUTATING) or store.list(VALIDATING))


class Attempts:
    """A request that may be handled several times over: each time with its body as it was sent, for handling changes
    it, and with all answers so far."""

    def __init__(self, request: Request) -> None:
        self.answers: dict[str, WebhookAnswer] = {}
        self._request = request
        self._body = orjson.dumps(request.body)

    def request(self) -> Request:
        return replace(self._request, body=orjson.loads(self._body))

    def add(self, asked: WebhookCall, answer: WebhookAnswer) -> None:
        if len(self.answers) >= MAX_CALLS:
            raise errors.internal("admission webhooks go on asking for each other")
        self.answers[asked.key] = replace(answer, uid=asked.uid)


def call(asked: WebhookCall) -> WebhookAnswer:
    """POST a review and wait. Never raises: what goes wrong is an answer too."""
    context = trust(asked)
    if context is None:
        return untrusting()
    try:
        return WebhookAnswer(*_post(asked, context))
    except (OSError, http.client.HTTPException, ValueError) as error:
        return failed(asked, error)


def _post(asked: WebhookCall, context: ssl.SSLContext) -> tuple[int, bytes]:
    with (
        socket.create_connection((asked.host, asked.port), timeout=asked.timeout) as plain,
        context.wrap_socket(plain, server_hostname=asked.server_name) as secure,
    ):
        connection = http.client.HTTPConnection(asked.server_name, asked.port, timeout=asked.timeout)
        connection.sock = secure
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        connection.request("POST", asked.path, asked.body, headers)
        response = connection.getresponse()
        return response.status, response.read(MAX_ANSWER)
