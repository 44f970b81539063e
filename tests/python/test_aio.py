# SPDX-License-Identifier: MIT
"""devio.aio: every operation ends, whatever happens to its task or its ring."""
import asyncio
import errno
import gc
import os
import unittest
from unittest import mock

import devio
from common import Dir, pattern

SIZE = 1 << 20


class Aio(Dir):
    def go(self, main):
        """Runs it, with what the event loop complains of; ends after a minute."""
        complaints = []

        async def bounded():
            asyncio.get_running_loop().set_exception_handler(lambda _loop, context: complaints.append(context))
            return await asyncio.wait_for(main(), 60)
        out = asyncio.run(bounded())
        gc.collect()
        self.assertEqual(complaints, [])
        return out

    def setUp(self):
        super().setUp()
        self.f = devio.File(self.file("x", pattern(SIZE)), os.O_RDWR)
        self.m = devio.Memory("host", SIZE)

    def test_closed_under_a_reader(self):
        async def main():
            with self.assertRaisesRegex(RuntimeError, "something else"):
                async with devio.aio.Ring() as ring:
                    tasks = [asyncio.create_task(ring.read(self.f, self.m, 0, SIZE, 0)) for _ in range(8)]
                    await asyncio.sleep(0)
                    raise RuntimeError("something else failed")
            got = await asyncio.gather(*tasks, return_exceptions=True)
            for e in got:
                self.assertIsInstance(e, devio.Error)
                self.assertEqual(e.errno, errno.ECANCELED)
        self.go(main)

    def test_closed_with_nobody_looking(self):
        async def main():
            ring = devio.aio.Ring()
            tasks = [asyncio.create_task(ring.read(self.f, self.m, 0, SIZE, 0)) for _ in range(8)]
            await asyncio.sleep(0)
            ring.close()
            ring.close()
            with self.assertRaises(devio.Error):
                await ring.read(self.f, self.m, 0, 1, 0)
            for t in tasks:
                t.cancel()
            await asyncio.wait(tasks)
        self.go(main)

    def test_closed_while_tasks_wait_for_room(self):
        async def main():
            ring = devio.aio.Ring(entries=2)
            tasks = [asyncio.create_task(ring.read(self.f, self.m, 0, SIZE, 0)) for _ in range(50)]
            for _ in range(3):
                await asyncio.sleep(0)
            ring.close()
            done, pending = await asyncio.wait(tasks, timeout=10)
            self.assertEqual(len(pending), 0)
            for t in done:
                self.assertIn(t.exception() and t.exception().errno, (None, errno.ECANCELED))
        self.go(main)

    def test_cancelled_tasks_end_when_the_kernel_has_finished(self):
        async def main():
            async with devio.aio.Ring(entries=4) as ring:
                tasks = [asyncio.create_task(ring.read(self.f, self.m, 0, SIZE, 0)) for _ in range(20)]
                await asyncio.sleep(0)
                for t in tasks[::2]:
                    t.cancel()
                await asyncio.sleep(0)
                for t in tasks[::4]:
                    t.cancel()
                got = await asyncio.gather(*tasks, return_exceptions=True)
                self.assertTrue(all(isinstance(g, asyncio.CancelledError) for g in got[::2]))
                self.assertEqual([g.result for g in got[1::2]], [SIZE] * 10)
                self.assertEqual(ring._ring.inflight, 0)
                self.assertEqual(len(ring._pending) + len(ring._waiting), 0)
        self.go(main)

    def test_timeouts(self):
        async def main():
            async with devio.aio.Ring() as ring:
                for _ in range(20):
                    try:
                        await asyncio.wait_for(ring.read(self.f, self.m, 0, SIZE, 0), 0.0002)
                    except asyncio.TimeoutError:
                        pass
                self.assertEqual((await ring.read(self.f, self.m, 0, SIZE, 0)).result, SIZE)
                self.assertEqual(self.m.copy_out(0, SIZE), pattern(SIZE))
                self.assertEqual(ring._ring.inflight, 0)
        self.go(main)

    def test_a_ring_that_is_dropped(self):
        async def main():
            ring = devio.aio.Ring()
            task = asyncio.create_task(ring.read(self.f, self.m, 0, SIZE, 0))
            del ring
            self.assertEqual((await task).result, SIZE)
        asyncio.run(main())

    def test_a_loop_that_ends(self):
        rings = []

        async def main():
            ring = devio.aio.Ring()
            rings.append(ring)
            self.task = asyncio.create_task(ring.read(self.f, self.m, 0, SIZE, 0))
            await asyncio.sleep(0)
        asyncio.run(main())          # cancels the task, waits for it
        self.assertTrue(self.task.done())
        rings[0].close()
        rings[0].close()

    def test_errors_of_the_kernel(self):
        """EAGAIN and the like are tried again; any other error ends what is in flight."""
        async def again():
            ring = devio.aio.Ring()
            real, left = ring._ring, [errno.EAGAIN, errno.EBUSY, errno.EINTR]

            def submit():
                if left:
                    raise devio.Error(left.pop(), "not now")
                return real.submit()
            ring._ring = mock.Mock(wraps=real, submit=submit, closed=False)
            done = await ring.read(self.f, self.m, 0, SIZE, 0)
            self.assertEqual(done.result, SIZE)
            self.assertLess(len(left), 3)
            ring._ring = real
            ring.close()

        async def broken():
            ring = devio.aio.Ring()
            ring._ring = mock.Mock(
    wraps=ring._ring, submit=mock.Mock(
        side_effect=devio.Error(
            errno.EIO, "broken")), closed=False)
            with self.assertRaises(devio.Error) as e:
                await ring.read(self.f, self.m, 0, SIZE, 0)
            self.assertEqual(e.exception.errno, errno.EIO)
        self.go(again)
        self.go(broken)

    def test_it_is_not_copied(self):
        import copy

        async def main():
            async with devio.aio.Ring() as ring:
                with self.assertRaises(TypeError):
                    copy.copy(ring)
        self.go(main)


if __name__ == "__main__":
    unittest.main()
