"""Evidence to proposals: what is each run and each single atom proposed for, and with what verdict?

Runs are judged, settled and put into one table with the atoms that must stay whole.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from miner.mining.candidates import Candidates
from miner.mining.compounds import find_compounds, find_content_words
from miner.mining.embeddings import measure_closeness, measure_wholeness
from miner.mining.scores import find_splits
from miner.mining.settling import Objective, Verdict, settle_runs
from miner.mining.spelling import spell_runs
from miner.mining.syntax import find_glue, find_torn, find_values
from miner.mining.unithood import LEAST_SCORE, judge_runs
from miner.text.patterns import list_patterns
from miner.text.pretokens import Atoms

LINK_ATOMS = 3
WHOLE = {"formula": "formula", "symbol": "symbol", "marker": "marker", "code": "atom"}
LOST = "\ufffd"  # stands for a character that was lost before the corpus came here
GROUPS = 16  # of good runs by frequency, whose mean scores are told apart


def find_proposals(
    atoms: Atoms,
    candidates: Candidates,
    scores: pl.DataFrame,
    vectors: np.ndarray | None = None,
    *,
    min_count: int,
    budget: int,
    objective: Objective = "meaning",
    patterns: Mapping[str, str] | None = None,
    seeds: np.ndarray | None = None,
    accepted: np.ndarray | None = None,
    rejected: np.ndarray | None = None,
    seed: int = 0,
) -> pl.DataFrame:
    """Return the proposals of a corpus, the kept ones first; they are not proven.

    `vectors` (candidates, dim), of single atoms too, or None to do without. `seeds`, `accepted`
    and `rejected`: numbers of candidates that are examples of what is wanted, and what people
    decided before.
    """
    rows = scores["candidate"].to_numpy().astype(np.int64)
    torn, values = find_torn(candidates, atoms), find_values(candidates, atoms)
    wanted = [part for part in (seeds, accepted) if part is not None]
    judged = judge_runs(
        candidates,
        atoms,
        scores,
        vectors,
        objective=objective,
        wanted=np.unique(np.concatenate(wanted)) if wanted else None,
        refused=rejected,
        unsound=np.flatnonzero(torn | values),
        seed=seed,
    )
    known = scores.select("candidate", "log_likelihood")
    judged = judged.join(known, on="candidate", validate="1:1", maintain_order="left")
    settled = settle_runs(
        atoms.mined,
        candidates,
        judged,
        objective=objective,
        budget=budget,
        min_count=min_count,
        unsound={Verdict.VALUE: values, Verdict.TORN: torn},
        glue=find_glue(candidates, atoms),
        accepted=accepted,
        rejected=rejected,
    )
    token = spell_runs(candidates.keys[rows], atoms.table["text"])
    runs = tabulate_runs(scores, judged, settled, scores.select("candidate", token=token))
    if vectors is not None:
        splits = find_splits(candidates)
        runs = runs.with_columns(
            closeness=pl.Series(measure_closeness(vectors, splits, rows)),
            wholeness=pl.Series(measure_wholeness(vectors, splits, rows)),
        )
    whole = propose_atoms(
        atoms.table, runs, candidates, min_count=min_count, objective=objective, patterns=patterns
    )
    return list_units(pl.concat([runs, whole]), budget=budget)


def name_kind(lengths: pl.Expr) -> pl.Expr:
    """Return the kind of a run by its number of atoms."""
    return pl.when(lengths <= LINK_ATOMS).then(pl.lit("link")).otherwise(pl.lit("hyperlexeme"))


def tabulate_runs(
    scores: pl.DataFrame, judged: pl.DataFrame, settled: pl.DataFrame, tokens: pl.DataFrame
) -> pl.DataFrame:
    """Return one row per scored run with its statistics, its score, its verdict and its rival.

    All have a column `candidate`; `tokens` says how each is written, `token`.
    """
    rivals = tokens.rename({"candidate": "rival", "token": "winner"})
    joined = scores
    for table in (tokens, judged.drop("score", "bid", "log_likelihood", strict=False), settled):
        joined = joined.join(
            table, on="candidate", how="left", validate="1:1", maintain_order="left"
        )
    joined = joined.join(rivals, on="rival", how="left", validate="m:1", maintain_order="left")
    return joined.select(
        *scores.columns,
        "token",
        name_kind(pl.col("length")).alias("kind"),
        "unit_count",
        "score",
        "verdict",
        pl.col("winner").alias("rival"),
        *("terms", "phrases", "bonds", "likeness", "bid", "value"),
        pl.lit(None, pl.UInt32).alias("atom"),
        pl.lit(None, pl.List(pl.String)).alias("parts"),
    )


def propose_atoms(
    atoms: pl.DataFrame,
    runs: pl.DataFrame,
    candidates: Candidates,
    *,
    min_count: int,
    objective: Objective,
    patterns: Mapping[str, str] | None = None,
) -> pl.DataFrame:
    """Return a row for each single atom that must stay whole, in the columns of `runs`.

    Formulas, symbols, markers and code nodes, what matches a pattern of the user, and, for
    meaning, words that are others written as one (`find_compounds`).
    """
    alone = pl.col("text").str.contains(r"^\p{ASCII}$")  # `$` is a token without any help
    whole = pl.concat(
        [
            _match_patterns(atoms, patterns or {}),
            atoms.filter(pl.col("kind").is_in(list(WHOLE)) & ~alone & (pl.col("text") != LOST)),
        ]
    ).unique("atom", keep="first", maintain_order=True)
    whole = whole.filter(pl.col("count") >= min_count).with_columns(
        kind=pl.col("kind").replace(WHOLE), parts=pl.lit(None, pl.List(pl.String))
    )
    whole = whole.with_columns(score=_place_among(runs, whole["count"]))
    if objective != "compression":
        words = find_content_words(atoms, candidates).filter(pl.col("count") >= min_count)
        good = pl.col("verdict").is_in([Verdict.KEPT, Verdict.BUDGET])
        found = find_compounds(words, runs.filter(good))
        compounds = found.with_columns(
            kind=name_kind(pl.col("parts").list.len()), score=_expect_score(runs, found)
        )
        whole = pl.concat([whole, compounds.select(whole.columns)])
    rows = whole.with_columns(
        pl.col("text").alias("token"),
        length=pl.lit(1, pl.UInt8),
        unit_count="count",
        verdict=pl.lit(str(Verdict.KEPT)),
    )
    known = [column for column in runs.columns if column in rows.columns]
    return pl.concat([runs.clear(), rows.select(known)], how="diagonal")


def _place_among(runs: pl.DataFrame, counts: pl.Series) -> pl.Series:
    """Return scores among those of the runs that are good enough, by how frequent a thing is.

    What is more frequent than half of all runs has the score of the middle one.
    """
    all_counts = np.sort(runs["count"].to_numpy())
    share = np.searchsorted(all_counts, counts.to_numpy()) / max(len(all_counts), 1)
    known = runs.filter(pl.col("score") >= LEAST_SCORE)["score"].to_numpy()
    score = np.quantile(known, share) if len(known) else LEAST_SCORE + (1 - LEAST_SCORE) * share
    return pl.Series(score, dtype=pl.Float64)


def _expect_score(runs: pl.DataFrame, compounds: pl.DataFrame) -> pl.Series:
    """Return the scores of words that are others written as one.

    The mean of runs that are good enough and as frequent, by how sure it is that it is no chance.
    """
    good = runs.filter(pl.col("score") >= LEAST_SCORE).sort("count")
    groups = [group for group in np.array_split(np.arange(good.height), GROUPS) if len(group)]
    logs, scores = np.log(good["count"].to_numpy()), good["score"].to_numpy()
    knots = [float(logs[group].mean()) for group in groups] or [0.0]
    means = [float(scores[group].mean()) for group in groups] or [1.0]
    expected = np.interp(np.log(compounds["count"].to_numpy()), knots, means)
    return pl.Series(
        np.maximum(LEAST_SCORE, compounds["sure"].to_numpy() * expected), dtype=pl.Float64
    )


def _match_patterns(atoms: pl.DataFrame, patterns: Mapping[str, str]) -> pl.DataFrame:
    """Return the atoms that a pattern matches whole; its name is their kind if it is one."""
    found = [atoms.clear()]
    for pattern in list_patterns(patterns):
        matches = pattern.match_all(atoms["surface"])
        kind = pattern.name if pattern.name in WHOLE.values() else "atom"
        found.append(
            atoms.filter(pl.Series(matches, dtype=pl.Boolean)).with_columns(kind=pl.lit(kind))
        )
    return pl.concat(found)


def list_units(proposals: pl.DataFrame, *, budget: int) -> pl.DataFrame:
    """Return the proposals with `order`, 1 for the best kept one; at most `budget` stay kept."""
    kept = pl.col("verdict") == Verdict.KEPT
    ranked = proposals.with_row_index("row").sort(
        [kept, "score", "count", "token", "row"], descending=[True, True, True, False, False]
    )
    return (
        ranked.with_columns(order=pl.int_range(1, ranked.height + 1, dtype=pl.UInt32))
        .with_columns(
            verdict=pl.when(kept & (pl.col("order") > budget))
            .then(pl.lit(str(Verdict.BUDGET)))
            .otherwise("verdict")
        )
        .drop("row")
    )
