"""A container's files: volumes, what the image brings, and what its processes have written.

Only what was written is kept; the image's own files are worked out when somebody looks. A big file has a size, but not
all of its bytes.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from k8sdiag.minicluster.runtimes.base import Mount, Volume

MISSING = "No such file or directory"
DENIED = "Permission denied"
READ_ONLY = "Read-only file system"
IS_FOLDER = "Is a directory"
NO_FOLDER = "Not a directory"
FULL = "No space left on device"
EXISTS = "File exists"
NOT_EMPTY = "Directory not empty"

KEPT_BYTES = 4 * 2**20  # of one file's content; the rest is only counted
_APPENDED = 64 * 1024  # up to which what is appended is kept
_SHM = 64 * 2**20
_ANYBODY = ("/tmp", "/var/tmp", "/dev/shm", "/dev/mqueue", "/dev/termination-log")  # noqa: S108 (places in a container)
_FOLDERS = frozenset(
    "/ /bin /dev /dev/shm /etc /home /lib /media /mnt /opt /proc /root /run /sbin /srv /sys /tmp /usr /usr/bin /usr/lib"
    " /usr/local /usr/local/bin /usr/sbin /usr/share /var /var/cache /var/lib /var/log /var/run /var/tmp"
    " /var/run/secrets".split()
)


class FileFault(Exception):  # noqa: N818 (a simulated system call's)
    """A system call that failed, with the words of strerror."""


@dataclass(slots=True)
class Entry:
    """A file or a folder."""

    data: bytes = b""
    size: int = 0
    folder: bool = False
    mode: int = 0o644
    at: float = 0.0


FOLDER = Entry(folder=True, mode=0o755)


@dataclass(slots=True)
class Store:
    """What was written to one volume, or to a container's own layer; None is a file of the image that was removed."""

    entries: dict[str, Entry | None] = field(default_factory=dict)

    @property
    def used(self) -> int:
        return sum(entry.size for entry in self.entries.values() if entry is not None)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a path leads to: a store, the key in it, and what may be done there."""

    store: Store | None
    key: str
    mount: Mount | None


class Files:
    """The files that the processes of one container see."""

    __slots__ = ("_mounts", "_own", "_stores", "base", "group", "home", "now", "sealed", "user")

    def __init__(
        self,
        mounts: Sequence[Mount],
        stores: Callable[[Volume], Store],
        base: Callable[[str], Entry | None],
        now: Callable[[], float],
    ) -> None:
        self._mounts = tuple(sorted(mounts, key=lambda mount: -len(mount.path)))
        self._stores = stores
        self._own: Store | None = None
        self.base = base
        self.now = now
        self.user = 0
        self.group = False  # fsGroup: volumes belong to the container's group
        self.sealed = False  # readOnlyRootFilesystem
        self.home: tuple[str, ...] = ()

    def remount(self, mounts: Sequence[Mount]) -> None:
        """The same places with other content."""
        self._mounts = tuple(sorted(mounts, key=lambda mount: -len(mount.path)))

    # -- looking --

    def find(self, path: str) -> Entry | None:
        """The file or folder at an absolute path."""
        path = normal(path)
        place = self._place(path)
        if place.mount is not None:
            return self._in_volume(place)
        if self._own is not None and path in self._own.entries:
            return self._own.entries[path]
        if path in _FOLDERS or any(parents(mount.path, path) for mount in self._mounts):
            return FOLDER
        return self.base(path)

    def read(self, path: str) -> Entry:
        """A file that may be read."""
        entry = self.find(path)
        if entry is None:
            raise FileFault(self._absent(path))
        if entry.folder:
            raise FileFault(IS_FOLDER)
        if self.user and not entry.mode & 0o044 and not (self.group and entry.mode & 0o440):
            raise FileFault(DENIED)
        return entry

    def names(self, path: str) -> list[str]:
        """What is in a folder."""
        path = normal(path)
        entry = self.find(path)
        if entry is None:
            raise FileFault(self._absent(path))
        if not entry.folder:
            raise FileFault(NO_FOLDER)
        inside = path.rstrip("/") + "/"
        found = {other[len(inside) :].split("/")[0] for other in self._paths() if other.startswith(inside)}
        return sorted(name for name in found if name and self.find(inside + name) is not None)

    def walk(self, path: str) -> Iterator[tuple[str, Entry]]:
        """A file, or a folder and all that is in it."""
        entry = self.find(path)
        if entry is None:
            return
        yield normal(path), entry
        if entry.folder:
            for name in self.names(path):
                yield from self.walk(f"{normal(path).rstrip('/')}/{name}")

    # -- changing --

    def write(self, path: str, data: bytes, append: bool = False, size: int | None = None, mode: int = 0o644) -> None:
        """Write a file; `size` counts more bytes than are given."""
        path = normal(path)
        found = self.find(path)
        if found is not None and found.folder:
            raise FileFault(IS_FOLDER)
        store, key, mount = self._writable(path)
        count = len(data) if size is None else size
        if append and found is not None:
            kept = found.data + data if len(found.data) < _APPENDED else found.data
            data, count, mode = kept, found.size + count, found.mode
        if mount is not None and mount.volume.in_memory and mount.volume.limit is not None:
            self._check_room(store, key, count, mount.volume.limit)
        if path.startswith("/dev/shm/") and mount is None:  # noqa: S108
            self._check_room(store, key, count, _SHM)
        store.entries[key] = Entry(data[:KEPT_BYTES], count, mode=mode, at=self.now())

    def make_folder(self, path: str, parents_too: bool = False, mode: int = 0o755) -> None:
        path = normal(path)
        found = self.find(path)
        if found is not None:
            if parents_too and found.folder:
                return
            raise FileFault(EXISTS)
        above = posixpath.dirname(path)
        if parents_too and self.find(above) is None:
            self.make_folder(above, parents_too)
        store, key, _ = self._writable(path)
        store.entries[key] = Entry(folder=True, mode=mode, at=self.now())

    def may_write(self, path: str) -> None:
        """FileFault where nothing can be written there."""
        self._writable(normal(path))

    def remove(self, path: str, recursive: bool = False) -> None:
        path = normal(path)
        entry = self.find(path)
        if entry is None:
            raise FileFault(self._absent(path))
        if entry.folder and not recursive:
            raise FileFault(IS_FOLDER)
        store, key, mount = self._writable(path)
        for other in [other for other in store.entries if other == key or other.startswith(key.rstrip("/") + "/")]:
            del store.entries[other]
        if mount is None and self.base(path) is not None:
            store.entries[key] = None

    def change_mode(self, path: str, mode: int) -> None:
        entry = self.find(path)
        if entry is None:
            raise FileFault(MISSING)
        store, key, _ = self._writable(normal(path))
        store.entries[key] = Entry(entry.data, entry.size, entry.folder, mode, entry.at)

    # -- sizes --

    @property
    def disk(self) -> int:
        """Bytes in the container's own layer."""
        if self._own is None:
            return 0
        return sum(entry.size for path, entry in self._own.entries.items() if entry and not path.startswith("/dev/"))

    @property
    def in_memory(self) -> int:
        """Bytes in tmpfs, which count as the container's memory."""
        shared = sum(
            self._stores(mount.volume).used
            for mount in self._mounts
            if mount.volume.in_memory and not mount.volume.files
        )
        if self._own is None:
            return shared
        return shared + sum(e.size for path, e in self._own.entries.items() if e and path.startswith("/dev/shm/"))  # noqa: S108

    # -- within --

    def _place(self, path: str) -> Place:
        for mount in self._mounts:
            at = normal(mount.path)
            if path == at or path.startswith(at.rstrip("/") + "/"):
                key = posixpath.normpath(f"/{mount.sub_path}/{path[len(at) :]}").replace("//", "/")
                return Place(None if mount.volume.kind == "files" else self._stores(mount.volume), key, mount)
        return Place(None, path, None)

    def _in_volume(self, place: Place) -> Entry | None:
        mount, key = place.mount, place.key
        if mount is None:
            return None
        if place.store is not None:
            if key in place.store.entries:
                return place.store.entries[key]
            inside = key.rstrip("/") + "/"
            shared = key == "/" or key.strip("/") == mount.sub_path.strip("/")
            return FOLDER if shared or any(other.startswith(inside) for other in place.store.entries) else None
        name = key.strip("/")
        if name in mount.volume.files:
            data = mount.volume.files[name]
            return Entry(data, len(data), mode=mount.volume.mode)
        return FOLDER if not name or any(other.startswith(f"{name}/") for other in mount.volume.files) else None

    def _paths(self) -> Iterator[str]:
        yield from _FOLDERS
        for mount in self._mounts:
            at = normal(mount.path).rstrip("/")
            yield at
            below = f"/{mount.sub_path}".rstrip("/")
            keys: Mapping[str, object] = mount.volume.files
            if mount.volume.kind != "files":
                keys = self._stores(mount.volume).entries
            for key in keys:
                whole = "/" + key.lstrip("/")
                if whole.startswith(f"{below}/"):
                    yield at + whole[len(below) :]
        if self._own is not None:
            yield from self._own.entries

    def _writable(self, path: str) -> tuple[Store, str, Mount | None]:
        above = self.find(posixpath.dirname(path))
        if above is None:
            raise FileFault(MISSING)
        if not above.folder:
            raise FileFault(NO_FOLDER)
        place = self._place(path)
        if place.mount is not None:
            if place.store is None or place.mount.read_only:
                raise FileFault(READ_ONLY)
            if self.user and not self.group and place.mount.volume.kind in ("host", "claim"):
                raise FileFault(DENIED)
            return place.store, place.key, place.mount
        if path.startswith(("/proc/", "/sys/")):
            raise FileFault(READ_ONLY if path.startswith("/sys/") else DENIED)
        if self.sealed and not path.startswith("/dev/"):
            raise FileFault(READ_ONLY)
        allowed = (*_ANYBODY, *self.home)
        if self.user and not any(path == home or path.startswith(f"{home}/") for home in allowed):
            raise FileFault(DENIED)
        if self._own is None:
            self._own = Store()
        return self._own, path, None

    def _check_room(self, store: Store, key: str, size: int, limit: int) -> None:
        old = store.entries.get(key)
        if store.used - (old.size if old else 0) + size > limit:
            raise FileFault(FULL)

    def _absent(self, path: str) -> str:
        above = self.find(posixpath.dirname(normal(path)))
        return NO_FOLDER if above is not None and not above.folder else MISSING


def normal(path: str) -> str:
    """An absolute path without `..`, double or trailing slashes."""
    return posixpath.normpath("/" + path.lstrip("/")) if path else "/"


def parents(path: str, above: str) -> bool:
    """Whether the folder `above` is on the way to `path`."""
    return normal(path).startswith(above.rstrip("/") + "/")
