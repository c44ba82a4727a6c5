"""test_kill.py PROGRAM KILLS: a program is killed at random instants, from its first to after a few snapshots.

Whatever image it leaves can be read, and says no less than what was done by then and no more than what was begun: at
most one event of each thread is under way. No stack of it is half-written. A snapshot that has its name is whole.
"""

import os
import pathlib
import random
import struct
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "integration"))
from heaptally_test import LIBRARY, TestCase, main  # noqa: E402

PROGRAM, KILLS = sys.argv.pop(1), int(sys.argv.pop(1))
THREADS, SIZE = 3, 100
SEED = int(os.environ.get("KILL_SEED", random.randrange(1 << 32)))


class KillTest(TestCase):
    def kill_one(self, number, delay):
        """Starts the program, kills it after `delay` seconds; returns the path of its book."""
        book = self.directory / f"{number}.book"
        environment = self.environment(LD_PRELOAD=LIBRARY, HEAPTALLY_OVERWRITE=1,
                                       HEAPTALLY_OUT=self.directory / f"{number}.hts")
        process = subprocess.Popen([PROGRAM, book], env=environment, stdout=subprocess.DEVNULL)
        time.sleep(delay)
        process.kill()
        process.wait()
        return book

    def read_book(self, book):
        """Sums over the threads of: allocations begun, done, frees begun, done; None before all was under way."""
        data = book.read_bytes() if book.exists() else b""
        words = struct.unpack(f"={len(data) // 8}Q", data)
        if len(words) < 8 * THREADS + 1 or words[8 * THREADS] == 0:
            return None
        return [sum(words[8 * thread + i] for thread in range(THREADS)) for i in range(4)]

    def check_stacks(self, rows):
        """Each stack goes from the line that allocates to the start of a thread, through nothing unknown."""
        for row in rows:
            functions = [frame["function"] for frame in row["traceback"]]
            self.assertNotIn(None, functions)
            depth = functions.index("work")
            self.assertEqual(functions[:depth], ["take"] * depth)
            self.assertIn(functions[depth + 1], ("start_thread", "clone3"))

    def check_image(self, image, book):
        report = self.top(image, "--raw", "-k", "traceback", "--metric", "total")
        own = [row for row in report["rows"] if any(f["function"] == "take" for f in row["traceback"])]
        self.check_stacks(own)
        if book is None:
            return
        begun, done, frees_begun, frees_done = book
        count, size = sum(row["count"] for row in own), sum(row["size"] for row in own)
        self.assertTrue(done <= count <= begun, (done, count, begun))
        self.assertTrue(done * SIZE <= size <= begun * SIZE, (done, size, begun))
        live = self.top(image, "--raw", "-k", "function")["rows"]
        live_count = sum(row["count"] for row in live if row["function"] == "take")
        self.assertTrue(done - frees_begun <= live_count <= begun - frees_done, (book, live_count))
        self.assertEqual({name for name, value in report["losses"].items() if value}, set())

    def test_kill_anywhere(self):
        chance = random.Random(SEED)
        images = snapshots = 0
        for number in range(KILLS):
            delay = chance.random() * (0.01 if number % 4 == 0 else 0.06)
            book = self.read_book(self.kill_one(number, delay))
            with self.subTest(seed=SEED, number=number):
                for image in self.image_files():
                    if book is None and self.heaptally("info", image, check=None).returncode != 0:
                        self.assertNotEqual(image.read_bytes()[:8], b"HEAPTALY")  # killed while it was made
                    else:
                        self.check_image(image, book)
                        images += 1
                    image.unlink()
                if (snapshot := self.directory / f"{number}.hts").exists():
                    self.top(snapshot)
                    snapshots += 1
        print(f"{KILLS} kills, {images} images and {snapshots} snapshots read")
        self.assertGreater(images, KILLS // 2)


main()
