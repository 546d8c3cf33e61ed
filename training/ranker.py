"""Examples to forests: train, judge by leaving languages out, calibrate, and write the ranker.

    pip install -e ".[training]"
    python -m training.ranker measure --shared ../shared --work WORK     # texts to features, once
    python -m training.ranker report --work WORK                         # what each head reaches
    python -m training.ranker trust --work WORK                          # is .5 one in two?
    python -m training.ranker write --work WORK                          # miner/mining/ranker.npz

Three heads: `terms` learns the key terms of textbooks, `phrases` what stands in WordNets and
Wiktionary; one head for both was much worse, the lists contradict each other. `bonds` learns from
made-up languages alone, whose units are known for sure, and from shuffled text, which has none: it
sees neither letters nor case nor lines, and speaks of runs of any signs. The same folder of
features and the same versions give the same bytes.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import lightgbm
import numpy as np
from sklearn.isotonic import IsotonicRegression

from benchmarks.gold import average_precision
from miner.mining.features import NAMES
from miner.mining.ranker import LEAF, MODEL, Forest, join_heads, trust_terms
from training.corpora import (
    LEXICON,
    SHUFFLE,
    SYNTH,
    TERMS,
    Corpus,
    list_corpora,
    list_judged,
    list_made,
    load,
    save,
)

FOLDS = (("en", "de", "ru"), ("es", "fr", "fi"), ("pl", "it", "pt", "cs"))  # left out together
OTHERS = 5.0  # runs that no list has, for each one that a list has
FEWEST = 20  # listed runs of a corpus that teaches
KNOTS = 48  # of the curve from votes to shares
# Boosters of a forest, each with other examples and other chances: of single ones the average
# precision on a Spanish textbook is .32 to .43, by chance alone, and that of six is .39.
BAGS = 4
NO_UNIT = 0.02  # share of units; of runs to which the first booster gives less no other is asked
STOP_WORDS = 100  # the most frequent words, with which a peer lets no unit begin or end
MADE = ("planted",)


@dataclass(frozen=True)
class Head:
    """What a forest learns, and of what size it is.

    `trees` of each of `BAGS` boosters, and `columns`, the share of the features that a tree sees.
    `kinds` of lists, none where it learns from no real text. `made` and `shuffled`: what all
    made-up languages and all shuffled texts weigh, 1 being what the lists weigh. `blind`: the
    features that it does not see, by the end of their names.
    """

    name: str
    kinds: tuple[str, ...]
    trees: int
    leaves: int
    rate: float
    columns: float = 0.5
    made: float = 0.0
    shuffled: float = 0.0
    blind: tuple[str, ...] = ()


OF_WORDS = (
    "letters", "digit", "cap", "hyphen", "glued", "cap_lift", "line", "burst_lines",
)  # fmt: skip
HEADS = (
    Head("terms", TERMS, trees=100, leaves=31, rate=0.06, columns=0.25),
    Head("phrases", LEXICON, trees=300, leaves=31, rate=0.07, made=0.2, shuffled=0.02),
    Head("bonds", (), trees=150, leaves=15, rate=0.06, made=1.0, shuffled=0.2, blind=OF_WORDS),
)
LISTED = HEADS[:2]


def design(corpus: Corpus, rows: np.ndarray | slice = slice(None)) -> np.ndarray:
    """Return what the forests see of some runs: features, then their ranks, float32."""
    return np.concatenate([corpus.features[rows], corpus.ranks[rows]], axis=1)


@dataclass(frozen=True)
class Examples:
    """Rows of a design matrix, whether each is a unit, and what it weighs."""

    features: np.ndarray
    units: np.ndarray
    weights: np.ndarray


def gather_examples(
    corpora: Iterable[Corpus], kinds: tuple[str, ...], *, seed: int = 0
) -> Examples:
    """Return all listed runs and `OTHERS` times as many others; a corpus weighs by its root."""
    random = np.random.default_rng(seed)
    features, units, weights = [], [], []
    for corpus in corpora:
        listed = corpus.find(kinds)
        rows, rest = np.flatnonzero(listed), np.flatnonzero(~listed)
        if len(rows) < (2 if kinds == MADE else FEWEST):
            continue
        others = random.choice(rest, min(len(rest), max(100, int(OTHERS * len(rows)))), False)
        both = np.concatenate([rows, others])
        features.append(design(corpus, both))
        units.append(np.arange(len(both)) < len(rows))
        share = 1 / (1 + OTHERS)
        weight = np.where(units[-1], share / len(rows), (1 - share) / len(others))
        weights.append(len(rows) ** 0.5 * weight)
    return Examples(*map(np.concatenate, (features, units, weights)))


def gather_noise(corpora: Iterable[Corpus], *, most: int = 3_000, seed: int = 0) -> Examples:
    """Return runs of shuffled texts, none of which is a unit; each text weighs the same."""
    random = np.random.default_rng(seed)
    features, weights = [], []
    for corpus in corpora:
        rows = random.permutation(len(corpus.words))[:most]
        features.append(design(corpus, rows))
        weights.append(np.full(len(rows), 1 / len(rows)))
    joined = np.concatenate(features)
    return Examples(joined, np.zeros(len(joined), bool), np.concatenate(weights))


def train(head: Head, corpora: Sequence[Corpus], made: Sequence[Corpus]) -> Forest:
    """Return a forest of one head, without a calibration: the mean vote of `BAGS` boosters."""
    boosters = (boost(head, corpora, made, seed=seed) for seed in range(BAGS))
    return Forest.mean([convert(booster) for booster in boosters])


def boost(
    head: Head, corpora: Sequence[Corpus], made: Sequence[Corpus], *, seed: int
) -> lightgbm.Booster:
    """Return one booster of a forest."""
    parts = [(1.0, gather_examples(corpora, head.kinds, seed=seed))] if head.kinds else []
    if head.made:
        planted = [corpus for corpus in made if corpus.kind == SYNTH]
        parts.append((head.made, gather_examples(planted, MADE, seed=seed)))
    if head.shuffled:
        noise = [corpus for corpus in made if corpus.kind == SHUFFLE]
        parts.append((head.shuffled, gather_noise(noise, seed=seed)))
    features = np.concatenate([part.features for _, part in parts])
    hidden = [at for at, name in enumerate(2 * NAMES) if name.endswith(head.blind or ("no such",))]
    features[:, hidden] = 0
    units = np.concatenate([part.units for _, part in parts])
    weights = np.concatenate([share * part.weights / part.weights.sum() for share, part in parts])
    model = lightgbm.LGBMClassifier(
        n_estimators=head.trees,
        num_leaves=head.leaves,
        learning_rate=head.rate,
        min_child_samples=100,
        subsample=0.8,
        subsample_freq=1,
        colsample_bytree=head.columns,
        reg_lambda=1.0,
        max_bin=63,
        random_state=seed,
        n_jobs=1,
        deterministic=True,
        force_row_wise=True,
        verbose=-1,
    )
    return model.fit(features, units, sample_weight=weights / weights.mean()).booster_


def convert(booster: lightgbm.Booster) -> Forest:
    """Return the trees of a booster as arrays, without a calibration."""
    roots, feature, child, bound = [], [], [], []

    def add(node: dict, at: int) -> None:
        if "leaf_value" in node:
            feature[at], bound[at] = LEAF, node["leaf_value"]
            return
        left = len(feature)
        for column, blank in ((feature, LEAF), (child, 0), (bound, 0.0)):
            column += [blank, blank]
        feature[at], child[at] = node["split_feature"], left
        bound[at] = round_down(node["threshold"])
        add(node["left_child"], left)
        add(node["right_child"], left + 1)

    for tree in booster.dump_model()["tree_info"]:
        roots.append(len(feature))
        for column, blank in ((feature, LEAF), (child, 0), (bound, 0.0)):
            column.append(blank)
        add(tree["tree_structure"], roots[-1])
    return Forest(
        np.array(roots, np.int32),
        np.array(feature, np.int16),
        np.array(child, np.int32),
        np.array(bound, np.float32),
        np.zeros(0, np.float32),
        np.zeros(0, np.float32),
    )


def round_down(threshold: float) -> np.float32:
    """Return the largest float32 that is not above: so float32 features fall on the same side."""
    near = np.float32(threshold)
    return np.nextafter(near, np.float32(-np.inf)) if near > threshold else near


def calibrate(votes: np.ndarray, units: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return a rising curve from votes to shares of units, float32 (2, knots)."""
    curve = IsotonicRegression(out_of_bounds="clip").fit(votes, units, sample_weight=weights)
    spread = np.quantile(votes, 1 - np.geomspace(1, 1e-5, KNOTS))
    knots = np.unique(np.concatenate([spread, [votes.max()]]).astype(np.float32))
    return np.stack([knots, curve.predict(knots.astype(float)).astype(np.float32)])


def leave_out(
    head: Head, corpora: Sequence[Corpus], made: Sequence[Corpus]
) -> dict[str, np.ndarray]:
    """Return the votes for each corpus by a forest that saw no text of its language."""
    votes: dict[str, np.ndarray] = {}
    for languages in FOLDS:
        others = [c for c in corpora if c.kind == "learned" and c.language not in languages]
        forest = train(head, others, made)
        for corpus in corpora:
            if corpus.language in languages:
                votes[corpus.name] = forest.vote(design(corpus))
    return votes


def fit_curve(head: Head, corpora: Sequence[Corpus], votes: dict[str, np.ndarray]) -> np.ndarray:
    """Return the calibration of a head from the votes of forests that saw other languages.

    Of what no list tells, the votes are taken as the odds that they are.
    """
    if not head.kinds:
        knots = np.linspace(-8, 8, KNOTS, dtype=np.float32)
        return np.stack([knots, 1 / (1 + np.exp(-knots))])
    known = [corpus for corpus in corpora if corpus.kind == "learned"]
    chosen = [corpus for corpus in known if corpus.find(head.kinds).sum() >= FEWEST]
    units = [corpus.find(head.kinds) for corpus in chosen]
    weights = [np.full(len(found), found.sum() ** 0.5 / len(found)) for found in units]
    joined = [votes[corpus.name] for corpus in chosen]
    return calibrate(*map(np.concatenate, (joined, units, weights)))


def score(ranking: np.ndarray, corpus: Corpus, kind: str, longest: int) -> float:
    """Return the average precision of a ranking, for runs of up to `longest` words."""
    rows = np.flatnonzero(corpus.words <= longest)
    order = rows[np.argsort(-ranking[rows], kind="stable")]
    units = set(corpus.tokens[rows[corpus.lists[kind][rows]]].tolist())
    return average_precision(corpus.tokens[order].tolist(), units, max(len(units), 1))


def rank_by_peers(corpus: Corpus) -> dict[str, np.ndarray]:
    """Return what others go by, float64 (runs,), computed from the same counts.

    NPMI (gensim's), the log-likelihood (Dunning 1993), the sum of the ranks of both, C-value
    (Frantzi et al. 2000) and residual idf (Church & Gale 1995). `+ stop`: runs that begin or end
    with one of the 100 most frequent words come last, as with a list of stop words.
    """
    column = {name: corpus.features[:, place].astype(float) for place, name in enumerate(NAMES)}
    ranks = dict(zip(NAMES, corpus.ranks.T.astype(float), strict=True))
    edges = np.stack([column["first_rate"], column["last_rate"]])
    frequent = np.unique(edges)[-STOP_WORDS:].min()
    stops = (edges >= frequent).any(axis=0)
    ways = {
        "LLR": ranks["likelihood"],
        "ranks of both": ranks["npmi"] + ranks["likelihood"],
        "C-value": measure_c_value(corpus, np.exp(column["rate"])),
        "residual idf": ranks["burst_blocks"],
    }
    return {"NPMI": ranks["npmi"]} | {
        f"{name} + stop": way - 9 * stops for name, way in ways.items()
    }


def measure_c_value(corpus: Corpus, rate: np.ndarray) -> np.ndarray:
    """Return the C-value of each run, in shares of the text: float64 (runs,).

    log2 of its words times how often it occurs, less the mean of the longer runs that hold it.
    """
    parts = [token.split(" ") for token in corpus.tokens.tolist()]
    places = {token: place for place, token in enumerate(corpus.tokens.tolist())}
    inner: list[int] = []
    outer: list[int] = []
    for place, words in enumerate(parts):
        for size in range(2, len(words)):
            for start in range(len(words) - size + 1):
                found = places.get(" ".join(words[start : start + size]))
                if found is not None:
                    inner.append(found)
                    outer.append(place)
    holders = np.bincount(inner, minlength=len(parts))
    within = np.bincount(inner, rate[outer], len(parts)) / np.maximum(holders, 1)
    return np.asarray(np.log2(corpus.words) * (rate - within))


def report(corpora: Sequence[Corpus], made: Sequence[Corpus]) -> None:
    """Print what each head reaches on languages that it did not see: pairs / 2 to 5 words.

    Beside what others go by (`rank_by_peers`), on the same runs.
    """
    votes = {head.name: leave_out(head, corpora, made) for head in LISTED}
    curves = {head.name: fit_curve(head, corpora, votes[head.name]) for head in LISTED}
    bonds = train(HEADS[2], [], made)
    heads = ("terms", "phrases", "bonds", "meaning")
    for corpus in corpora:
        told_by = [votes[head.name][corpus.name] for head in LISTED]
        shares = [
            np.interp(told, *curves[head.name]) for head, told in zip(LISTED, told_by, strict=True)
        ]
        bond = 1 / (1 + np.exp(-bonds.vote(design(corpus))))
        trust = trust_terms(*told_by)
        meaning = join_heads(*shares, bond, trust=trust, lengths=corpus.words)
        peers = rank_by_peers(corpus)
        rankings = (*peers.values(), *shares, bond, meaning)
        if corpus is corpora[0]:
            names = ["corpus", "list", "units", *peers, *heads, "trust"]
            print(f"| {' | '.join(names)} |\n{'|---' * len(names)}|")
        for kind, found in corpus.lists.items():
            if found.any():
                cells = [
                    " / ".join(f"{score(ranking, corpus, kind, most):.3f}" for most in (2, 5))
                    for ranking in rankings
                ]
                told = [corpus.name, kind, str(found.sum()), *cells, f"{trust:.2f}"]
                print(f"| {' | '.join(told)} |", flush=True)


def tell_trust(corpora: Sequence[Corpus], made: Sequence[Corpus]) -> None:
    """Print of runs with such a share how many are in the list, in languages that nothing saw.

    Neither the trees nor the curve from votes to shares: that is fitted on the other languages.
    The least and the most are those of single corpora with 30 such runs and more.
    """
    edges = np.array([0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 1.01])
    print("| head | share | said | found | least | most | runs |")
    print("|---|---|---|---|---|---|---|")
    for head in LISTED:
        votes = leave_out(head, corpora, made)
        said, found, weights, owners = [], [], [], []
        for languages in FOLDS:
            curve = fit_curve(head, [c for c in corpora if c.language not in languages], votes)
            for corpus in corpora:
                units = corpus.find(head.kinds)
                if corpus.language in languages and units.sum() >= FEWEST:
                    said.append(np.interp(votes[corpus.name], *curve))
                    found.append(units)
                    weights.append(np.full(len(units), units.sum() ** 0.5 / len(units)))
                    owners.append(np.full(len(units), len(owners)))
        share, units, weight, owner = map(np.concatenate, (said, found, weights, owners))
        place = np.digitize(share, edges)
        for number in range(1, len(edges)):
            here = place == number
            counts = np.bincount(owner[here], minlength=len(said))
            hits = np.bincount(owner[here], units[here], len(said))
            each = (hits / np.maximum(counts, 1))[counts >= 30]
            if len(each):
                mean = [np.average(one[here], weights=weight[here]) for one in (share, units)]
                told = [f"{value:.3f}" for value in (*mean, each.min(), each.max())]
                span = f"{edges[number - 1]:g} to {min(edges[number], 1):g}"
                print(f"| {head.name} | {span} | {' | '.join(told)} | {here.sum():,} |", flush=True)


def write(corpora: Sequence[Corpus], made: Sequence[Corpus], place: Path) -> None:
    """Train all heads on everything and write them, with curves of languages left out."""
    arrays: dict[str, np.ndarray] = {"features": np.array(NAMES)}
    for head in HEADS:
        votes = leave_out(head, corpora, made) if head.kinds else {}
        odds, shares = fit_curve(head, corpora, votes)
        forest = train(head, corpora, made)
        enough = odds[np.searchsorted(shares, NO_UNIT)]
        forest = replace(forest, odds=odds, shares=shares, first=head.trees, enough=enough)
        for name in Forest.__dataclass_fields__:
            arrays[f"{head.name}.{name}"] = np.asarray(getattr(forest, name))
    np.savez_compressed(place, **arrays)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=("measure", "report", "trust", "write"))
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("miner/mining") / MODEL)
    options = parser.parse_args()
    if options.what == "measure":
        for list_some in (list_corpora, list_judged, list_made):
            for corpus in list_some(options.shared):
                save(corpus, options.work)
                print(corpus.name, len(corpus.words), flush=True)
        return
    every = [load(place) for place in sorted(options.work.glob("*.npz"))]
    corpora = [corpus for corpus in every if corpus.language != "made"]
    made = [corpus for corpus in every if corpus.language == "made"]
    if options.what == "report":
        report(corpora, made)
    elif options.what == "trust":
        tell_trust(corpora, made)
    else:
        write([corpus for corpus in corpora if corpus.kind == "learned"], made, options.out)


if __name__ == "__main__":
    main()
