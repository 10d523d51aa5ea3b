"""Orderliness, regularity and co-occurrence: ours beside plain Python on the same rows, answers compared first.

Usage: python3 benches/measures.py --example target/release/examples/measure_speed [--students 2000] [--ours 40000]
Ours runs once at the size that Python can bear and once at that of a large university; Python runs at the first only.
"""

import argparse
import math
import re
import resource
import subprocess
import tempfile
import time
from collections import defaultdict
from pathlib import Path


def ours(students, example, folder=None):
    """Runs the example and returns what it says: (seconds, mean or edges) by measure, and the peak in MB."""
    said = subprocess.run([example, str(students), *([str(folder)] if folder else [])], check=True, capture_output=True, text=True).stdout
    print(said, end="")
    lines = said.splitlines()
    seconds = [float(re.search(r": ([0-9.]+) s", it).group(1)) for it in lines]
    means = [float(re.search(r"mean (-?[0-9.]+)", it).group(1)) for it in lines[:2]]
    edges = int(re.search(r"\((\d+) edges", lines[2]).group(1))
    return seconds, [*means, edges], int(re.search(r"peak (\d+) MB", lines[2]).group(1))


def entropy(sequence):
    """Lempel-Ziv entropy; the longest match shrinks by one at most from place to place."""
    text = "".join(chr(0x4E00 + it) for it in sequence)
    n, total, length = len(text), 0, 0
    for at in range(n):
        length = max(length - 1, 0)
        while at + length < n and text[at:at + length + 1] in text[:at]:
            length += 1
        total += min(length + 1, n - at)
    return math.log(n) / (total / n)


def regularity(passages):
    """Minutes in equal state of two days in a row, a day as one number of 1440 bits."""
    days = defaultdict(list)
    for day, minute, is_in in passages:
        days[day].append((minute, is_in))
    whole, masks = (1 << 1440) - 1, {}
    for day, its in days.items():
        its.sort()
        mask, state, since = 0, not its[0][1], 0
        for minute, is_in in [*its, (1440, False)]:
            if state:
                mask |= ((1 << (minute - since)) - 1) << since
            state, since = is_in, minute
        masks[day] = mask
    pairs = [day for day in masks if day + 1 in masks]
    equal = sum(bin(~(masks[day] ^ masks[day + 1]) & whole).count("1") for day in pairs)
    return -100 + 200 * equal / (1440 * len(pairs))


def poisson_tail(k, mean):
    """Chance of k or more, summed upwards from k so that small tails keep their digits."""
    term = math.exp(-mean + k * math.log(mean) - math.lgamma(k + 1)) if mean > 0 else 0.0
    total, j = term, k
    while term > total * 1e-17 and term > 0:
        j += 1
        term *= mean / j
        total += term
    return min(total, 1.0)


def edges(swipes, window=60, meetings_min=3, q_max=0.05):
    """Pairs who eat together more often than their slots explain."""
    slots = defaultdict(dict)
    for student, meal, group, at in swipes:
        slot = slots[meal, group]
        slot[student] = min(slot.get(student, at), at)
    chance, met, seen = {}, defaultdict(set), defaultdict(list)
    for slot, at in slots.items():
        order = sorted((time, student) for student, time in at.items())
        near, left = 0, 0
        for right, (time, student) in enumerate(order):
            while time - order[left][0] > window:
                left += 1
            near += right - left
            for _, other in order[left:right]:
                met[min(student, other), max(student, other)].add(slot[0])
            seen[student].append(slot)
        n = len(order)
        chance[slot] = 2 * near / (n * (n - 1)) if n > 1 else 0.0
    pairs, tested = len(seen) * (len(seen) - 1) // 2, []
    for (u, v), meals in met.items():
        if len(meals) >= meetings_min:
            by_meal = defaultdict(float)
            for slot in set(seen[u]) & set(seen[v]):
                by_meal[slot[0]] += chance[slot]
            tested.append(poisson_tail(len(meals), sum(min(1.0, it) for it in by_meal.values())))
    tested.sort()
    found, q = 0, 1.0
    for at in range(len(tested) - 1, -1, -1):
        q = min(q, tested[at] * pairs / (at + 1))
        found += q <= q_max
    return found


def timed(name, function, rows):
    since = time.perf_counter()
    answer = function(rows)
    seconds = time.perf_counter() - since
    return name, seconds, answer


def main():
    flags = argparse.ArgumentParser()
    flags.add_argument("--students", type=int, default=2000)
    flags.add_argument("--ours", type=int, default=40000)
    flags.add_argument("--example", required=True, help="the built example of crates/portrait")
    flags = flags.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        seconds, answers, peak = ours(flags.students, flags.example, folder)
        text = {it: (Path(folder) / f"{it}.txt").read_text().splitlines() for it in ["sequences", "passages", "swipes"]}
    sequences = [[int(it) for it in line.split()] for line in text["sequences"]]
    passages = [[(int(d), int(m), i == "1") for d, m, i in (it.split(":") for it in line.split())] for line in text["passages"]]
    swipes = [tuple(int(it) for it in line.split()) for line in text["swipes"]]
    mean = lambda function: lambda rows: sum(function(it) for it in rows) / len(rows)
    theirs = [timed("orderliness", mean(entropy), sequences), timed("presence regularity", mean(regularity), passages),
              timed("co-occurrence", edges, swipes)]
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"\n{flags.students} students: ours {peak} MB, plain Python {memory} MB")
    for (name, python, answer), own, expected in zip(theirs, seconds, answers):
        assert abs(answer - expected) < 1e-6, f"{name}: {answer} is not {expected}"
        print(f"{name:20} ours {own:8.2f} s   Python {python:8.2f} s   {python / max(own, 0.005):8.0f} times")
    print(f"\n{flags.ours} students, ours:")
    ours(flags.ours, flags.example)


if __name__ == "__main__":
    main()
