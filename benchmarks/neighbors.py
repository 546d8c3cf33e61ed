"""Unit rows to a table: what do all nearest neighbours cost, exact and by an inverted file?

    python -m benchmarks.neighbors [--sizes 16000 50000 100000] [--dimension 96] [--device cuda]

Rows are noisy copies of topic centres, the noise as strong as the topic, so that neighbours are
neither given away nor random.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from benchmarks.gold import print_table
from miner.vectors.neighbors import find_neighbors, group_families, unit_rows

PER_TOPIC = 50


def make_rows(size: int, dimension: int, *, seed: int = 0) -> np.ndarray:
    """Return float32 unit rows (size, dimension) around size / 50 topics."""
    rng = np.random.default_rng(seed)
    centers = unit_rows(rng.standard_normal((max(size // PER_TOPIC, 1), dimension)))
    noise = unit_rows(rng.standard_normal((size, dimension), dtype=np.float32))
    return unit_rows(centers[rng.integers(0, len(centers), size)] + noise)


def measure_search(vectors: np.ndarray, *, exact: bool, k: int, device: str) -> dict[str, object]:
    """Search all rows for all rows once, then group families."""
    clock, cpu = time.perf_counter(), time.process_time()
    exact_below = len(vectors) if exact else 0
    found = find_neighbors(vectors, k=k, device=device, exact_below=exact_below)
    clock, cpu = time.perf_counter() - clock, time.process_time() - cpu
    start = time.process_time()
    group_families(found.table, np.arange(len(vectors)), threshold=0.6)
    return {
        "rows": len(vectors),
        "columns": vectors.shape[1],
        "device": found.device,
        "index": found.index,
        "recall@10": round(found.recall, 4),
        "seconds": round(clock, 2),
        "CPU-s": round(cpu, 2),
        "families CPU-s": round(time.process_time() - start, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[16_000, 50_000])
    parser.add_argument("--dimension", type=int, default=96)
    parser.add_argument("--k", type=int, default=10)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--exact-below", type=int, default=100_000, help="larger: not exact")
    options = parser.parse_args()
    measure_search(make_rows(500, 8), exact=True, k=2, device=options.device)  # compiled, loaded
    rows = []
    for size in options.sizes:
        vectors = make_rows(size, options.dimension)
        for exact in (True, False)[size > options.exact_below :]:
            rows.append(measure_search(vectors, exact=exact, k=options.k, device=options.device))
    print_table(rows)


if __name__ == "__main__":
    main()
