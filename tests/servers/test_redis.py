"""redis-server: its data types, scripts, BGSAVE and BGREWRITEAOF, which fork, and a restart from what they wrote."""

import re
import subprocess

from server_test import ServerTest, find, main, masked, wait_until

COMMANDS = r"""
SET string one
APPEND string two
GETRANGE string 1 -2
SETBIT bits 1000 1
BITCOUNT bits
BITFIELD field SET u8 8 200 INCRBY i5 100 7 GET u8 8
MSET a 1 b 2 c 3
INCRBY a 41
INCRBYFLOAT b 0.5
GETDEL c
RPUSH list 5 3 9 1 7
LINSERT list BEFORE 9 4
SORT list LIMIT 1 3 DESC
LMOVE list other LEFT RIGHT
LRANGE list 0 -1
SADD numbers 1 2 3 5 8 13
SADD odd 1 3 5 7
SINTERCARD 2 numbers odd
SINTER numbers odd
HSET hash name redis kind server
HGETALL hash
ZADD scores 3 three 1 one 2 two
ZRANGEBYSCORE scores (1 +inf WITHSCORES
ZADD more 10 one 20 four
ZUNIONSTORE all 2 scores more WEIGHTS 1 2
ZRANGE all 0 -1 REV WITHSCORES
XADD stream 1-1 field value
XADD stream 2-1 field other
XGROUP CREATE stream group 0
XREADGROUP GROUP group reader COUNT 1 STREAMS stream >
XPENDING stream group
PFADD visitors alice bob carol
PFCOUNT visitors
GEOADD places 13.361389 38.115556 Palermo 15.087269 37.502669 Catania
GEODIST places Palermo Catania km
EVAL "local sum = 0; for i = 1, 100000 do sum = sum + i % 7 end; return {sum, redis.call('get', KEYS[1]), cjson.encode({1, 'x'})}" 1 a
EVAL "return {err = 'an error of its own'}" 0
EVAL "local t = {}; for i = 1, 20000 do t[i] = string.rep('x', i % 97) end; return #table.concat(t)" 0
MULTI
SET inside 1
LPUSH inside 2
EXEC
OBJECT ENCODING hash
GET nothing
NOSUCHCOMMAND
HGET string field
DEBUG DIGEST
"""
SETTLED = ["rdb_bgsave_in_progress:0", "aof_rewrite_in_progress:0", "aof_rewrite_scheduled:0"]


class RedisTest(ServerTest):
    program = find("redis-server")

    def cli(self, *words, text=None):
        done = subprocess.run(["redis-cli", "-s", self.place / "socket", *words], input=text, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def start(self, log):
        process = self.launch([self.program, "--port", "0", "--unixsocket", self.place / "socket", "--daemonize", "no",
                               "--save", "", "--io-threads", "2", "--enable-debug-command", "yes", "--dir", self.place],
                              log=log)
        wait_until(lambda: process.poll() is not None or b"ready to accept connections at" in self.log(log),
                   "redis-server is ready")
        self.assertIsNone(process.poll(), self.log(log))
        return process

    def used_memory(self):
        return int(re.search(r"used_memory:(\d+)", self.cli("INFO", "memory"))[1])

    def fill(self, pid, count):
        """So many keys; of the growth that redis itself counts, in sizes of its allocator, the tracer sees what was asked for."""
        used, live = self.used_memory(), self.live_bytes(pid)
        self.cli(text="".join(f"SET key:{i} {'v' * (300 + i % 400)}\n" for i in range(count)))
        if self.traced:
            growth = self.live_bytes(pid) - live
            self.assertGreater(growth, count * 300)
            self.assertLess(growth, 1.02 * (self.used_memory() - used))

    def settle(self):
        def settled():
            state = self.cli("INFO", "persistence")
            return all(word in state for word in SETTLED) and state
        state = wait_until(settled, "redis' children have ended")
        for name in ("rdb_last_bgsave_status", "aof_last_bgrewrite_status"):
            self.write_down(name, re.search(rf"{name}:(\w+)", state)[1])

    def fork(self, pid, command):
        before = set(self.image_files())
        answer = self.cli(command)
        self.assertIn("started", answer)
        self.settle()
        if self.traced:  # the child ends by _exit, and leaves its image
            child = self.info(self.only(set(self.image_files()) - before))
            self.assertEqual(child["process"]["parent_pid"], pid)
            self.assertGreater(child["inherited"]["bytes"], 5000 * 300)

    def drive(self):
        process = self.start("log")
        self.write_down("answers", self.cli(text=COMMANDS))
        self.fill(process.pid, 5000)
        self.fork(process.pid, "BGSAVE")
        self.fork(process.pid, "BGREWRITEAOF")
        benchmark = subprocess.run(["redis-benchmark", "-s", self.place / "socket", "-q", "-n", "2000", "-c", "20", "-P", "4",
                                    "-t", "set,get,incr,lpush,sadd,hset,zadd,lrange_100"], capture_output=True)
        self.write_down("redis-benchmark", (benchmark.returncode, benchmark.stderr))
        self.cli("DEL", "counter:__rand_int__", "key:__rand_int__", "mylist", "myset", "myhash", "myzset")
        self.write_down("digest", self.cli("DEBUG", "DIGEST"))
        self.cli("SHUTDOWN", "SAVE")
        self.write_down("exit status", process.wait())

        process = self.start("second log")
        self.write_down("digest of what was saved", self.cli("DEBUG", "DIGEST"))
        self.write_down("DEBUG RELOAD", self.cli("DEBUG", "RELOAD"))
        self.write_down("digest after that", self.cli("DEBUG", "DIGEST"))
        self.end_server(process)
        self.write_down("logs", [masked(self.log(name)) for name in ("log", "second log")])
        if self.traced:
            self.assertEqual(len(self.left_snapshots()), 2)

    def test_same_as_without_the_tracer(self):
        self.assert_same_as_without()


main()
