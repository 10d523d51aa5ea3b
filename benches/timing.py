"""What the benches share."""

import time

RUNS = 3


def fastest(work):
    """Seconds of the fastest of three calls, and the last answer."""
    took = []
    for _ in range(RUNS):
        began = time.perf_counter()
        answer = work()
        took.append(time.perf_counter() - began)
    return min(took), answer
