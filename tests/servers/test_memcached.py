"""memcached: its text protocol on four threads, evictions, many connections. What it says of every connection holds the
number of its descriptor, which the tracer must not change."""

import re
import signal
import socket
import threading

from server_test import ServerTest, find, main, wait_until

COMMANDS = [
    b"set key 5 0 5\r\nvalue\r\n", b"get key\r\n", b"gets key\r\n", b"append key 0 0 4\r\nmore\r\n", b"get key nothing\r\n",
    b"add key 0 0 1\r\nx\r\n", b"replace nothing 0 0 1\r\nx\r\n", b"set number 0 0 2\r\n98\r\n", b"incr number 5\r\n",
    b"decr number 200\r\n", b"incr key 1\r\n", b"cas key 0 0 1 1\r\nx\r\n", b"touch number 100\r\n", b"gat 100 number\r\n",
    b"delete number\r\n", b"delete number\r\n", b"mg key v f t\r\n", b"ms meta 3\r\nabc\r\n", b"mg meta v\r\n",
    b"set large 0 0 2000000\r\n" + b"x" * 2000000 + b"\r\n", b"get " + b"k" * 300 + b"\r\n", b"nosuchcommand\r\n",
    b"set key 0 0 many\r\n", b"verbosity\r\n", b"version\r\n",
]
CLIENTS = 8


class MemcachedTest(ServerTest):
    program = find("memcached")

    @staticmethod
    def until(connection, end):
        answer = b""
        while not answer.endswith(end):
            part = connection.recv(1 << 16)
            if not part:
                raise ConnectionError(f"closed after {answer!r}")
            answer += part
        return answer

    def ask(self, connection, *commands):
        """Answers to all, which a command with a known answer ends."""
        connection.sendall(b"".join(commands) + b"mn\r\n")
        return self.until(connection, b"MN\r\n")

    def statistics(self, connection, what=b""):
        connection.sendall(b"stats " + what + b"\r\n")
        return dict(re.findall(rb"STAT (\S+) (.*)\r\n", self.until(connection, b"END\r\n")))

    def work(self, number, answers):
        answer = b""
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as connection:
            for i in range(300):
                key, value = b"k%d.%d" % (number, i), b"%d," % (number * i) * (i % 50 + 1)
                answer += self.ask(connection, b"set %s 0 0 %d\r\n%s\r\nget %s\r\n" % (key, len(value), value, key))
        answers[number] = answer

    def drive(self):
        process = self.launch([self.program, "-vv", "-p", str(self.port), "-l", "127.0.0.1", "-U", "0", "-m", "24", "-t", "4",
                               "-u", "root", "-o", "no_lru_crawler,no_lru_maintainer,no_slab_reassign"])
        connection = self.first_connection(process)
        for command in COMMANDS:
            self.write_down(command[:60], self.ask(connection, command))
        self.write_down("log of one connection", self.log())
        answers = {}
        threads = [threading.Thread(target=self.work, args=(number, answers)) for number in range(CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.write_down("answers", [answers.get(number) for number in range(CLIENTS)])
        self.evict(process, connection)
        self.write_down("flush_all", self.ask(connection, b"flush_all\r\nget meta\r\n"))
        self.end_server(process)
        if self.traced:
            self.assertEqual([info["snapshot"]["trigger"] for info in self.left_snapshots()], ["signal", "exit"])

    def evict(self, process, connection):
        """More than it may keep: slabs of a mebibyte, which it counts too, then evictions."""
        malloced, live = int(self.statistics(connection, b"slabs")[b"total_malloced"]), self.live_bytes(process.pid)
        value = b"v" * 50000
        for i in range(1000):
            self.ask(connection, b"set big%d 0 0 50000\r\n%s\r\n" % (i, value))
        statistics = self.statistics(connection)
        for name in ("cmd_get", "cmd_set", "get_hits", "evictions", "curr_items", "total_items", "bytes", "threads"):
            self.write_down(name, statistics[name.encode()])
        self.assertGreater(int(statistics[b"evictions"]), 100)
        if self.traced:
            grown = int(self.statistics(connection, b"slabs")[b"total_malloced"]) - malloced
            self.assertGreater(grown, 10 << 20)
            self.assertAlmostEqual(self.live_bytes(process.pid) - live, grown, delta=1 << 20)
            process.send_signal(signal.SIGUSR2)
            wait_until(lambda: list(self.place.glob("*.hts")), "a snapshot on a signal")

    def test_same_as_without_the_tracer(self):
        self.assert_same_as_without()


main()
