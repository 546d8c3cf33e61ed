"""More text to other units: how many of the best stay when a corpus grows, or is another half?

Jaccard of the best units of several words, and of what gensim's NPMI puts first on the same runs:
between ten elevenths of the lines of a text and all of them, and between its two halves, line by
line.

    python -m benchmarks.stability ../shared/gold/openstax_ccby.txt.gz
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from benchmarks.gold import build_pool, print_table, rank_pool, read_ranking, read_text, run_miner

MIN_COUNT = 5
PEER = "gensim NPMI"


def rank_both(text: str, folder: Path) -> dict[str, list[str]]:
    """Return the units of several words by miner and by the peer, best first."""
    folder.mkdir()
    place = folder / "text.txt"
    place.write_text(text, encoding="utf-8")
    run_miner(place, folder / "run", "--min-count", str(MIN_COUNT))
    kept = [token for token in read_ranking(folder / "run") if " " in token]
    return {"miner": kept, PEER: rank_pool(build_pool(text, min_count=MIN_COUNT), PEER)}


def overlap(first: list[str], second: list[str], best: int) -> float:
    """Return the Jaccard index of the best of two rankings.

    >>> round(overlap(["a", "b", "c"], ["b", "a", "d"], 2), 2)
    1.0
    """
    one, other = set(first[:best]), set(second[:best])
    return len(one & other) / max(len(one | other), 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("texts", nargs="+", type=Path)
    parser.add_argument("--best", type=int, default=1_000)
    options = parser.parse_args()
    rows: list[dict[str, object]] = []
    for path in options.texts:
        lines = read_text(path).splitlines()
        parts = {
            "all": lines,
            "most": [line for number, line in enumerate(lines) if number % 11],
            "even": lines[::2],
            "odd": lines[1::2],
        }
        with tempfile.TemporaryDirectory() as folder:
            ranked = {
                name: rank_both("\n".join(part), Path(folder, name)) for name, part in parts.items()
            }
        for system in ("miner", PEER):
            told = {name: ranking[system] for name, ranking in ranked.items()}
            row: dict[str, object] = {"text": path.name, "system": system}
            row["10/11 and all"] = overlap(told["most"], told["all"], options.best)
            rows.append(row | {"halves": overlap(told["even"], told["odd"], options.best)})
    print_table(rows)


if __name__ == "__main__":
    main()
