"""What the library shows to the programs that it is loaded into: its symbols, what it needs, its thread storage."""

import pathlib
import re
import subprocess

from heaptally_test import LIBRARY, TestCase, main

EXPECTED = pathlib.Path(__file__).resolve().parent.parent / "exports.txt"


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


class LibraryTest(TestCase):
    def test_exported_symbols(self):
        found = {line.split()[-1].split("@")[0] for line in output("nm", "-D", "--defined-only", LIBRARY).splitlines()}
        expected = set(EXPECTED.read_text().split())
        self.assertEqual(sorted(found), sorted(expected))

    def test_needs_libc_alone(self):
        needed = set(re.findall(r"\(NEEDED\).*\[(.*)\]", output("readelf", "-dW", LIBRARY)))
        self.assertIn("libc.so.6", needed)
        self.assertLessEqual(needed, {"libc.so.6", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"})

    def test_thread_storage_is_initial_exec(self):
        """__tls_get_addr may allocate, and a dynamic model would call it in every malloc."""
        relocations = re.findall(r"R_\w*(?:TPOFF|DTPMOD|DTPOFF|TLSDESC|TPREL)\w*",
                                 output("readelf", "-rW", LIBRARY))
        self.assertTrue(relocations, "the library has thread-local storage")
        self.assertLessEqual(set(relocations), {"R_X86_64_TPOFF64", "R_AARCH64_TLS_TPREL64"})
        self.assertNotIn("__tls_get_addr", output("nm", "-D", "--undefined-only", LIBRARY))

    def test_no_executable_stack_and_no_text_relocations(self):
        headers = output("readelf", "-lW", LIBRARY)
        self.assertRegex(headers, r"GNU_STACK.* RW ")
        self.assertNotIn("TEXTREL", output("readelf", "-dW", LIBRARY))


main()
