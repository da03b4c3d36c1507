"""Group commit: all writes that came while the disk was busy go to it together, in a thread that only does that."""

from __future__ import annotations

import asyncio
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from heapq import heappop, heappush

from k8sdiag.minicluster.apiserver import errors
from k8sdiag.minicluster.apiserver.durable import Batch, StorageUnusableError
from k8sdiag.minicluster.apiserver.storage import Storage

_RETRY_SECONDS = 1.0


class GroupCommit:
    """Takes a storage's writes to its file for as long as `run` runs. Answers to requests wait for their revision."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._wanted = asyncio.Event()
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._count = 0
        storage.on_write(self._wanted.set)

    async def run(self) -> None:
        """Until cancelled; then what is left is the storage's `close` to write."""
        loop = asyncio.get_running_loop()
        self._wanted.set()  # for what was written before
        with ThreadPoolExecutor(1, "commit") as thread:
            while True:
                await self._wanted.wait()
                self._wanted.clear()
                batch = self._storage.take()
                if batch is None:
                    continue
                try:
                    await loop.run_in_executor(thread, self._storage.save, batch)
                except (StorageUnusableError, OSError, sqlite3.Error, TypeError) as error:  # TypeError: what is no JSON
                    self._failed(batch, str(error))
                    await asyncio.sleep(_RETRY_SECONDS)
                    self._wanted.set()
                except asyncio.CancelledError:
                    thread.shutdown(wait=True)
                    self._storage.put_back(batch)
                    raise
                else:
                    self._storage.committed(batch.revision)
                    self._release(batch.revision)

    async def wait(self, revision: int) -> None:
        """Until a revision is safe. Raises a 500 where it could not be written."""
        if self._storage.durable >= revision:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._count += 1
        heappush(self._waiting, (revision, self._count, future))
        await future

    def _release(self, revision: int) -> None:
        while self._waiting and self._waiting[0][0] <= revision:
            future = heappop(self._waiting)[2]
            if not future.done():
                future.set_result(None)

    def _failed(self, batch: Batch, why: str) -> None:
        """It stays in memory and is tried again; but who waits for it must not take it for safe."""
        self._storage.put_back(batch)
        while self._waiting and self._waiting[0][0] <= batch.revision:
            future = heappop(self._waiting)[2]
            if not future.done():
                future.set_exception(errors.internal(f"the storage could not be written: {why}"))
