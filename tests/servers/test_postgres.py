"""postgres: a cluster made, statements of many kinds, parallel workers, pgbench, and the death of a back-end, after which
the server ends all others and recovers. A process for each connection, which has an image and a snapshot of its own."""

import os
import pathlib
import re
import signal
import subprocess

from server_test import ServerTest, children, find, main, wait_until

STATEMENTS = r"""
create table item (id int primary key, kind text not null, price numeric(10, 2), data jsonb, words tsvector);
insert into item select i, 'kind ' || i % 17, i * 1.25, jsonb_build_object('n', i, 'tags', array['a' || i % 3, 'b' || i % 5]),
    to_tsvector('english', 'the number ' || i || ' runs running ran') from generate_series(1, 20000) i;
create index on item (kind, price);
create index on item using gin (data);
create index on item using gin (words);
create index on item using brin (id);
analyze item;
select kind, count(*), sum(price), md5(string_agg(id::text, ',' order by id)) from item group by kind order by kind;
select count(*) from item where data @> '{"tags": ["a1", "b2"]}';
select count(*) from item where words @@ to_tsquery('english', '777 & run');
select id, price, sum(price) over (partition by kind order by id rows 3 preceding) from item where id < 40 order by id;
select a.id, b.id from item a join item b on a.id = b.id * 2 and a.kind = b.kind order by a.id limit 10;
with recursive fib(a, b, n) as (select 0::numeric, 1::numeric, 0 union all select b, a + b, n + 1 from fib where n < 300)
    select max(a) from fib;
create function collatz(n bigint) returns int language plpgsql as $$
declare steps int := 0;
begin
    while n <> 1 loop
        n := case when n % 2 = 0 then n / 2 else 3 * n + 1 end;
        steps := steps + 1;
    end loop;
    return steps;
exception when others then return -1;
end $$;
select sum(collatz(i)) from generate_series(1, 2000) i;
do $$ begin for i in 1..500 loop begin perform 1 / (i % 2); exception when division_by_zero then null; end; end loop; end $$;
begin; savepoint a; update item set price = price * 2 where id % 2 = 0; rollback to a; delete from item where id > 19000; commit;
select count(*), sum(price) from item;
begin; declare c cursor for select id from item order by id desc; fetch 5 from c; move 1000 in c; fetch 2 from c; close c; commit;
set work_mem = '64kB';
select count(*) from (select id, md5(id::text) m from item order by m) s;
reset work_mem;
set max_parallel_workers_per_gather = 2; set parallel_setup_cost = 0; set parallel_tuple_cost = 0; set min_parallel_table_scan_size = 0;
explain (costs off) select count(*), sum(price) from item where kind > 'kind 3';
select count(*), sum(price) from item where kind > 'kind 3';
select count(regexp_replace(kind, '(\d)', '<\1>', 'g')), max(regexp_replace(kind, '(\d)', '<\1>', 'g')) from item;
select xpath('/a/b/text()', '<a><b>text</b><b>more</b></a>'::xml);
select nothing from item;
select 1 / 0;
prepare p(int) as select count(*) from item where id < $1; execute p(10); execute p(1000); execute p(5); deallocate p;
create temp table t as select generate_series(1, 50000) i; select count(distinct i % 1000) from t;
copy (select id, kind from item where id < 5) to stdout with (format csv, header);
vacuum full item;
cluster item using item_pkey;
notify nobody; listen somebody; notify somebody, 'payload'; unlisten *;
drop function collatz; select pg_size_pretty(pg_column_size(repeat('x', 100000))::bigint);
"""
DIFFER = re.compile(rb"\d{4}-\d\d-\d\d \S+ \S+|0/[0-9A-F]+|\d+(\.\d+)*")  # times, places in the log, numbers


class PostgresTest(ServerTest):
    program = find("/usr/lib/postgresql/*/bin/postgres", "postgres")
    unprivileged = True

    def tool(self, name, *words, **arguments):
        """A program of postgres', by its output: initdb is traced, clients are not."""
        environment = self.server_environment() if name == "initdb" else self.environment()
        done = subprocess.run([pathlib.Path(os.path.realpath(self.program)).parent / name, *words], cwd=self.place,
                              env={**environment, "PGHOST": str(self.place), "PGPORT": str(self.port), "PGUSER": "test",
                                   "PGDATABASE": "postgres"}, capture_output=True, timeout=100, **self.as_user, **arguments)
        return done.returncode, done.stdout, done.stderr

    def psql(self, statements):
        status, output, errors = self.tool("psql", "-X", "-a", "-f", "-", input=statements.encode())
        return status, re.sub(rb"with PID \d+", b"", output), errors

    def value(self, statement):
        status, output, errors = self.tool("psql", "-XAtqc", statement)
        self.assertEqual(status, 0, errors)
        return output.decode().strip()

    def session(self):
        """A back-end that stays: (psql's pipes, its pid, the bytes that it counts itself)."""
        psql = subprocess.Popen([pathlib.Path(os.path.realpath(self.program)).parent / "psql", "-XAtq", "-h", self.place, "-p",
                                 str(self.port), "-U", "test", "postgres"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, env=self.environment(), **self.as_user)
        self.addCleanup(self.end, psql)
        psql.stdin.write(b"create temp table mine as select generate_series(1, 1000) i; select count(*) from mine a, mine b;\n"
                         b"select pg_backend_pid(), sum(total_bytes) from pg_backend_memory_contexts;\n")
        psql.stdin.flush()
        self.assertEqual(psql.stdout.readline(), b"1000000\n")
        return psql, *map(int, psql.stdout.readline().split(b"|"))

    def look(self, master):
        """Every process of the server's has an image; a back-end's holds what its own account of its memory says, and more."""
        psql, back_end, counted = self.session()
        if self.traced:
            wait_until(lambda: set(children(master)) <= {int(path.name.split(".")[0]) for path in self.image_files()},
                       "an image of each process")
            for info in self.images_of(children(master)):
                self.assertEqual(info["process"]["parent_pid"], master)
                self.assertGreater(info["inherited"]["bytes"], 100_000)
            live = self.live_bytes(back_end)
            self.assertGreater(live, 0.9 * counted)
            self.assertLess(live, counted + (8 << 20))
        psql.communicate(timeout=30)
        self.write_down("psql", psql.returncode)

    def drive(self):
        status, output, errors = self.tool("initdb", "-D", self.place / "data", "-A", "trust", "-U", "test", "-N", "--locale=C")
        self.write_down("initdb", (status, output, errors))
        for path in [*self.place.glob("*.hts"), *self.image_files()]:  # of initdb, shells, and what they became
            self.info(path)
            path.unlink()
        process = self.launch([self.program, "-D", self.place / "data", "-k", self.place, "-p", str(self.port), "-c",
                               "listen_addresses=", "-c", "fsync=off", "-c", "shared_buffers=16MB", "-c", "autovacuum=off",
                               "-c", "log_checkpoints=off", "-c", "max_wal_size=1GB"])
        wait_until(lambda: process.poll() is not None or self.tool("psql", "-XAtqc", "select 1")[0] == 0, "postgres answers")
        self.assertIsNone(process.poll(), self.log())
        self.write_down("statements", self.psql(STATEMENTS))
        self.bench()
        self.look(process.pid)
        self.kill_back_end(process.pid)
        self.write_down("what is left", self.psql("select count(*), sum(price) from item; select sum(abalance) from pgbench_accounts;"))
        wait_until(lambda: not any(b"postgres: test " in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
                                   for pid in children(process.pid)), "back-ends have ended with their clients")
        self.end_server(process, signal.SIGINT)
        self.write_down("log", self.stable_log())
        if self.traced:
            infos = self.left_snapshots()
            self.assertEqual({info["snapshot"]["trigger"] for info in infos}, {"exit"})
            self.assertEqual(len({info["process"]["pid"] for info in infos}), len(infos))
            self.assertIn(process.pid, [info["process"]["pid"] for info in infos])
            for image in self.image_files():  # of those that were killed, by us and by the server
                self.assertEqual(self.info(image)["process"]["parent_pid"], process.pid)

    def bench(self):
        self.write_down("pgbench -i", self.tool("pgbench", "-i", "-q", "-s", "1")[0])
        self.write_down("pgbench", self.tool("pgbench", "-n", "-c", "4", "-j", "2", "-t", "60", "--random-seed=1")[0])
        for table, column in (("accounts", "abalance"), ("tellers", "tbalance"), ("history", "delta")):
            self.write_down(f"pgbench {table}", self.value(f"select count(*), sum({column}), count({column}) from pgbench_{table}"))

    def kill_back_end(self, master):
        psql, back_end, _ = self.session()
        os.kill(back_end, signal.SIGKILL)
        wait_until(lambda: b"reinitializing" in self.log(), "the server recovers")
        output, _ = psql.communicate(b"select 1;\n", timeout=30)  # it may or may not have seen the end before it asks
        self.write_down("psql, its back-end dead", (output, psql.returncode))
        wait_until(lambda: self.tool("psql", "-XAtqc", "select 1")[0] == 0, "postgres answers again")
        if self.traced:
            image = self.only(path for path in self.image_files() if path.name.startswith(f"{back_end}."))
            self.assertEqual(self.info(image)["process"]["parent_pid"], master)

    def stable_log(self):
        """Lines without times and numbers, sorted: processes write at once. Who came too early is told so, as often as asked."""
        lines = {DIFFER.sub(b"N", line) for line in self.log().splitlines()}
        return sorted(line for line in lines if not re.search(rb"redo done|the database system is|could not accept", line))

    def test_same_as_without_the_tracer(self):
        self.assert_same_as_without()


main()
