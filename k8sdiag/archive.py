"""A folder of files, or the same packed as `.tar.gz`, read alike and without trust: no path leads outside, nothing
unpacks past a stated size."""

from __future__ import annotations

import gzip
import io
import tarfile
import zlib
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

MAX_BYTES = 1 << 30
"""What one archive, or one compressed file, may unpack to."""


class ArchiveError(Exception):
    """Cannot be read safely; one line."""


class FolderSource:
    """A folder. Symbolic links that lead outside are refused."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._root = path.resolve()

    def names(self) -> list[str]:
        """Relative paths of all files, sorted."""
        return sorted(str(p.relative_to(self.path).as_posix()) for p in self.path.rglob("*") if p.is_file())

    def open(self, name: str) -> IO[bytes]:
        """A file for reading."""
        file = self.path / name
        if not file.resolve().is_relative_to(self._root):
            raise ArchiveError(f"{self.path}: {name} leads outside the recording")
        try:
            return file.open("rb")
        except OSError as problem:
            raise ArchiveError(f"{file}: cannot be read: {problem.strerror}") from None

    def read(self, name: str, limit: int) -> bytes:
        """A whole file of at most `limit` bytes."""
        with self.open(name) as file:
            data = file.read(limit + 1)
        if len(data) > limit:
            raise ArchiveError(f"{self.path}/{name}: larger than {limit} bytes")
        return data

    def tail(self, name: str, limit: int) -> bytes:
        """The last `limit` bytes of a file."""
        with self.open(name) as file:
            file.seek(0, io.SEEK_END)
            file.seek(max(0, file.tell() - limit))
            return file.read(limit)

    def span(self, name: str, start: int, length: int) -> bytes:
        """Part of a file."""
        with self.open(name) as file:
            file.seek(start)
            return file.read(length)


class ArchiveSource(FolderSource):
    """A `.tar.gz`, unpacked into memory once, every member checked first. A single top folder is looked into."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._files: dict[str, bytes] = {}
        try:
            with path.open("rb") as file, tarfile.open(fileobj=read_gzip(file, str(path)), mode="r|") as archive:
                self._unpack(archive)
        except (tarfile.TarError, OSError, EOFError, zlib.error) as problem:
            raise ArchiveError(f"{path}: not a readable .tar.gz: {problem}") from None
        if "objects.jsonl" not in self._files:
            tops = {name.split("/", 1)[0] for name in self._files}
            if len(tops) == 1 and f"{(top := tops.pop())}/objects.jsonl" in self._files:
                self._files = {name[len(top) + 1 :]: data for name, data in self._files.items()}

    def _unpack(self, archive: tarfile.TarFile) -> None:
        total = 0
        for member in archive:
            name = PurePosixPath(member.name)
            if name.is_absolute() or ".." in name.parts:
                raise ArchiveError(f"{self.path}: {member.name!r} leads outside the archive")
            if member.isdir():
                continue
            if not member.isfile():
                raise ArchiveError(f"{self.path}: {member.name!r} is a link or a device, not a file")
            total += member.size
            if total > MAX_BYTES:
                raise ArchiveError(f"{self.path}: unpacks to more than {MAX_BYTES >> 20} MiB")
            file = archive.extractfile(member)
            self._files[str(name)] = file.read() if file else b""

    def names(self) -> list[str]:
        return sorted(self._files)

    def open(self, name: str) -> IO[bytes]:
        return io.BytesIO(self._files[name])

    def span(self, name: str, start: int, length: int) -> bytes:
        return self._files[name][start : start + length]


def open_source(path: Path) -> FolderSource | ArchiveSource:
    """A recording's files, whichever way they are kept."""
    if path.is_dir():
        return FolderSource(path)
    if not path.exists():
        raise ArchiveError(f"{path}: no such recording")
    return ArchiveSource(path)


def read_gzip(stream: IO[bytes], name: str) -> IO[bytes]:
    """A gzipped stream for reading by line; broken or over-long data raises ArchiveError while it is read."""
    return cast("IO[bytes]", _Bounded(gzip.GzipFile(fileobj=stream), name))


class _Bounded:
    """What the journal parser needs of a stream (`readline`, `read`), with the errors and the bound made ours."""

    def __init__(self, inner: gzip.GzipFile, name: str) -> None:
        self._inner: Any = inner
        self._name = name
        self._left = MAX_BYTES

    def readline(self, limit: int = -1) -> bytes:
        return self._count(self._inner.readline, limit)

    def read(self, size: int = -1) -> bytes:
        return self._count(self._inner.read, size)

    def _count(self, take: Any, size: int) -> bytes:
        if size > self._left:
            raise ArchiveError(f"{self._name}: unpacks to more than {MAX_BYTES >> 20} MiB")
        try:
            data: bytes = take(size)
        except (OSError, EOFError, zlib.error) as problem:
            raise ArchiveError(f"{self._name}: not readable gzip: {problem}") from None
        self._left -= len(data)
        if self._left < 0:
            raise ArchiveError(f"{self._name}: unpacks to more than {MAX_BYTES >> 20} MiB")
        return data
