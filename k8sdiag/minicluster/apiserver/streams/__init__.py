"""The subresources that speak in streams: log, exec, attach, port-forward and proxy. The node's agent answers them;
here is how its bytes travel."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

from aiohttp import web
from aiohttp.web_request import BaseRequest

from k8sdiag.minicluster.apiserver.request import Request
from k8sdiag.minicluster.apiserver.streams.channels import attach, run_command
from k8sdiag.minicluster.apiserver.streams.forwarding import forward
from k8sdiag.minicluster.apiserver.streams.logs import serve_log
from k8sdiag.minicluster.apiserver.streams.proxying import proxy_node, proxy_pod, proxy_service
from k8sdiag.minicluster.apiserver.streams.subject import Nodes

Stream = Callable[[BaseRequest, Request], Awaitable[web.StreamResponse]]


def streams(nodes: Nodes) -> dict[str, Stream]:
    """By `pods/exec`, what answers it."""
    return {
        "pods/log": partial(serve_log, nodes),
        "pods/exec": partial(run_command, nodes),
        "pods/attach": partial(attach, nodes),
        "pods/portforward": partial(forward, nodes),
        "pods/proxy": partial(proxy_pod, nodes),
        "nodes/proxy": partial(proxy_node, nodes),
        "services/proxy": partial(proxy_service, nodes),
    }
