"""A lab in a process of its own, as `lab up` starts it: one that can be killed, starved and lied to."""

from __future__ import annotations

import http.client
import os
import socket
import ssl
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from k8sdiag.minicluster.folder import Folder


@dataclass(frozen=True, slots=True)
class Door:
    """Where a lab is and how it is entered."""

    host: str
    port: int
    token: str
    tls: ssl.SSLContext

    def connect(self, timeout: float = 20.0) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(self.host, self.port, timeout=timeout, context=self.tls)

    def plain(self, timeout: float = 20.0) -> socket.socket:
        return socket.create_connection((self.host, self.port), timeout=timeout)

    def socket(self, timeout: float = 20.0) -> ssl.SSLSocket:
        return self.tls.wrap_socket(self.plain(timeout), server_hostname=self.host)

    def head(self, method: str, path: str, **headers: str) -> bytes:
        """A request up to its empty line."""
        named = {"Host": self.host, "Authorization": f"Bearer {self.token}", **headers}
        lines = [f"{method} {path} HTTP/1.1", *(f"{name.replace('_', '-')}: {value}" for name, value in named.items())]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    def ask(
        self, connection: http.client.HTTPSConnection, method: str, path: str, body: Any = None, media: str = "json"
    ) -> tuple[int, Any]:
        """A request on a connection that is kept. Raises what http.client raises where there is no answer."""
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": f"application/{media}"}
        connection.request(method, path, orjson.dumps(body) if body is not None else None, headers)
        response = connection.getresponse()
        content = response.read()
        is_json = "json" in response.headers.get("Content-Type", "")
        return response.status, orjson.loads(content) if is_json else content

    def request(self, method: str, path: str, body: Any = None, media: str = "json") -> tuple[int, Any]:
        connection = self.connect()
        try:
            return self.ask(connection, method, path, body, media)
        finally:
            connection.close()


class LabProcess:
    """Started, ended and started again in one folder."""

    def __init__(self, path: Path) -> None:
        self.folder = Folder(path)
        self.folder.make()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def log(self) -> str:
        return self.folder.log.read_text(encoding="utf-8")

    def begin(self) -> int:
        """Start it; the descriptor on which it will say how that went."""
        reading, writing = os.pipe()
        words = ["-m", "k8sdiag.minicluster.daemon", str(self.folder.path), "0", "127.0.0.1", "1", str(writing)]
        with self.folder.log.open("ab") as log:
            self._process = subprocess.Popen([sys.executable, *words], stdout=log, stderr=log, pass_fds=[writing])
        os.close(writing)
        return reading

    def start(self) -> Door:
        descriptor = self.begin()
        try:
            said = os.read(descriptor, 1000).decode()
        finally:
            os.close(descriptor)
        assert said.startswith("ready "), said or self.log()[-3000:]
        host, _, port = said.split()[1].removeprefix("https://").rpartition(":")
        token = self.folder.kubeconfig.read_text(encoding="utf-8").partition("token: ")[2].split()[0]
        return Door(host, int(port), token, ssl.create_default_context(cafile=str(self.folder.keys / "ca.crt")))

    def kill(self) -> None:
        """As `kill -9` does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            assert self._process.wait(20) == 0
            self._process = None
