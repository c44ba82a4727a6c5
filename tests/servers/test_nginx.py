"""nginx: a master and workers, files, compression, a proxy to itself; a reload, the death of a worker, and its exchange for
another binary while it serves, for which it uses SIGUSR2 itself."""

import http.client
import os
import pathlib
import re
import signal

from server_test import ServerTest, children, find, main, wait_until

WORKERS = 2
PROXIED = 6  # requests of a visit that nginx makes itself
DIFFER = re.compile(rb"\d{4}/\d\d/\d\d [\d:]+ |\d+#\d+: |\*\d+ |(?<=process )\d+")  # times, pids, connections


class NginxTest(ServerTest):
    program = find("nginx", "/usr/sbin/nginx")

    def configure(self):
        """Environment variables reach the other binary where the configuration says so."""
        pages = self.place / "pages"
        pages.mkdir()
        for name, text in (("page.txt", b"".join(b"line %d of a page\n" % i for i in range(2000))), ("empty", b"")):
            (pages / name).write_bytes(text)
            os.utime(pages / name, (1_000_000_000, 1_000_000_000))
        (self.place / "nginx.conf").write_text(f"""
            worker_processes {WORKERS}; pid {self.place}/pid; error_log {self.place}/error.log info;
            {"user root;" if os.geteuid() == 0 else ""}
            env LD_PRELOAD; env HEAPTALLY_DIR; env HEAPTALLY_OUT;
            events {{ worker_connections 128; }}
            http {{
                log_format plain '$request $status $bytes_sent $http_user_agent';
                access_log {self.place}/access.log plain;
                gzip on; gzip_types text/plain; types {{ text/plain txt; }}
                client_body_temp_path {self.place}/b; proxy_temp_path {self.place}/p;
                fastcgi_temp_path {self.place}/f; uwsgi_temp_path {self.place}/u; scgi_temp_path {self.place}/s;
                server {{
                    listen 127.0.0.1:{self.port};
                    location / {{ root {pages}; }}
                    location /listed/ {{ alias {pages}/; autoindex on; autoindex_format json; }}
                    location ~ ^/number/(?<n>\\d+)$ {{ return 200 "number $n of $args\\n"; }}
                    location /moved {{ return 301 /page.txt; }}
                    location /proxy/ {{ proxy_pass http://127.0.0.1:{self.port}/; proxy_buffer_size 4k; proxy_buffers 4 4k;
                        proxy_busy_buffers_size 8k; }}
                    location /denied {{ deny all; }}
                }}
            }}""")

    def ask(self, connection, method, path, **headers):
        connection.request(method, path, headers={"User-Agent": "test", **headers}, body=headers.pop("body", None))
        answer = connection.getresponse()
        return answer.status, [pair for pair in answer.getheaders() if pair[0] != "Date"], answer.read()

    def visit(self, when):
        """A round of requests, each on a connection of its own and all on one that is kept."""
        requests = [("GET", "/page.txt", {}), ("GET", "/page.txt", {"Accept-Encoding": "gzip"}), ("HEAD", "/page.txt", {}),
                    ("GET", "/page.txt", {"Range": "bytes=100-199,300-310"}), ("GET", "/empty", {}), ("GET", "/nothing", {}),
                    ("GET", "/page.txt", {"If-Modified-Since": "Sun, 09 Sep 2001 01:46:40 GMT"}), ("GET", "/listed/", {}),
                    ("GET", "/number/42?a=b", {}), ("GET", "/moved", {}), ("GET", "/proxy/page.txt", {}),
                    ("GET", "/proxy/proxy/number/7", {}), ("GET", "/denied", {}), ("POST", "/page.txt", {}),
                    ("GET", "/" + "x" * 9000, {})]
        kept = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        for method, path, headers in requests:
            once = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
            for connection in (once, kept):
                answer = self.ask(connection, method, path, **headers)
                answer[1][:] = [(name, re.sub(r"\d{20}", "BOUNDARY", value)) for name, value in answer[1]]
                self.write_down(f"{when}: {method} {path[:40]} {headers}", (*answer[:2], re.sub(rb"\d{20}", b"BOUNDARY", answer[2])))
            once.close()
        kept.close()
        self.visits += 1  # a worker must not be killed before it has written what it did
        logged = self.visits * (2 * len(requests) + PROXIED)
        wait_until(lambda: len(self.log("access.log").splitlines()) >= logged, f"{logged} lines of access.log")

    def workers(self, master, count=WORKERS):
        """The master's workers when there are so many, none of which is on its way out."""
        def right():
            found = children(master)
            titles = [pathlib.Path(f"/proc/{pid}/cmdline").read_bytes() for pid in found]
            return len(found) == count and all(title.startswith(b"nginx: worker process\0") for title in titles) and found
        return wait_until(right, f"{count} workers of nginx")

    def look(self, master):
        if not self.traced:
            return
        for worker in self.images_of(self.workers(master)):
            self.assertEqual(worker["process"]["parent_pid"], master)
            self.assertGreater(worker["inherited"]["bytes"], 10000)
            self.assertGreater(worker["totals"]["live_bytes"], 128 * 96)  # connections, and their events

    def drive(self):
        self.configure()
        self.visits = 0
        starter = self.launch([self.program, "-c", self.place / "nginx.conf", "-p", self.place])
        self.write_down("it becomes a daemon", (starter.wait(), self.log()))
        master = int((self.place / "pid").read_text())
        first = self.workers(master)
        self.visit("at first")
        self.look(master)

        os.kill(master, signal.SIGHUP)
        wait_until(lambda: not set(first) & set(children(master)), "the old workers have ended")
        second = self.workers(master)
        self.visit("after a reload")
        os.kill(second[0], signal.SIGKILL)
        wait_until(lambda: second[0] not in children(master), "the worker is dead")
        self.workers(master)
        self.visit("after a worker's death")
        self.look(master)
        if self.traced:  # the daemon has no image before its first allocation: the reload has made some
            self.assertGreater(self.snapshot(master)["totals"]["live_bytes"], 10000)
        self.exchange(master)
        self.write_down("requests", sorted(self.log("access.log").splitlines()))
        errors = DIFFER.sub(b"", self.log("error.log")).splitlines()
        self.write_down("errors", sorted(line for line in errors if not re.match(rb"\[(notice|info)\]", line)))
        self.write_down("how workers ended", {line for line in errors if b" exited " in line and b"SIGCHLD" not in line})
        if self.traced:
            infos = self.left_snapshots()
            self.assertEqual({info["snapshot"]["trigger"] for info in infos}, {"exit"})
            self.assertEqual(len(infos), 3 + 3 * WORKERS)  # who became a daemon, two masters, workers less the killed one
            self.assertEqual(self.info(self.only(self.image_files()))["process"]["pid"], second[0])

    def exchange(self, master):
        """USR2 starts another master, that has the sockets; then the old one goes."""
        os.kill(master, signal.SIGUSR2)
        wait_until(lambda: (self.place / "pid.oldbin").exists() and (self.place / "pid").exists() and
                   (self.place / "pid").read_text().strip(), "another master")
        other = int((self.place / "pid").read_text())
        self.assertNotEqual(other, master)
        self.workers(other)
        os.kill(master, signal.SIGWINCH)
        wait_until(lambda: children(master) == [other], "the old workers have ended")
        self.quit(master)
        self.visit("after the exchange")
        self.look(other)
        self.quit(other)

    def quit(self, master):
        os.kill(master, signal.SIGQUIT)
        self.write_down("exit status", os.waitpid(master, 0)[1])

    def test_same_as_without_the_tracer(self):
        self.assert_same_as_without()


main()
