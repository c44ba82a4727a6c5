"""redis-server under load: threads, a bundled jemalloc or libc, snapshots from outside and on signals, their diff."""

import json
import pathlib
import shutil
import signal
import subprocess

from heaptally_test import COMMAND, PATIENCE_SECONDS, TestCase, main, wait_until


class RedisTest(TestCase):
    def setUp(self):
        super().setUp()
        self.socket = self.directory / "redis.sock"
        environment = self.environment(HEAPTALLY_OUT=self.directory / "redis.%p.%n.hts")
        self.run_process = subprocess.Popen(
            [COMMAND, "run", "--", shutil.which("redis-server"), "--port", "0", "--unixsocket", str(self.socket),
             "--save", "", "--io-threads", "2", "--dir", str(self.directory), "--daemonize", "no"],
            env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(self.end, self.run_process)
        wait_until(lambda: self.cli("ping", check=False) == "PONG", "redis-server answers")
        self.pid = int(self.cli("info", "server").split("process_id:")[1].split()[0])

    def cli(self, *words, check=True):
        done = subprocess.run(["redis-cli", "-s", str(self.socket), *words], capture_output=True, text=True)
        self.assertTrue(done.returncode == 0 or not check, done.stderr)
        return done.stdout.strip()

    def load(self, first, count):
        """`count` keys that stay, and what redis-benchmark does on top."""
        commands = "".join(f"SET key:{first + i} {'v' * 500}\n" for i in range(count))
        subprocess.run(["redis-cli", "-s", str(self.socket)], input=commands, text=True, check=True,
                       stdout=subprocess.DEVNULL)
        subprocess.run(["redis-benchmark", "-s", str(self.socket), "-q", "-n", "5000", "-c", "20", "--threads", "2",
                        "-t", "get,lpush,incr"], check=True, stdout=subprocess.DEVNULL, timeout=PATIENCE_SECONDS)

    def signal_snapshot(self, number):
        path = self.directory / f"redis.{self.pid}.{number}.hts"
        pathlib.Path(f"/proc/{self.pid}").stat()
        subprocess.run(["kill", f"-{signal.SIGUSR2.value}", str(self.pid)], check=True)
        wait_until(path.exists, "a snapshot on a signal")
        return path

    def test_two_snapshots_by_signal_and_one_from_outside(self):
        self.load(0, 2000)
        first = self.signal_snapshot(1)
        self.load(2000, 3000)
        second = self.signal_snapshot(2)
        outside = self.directory / "outside.hts"
        self.heaptally("snapshot", self.pid, "-o", outside)

        live = [self.top(path)["totals"]["live_bytes"] for path in (first, second, outside)]
        self.assertGreater(live[1] - live[0], 3000 * 500)
        self.assertLess(abs(live[2] - live[1]), 1 << 20)

        difference = json.loads(self.heaptally("diff", first, second, "-k", "function", "--json", "-n", "0").stdout)
        growth = sum(row["size_diff"] for row in difference["rows"])
        self.assertEqual(growth, live[1] - live[0])

        self.cli("shutdown", "nosave", check=False)
        _, said = self.run_process.communicate(timeout=PATIENCE_SECONDS)
        self.assertEqual(self.run_process.returncode, 0, said)
        last = self.top(self.directory / f"redis.{self.pid}.3.hts")
        self.assertEqual({name: n for name, n in last["losses"].items() if n}, {})


main()
