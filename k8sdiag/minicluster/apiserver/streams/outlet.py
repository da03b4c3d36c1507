"""Where a node writes what a client reads: bytes gather here until the client's connection takes them."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass

# A client that reads slower than its container writes is left behind no further than this.
MOST_BYTES = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class End:
    """Nothing more comes: an exit code, or why it could not be done."""

    code: int = 0
    message: str = ""


class Outlet:
    """An Output of nodes/agent.py with an asynchronous reader."""

    def __init__(self) -> None:
        self._parts: deque[tuple[int, bytes]] = deque()
        self._end: End | None = None
        self._news = asyncio.Event()
        self._held = 0

    def write(self, stream: int, data: bytes) -> None:
        if self._end is not None or not data:
            return
        self._parts.append((stream, data))
        self._held += len(data)
        if self._held > MOST_BYTES:
            self._end = End(1, "the client reads too slowly")
        self._news.set()

    def end(self, code: int = 0, message: str = "") -> None:
        if self._end is None:
            self._end = End(code, message)
        self._news.set()

    async def next(self) -> tuple[int, bytes] | End:
        """The next piece, or the end once all is read."""
        while not self._parts:
            if self._end is not None:
                return self._end
            await self._news.wait()
            self._news.clear()
        stream, data = self._parts.popleft()
        self._held -= len(data)
        return stream, data
