"""The API of a cluster elsewhere, as a Door: through kubectl, which knows every way to get into a cluster."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from k8sdiag.evidence import Json
from k8sdiag.minicluster.faults.marking import LABEL
from k8sdiag.minicluster.faults.verbs import RefusedError
from k8sdiag.patterns import regex

_TIMEOUT = 60.0
_CODES = {"NotFound": 404, "AlreadyExists": 409, "Conflict": 409, "TooManyRequests": 429, "Forbidden": 403}
_CODE = regex(r"\((NotFound|AlreadyExists|Conflict|TooManyRequests|Forbidden)\)")


class ThroughKubectl:
    """`command` is kubectl with the flags that say which cluster."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = tuple(command)

    def create(self, obj: Json, namespace: str) -> None:
        self._run("create", "-f", "-", "-n", namespace, given=obj)

    def apply(self, obj: Json, namespace: str) -> None:
        self._run("apply", "-f", "-", "-n", obj["metadata"].get("namespace") or namespace, given=obj)

    def patch(self, kind: str, namespace: str, name: str, change: Any, subresource: str) -> None:
        more = ("--subresource", subresource) if subresource else ()
        words = ("-n", namespace) if namespace else ()
        self._run("patch", kind.lower(), name, *words, "--type=merge", "-p", json.dumps(change), *more)

    def delete(self, kind: str, namespace: str, name: str, grace: int | None) -> None:
        more = () if grace is None else (f"--grace-period={grace}", *(("--force",) if grace == 0 else ()))
        words = ("-n", namespace) if namespace else ()
        self._run("delete", kind.lower(), name, *words, "--wait=false", "--ignore-not-found", *more)

    def taints(self, node: str) -> list[Json]:
        return list(json.loads(self._run("get", "node", node, "-o", "json"))["spec"].get("taints") or [])

    def pods_on(self, node: str) -> Iterable[tuple[str, str]]:
        found = self._run("get", "pods", "-A", f"--field-selector=spec.nodeName={node}", "-o", "json")
        return [(pod["metadata"]["namespace"], pod["metadata"]["name"]) for pod in json.loads(found)["items"]]

    def evict(self, namespace: str, name: str) -> None:
        body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": namespace}}
        path = f"/api/v1/namespaces/{namespace}/pods/{name}/eviction"
        self._run("create", "--raw", path, "-f", "-", given=body)

    def exists(self, kind: str, name: str) -> bool:
        """Whether there is a cluster-scoped object of that name."""
        return bool(self._run("get", kind.lower(), name, "--ignore-not-found", "-o", "name").strip())

    def marked(self, kinds: Iterable[str], fault: str) -> Iterator[Json]:
        """The objects of these kinds that belong to a fault ('' for any)."""
        selector = f"{LABEL}={fault}" if fault else LABEL
        for kind in kinds:
            try:
                found = self._run("get", kind.lower(), "-A", "-l", selector, "-o", "json")
            except RefusedError as refused:
                if "doesn't have a resource type" in str(refused):
                    continue
                raise
            yield from json.loads(found)["items"]

    def _run(self, *words: str, given: Json | None = None) -> str:
        try:
            done = subprocess.run(  # noqa: S603 (words, no shell)
                [*self._command, *words],
                input=json.dumps(given) if given is not None else None,
                capture_output=True,
                text=True,
                timeout=_TIMEOUT,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as problem:
            raise RefusedError(f"{self._command[0]}: {problem}") from None
        if done.returncode:
            said = done.stderr.strip().removeprefix("Error from server ")
            found = _CODE.search(done.stderr)
            raise RefusedError(said, _CODES[found[1]] if found else 0)
        return done.stdout
