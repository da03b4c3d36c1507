"""Where a lab keeps what outlives it: state, keys, kubeconfig, log, and who runs it. Free of anything slow to import.

A lab has a name (`lab` unless told otherwise) and one folder: `$XDG_STATE_HOME/k8sdiag/labs/NAME`, by default below
`~/.local/state`.
"""

from __future__ import annotations

import fcntl
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import orjson

from k8sdiag.evidence import Json
from k8sdiag.patterns import regex

NAME = regex(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
DEFAULT_NAME = "lab"
DEFAULT_PORT = 16443


@dataclass(frozen=True, slots=True)
class Folder:
    """One lab's files."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def state(self) -> Path:
        """The SQLite file."""
        return self.path / "state.db"

    @property
    def keys(self) -> Path:
        """Certificates, signing key and tokens; nobody else's business."""
        return self.path / "keys"

    @property
    def kubeconfig(self) -> Path:
        return self.path / "kubeconfig"

    @property
    def log(self) -> Path:
        return self.path / "lab.log"

    def make(self) -> None:
        """Make the folder, for its owner alone."""
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.path.chmod(0o700)

    def settings(self) -> Json:
        """What the lab was last started with (`port`, `bind`, `nodes`), and by which process (`pid`, `url`); {} for
        one that never was."""
        try:
            found = orjson.loads((self.path / "lab.json").read_bytes())
        except (OSError, orjson.JSONDecodeError):
            return {}
        return found if isinstance(found, dict) else {}

    def write_settings(self, settings: Json) -> None:
        replace(self.path / "lab.json", orjson.dumps(settings))

    def running(self) -> int:
        """The process id of the lab that runs in this folder; 0 for none. The lock goes with its process, however that
        ends, so what it says is never stale."""
        try:
            with (self.path / "lock").open("rb") as lock:
                try:
                    fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
                except BlockingIOError:
                    return int(self.settings().get("pid") or lock.read() or 1)
        except (FileNotFoundError, NotADirectoryError):
            return 0
        return 0

    def hold(self) -> int | None:
        """Take the folder's lock for as long as this process lives: its file descriptor; None where it is taken."""
        descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        return descriptor

    def stop(self) -> int:
        """Ask the running lab to end; its process id, 0 for none."""
        pid = self.running()
        if pid:
            try:
                os.kill(pid, signal.SIGTERM)
            except ProcessLookupError:
                return 0
        return pid


def replace(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Write a file whole or not at all."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    fresh.replace(path)


def folder(name: str, environ: Mapping[str, str]) -> Folder:
    """The folder of a lab. ValueError for what is no name."""
    if not NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name for a lab: small letters, digits and dashes")
    return Folder(_labs(environ) / name)


def names(environ: Mapping[str, str]) -> list[str]:
    """The labs that there are, sorted."""
    place = _labs(environ)
    return sorted(path.name for path in place.iterdir() if path.is_dir()) if place.is_dir() else []


def _labs(environ: Mapping[str, str]) -> Path:
    home = Path(environ["HOME"]) if environ.get("HOME") else Path.home()
    state = Path(environ["XDG_STATE_HOME"]) if environ.get("XDG_STATE_HOME") else home / ".local" / "state"
    return state / "k8sdiag" / "labs"
