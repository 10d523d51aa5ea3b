"""The stream: how many events a second, how soon each is answered for, how soon a page shows it, how memory goes.

Usage: python3 benches/stream.py --yizhan target/release/yizhan --data DIR [--only http,nats,steady,single,screen,memory]
DIR is the data folder of a built demonstration (`yizhan demo --build-only --students 2000 --days 61 --data DIR`); `screen`
and `memory` push into it, the others into a project of their own. The program is one process on two cores, its log and its
lake are synced. Each part prints one JSON object:

- `http`: events a second that were answered for, in bodies of lines over several connections, while commits go on;
- `nats`: a stream of JetStream that was filled before, until the table's own log has the position of its end;
- `steady`: how long an answer takes at 2,000 events a second. Requests begin at their time whether or not those before
  them were answered, and what they wait for a connection counts;
- `single`: the same with one event a request, as gates send that gather nothing. The client is one thread of Python on the
  same machine: how late it began its own requests (`client_*`) and how many it got answered a second are
  told with it. Where it was late, the answers are no measure of the server;
- `screen`: from a push to the word of the live stream that something changed, and to the page's data that show it, asked for
  as late after the word as a page asks; with `--table` and `--path` of a list, that list;
- `memory`: resident memory of the server, each second, while a campus plays into it at twenty times its speed; growth is
  that of the middle of the last third against the middle of the first.
"""

import argparse
import asyncio
import contextlib
import http.client
import json
import os
import pathlib
import random
import shutil
import socket
import statistics
import subprocess
import tempfile
import threading
import time

LINE = (
    '{"device_id":"%s","event_seq":%%d,"event_ms":%d,"sent_ms":%d,"person_id":"20250%05d","direction":"in","method":"card"}'
)


def tell(part, **figures):
    print(json.dumps({"bench": f"stream.{part}", **figures}), flush=True)


def free_port():
    with socket.socket() as it:
        it.bind(("127.0.0.1", 0))
        return it.getsockname()[1]


def at(sorted_values, share):
    return round(sorted_values[min(len(sorted_values) - 1, int(share * len(sorted_values)))], 2)


def milliseconds(waits):
    waits = sorted(1000 * it for it in waits)
    return {"p50_ms": at(waits, 0.5), "p95_ms": at(waits, 0.95), "p99_ms": at(waits, 0.99), "worst_ms": round(waits[-1], 2)}


def two_cores():
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])


class Bodies:
    """Bodies of so many lines; numbers go up, so that no event comes twice."""

    def __init__(self, device, n):
        now = int(time.time() * 1000)
        lines = [LINE % (device, now - 60_000, now - 60_000, person % 300) for person in range(n)]
        self.template, self.n, self.next = "\n".join(lines), n, 0

    def body(self):
        self.next += self.n
        return (self.template % tuple(range(self.next - self.n, self.next))).encode()


@contextlib.contextmanager
def served(flags, *args, settings=()):
    """A server; its address and its process."""
    port = free_port()
    sets = [it for key, value in settings for it in ("--set", f"{key}={value}")]
    command = [flags.yizhan, *sets, *map(str, args), "serve", "--listen", f"127.0.0.1:{port}"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=two_cores)
    try:
        for _ in range(1200):
            line = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            try:
                line.request("GET", "/api/v1/health")
                line.getresponse().read()
                break
            except OSError:
                if process.poll() is not None:
                    raise SystemExit(f"the server ended with {process.returncode}: {' '.join(command)}")
                time.sleep(0.1)
            finally:
                line.close()
        yield port, process
    finally:
        process.terminate()
        process.wait(300)


def token(flags, *args, settings=()):
    sets = [it for key, value in settings for it in ("--set", f"{key}={value}")]
    name = f"bench-{time.time_ns()}"
    command = [flags.yizhan, *sets, *map(str, args), "token", "add", name, "--pipeline", "gate_event", "--pipeline", "device_heartbeat"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@contextlib.contextmanager
def project(flags, more="", commit_seconds=2):
    """A project of its own that takes events without an approval."""
    folder = pathlib.Path(tempfile.mkdtemp(dir=flags.folder))
    try:
        text = f'packs = ["campus"]\n[store]\nmint = 7\n[ingest]\napprovals = "off"\n[stream]\ncommit_seconds = {commit_seconds}\n{more}'
        (folder / "yizhan.toml").write_text(text)
        yield folder
    finally:
        shutil.rmtree(folder)


def commits(folder):
    return len(list((folder / "data/lake/raw_gate_event/_delta_log").glob("*.json")))


def in_table(flags, folder):
    query = "SELECT count(*) AS n FROM raw_gate_event"
    command = [flags.yizhan, "--project", folder, "sql", query, "--format", "json"]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)["n"]


class Line:
    """A connection that is kept."""

    @classmethod
    async def open(cls, port):
        it = cls()
        it.reader, it.writer = await asyncio.open_connection("127.0.0.1", port)
        return it

    async def push(self, head, body):
        """Status of the answer, and the seconds that it asks to wait."""
        self.writer.write(head + b"content-length: %d\r\n\r\n" % len(body) + body)
        await self.writer.drain()
        answer = (await self.reader.readuntil(b"\r\n\r\n")).decode().lower()
        headers = dict(it.split(": ", 1) for it in answer.split("\r\n")[1:] if ": " in it)
        await self.reader.readexactly(int(headers.get("content-length", 0)))
        return int(answer.split(" ", 2)[1]), float(headers.get("retry-after", 0))


def head(secret):
    lines = ["POST /api/v1/events/gate_event HTTP/1.1", "host: 127.0.0.1", f"authorization: Bearer {secret}"]
    return "\r\n".join([*lines, "content-type: application/x-ndjson", ""]).encode()


def part_http(flags):
    with project(flags) as folder:
        secret = token(flags, "--project", folder)
        with served(flags, "--project", folder) as (port, process):
            counts = {"events": 0, "requests": 0, "waits": 0}
            began = time.perf_counter()

            async def sender(nth):
                line, bodies = await Line.open(port), Bodies(f"B{nth}", flags.batch)
                body = bodies.body()
                while time.perf_counter() - began < flags.seconds:
                    status, wait = await line.push(head(secret), body)
                    counts["requests"] += 1
                    if status == 202:
                        counts["events"] += bodies.n
                        body = bodies.body()
                    elif status in (429, 503):
                        counts["waits"] += 1
                        await asyncio.sleep(min(wait, 1))
                    else:
                        raise SystemExit(f"the door answered {status}")

            async def all_of_them():
                await asyncio.gather(*(sender(nth) for nth in range(flags.connections)))

            asyncio.run(all_of_them())
            took, made, rss = time.perf_counter() - began, commits(folder), resident(process.pid) // 1024
        # What was answered for and refused would be fast as well.
        rows = in_table(flags, folder)
        tell("http", events_a_second=round(counts["events"] / took), seconds=round(took, 1), connections=flags.connections,
             batch=flags.batch, commits=made, **counts, rows_in_table=rows, rss_mib=rss)
        if rows != counts["events"]:
            raise SystemExit(f"{counts['events']} events were answered for, {rows} are in the table")


def part_nats(flags):
    import nats

    program = shutil.which("nats-server") or "/usr/sbin/nats-server"
    port = free_port()
    with contextlib.ExitStack() as stack:
        store = stack.enter_context(tempfile.TemporaryDirectory(dir=flags.folder))
        broker = subprocess.Popen([program, "-js", "-a", "127.0.0.1", "-p", str(port), "-sd", store], stderr=subprocess.DEVNULL)
        stack.callback(broker.wait)
        stack.callback(broker.terminate)
        address = f"nats://127.0.0.1:{port}"

        async def fill():
            for _ in range(100):
                with contextlib.suppress(OSError):
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                await asyncio.sleep(0.1)
            client = await nats.connect(address)
            stream = client.jetstream()
            await stream.add_stream(name="BENCH", subjects=["bench.events"])
            bodies = Bodies("N0", 1)
            for n in range(1, flags.messages + 1):
                await client.publish("bench.events", bodies.body())
                # What is published faster than the broker writes is lost without a word.
                if n % 5000 == 0:
                    while (await stream.stream_info("BENCH")).state.messages < n:
                        await asyncio.sleep(0.01)
            while (kept := (await stream.stream_info("BENCH")).state.messages) < flags.messages:
                await asyncio.sleep(0.05)
            await client.close()
            return kept

        kept = asyncio.run(fill())
        door = f'[[stream.nats]]\nname = "bench"\nurl = "{address}"\nstream = "BENCH"\npipeline = "gate_event"\nsubjects = ["bench.events"]\n'
        folder = stack.enter_context(project(flags, door))
        port, process = stack.enter_context(served(flags, "--project", folder))
        began = time.perf_counter()
        log = folder / "data/lake/raw_gate_event/_delta_log"
        reached, seen = 0, set()
        while reached < kept and time.perf_counter() - began < 3600:
            for entry in sorted(set(log.glob("*.json")) - seen):
                actions = [json.loads(it) for it in entry.read_text().splitlines()]
                found = [it["txn"]["version"] for it in actions if it.get("txn", {}).get("appId") == "nats/bench/bench.events"]
                reached = max([reached, *found])
                seen.add(entry)
            time.sleep(0.02)
        took = time.perf_counter() - began
        tell("nats", events_a_second=round(reached / took), seconds=round(took, 1), events=reached, commits=len(seen),
             rss_mib=resident(process.pid) // 1024)


def paced(flags, part, requests, events, connections):
    """So many requests a second of so many events each, over so many connections, under the settings that the product has.

    A wait begins when the request was due, so the generator's own delay is in it; `sent_` begins when it was sent.
    """
    with project(flags, commit_seconds=30) as folder:
        secret = token(flags, "--project", folder)
        with served(flags, "--project", folder) as (port, _):
            bodies, waits, late, refused, took = Bodies("S0", events), [], [], 0, 0.0
            answered = []

            async def flow():
                nonlocal took
                lines = asyncio.Queue()
                for _ in range(connections):
                    lines.put_nowait(await Line.open(port))
                began = time.perf_counter() + 0.1

                async def one(due, body):
                    nonlocal refused
                    line = await lines.get()
                    sent = time.perf_counter()
                    status, _ = await line.push(head(secret), body)
                    lines.put_nowait(line)
                    if status == 202:
                        waits.append(time.perf_counter() - due)
                        answered.append(time.perf_counter() - sent)
                    else:
                        refused += 1

                tasks = []
                for nth in range(requests * flags.steady_seconds):
                    due, body = began + nth / requests, bodies.body()
                    await asyncio.sleep(max(0, due - time.perf_counter()))
                    late.append(time.perf_counter() - due)
                    tasks.append(asyncio.create_task(one(due, body)))
                await asyncio.gather(*tasks)
                took = time.perf_counter() - began

            asyncio.run(flow())
            client = {f"client_{key}": it for key, it in milliseconds(late).items() if key in ("p50_ms", "p99_ms")}
            client |= {f"sent_{key}": it for key, it in milliseconds(answered).items() if key in ("p50_ms", "p99_ms")}
            tell(part, requests_a_second=requests, events_a_second=requests * events, seconds=flags.steady_seconds,
                 requests=len(waits), refused=refused, answered_a_second=round(len(waits) / took), commits=commits(folder),
                 **client, **milliseconds(waits))


def part_steady(flags):
    paced(flags, "steady", 100, 20, 32)


def part_single(flags):
    # Of one pipeline the server holds eight at once (`requests_max`): more are asked to come again, and told as refused.
    paced(flags, "single", 2000, 1, 8)


def login(port, account):
    line = http.client.HTTPConnection("127.0.0.1", port)
    credentials = json.dumps({"account": account, "password": "yizhan-demo"})
    line.request("POST", "/api/v1/login", credentials, {"content-type": "application/json", "x-yizhan": "1"})
    answer = line.getresponse()
    answer.read()
    if answer.status != 200:
        raise SystemExit(f"{account} cannot log in: {answer.status}")
    return answer.getheader("set-cookie").split(";")[0]


class Listener(threading.Thread):
    """Keeps what the live stream says, with the instant at which it said it."""

    def __init__(self, port, cookie):
        super().__init__(daemon=True)
        line = http.client.HTTPConnection("127.0.0.1", port)
        line.request("GET", "/api/v1/live", headers={"cookie": cookie})
        self.answer, self.told, self.changed = line.getresponse(), [], threading.Condition()
        self.start()

    def run(self):
        name, data = "", {}
        for raw in self.answer:
            key, _, value = raw.decode().rstrip("\n").partition(": ")
            if key == "event":
                name = value
            elif key == "data":
                data = json.loads(value)
            elif not key:
                with self.changed:
                    self.told.append((time.perf_counter(), name, data.get("id")))
                    self.changed.notify_all()

    def after(self, since, name, identity, patience):
        """The instant of the first such word after another instant."""
        with self.changed:
            is_it = lambda it: since < it[0] and it[1] == name and (identity is None or it[2] == identity)
            self.changed.wait_for(lambda: any(map(is_it, self.told)), patience)
            return next((it[0] for it in self.told if is_it(it)), None)


def page_delay(table):
    """How long a page gathers words before it asks: `refresh` in dashboards/src/live.ts."""
    return 0.3 + random.random() * 1.5 if (table or "").startswith("cockpit_") else random.random() * 0.1


def part_screen(flags):
    """With --table and --path of another page, what it shows counts once its data differ from those before the push.

    A live list: `--table list_late_tonight --path /api/v1/lists/late_tonight`, by an account that reads it. A list that says
    nothing new of a push tells no word, and the push is counted as missed: play passages that the list is of beside it.
    """
    settings = [("ingest.approvals", '"off"')]
    secret = token(flags, "--data", flags.data, settings=settings)
    with served(flags, "--data", flags.data, settings=settings) as (port, _):
        cookie = login(port, flags.account)
        listener, line = Listener(port, cookie), http.client.HTTPConnection("127.0.0.1", port)
        topic = "table" if flags.table else "pipelines"

        def shown():
            line.request("GET", flags.path, headers={"cookie": cookie})
            body = line.getresponse().read()
            if flags.table:
                return body
            row = next(it for it in json.loads(body)["rows"] if it["pipeline"] == "gate_event")
            return row["occurred_at"]

        heard, seen, missed = [], [], 0
        bodies = Bodies(f"L{time.time_ns()}", 1)
        # As a page does: it asks when it is opened, and from then on once for every word and as late as a page does, never
        # by itself.
        before = shown()
        for _ in range(flags.pushes):
            # The page tells whole seconds, so that two pushes of one would look alike.
            time.sleep(1)
            pushed = http.client.HTTPConnection("127.0.0.1", port)
            bodies.template = LINE % ("L0", int(time.time() * 1000), int(time.time() * 1000), 1)
            since = time.perf_counter()
            pushed.request("POST", "/api/v1/events/gate_event", bodies.body(),
                           {"authorization": f"Bearer {secret}", "content-type": "application/x-ndjson"})
            assert pushed.getresponse().status == 202
            told = word = listener.after(since, topic, flags.table, flags.patience)
            # A word that came before the data changed is followed by another.
            now = before
            while word is not None:
                time.sleep(page_delay(flags.table))
                now = shown()
                if now != before:
                    break
                word = listener.after(word, topic, flags.table, flags.patience)
            if word is None:
                missed += 1
                before = shown()
                continue
            before = now
            heard.append(told - since)
            seen.append(time.perf_counter() - since)
        parts = {f"told_{key}": it for key, it in milliseconds(heard).items()} if heard else {}
        parts |= {f"shown_{key}": it for key, it in milliseconds(seen).items()} if seen else {}
        tell("screen", topic=topic, path=flags.path, pushes=flags.pushes, missed=missed, **parts)


def resident(pid):
    """Resident memory in KiB."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(next(it.split()[1] for it in status.splitlines() if it.startswith("VmRSS")))


def part_memory(flags):
    settings = [("ingest.approvals", '"off"'), ("stream.commit_seconds", 5)]
    secret = token(flags, "--data", flags.data, settings=settings)
    with served(flags, "--data", flags.data, settings=settings) as (port, process):
        play = [flags.yizhan, "simulate", "--students", "2000", "--days", "2", "--seed", "3", "--live", f"http://127.0.0.1:{port}"]
        campus = subprocess.Popen([*map(str, play), "--speed", "20", "--token", secret], stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL)
        try:
            samples, began = [], time.monotonic()
            while time.monotonic() - began < 60 * flags.minutes:
                samples.append((time.monotonic() - began, resident(process.pid)))
                time.sleep(1)
            is_playing = campus.poll() is None
        finally:
            campus.terminate()
            campus.wait(30)
        # The first third is the warming up.
        late = [it for it in samples if 20 * flags.minutes < it[0]]
        slope = statistics.linear_regression([it[0] / 60 for it in late], [it[1] for it in late]).slope
        sizes = [it[1] for it in samples]
        third = max(1, len(sizes) // 3)
        growth = statistics.median(sizes[-third:]) - statistics.median(sizes[:third])
        tell("memory", minutes=flags.minutes, speed=20, is_playing_at_the_end=is_playing, first_mib=sizes[0] // 1024,
             peak_mib=max(sizes) // 1024, last_mib=sizes[-1] // 1024, slope_kib_a_minute=round(slope),
             growth_first_to_last_third_mib=round(growth / 1024, 1), campus_minutes=20 * flags.minutes,
             each_second_mib=[it // 1024 for it in sizes])


PARTS = {"http": part_http, "nats": part_nats, "steady": part_steady, "single": part_single,
         "screen": part_screen, "memory": part_memory}


def main():
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--yizhan", type=pathlib.Path, required=True)
    flags.add_argument("--data", type=pathlib.Path, help="of a demonstration, for screen and memory")
    flags.add_argument("--folder", type=pathlib.Path, help="where the projects of its own stand: the disk that is measured")
    flags.add_argument("--only", default=",".join(PARTS))
    flags.add_argument("--seconds", type=int, default=60)
    flags.add_argument("--connections", type=int, default=4)
    flags.add_argument("--batch", type=int, default=500)
    flags.add_argument("--messages", type=int, default=500_000)
    flags.add_argument("--steady-seconds", type=int, default=60)
    flags.add_argument("--pushes", type=int, default=100)
    flags.add_argument("--patience", type=float, default=60)
    flags.add_argument("--account", default="administrator")
    flags.add_argument("--table", help="the screen of this table instead of that of pipelines")
    flags.add_argument("--path", default="/api/v1/pipelines", help="what that page reads")
    flags.add_argument("--minutes", type=float, default=3)
    flags = flags.parse_args()
    flags.yizhan = flags.yizhan.resolve()
    for name in flags.only.split(","):
        PARTS[name](flags)


if __name__ == "__main__":
    main()
