"""How fast random lives are: lives and virtual time per second of CPU, on one core.

    python bench/fuzz.py [--lives 60] [--seed 0]

What else the machine does hardly counts: it is the CPU time of this process. A campaign of `memgraph-ha sim fuzz`
plays one life per core at a time, so that its pace is this, times the number of idle cores.
"""

import argparse
import gc
import time

from memgraph_ha.sim.fuzz.life import live


def main() -> None:
    """Play them and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lives", type=int, default=60, help="how many (default 60)")
    parser.add_argument("--seed", type=int, default=0, help="of the first one (default 0)")
    given = parser.parse_args()
    live(given.seed)  # whatever is imported on first use is, and every pattern compiled
    gc.collect()
    gc.freeze()
    begun_s = time.process_time()
    outcomes = [live(seed) for seed in range(given.seed, given.seed + given.lives)]
    took_s = time.process_time() - begun_s
    virtual_s = sum(outcome.seconds for outcome in outcomes)
    faults = sum(count for outcome in outcomes for _, count in outcome.faults)
    print(f"{given.lives / took_s:.1f} lives per CPU second, each {took_s / given.lives * 1000:.0f} ms")
    print(f"{virtual_s / 3600 / took_s:.3f} cluster hours per CPU second, a life lasts {virtual_s / given.lives:.0f} s")
    print(f"{faults / took_s:.0f} faults per CPU second, a life has {faults / given.lives:.1f}")
    print(f"{sum(outcome.is_find for outcome in outcomes)} finds")


if __name__ == "__main__":
    main()
