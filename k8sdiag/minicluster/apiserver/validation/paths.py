"""File names and modes inside pods (pkg/apis/core/validation validateLocalDescendingPath and its siblings)."""

from __future__ import annotations

from k8sdiag.minicluster.apiserver.errors import invalid_value
from k8sdiag.minicluster.apiserver.validation.fields import Causes

FILE_MODE = "must be a number between 0 and 0777 (octal), both inclusive"


def no_backsteps(path: str, where: str, out: Causes) -> None:
    if ".." in path.split("/"):
        out.append(invalid_value(where, path, "must not contain '..'"))


def descending(path: str, where: str, out: Causes) -> None:
    """A path below the place it starts from."""
    if path.startswith("/"):
        out.append(invalid_value(where, path, "must be a relative path"))
    no_backsteps(path, where, out)


def unreserved(path: str, where: str, out: Causes) -> None:
    """The kubelet keeps names that start with two dots for itself."""
    descending(path, where, out)
    if path.startswith("..") and not path.startswith("../") and path != "..":
        out.append(invalid_value(where, path, "must not start with '..'"))


def mode(value: int | None, where: str, out: Causes) -> None:
    if value is not None and not 0 <= value <= 0o777:
        out.append(invalid_value(where, value, FILE_MODE))
