"""Corpora of every class to their units: what is on top of the kept, and what comes last?

Each corpus is mined with the defaults; the profile is the one that the run picks by itself.

    python -m benchmarks.classes ../shared/corpora/*.txt.gz ../shared/corpora/*.safetensors
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import polars as pl

from benchmarks.gold import run_miner


def show_units(run: Path, shown: int) -> str:
    """Return the profile of a run, its kinds and verdicts, and its first and last units."""
    manifest = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    kept = pl.read_parquet(run / "proposals.parquet").filter(verdict="kept").sort("order")
    kinds = ", ".join(f"{kind} {count:,}" for kind, count in manifest["kinds"].items())
    verdicts = ", ".join(f"{name} {count:,}" for name, count in manifest["verdicts"].items())
    return "\n".join([
        f"profile {manifest['profile']}; {kinds}; {verdicts}",
        f"first: {_list(kept.head(shown))}",
        f"last:  {_list(kept.tail(shown))}",
    ])  # fmt: skip


def _list(units: pl.DataFrame) -> str:
    return " | ".join(
        f"{token} ({count:,})" for token, count in units.select("token", "count").iter_rows()
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("corpora", type=Path, nargs="+")
    parser.add_argument("--shown", type=int, default=20)
    options = parser.parse_args()
    for corpus in options.corpora:
        with tempfile.TemporaryDirectory() as folder:
            run_miner(corpus, Path(folder, "run"))
            print(
                f"\n## {corpus.name}\n{show_units(Path(folder, 'run'), options.shown)}", flush=True
            )


if __name__ == "__main__":
    main()
