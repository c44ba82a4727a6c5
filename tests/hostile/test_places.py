"""test_places.py VICTIM PLUGIN: places for images and snapshots that are full, closed, somebody else's or booby-trapped,
and files in them that are cut, foreign or newer. The program does as it does without the tracer; nothing that was there
is touched; what is lost is said.

Runs in a mount namespace of its own; what needs root is skipped without.
"""

import contextlib
import ctypes
import os
import pathlib
import shutil
import stat
import struct
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "integration"))
from heaptally_test import LIBRARY, TestCase, main  # noqa: E402

VICTIM, PLUGIN, SECURE = sys.argv.pop(1), sys.argv.pop(1), sys.argv.pop(1)
CLONE_NEWNS = 0x20000
NOBODY = 65534
KIB = 1024
VERSION_OFFSET = 8  # of struct ht_header


def own_mounts():
    libc = ctypes.CDLL(None, use_errno=True)
    return os.geteuid() == 0 and libc.unshare(CLONE_NEWNS) == 0 and \
        subprocess.run(["mount", "--make-rprivate", "/"], capture_output=True).returncode == 0


MOUNTS = own_mounts()


class PlaceTest(TestCase):
    def setUp(self):
        super().setUp()
        self.precious = self.directory / "precious"
        self.precious.write_text("untouched")

    @contextlib.contextmanager
    def tmpfs(self, options):
        if not MOUNTS:
            self.skipTest("mounting needs root")
        place = self.directory / "mounted"
        place.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"mode=0700,{options}", "tmpfs", place], check=True)
        try:
            yield place
        finally:
            subprocess.run(["umount", "-l", place], check=True)
            place.rmdir()

    def run_victim(self, **variables):
        self.forget()
        done = self.run_program([VICTIM, PLUGIN], environment=self.environment(**variables))
        self.assertEqual((done.stdout, done.stderr), (b"unharmed\n", b""))
        self.assertEqual(self.precious.read_text(), "untouched")
        return self.only(self.directory.glob("*.ledger")).stem

    def losses(self, source):
        return {name for name, value in self.top(source)["losses"].items() if value}

    def forget(self):
        for path in [*self.directory.glob("*.ledger"), *self.snapshots()]:
            path.unlink()


class FullDiskTest(PlaceTest):
    def test_images(self):
        """From no page at all to enough: where it is too little, the reports say so."""
        lossy = 0
        for pages in (1, 2, 4, 5, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 1024):
            with self.subTest(pages=pages), self.tmpfs(f"size={pages * 4 * KIB}") as place:
                pid = self.run_victim(HEAPTALLY_DIR=place)
                last = sorted(self.directory.glob(f"{pid}.*.hts"))[-1]
                lossy += self.losses(last) != set()
                if pages == 1024:
                    self.assertEqual(self.losses(last), set())
        self.assertGreater(lossy, 5)

    def test_snapshots(self):
        """A snapshot is whole or it is not there; then the image stays."""
        for pages in (1, 2, 3, 8, 16, 64):
            with self.subTest(pages=pages), self.tmpfs(f"size={pages * 4 * KIB}") as place:
                pid = self.run_victim(HEAPTALLY_OUT=place / "%p.%n.hts")
                for snapshot in place.glob("*.hts"):
                    self.top(snapshot)
                self.assertEqual(list(place.glob("*.tmp")), [])
                for image in self.images.glob(f"{pid}.*"):
                    self.assertIn("snapshots", self.losses(image))
                self.assertTrue(list(place.glob(f"{pid}.*")) or list(self.images.glob(f"{pid}.*")))
                shutil.rmtree(self.images)
                self.images.mkdir(mode=0o700)


class DirectoryTest(PlaceTest):
    def check_unusable(self, place):
        pid = self.run_victim(HEAPTALLY_DIR=place)
        last = sorted(self.directory.glob(f"{pid}.*.hts"))[-1]
        self.assertEqual(self.losses(last), {"no_file"})

    def test_read_only(self):
        with self.tmpfs("ro") as place:
            self.check_unusable(place)

    def test_of_another_user(self):
        if os.geteuid() != 0:
            self.skipTest("giving away needs root")
        os.chown(self.images, NOBODY, NOBODY)
        self.check_unusable(self.images)
        self.assertEqual(self.image_files(), [])

    def test_that_others_can_write_to(self):
        self.images.chmod(0o777)
        self.check_unusable(self.images)
        self.assertEqual(self.image_files(), [])

    def test_symbolic_link(self):
        link = self.directory / "link"
        link.symlink_to(self.images)
        self.check_unusable(link)
        self.assertEqual(self.image_files(), [])

    def test_file(self):
        self.check_unusable(self.precious)

    def test_without_a_parent(self):
        self.check_unusable(self.directory / "no" / "such" / "place")


class TrapTest(PlaceTest):
    def run_with_traps(self, set_traps, **variables):
        """The victim, stopped before its exec until set_traps(pid, start_ticks) has been called."""
        ready, go = os.pipe(), os.pipe()
        environment = self.environment(LD_PRELOAD=LIBRARY, **variables)
        pid = os.fork()
        if pid == 0:
            os.read(go[0], 1)
            os.dup2(ready[1], 1)
            os.execve(VICTIM, [VICTIM, PLUGIN], {k: str(v) for k, v in environment.items()})
        ticks = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19]
        set_traps(pid, ticks)
        os.write(go[1], b"x")
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 0)
        self.assertEqual(os.read(ready[0], 100), b"unharmed\n")
        for descriptor in ready + go:
            os.close(descriptor)
        self.assertEqual(self.precious.read_text(), "untouched")
        return pid

    def test_links_in_the_place_of_images(self):
        def set_traps(pid, ticks):
            for number in range(3):
                (self.images / f"{pid}.{ticks}.{number}.htimage").symlink_to(self.precious)

        pid = self.run_with_traps(set_traps)
        self.assertEqual(self.losses(self.directory / f"{pid}.2.hts"), set())

    def test_links_in_the_place_of_snapshots(self):
        for overwrite in (0, 1):
            with self.subTest(overwrite=overwrite):
                def set_traps(pid, ticks):
                    for name in (f"{pid}.hts", f"{pid}.hts.{pid}.tmp"):
                        (self.directory / name).symlink_to(self.precious)

                pid = self.run_with_traps(set_traps, HEAPTALLY_OVERWRITE=overwrite,
                                          HEAPTALLY_OUT=self.directory / "%p.hts")
                planted = self.directory / f"{pid}.hts"
                self.assertEqual(planted.is_symlink(), not overwrite)
                self.top(planted if overwrite else self.directory / f"{pid}.hts.1")

    def test_image_of_an_earlier_process_with_the_same_pid(self):
        def set_traps(pid, ticks):
            (self.images / f"{pid}.{int(ticks) - 1}.0.htimage").write_bytes(b"of somebody else")

        pid = self.run_with_traps(set_traps)
        self.assertEqual([path.read_bytes() for path in self.image_files()], [b"of somebody else"])
        self.assertEqual(self.losses(self.directory / f"{pid}.2.hts"), set())


class ImageTest(PlaceTest):
    """Images that are not what they were: every command answers, with status 0 or 2."""

    def setUp(self):
        super().setUp()
        self.run_victim(HEAPTALLY_OUT="/nonexistent/%p.hts")
        self.image = self.image_files()[0]
        self.whole = self.image.read_bytes()[:1 << 20]

    def check_answers(self, status):
        for words in (["top", self.image], ["info", self.image], ["ps"], ["clean", "-n"],
                      ["snapshot", "-o", self.directory / "copy.hts", "--overwrite", self.image]):
            done = self.heaptally(*words, check=None)
            self.assertIn(done.returncode, status, f"{words}: {done.stderr}")
            self.assertEqual("heaptally: " in done.stderr, done.returncode == 2, done.stderr)

    def test_cut(self):
        for length in (0, 1, 7, 8, 100, 4096, 16383, 16384, 20000, 65536, 70000, 200000, 1 << 19):
            with self.subTest(length=length):
                self.image.write_bytes(self.whole[:length])
                self.check_answers((0, 2))

    def test_of_another_version(self):
        for version in (0, 0x00010000, 0x00020000, 0x00040000, 0xffffffff):
            with self.subTest(version=version):
                self.image.write_bytes(self.whole[:VERSION_OFFSET] + struct.pack("=I", version) +
                                       self.whole[VERSION_OFFSET + 4:])
                said = self.heaptally("top", self.image, check=2).stderr
                self.assertIn("version", said)
                self.check_answers((0, 2))


class PrivilegeTest(PlaceTest):
    """A setuid program that is linked with the library: it does nothing there, and reads no variable of ours."""

    def test_setuid_program(self):
        with self.tmpfs("suid") as place:
            os.chmod(place, 0o755)
            os.chmod(self.directory, 0o777)
            program = place / "secure"
            shutil.copy(SECURE, program)
            program.chmod(0o755)
            environment = self.environment(HEAPTALLY_DIR=self.directory / "theirs", HEAPTALLY_NFRAME="7")

            def as_nobody(**more):
                return subprocess.run([program], env={**environment, **more}, cwd=self.directory, capture_output=True,
                                      user=NOBODY, group=NOBODY, timeout=60)

            self.assertEqual(as_nobody().stdout, b"traced\n")  # it does link the library
            self.assertEqual(as_nobody(HEAPTALLY_NFRAME="x").returncode, 2)
            shutil.rmtree(self.directory / "theirs")
            program.chmod(0o755 | stat.S_ISUID)
            done = as_nobody(HEAPTALLY_NFRAME="x")
            self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"not traced\n", b""))
            self.assertFalse((self.directory / "theirs").exists())


main()
