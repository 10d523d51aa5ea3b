"""One more day beside everything anew: what a night costs when the lake is full already.

Usage: python3 benches/day.py --yizhan target/release/yizhan [--students 40000] [--days 180] [--folder DIR]
A campus is simulated, all but its last day is taken in and built, then the last day. Each step is told with its wall
seconds, processor seconds and peak memory; the last line is the share of the incremental day in the full build.
"""

import argparse
import datetime
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).parent.parent
FIRST = datetime.date(2025, 9, 1)


def step(name, *command):
    """Runs a command; returns its wall seconds after printing them with processor seconds and peak memory."""
    since = time.perf_counter()
    process = subprocess.Popen([str(it) for it in command], cwd=ROOT, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - since
    if status:
        raise SystemExit(f"{name} failed: {' '.join(map(str, command))}")
    print(f"{name:28} {wall:8.1f} s wall, {used.ru_utime + used.ru_stime:8.1f} s processor, {used.ru_maxrss // 1024:6} MB peak", flush=True)
    return wall


def move(source, target, is_wanted):
    for path in [it for it in source.rglob("*") if it.is_file() and is_wanted(it.name)]:
        place = target / path.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(path, place)


def bench(flags, folder):
    raw, aside, data = folder / "raw", folder / "aside", folder / "data"
    last = FIRST + datetime.timedelta(days=flags.days - 1)
    # What is exported after a day is over carries its date and comes in the night after.
    nights = [f"{it}T04:00:00+08:00" for it in (last, last + datetime.timedelta(days=1))]
    yizhan = flags.yizhan.resolve()
    step("simulate", yizhan, "simulate", "--students", flags.students, "--days", flags.days, "--out", raw)
    move(raw, aside, lambda name: last.strftime("%Y%m%d") in name)
    step("take in all but one day", yizhan, "ingest", "--input", raw, "--data", data, "--now", nights[0])
    full = step("build it", yizhan, "transform", "--data", data, "--now", nights[0])
    move(aside, raw, lambda name: True)
    step("take in the last day", yizhan, "ingest", "--input", raw, "--data", data, "--now", nights[1])
    day = step("build the last day", yizhan, "transform", "--data", data, "--now", nights[1])
    print(f"{flags.students} students, {flags.days} days: one more day is {100 * day / full:.1f} % of the full build")


def main():
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--yizhan", type=pathlib.Path, required=True)
    flags.add_argument("--students", type=int, default=40000)
    flags.add_argument("--days", type=int, default=180)
    flags.add_argument("--folder", type=pathlib.Path, help="where the campus and the lake stay; otherwise they are removed")
    flags = flags.parse_args()
    if flags.folder:
        flags.folder.mkdir(parents=True, exist_ok=True)
        return bench(flags, flags.folder)
    with tempfile.TemporaryDirectory() as folder:
        bench(flags, pathlib.Path(folder))


main()
