"""pods/log: a container's log, whole or as it grows (pkg/registry/core/pod/rest/log.go, pkg/apis/core/validation)."""

from __future__ import annotations

from aiohttp import web
from aiohttp.web_request import BaseRequest

from k8sdiag.clock import parse_time
from k8sdiag.minicluster.apiserver import errors
from k8sdiag.minicluster.apiserver.errors import Cause
from k8sdiag.minicluster.apiserver.request import Request
from k8sdiag.minicluster.apiserver.streams.outlet import End, Outlet
from k8sdiag.minicluster.apiserver.streams.subject import Nodes, agent_of, container_of, is_true, pod_of
from k8sdiag.minicluster.nodes.agent import LogOptions


async def serve_log(nodes: Nodes, http: BaseRequest, request: Request) -> web.StreamResponse:
    """GET of a pod's log."""
    pod = pod_of(nodes, request)
    options = read_options(request, nodes.backend.clock.now())
    container = container_of(pod, request.query.get("container", ""))
    if not pod["spec"].get("nodeName"):
        return web.Response(text="", content_type="text/plain")  # not scheduled: an empty log, as a real server gives
    agent = agent_of(nodes, pod, f"/containerLogs/{request.namespace}/{request.name}/{container}")
    outlet = Outlet()
    source = agent.logs(pod, container, options, outlet)
    response = web.StreamResponse(headers={"Content-Type": "text/plain", "Cache-Control": "no-cache, private"})
    try:
        await response.prepare(http)
        while not isinstance(piece := await outlet.next(), End):
            await response.write(piece[1])
        if piece.message:
            await response.write(piece.message.encode())
        await response.write_eof()
    finally:
        source.close()
    return response


def read_options(request: Request, now: float) -> LogOptions:
    """The query as LogOptions. Raises 400 for what is no number, 422 for what may not be."""
    causes: list[Cause] = []
    tail = _number(request, "tailLines")
    limit = _number(request, "limitBytes")
    seconds = _number(request, "sinceSeconds")
    stamp = request.query.get("sinceTime", "")
    if tail is not None and tail < 0:
        causes.append(errors.invalid_value("tailLines", tail, "must be greater than or equal to 0"))
    if limit is not None and limit < 1:
        causes.append(errors.invalid_value("limitBytes", limit, "must be greater than 0"))
    if seconds is not None and stamp:
        causes.append(errors.forbidden_field("", "at most one of `sinceTime` or `sinceSeconds` may be specified"))
    elif seconds is not None and seconds < 1:
        causes.append(errors.invalid_value("sinceSeconds", seconds, "must be greater than 0"))
    since = now - seconds if seconds is not None else parse_time(stamp)
    if stamp and since is None:
        raise errors.bad_request(f'parsing time "{stamp}" as "2006-01-02T15:04:05Z07:00": cannot parse "{stamp}"')
    if causes:
        raise errors.invalid_kind("", "PodLogOptions", request.name, causes)
    return LogOptions(
        is_true(request, "previous"), is_true(request, "follow"), is_true(request, "timestamps"), tail, since, limit
    )


def _number(request: Request, key: str) -> int | None:
    text = request.query.get(key, "")
    if not text:
        return None
    try:
        return int(text)
    except ValueError:
        raise errors.bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax') from None
