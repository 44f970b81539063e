# SPDX-License-Identifier: MIT
"""asyncio: operations as awaitables.

    async with devio.aio.Ring() as ring:
        done = await ring.read(file, mem, 0, length, 0)

Every operation ends: with its Completion, with an Error, or, when its task is cancelled, once the kernel has finished
with the memory. Closing the ring ends those that are in flight with Error (ECANCELED).
"""
import asyncio
import collections
import errno
from typing import Any, Deque, Optional, Set

from . import _core

__all__ = ["Ring"]
_AGAIN = (errno.EAGAIN, errno.EBUSY, errno.EINTR)
_RETRY = 0.01       # seconds, where the kernel takes nothing for the moment


class Ring:
    """A ring of the running event loop: entries and staging as in devio.Ring."""

    def __init__(self, entries: int = 0, staging: int = 0, context: Optional[_core.Context] = None) -> None:
        self._loop = asyncio.get_running_loop()
        self._ring = _core.Ring(entries, staging, context)
        self._fd = self._ring.fileno()
        self._soon = False
        self._pending: Set[asyncio.Future] = set()
        self._waiting: Deque[asyncio.Future] = collections.deque()      # for room in the ring
        self._loop.add_reader(self._fd, self._ready)

    def _ready(self) -> None:
        try:
            while not self._ring.closed:
                done = self._ring.peek()
                if not done:
                    break
                for completion in done:
                    self._end(completion.cookie, completion)
        except _core.Error as e:
            self._fail(e)

    def _end(self, future: asyncio.Future, completion: _core.Completion) -> None:
        self._pending.discard(future)
        self._wake()
        if not future.done():
            future.set_result(completion)

    def _wake(self, everybody: bool = False) -> None:
        while self._waiting:
            room = self._waiting.popleft()
            if not room.done():
                room.set_result(None)
                if not everybody:
                    break

    def _flush(self) -> None:
        self._soon = False
        if self._ring.closed:
            return
        try:
            self._ring.submit()
        except _core.Error as e:
            if e.errno not in _AGAIN:
                self._fail(e)
                return
            self._soon = True
            self._loop.call_later(_RETRY, self._flush)
        self._ready()

    def _fail(self, error: BaseException) -> None:
        """The ring is of no use any more."""
        if not self._loop.is_closed():
            self._loop.remove_reader(self._fd)
        self._ring.close()                 # waits until nobody reads or writes the memories
        pending, self._pending = self._pending, set()
        if self._loop.is_closed():
            return                         # nobody waits any more
        for future in pending:
            if not future.done():
                future.set_exception(error)
                future.exception()         # it counts as seen, whether its task still looks or not
        self._wake(everybody=True)

    async def _room(self) -> None:
        room = self._loop.create_future()
        self._waiting.append(room)
        self._flush()
        try:
            await room
        except asyncio.CancelledError:
            if room.done() and not room.cancelled():
                self._wake()               # it was this one's turn
            raise

    async def _finish(self, future: asyncio.Future) -> _core.Completion:
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            if not future.done():
                self._ring.cancel(future)
                self._flush()
            while not future.done():       # the memory is the kernel's until then
                try:
                    await asyncio.wait([future])
                except asyncio.CancelledError:
                    pass
            raise

    async def _go(self, queue: Any, args: tuple) -> _core.Completion:
        future = self._loop.create_future()
        while True:
            if self._ring.closed:
                raise _core.Error(errno.ECANCELED, "the ring is closed")
            try:
                queue(*args, future)
                break
            except _core.Error as e:
                if e.errno != errno.EAGAIN:
                    raise
            await self._room()
        self._pending.add(future)
        if not self._soon:                 # one system call for all that this turn of the loop queues
            self._soon = True
            self._loop.call_soon(self._flush)
        done = await self._finish(future)
        done.value()
        return done

    async def read(self, file: _core.File, mem: _core.Memory, mem_off: int, length: int,
                   file_off: int) -> _core.Completion:
        """Reads `length` bytes at byte `file_off` into the memory at byte `mem_off`; raises Error."""
        return await self._go(self._ring.read, (file, mem, mem_off, length, file_off))

    async def write(self, file: _core.File, mem: _core.Memory, mem_off: int, length: int,
                    file_off: int) -> _core.Completion:
        """Writes `length` bytes from byte `mem_off` of the memory to byte `file_off`; raises Error."""
        return await self._go(self._ring.write, (file, mem, mem_off, length, file_off))

    def close(self) -> None:
        """Cancels what is in flight and waits for it; who awaits it gets Error (ECANCELED)."""
        if not self._ring.closed:
            self._fail(_core.Error(errno.ECANCELED, "the ring was closed while the operation was in flight"))

    async def __aenter__(self) -> "Ring":
        return self

    async def __aexit__(self, *_exc: Any) -> None:
        self.close()

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise TypeError("a devio.aio.Ring cannot be copied or pickled: open another one")
