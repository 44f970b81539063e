# SPDX-License-Identifier: MIT
"""asyncio: operations as awaitables.

    async with devio.aio.Ring() as ring:
        done = await ring.read(file, mem, 0, length, 0)
"""
import asyncio
import errno
from typing import Any

from . import _core


class Ring:
    """A ring of the running event loop."""

    def __init__(self, entries: int = 0, staging: int = 0, context: Any = None) -> None:
        self._ring = _core.Ring(entries, staging, context)
        self._loop = asyncio.get_running_loop()
        self._fd = self._ring.fileno()
        self._soon = False
        self._room = asyncio.Event()
        self._loop.add_reader(self._fd, self._ready)

    def _ready(self) -> None:
        while True:
            done = self._ring.peek()
            if not done:
                break
            self._room.set()
            for d in done:
                if not d.cookie.done():
                    d.cookie.set_result(d._replace(cookie=None))

    def _flush(self) -> None:
        self._soon = False
        self._ring.submit()
        self._ready()

    async def _go(self, queue: Any, args: tuple) -> _core.Done:
        future = self._loop.create_future()
        while True:
            try:
                queue(*args, future)
                break
            except _core.Error as e:
                if e.errno != errno.EAGAIN:
                    raise
                self._room.clear()     # the ring is full
                self._flush()
                await self._room.wait()
        if not self._soon:             # one system call for all that this turn of the loop queues
            self._soon = True
            self._loop.call_soon(self._flush)
        done = await future
        done.value()
        return done

    async def read(self, file: _core.File, mem: _core.Memory, mem_off: int, length: int, file_off: int) -> _core.Done:
        """Reads into device memory; raises devio.Error."""
        return await self._go(self._ring.read, (file, mem, mem_off, length, file_off))

    async def write(self, file: _core.File, mem: _core.Memory, mem_off: int, length: int, file_off: int) -> _core.Done:
        """Writes from device memory; raises devio.Error."""
        return await self._go(self._ring.write, (file, mem, mem_off, length, file_off))

    def close(self) -> None:
        """Ends what is in flight."""
        self._loop.remove_reader(self._fd)
        self._ring.close()

    async def __aenter__(self) -> "Ring":
        return self

    async def __aexit__(self, *_exc: Any) -> None:
        self.close()
