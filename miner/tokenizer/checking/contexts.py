"""A run folder to places of its units: in which text were they found?"""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl

from miner.mining.spelling import list_keys
from miner.runs.concordance import open_originals
from miner.runs.finished import open_finished
from miner.tokenizer.reading.scenes import SCENE, SEPARATOR

_SIGN = re.compile(f"{re.escape(SCENE)}|{re.escape(SEPARATOR)}")
CONTEXTS: dict[str, pl.DataType] = {
    "token": pl.String(), "before": pl.String(), "unit": pl.String(), "after": pl.String(),
}  # fmt: skip


def read_contexts(run: Path) -> pl.DataFrame:
    """Return a place of each kept unit that is a run, as the corpus has it, in `CONTEXTS`.

    Of several scenes in a line it is the one of the unit, as scenes are cut by themselves.
    RunError where the run is damaged.
    """
    finished = open_finished(run)
    kept = finished.proposals.filter(
        (pl.col("verdict") == "kept") & pl.col("candidate").is_not_null()
    )
    keys = [row[row != 0] for row in list_keys(kept, finished.candidates)]
    found = open_originals(run).find_all(keys, most=1)
    rows = [
        (token, _SIGN.split(place.before)[-1], place.unit, _SIGN.split(place.after)[0])
        for token, places in zip(kept["token"], found, strict=True)
        for place in places
    ]
    return pl.DataFrame(rows, schema=CONTEXTS, orient="row")
