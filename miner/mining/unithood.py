"""Evidence to likeness: which runs look like the units that the corpus itself points out?

No list of stop words and no weight from a gold list. Three things are joined, each as a rank from
0 to 1 among all runs, because no single measure wins on every corpus (Pecina 2010):

- association: how surprising the run is (NPMI) and how sure that is (log-likelihood);
- freedom: how open the right side is, and how much more often than its last atom it ends a clause;
- likeness: two linear discriminants over all statistics and over the vectors of the first and the
  last atom. One learns from what writers show to be a unit (a run that is also written with a
  hyphen, the user's seeds), one from the runs that association and freedom already put on top.

benchmarks/gold.py prints what each part adds.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from threadpoolctl import threadpool_limits

from miner.errors import ConfigError
from miner.mining.candidates import Candidates
from miner.text.pretokens import Atoms
from miner.text.recut import list_forms

LOG = logging.getLogger(__name__)

ASSOCIATION, FREEDOM, SHOWN, CONFIRMED = 1.0, 0.25, 1.0, 1.0
SEEDED = 4.0  # instead of SHOWN where the user gives examples; 2 was worse on unseen words
KNOT = 0.5  # where the effect of a ranked statistic may bend; three knots were no better
VECTOR_SCALE = 2.0  # of the vectors beside the ranks
RIDGE = 0.03  # added to the variances; a logistic model was ten times slower and no better
NEGATIVES = 10_000  # more changed no figure by 0.005
FEWEST_SHOWN = 30  # fewer examples teach noise
TOP_SHARE = 0.02  # of all runs, taken as examples by the second model


def rank(values: np.ndarray) -> np.ndarray:
    """Return each value's rank in (0, 1], 1 for the largest; equal values share their mean rank.

    >>> rank(np.array([3.0, 1.0, 1.0])).round(2).tolist()
    [1.0, 0.5, 0.5]
    """
    if len(values) == 0:
        return np.zeros(0)
    ordered, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    del ordered
    last = np.cumsum(counts)
    return ((last - (counts - 1) / 2) / len(values))[inverse]


UNITHOOD: dict[str, pl.DataType] = {
    "candidate": pl.UInt32(),
    "association": pl.Float64(),
    "freedom": pl.Float64(),
    "shown": pl.Float64(),
    "confirmed": pl.Float64(),
    "score": pl.Float64(),
}


def mark_runs(
    scores: pl.DataFrame, *, shown: np.ndarray, seeds: np.ndarray, unsound: np.ndarray
) -> pl.DataFrame:
    """Return what is said of each scored run: `candidate`, `shown`, `seed`, `sound` (bool).

    `shown` and `seeds`: the candidates that the corpus and the user point out as units; `unsound`:
    those that are no example of any, being torn or a value. All are numbers of candidates.
    """
    number = pl.col("candidate")
    return scores.select(
        number,
        shown=number.is_in(pl.Series(shown, dtype=pl.UInt32).implode()),
        seed=number.is_in(pl.Series(seeds, dtype=pl.UInt32).implode()),
        sound=~number.is_in(pl.Series(unsound, dtype=pl.UInt32).implode()),
    )


def judge_runs(
    candidates: Candidates,
    scores: pl.DataFrame,
    vectors: np.ndarray | None,
    marks: pl.DataFrame,
    *,
    seed: int,
) -> pl.DataFrame:
    """Join all evidence into one score in [0, 1] for each candidate of `scores`, in `UNITHOOD`.

    `vectors` (candidates, dim), of single atoms too, or None to do without; `marks` as `mark_runs`
    gives them. Examples of the user count for more, and are believed as they are. What is not
    sound is no example.
    """
    told = scores.select("candidate").join(
        marks, on="candidate", how="left", validate="1:1", maintain_order="left"
    )
    shown, seeds, sound = (told[name].to_numpy() for name in ("shown", "seed", "sound"))
    evidence = gather_evidence(candidates, scores)
    ranks = {name: rank(values) for name, values in evidence.items()}
    association = (ranks["npmi"] + ranks["log_likelihood"]) / 2
    freedom = (ranks["right_entropy"] + ranks["right_lift"]) / 2
    prior = association + (ranks["dice"] + freedom) / 2
    top = sound & (prior >= np.quantile(prior[sound], 1 - TOP_SHARE) if sound.any() else False)
    trusted = seeds | (sound & shown & (association > 0.5))
    features = build_features(ranks, candidates, scores, vectors)
    confirmed = rank(fit_likeness(features, top, seed=seed))
    enough = int(trusted.sum()) >= FEWEST_SHOWN
    if seeds.any() and not enough:
        LOG.warning(
            "seeds and shown units that occur often enough: %d; it takes %d to learn from them",
            trusted.sum(),
            FEWEST_SHOWN,
        )
    pointed = rank(fit_likeness(features, trusted, seed=seed)) if enough else confirmed
    weights = ASSOCIATION, FREEDOM, SEEDED if seeds.any() else SHOWN, CONFIRMED
    parts = association, freedom, pointed, confirmed
    score = sum(w * part for w, part in zip(weights, parts, strict=True)) / sum(weights)
    columns = {
        "association": association,
        "freedom": freedom,
        "shown": pointed,
        "confirmed": confirmed,
        "score": np.asarray(score),
    }
    return pl.DataFrame({"candidate": scores["candidate"], **columns}, schema=UNITHOOD)


def gather_evidence(candidates: Candidates, scores: pl.DataFrame) -> dict[str, np.ndarray]:
    """Return every statistic that the models see: float64 (rows,) each.

    A stop is the end of a clause or a document. `right_lift` compares how often the run stands
    before a stop with how often its last atom does: `point of view` ends a clause, `point of`
    does not. Function words give themselves away: `the` hardly ever stands before a stop.
    """
    runs = candidates.table
    rows = scores["candidate"].to_numpy()
    counts = runs["count"].to_numpy().astype(np.float64)
    first, last = _edge_atoms(candidates, scores)
    left, right, whole = (
        runs[name].to_numpy() / counts for name in ("left_stops", "right_stops", "whole")
    )
    capitals = runs["capitals"].to_numpy() / np.maximum(runs["middle"].to_numpy(), 1)
    count = counts[rows]
    evidence = {
        name: scores[name].to_numpy()
        for name in (
            "npmi",
            "log_likelihood",
            "dice",
            "forward",
            "backward",
            "left_entropy",
            "right_entropy",
            "dispersion",
            "nestedness",
        )
    }
    return evidence | {
        "count": count,
        "length": scores["length"].to_numpy().astype(np.float64),
        "weaker_side": np.minimum(evidence["forward"], evidence["backward"]),
        "closed_side": np.minimum(evidence["left_entropy"], evidence["right_entropy"]),
        "left_stops": left[rows],
        "right_stops": right[rows],
        "whole": whole[rows],
        "whole_lift": np.log2(
            (whole[rows] * count + 0.5) / (left[rows] * right[rows] * count + 0.5)
        ),
        "left_lift": np.log2((left[rows] * count + 1) / (left[first] * count + 1)),
        "right_lift": np.log2((right[rows] * count + 1) / (right[last] * count + 1)),
        "capitals": capitals[rows],
        "first_opens": left[first],
        "last_opens": left[last],
        "first_closes": right[first],
        "last_closes": right[last],
        "either_closes": np.minimum(right[first], right[last]),
        "first_count": counts[first],
        "last_count": counts[last],
        "larger_count": np.maximum(counts[first], counts[last]),
    }


@dataclass(frozen=True)
class Features:
    """What the models see of each run.

    `ranks` float32 (rows, statistics); `vectors` float32 (atoms, dim) of the atoms that stand at
    an edge, `first` and `last` int64 (rows,) into them.
    """

    ranks: np.ndarray
    vectors: np.ndarray
    first: np.ndarray
    last: np.ndarray

    def gather(self, rows: np.ndarray) -> np.ndarray:
        """Return the design matrix of some rows: ranks, their bends, the two edge vectors."""
        ranks = self.ranks[rows]
        edges = self.vectors[self.first[rows]], self.vectors[self.last[rows]]
        return np.concatenate([ranks, np.maximum(ranks - KNOT, 0), *edges], axis=1, dtype=float)

    def project(self, weights: np.ndarray) -> np.ndarray:
        """Return the design matrix of all rows times `weights`, without building it."""
        wide, deep = self.ranks.shape[1], self.vectors.shape[1]
        straight, bent, first, last = np.split(
            weights.astype(np.float32), [wide, 2 * wide, 2 * wide + deep]
        )
        total = self.ranks @ straight + np.maximum(self.ranks - np.float32(KNOT), 0) @ bent
        return total + (self.vectors @ first)[self.first] + (self.vectors @ last)[self.last]


def build_features(
    ranks: dict[str, np.ndarray],
    candidates: Candidates,
    scores: pl.DataFrame,
    vectors: np.ndarray | None,
) -> Features:
    """Return the features of the rows of `scores`; `vectors` (candidates, dim) or none."""
    columns = np.stack([values.astype(np.float32) for values in ranks.values()], axis=1)
    first, last = _edge_atoms(candidates, scores)
    atoms, places = np.unique(np.concatenate([first, last]), return_inverse=True)
    rows = np.empty((len(atoms), 0)) if vectors is None else vectors[atoms]
    scaled = VECTOR_SCALE * np.asarray(rows, np.float32)
    return Features(columns, scaled, places[: len(first)], places[len(first) :])


def _edge_atoms(candidates: Candidates, scores: pl.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return the candidates that are the first and the last atom of each run."""
    rows = scores["candidate"].to_numpy()
    lengths = scores["length"].to_numpy().astype(np.int64)
    alone = np.flatnonzero(candidates.parent < 0)
    singles = np.full(int(candidates.keys.max(initial=0) >> 1) + 1, -1, np.int64)
    singles[candidates.keys[alone, 0] >> 1] = alone
    return singles[candidates.keys[rows, 0] >> 1], singles[candidates.keys[rows, lengths - 1] >> 1]


def fit_likeness(features: Features, examples: np.ndarray, *, seed: int) -> np.ndarray:
    """Return how far each row lies towards the `examples` rather than towards the other rows.

    Fisher's linear discriminant with a ridge, both classes weighing the same, from all examples
    and a seeded sample of the rest; in closed form, as scikit-learn's import alone takes longer.
    Constant where there is nothing to tell apart.
    """
    positive, rest = np.flatnonzero(examples), np.flatnonzero(~examples)
    if len(positive) == 0 or len(rest) == 0:
        return np.zeros(len(examples))
    random = np.random.default_rng(seed)
    negative = np.sort(random.choice(rest, min(NEGATIVES, len(rest)), replace=False))
    with threadpool_limits(1):  # small matrices: threads cost more than they bring
        groups = [features.gather(rows) for rows in (positive, negative)]
        means = [group.mean(axis=0) for group in groups]
        spread = RIDGE * np.eye(groups[0].shape[1])
        for group, mean in zip(groups, means, strict=True):
            spread += group.T @ group / len(group) - np.outer(mean, mean)
        return features.project(np.linalg.solve(spread, means[0] - means[1]))


def find_shown(candidates: Candidates, atoms: pl.DataFrame) -> np.ndarray:
    """Return the candidates that the corpus itself points out as units: int64, rising.

    Those whose words are also written as one, joined by hyphens (`decision making` beside
    `decision-making`).
    """
    numbers = dict(zip(atoms["text"], atoms["atom"], strict=True))
    hyphened = atoms.filter(pl.col("text").str.contains(r"^[^-]+(?:[-‐‑][^-]+)+$"))
    joined = {
        tuple(numbers.get(part, 0) for part in parts)
        for parts in hyphened["text"].str.replace_all("[‐‑]", "-").str.split("-")
    }
    return find_runs(candidates, joined)


def find_runs(candidates: Candidates, wanted: Collection[tuple[int, ...]]) -> np.ndarray:
    """Return the candidates that are one of the `wanted` runs of atom numbers: int64, rising."""
    longest = candidates.keys.shape[1]
    runs = sorted({run for run in wanted if 2 <= len(run) <= longest and 0 not in run})
    padded = np.zeros((len(runs), longest), np.uint32)
    for place, run in enumerate(runs):
        padded[place, : len(run)] = run
    names = [f"atom_{place}" for place in range(longest)]
    known = pl.DataFrame(candidates.keys >> 1, schema=names).with_row_index("candidate")
    found = known.join(pl.DataFrame(padded, schema=names), on=names, how="semi")
    return found["candidate"].sort().to_numpy().astype(np.int64)


def find_seeds(seeds: str | Sequence[str], atoms: Atoms) -> set[tuple[int, ...]]:
    """Return the user's examples of good units as runs of atom numbers, 0 for an unknown atom.

    `seeds`: the path of a file with one a line, or the examples; each is cut as the corpus is, and
    empty ones do not count.
    """
    lines = _read_lines(Path(seeds)) if isinstance(seeds, str) else seeds
    lines = [line for line in lines if line.strip()]
    if not lines:
        where = seeds if isinstance(seeds, str) else "seeds"
        raise ConfigError("no seed in it", where=where, cure="Write one unit a line")
    numbers = dict(zip(atoms.table["text"], atoms.table["atom"], strict=True))
    runs = list_forms(lines, atoms.profile)
    return {tuple(numbers.get(text, 0) for text in run) for run in runs}


def _read_lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError as error:
        raise ConfigError("no such file of seeds", where=str(path), cure="Check --seeds") from error
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"not UTF-8 at byte {error.start}", where=str(path), cure="Save it as UTF-8"
        ) from error
