"""A few requests to a running lab from another process: enough for `lab status`, `lab reset` and `lab user`."""

from __future__ import annotations

import http.client
import ssl
from typing import Any
from urllib.parse import urlsplit

import orjson
import yaml

from k8sdiag.evidence import Json
from k8sdiag.minicluster.folder import Folder


class RemoteError(Exception):
    """The lab did not do what it was asked to; the sentence says why. `status` is 0 where it did not answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Remote:
    """The lab of a folder, as its administrator."""

    def __init__(self, folder: Folder, timeout: float = 5.0) -> None:
        config = yaml.safe_load(folder.kubeconfig.read_text(encoding="utf-8"))
        self.server = str(config["clusters"][0]["cluster"]["server"])
        self._token = str(config["users"][0]["user"]["token"])
        self._timeout = timeout
        self._tls = ssl.create_default_context(cadata=(folder.keys / "ca.crt").read_text(encoding="ascii"))

    def request(self, method: str, path: str, body: Json | None = None) -> Any:
        """One request; the answer, parsed where it is JSON. Raises RemoteError."""
        where = urlsplit(self.server)
        connection = http.client.HTTPSConnection(
            where.hostname or "", where.port, timeout=self._timeout, context=self._tls
        )
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        try:
            connection.request(method, path, orjson.dumps(body) if body is not None else None, headers)
            response = connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise RemoteError(0, f"the lab at {self.server} does not answer: {error}") from error
        finally:
            connection.close()
        try:
            answer = orjson.loads(content)
        except orjson.JSONDecodeError:
            answer = content.decode("utf-8", "replace")
        if response.status >= 300:
            said = answer.get("message") if isinstance(answer, dict) else answer
            raise RemoteError(response.status, str(said))
        return answer
