"""node: an HTTP server of several processes (server.js), one of which is killed; its own snapshots and images."""

import http.client
import os
import pathlib
import signal

from server_test import ServerTest, children, find, main, wait_until

JOBS = ("objects", "compiled", "regexp", "threads", "crypto", "zlib", "wasm", "child", "dns", "errors", "nothing")
WORKERS = 2


class NodeTest(ServerTest):
    program = find("node", "nodejs")

    def visit(self, when, jobs):
        """Each job twice: the workers take turns."""
        for job in jobs:
            for turn in range(WORKERS):
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=100)
                connection.request("GET", f"/{job}")
                answer = connection.getresponse()
                self.write_down(f"{when}: {job} {turn}", (answer.status, answer.read()))
                connection.close()

    def drive(self):
        script = pathlib.Path(__file__).with_name("server.js")
        process = self.launch([self.program, script, self.port])
        self.first_connection(process).close()
        workers = wait_until(lambda: len(children(process.pid)) == WORKERS and children(process.pid), "the workers")
        self.visit("at first", JOBS)
        if self.traced:
            for info in self.images_of([process.pid, *workers]):
                self.assertGreater(info["totals"]["live_bytes"], 1 << 20)
                self.assertGreater(info["totals"]["allocations"], 10000)
        os.kill(workers[0], signal.SIGKILL)
        wait_until(lambda: b"SIGKILL" in self.log(), "the primary learns of the death")
        self.visit("after a death", ("crypto", "nothing"))
        if self.traced:
            self.info(self.only(path for path in self.image_files() if path.name.startswith(f"{workers[0]}.")))
            process.send_signal(signal.SIGUSR2)
            wait_until(lambda: list(self.place.glob(f"{process.pid}.1.hts")), "a snapshot on a signal")
        self.end_server(process)
        self.write_down("output", self.log())
        if self.traced:
            infos = self.left_snapshots()
            nodes = [info for info in infos if info["process"]["executable"] == os.path.realpath(self.program)]
            self.assertGreaterEqual(len(infos), len(nodes) + 2)  # a shell, cat and echo ended too
            self.assertEqual([info["snapshot"]["trigger"] for info in nodes].count("exit"), 1 + WORKERS)

    def test_same_as_without_the_tracer(self):
        self.assert_same_as_without()


main()
