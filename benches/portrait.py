"""One call, one portrait: how long a reader waits.

Usage: python3 benches/portrait.py --yizhan target/release/yizhan --data DIR [--calls 1000] [--now WHEN]
DIR is the data folder of a built demonstration (`yizhan demo --build-only --students 40000 --data DIR`). The server is
started on a free port, a psychologist logs in, and portraits of students drawn by a fixed seed are asked for one after
the other over one connection.
"""

import argparse
import http.client
import json
import random
import socket
import subprocess
import time
from pathlib import Path


def free_port():
    with socket.socket() as it:
        it.bind(("127.0.0.1", 0))
        return it.getsockname()[1]


def main():
    flags = argparse.ArgumentParser()
    flags.add_argument("--yizhan", required=True)
    flags.add_argument("--data", required=True)
    flags.add_argument("--calls", type=int, default=1000)
    flags.add_argument("--account", default="psychologist")
    flags.add_argument("--password", default="yizhan-demo")
    flags.add_argument("--now", help="the instant that the server believes, where the lake is no demonstration's")
    flags = flags.parse_args()
    port = free_port()
    server = subprocess.Popen(
        [flags.yizhan, "serve", "--data", flags.data, "--listen", f"127.0.0.1:{port}", *(["--now", flags.now] if flags.now else [])],
        stderr=subprocess.DEVNULL,
    )
    try:
        line = http.client.HTTPConnection("127.0.0.1", port)
        for _ in range(600):
            try:
                line.request("GET", "/api/v1/health")
                line.getresponse().read()
                break
            except OSError:
                line.close()
                time.sleep(0.1)
        credentials = json.dumps({"account": flags.account, "password": flags.password})
        line.request("POST", "/api/v1/login", credentials, {"content-type": "application/json", "x-yizhan": "1"})
        answer = line.getresponse()
        answer.read()
        cookie = answer.getheader("set-cookie").split(";")[0]

        def get(path):
            line.request("GET", path, headers={"cookie": cookie})
            answer = line.getresponse()
            body = answer.read()
            assert answer.status == 200, (path, answer.status, body[:200])
            return body

        keys, after = [], ""
        while len(keys) < 4000:
            page = json.loads(get(f"/api/v1/students?limit=500{after}"))
            keys += [it["student_key"] for it in page["rows"]]
            if page["next"] is None:
                break
            after = f"&after={page['next']}"
        chance = random.Random(1)
        for key in chance.sample(keys, min(20, len(keys))):
            get(f"/api/v1/students/{key}/portrait")
        waits, size = [], 0
        for _ in range(flags.calls):
            since = time.perf_counter()
            size += len(get(f"/api/v1/students/{chance.choice(keys)}/portrait"))
            waits.append(1000 * (time.perf_counter() - since))
        waits.sort()
        at = lambda share: waits[min(len(waits) - 1, int(share * len(waits)))]
        status = Path(f"/proc/{server.pid}/status").read_text()
        peak = next(it.split()[1] for it in status.splitlines() if it.startswith("VmHWM"))
        print(f"{flags.calls} portraits of {size // flags.calls} bytes: p50 {at(0.5):.1f} ms, p95 {at(0.95):.1f} ms, "
              f"p99 {at(0.99):.1f} ms, worst {waits[-1]:.1f} ms; server peak {int(peak) // 1024} MB")
    finally:
        server.terminate()
        server.wait(30)


if __name__ == "__main__":
    main()
