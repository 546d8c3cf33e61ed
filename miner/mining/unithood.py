"""Evidence to a score: which runs look like units?

Of words, the ranker that ships with miner says which share of such runs people have put into a
list (`miner.mining.ranker`). Of anything else, and of very little text, the corpus itself tells: a
linear discriminant over all statistics, and over the vectors of the first and the last atom, learns
what the runs have in common that association and freedom already put on top. Where the user gives
examples, their order is learned from these (`miner.mining.teaching`).
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
from miner.mining.features import survey
from miner.mining.ranker import HEADS, VOTES, load_ranker
from miner.mining.teaching import learn_order
from miner.text.pretokens import Atoms
from miner.text.recut import list_forms

LOG = logging.getLogger(__name__)

ASSOCIATION, FREEDOM, LIKENESS = 1.0, 0.25, 2.0  # in the score of what are no words
ENOUGH = 0.7  # of the best such score; below, most runs are no unit to a reader's eye
KNOT = 0.5  # where the effect of a ranked statistic may bend; three knots were no better
VECTOR_SCALE = 2.0  # of the vectors beside the ranks
RIDGE = 0.03  # added to the variances; a logistic model was ten times slower and no better
NEGATIVES = 10_000  # more changed no figure by 0.005
# Of fewer examples, or of fewer that are wanted, the order is worse than without in two of five
# texts; with 30 in one, by .008 (training/teaching.py).
FEWEST_EXAMPLES, FEWEST_WANTED = 30, 15
FEWEST_RUNS = 500  # among fewer, ranks say little; the ranker has hardly seen such texts
TOP_SHARE = 0.02  # of all runs, taken as examples where nobody gives any
FOLD = 3.0  # powers of e between the shares whose bids are 0 and 1: what competes bids more
LEAST_SCORE = 0.05  # below, most runs are no unit to a reader's eye

UNITHOOD: dict[str, pl.DataType] = {
    "candidate": pl.UInt32(),
    "terms": pl.Float64(),
    "phrases": pl.Float64(),
    "bonds": pl.Float64(),
    "likeness": pl.Float64(),
    "score": pl.Float64(),
    "bid": pl.Float64(),
}
ONE_HEAD = ("terms", "phrases")  # objectives that ask one head alone


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


def judge_runs(
    candidates: Candidates,
    atoms: Atoms,
    scores: pl.DataFrame,
    vectors: np.ndarray | None = None,
    *,
    objective: str = "meaning",
    wanted: np.ndarray | None = None,
    refused: np.ndarray | None = None,
    unsound: np.ndarray | None = None,
    seed: int = 0,
) -> pl.DataFrame:
    """Return what each candidate of `scores` is taken for, a row each, in `UNITHOOD`.

    Of words, `terms`, `phrases` and `bonds` say which share of such runs are key terms, general
    vocabulary, and units of made-up languages; of anything else, and where there are fewer than
    `FEWEST_RUNS`, `likeness` is a mean of ranks.
    `score`, in [0, 1], is what counts for the objective; from `LEAST_SCORE` on a run competes
    with its `bid`, in [0, 1].

    `vectors` (candidates, dim), of single atoms too, or None to do without. `wanted` and `refused`:
    candidates that the user gives as examples, which change the order of the scores; `unsound`:
    those that are no example of anything.
    """
    rows = scores["candidate"].to_numpy()
    listed = atoms.profile.name == "words" and len(rows) >= FEWEST_RUNS
    given, refusals = find_examples(rows, wanted), find_examples(rows, refused)
    learns = given.sum() >= FEWEST_WANTED and (given | refusals).sum() >= FEWEST_EXAMPLES
    surveyed = survey(candidates, atoms) if listed or learns else None
    if listed and surveyed is not None:
        told = load_ranker().judge(surveyed)
        columns = {name: told[name].to_numpy() for name in HEADS}
        score = (
            told[objective if objective in ONE_HEAD else "meaning"].to_numpy().astype(np.float64)
        )
        opinions = told.select(VOTES).to_numpy()
    else:
        if objective in ONE_HEAD:
            LOG.warning("%s are told of words alone, and of more: here meaning decides", objective)
        sound = ~find_examples(rows, unsound)
        likeness = _judge_by_itself(candidates, scores, vectors, sound, seed=seed)
        columns = {"likeness": likeness}
        score = np.interp(likeness, (0, ENOUGH, 1), (0, LEAST_SCORE, 1))
        opinions = likeness[:, None].astype(np.float32)
    if surveyed is not None and learns:
        near = None if vectors is None else vectors[rows]
        taught = learn_order(surveyed, opinions, given, refusals, near, seed=seed)
        score[np.argsort(taught, kind="stable")] = np.sort(score)
    elif wanted is not None and len(wanted):
        LOG.warning(
            "examples that occur often enough: %d; it takes %d to learn, %d of them wanted",
            (given | refusals).sum(),
            FEWEST_EXAMPLES,
            FEWEST_WANTED,
        )
    bid = bid_by_odds(score) if listed else np.interp(score, (0, LEAST_SCORE, 1), (0, ENOUGH, 1))
    known = pl.DataFrame({"candidate": rows, **columns, "score": score, "bid": bid})
    known = known.cast({name: UNITHOOD[name] for name in known.columns})
    return pl.concat([pl.DataFrame(schema=UNITHOOD), known], how="diagonal")


def find_examples(rows: np.ndarray, chosen: np.ndarray | None) -> np.ndarray:
    """Say which rows are among some candidates: bool (rows,)."""
    return np.isin(rows, [] if chosen is None else chosen)


def bid_by_odds(score: np.ndarray) -> np.ndarray:
    """Return what runs bid for a place by the shares that they are units: by their ratio.

    >>> bid_by_odds(np.array([1.0, 0.1, 0.05, 0.001])).round(2).tolist()
    [1.0, 0.23, 0.0, 0.0]
    """
    return np.maximum(0.0, 1 + np.log(np.maximum(score, 1e-9)) / FOLD)


def _judge_by_itself(
    candidates: Candidates,
    scores: pl.DataFrame,
    vectors: np.ndarray | None,
    sound: np.ndarray,
    *,
    seed: int,
) -> np.ndarray:
    """Return a mean of ranks, in [0, 1]: association, freedom, and likeness to the best by both.

    No single measure wins on every corpus (Pecina 2010).
    """
    evidence = gather_evidence(candidates, scores)
    ranks = {name: rank(values) for name, values in evidence.items()}
    association = (ranks["npmi"] + ranks["log_likelihood"]) / 2
    freedom = (ranks["right_entropy"] + ranks["right_lift"]) / 2
    prior = association + (ranks["dice"] + freedom) / 2
    top = sound & (prior >= np.quantile(prior[sound], 1 - TOP_SHARE) if sound.any() else False)
    features = build_features(ranks, candidates, scores, vectors)
    like = rank(fit_likeness(features, top, seed=seed))
    total = ASSOCIATION * association + FREEDOM * freedom + LIKENESS * like
    return np.asarray(total / (ASSOCIATION + FREEDOM + LIKENESS))


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
    runs = list_forms(lines, atoms.profile, atoms.abbreviations)
    alone = sum(len(run) == 1 for run in runs)
    if alone:
        LOG.warning(
            "seeds that are one word here, which needs no joining: %d of %d", alone, len(runs)
        )
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
