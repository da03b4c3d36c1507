"""Asks a lab for `/readyz` again and again in a process of its own, until its standard input ends; then it says how
long the answers took, in seconds, as a JSON list: `python -m bench._lab_probe FOLDER`."""

import asyncio
import json
import sys
import time
from pathlib import Path

from bench._lab_client import Connection, door

_PAUSE = 0.005


async def _probe(folder: Path) -> list[float]:
    loop = asyncio.get_running_loop()
    ended = loop.run_in_executor(None, sys.stdin.read)
    connection = await Connection.open(door(folder))
    taken = []
    print("ready", flush=True)
    while not ended.done():
        begin = time.perf_counter()
        await connection.ask("GET", "/readyz")
        taken.append(time.perf_counter() - begin)
        await asyncio.sleep(_PAUSE)
    connection.close()
    return taken


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_probe(Path(sys.argv[1])))))
