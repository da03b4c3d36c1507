"""The file behind the storage: SQLite in WAL mode, every commit synced, one lab at a time.

A batch is one transaction: the newest state of each object it touches, and the revision it reaches. SQLite's exclusive
locking mode is the lock that keeps a second lab out; it goes with the process, however that ends. Each row carries a
checksum, for SQLite has none of its own and a damaged cluster must not start as if it were whole.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson

from k8sdiag.evidence import Json

_APPLICATION = 0x6B386473  # "k8ds": PRAGMA application_id tells this file from anybody else's
_FORMAT = 1

_TABLES = """
CREATE TABLE objects (
    storage TEXT NOT NULL, key TEXT NOT NULL, checksum INTEGER NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (storage, key)
) WITHOUT ROWID;
CREATE TABLE state (revision INTEGER NOT NULL, closed INTEGER NOT NULL);
INSERT INTO state VALUES (1, 1);
"""


class StorageUnusableError(Exception):
    """The file cannot be used; the sentence says why and what to do."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What one commit writes: `objects` by storage key and key, None for those that are gone."""

    revision: int
    objects: dict[tuple[str, str], Json | None]


@dataclass(frozen=True, slots=True)
class Saved:
    """What a file holds. `closed`: its lab ended in an orderly way, so no revision was given out beyond this one."""

    revision: int
    closed: bool
    objects: list[tuple[str, Json]]


class Disk:
    """One open file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._told():
            # Another thread may write, one at a time.
            self._db = sqlite3.connect(path, timeout=0.5, isolation_level=None, check_same_thread=False)
        try:
            with self._told():
                self._open()
        except BaseException:
            self._db.close()
            raise

    def _open(self) -> None:
        db = self._db
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("BEGIN EXCLUSIVE")
        application, version = self._pragma("application_id"), self._pragma("user_version")
        fresh = not db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if not fresh and application != _APPLICATION:
            raise StorageUnusableError(f"{self._path} is not a lab's storage; give another path")
        if not fresh and version != _FORMAT:
            raise StorageUnusableError(
                f"{self._path} was written by another version of k8sdiag (format {version}, this one reads {_FORMAT}); "
                "use that version, or start afresh with `k8sdiag lab reset`"
            )
        if fresh:
            for statement in _TABLES.strip().split(";"):
                db.execute(statement)
            db.execute(f"PRAGMA application_id = {_APPLICATION}")
            db.execute(f"PRAGMA user_version = {_FORMAT}")
        db.execute("COMMIT")

    def _pragma(self, name: str) -> int:
        value: int = self._db.execute(f"PRAGMA {name}").fetchone()[0]
        return value

    @contextmanager
    def _told(self) -> Iterator[None]:
        """SQLite's complaints as a sentence about the file."""
        try:
            yield
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise StorageUnusableError(f"{self._path} is in use by another lab; stop that one first") from error
            raise StorageUnusableError(f"{self._path} cannot be used: {error}") from error
        except sqlite3.DatabaseError as error:
            raise StorageUnusableError(self._damaged(str(error))) from error

    def _damaged(self, why: str) -> str:
        return f"{self._path} is damaged ({why}); restore a copy, or start afresh with `k8sdiag lab reset`"

    def read(self) -> Saved:
        """All there is, and a mark that the file is now in use."""
        with self._told():
            problem = self._db.execute("PRAGMA quick_check(1)").fetchone()[0]
            if problem != "ok":
                raise StorageUnusableError(self._damaged(problem))
            state = self._db.execute("SELECT revision, closed FROM state").fetchone()
            objects = list(self._objects())
            self._db.execute("UPDATE state SET closed = 0")
        if state is None:
            raise StorageUnusableError(self._damaged("its revision is missing"))
        return Saved(state[0], bool(state[1]), objects)

    def _objects(self) -> Iterator[tuple[str, Json]]:
        for storage, key, checksum, body in self._db.execute("SELECT storage, key, checksum, body FROM objects"):
            if zlib.crc32(body) != checksum:
                raise StorageUnusableError(self._damaged(f"the checksum of {storage} {key} is wrong"))
            yield storage, orjson.loads(body)

    def write(self, batch: Batch) -> None:
        """Commit a batch; when this returns, it is on the disk."""
        db = self._db
        gone = [where for where, obj in batch.objects.items() if obj is None]
        kept = [(*where, orjson.dumps(obj)) for where, obj in batch.objects.items() if obj is not None]
        with self._told():
            db.execute("BEGIN")
            try:
                db.executemany("DELETE FROM objects WHERE storage = ? AND key = ?", gone)
                db.executemany(
                    "INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?)",
                    [(storage, key, zlib.crc32(body), body) for storage, key, body in kept],
                )
                db.execute("UPDATE state SET revision = ?", (batch.revision,))
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise

    def close(self) -> None:
        with self._told():
            self._db.execute("UPDATE state SET closed = 1")
            self._db.close()
