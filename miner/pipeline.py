"""The order of things: from a corpus to a run folder.

Read `mine` aloud and you know what `miner mine` does.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import platform
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from itertools import chain
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import polars as pl

from miner import __version__
from miner.config import MineConfig, parse_size, write_config
from miner.corpus import Chunk, Skipped, Source, find_sources, hash_sources, is_bytes, read_chunks
from miner.errors import ConfigError, CorpusError, RunError
from miner.fields import DEFAULT, Anchors, make_fields, open_encoder, read_anchors
from miner.mining.candidates import Candidates, count_candidates, default_min_count
from miner.mining.embeddings import (
    embed_candidates,
    load_vectors,
    measure_closeness,
    measure_wholeness,
)
from miner.mining.proposals import Verdict, list_units, propose_atoms, settle_runs, tabulate_runs
from miner.mining.ranking import final_values, prove_proposals
from miner.mining.savings import find_knee, measure_savings
from miner.mining.scores import find_splits, score_candidates
from miner.mining.spelling import list_keys, spell_runs
from miner.mining.syntax import find_glue, find_torn, find_values
from miner.mining.unithood import find_shown, judge_runs, mark_runs, read_seeds
from miner.mining.vocabulary import order_merges, write_vocabulary
from miner.report import CONTEXTS, list_shown, write_report
from miner.runs.annotations import (
    Applied,
    apply_decisions,
    count_decisions,
    find_units,
    list_wishes,
    rank_reviewed,
    review_run,
    tell_outcome,
)
from miner.runs.concordance import open_originals, record_documents
from miner.runs.decisions import Conflict, Policy, Settled, Unit, name_log, read_logs, settle_logs
from miner.runs.finished import open_finished
from miner.runs.store import MANIFEST, Existing, Run, open_run, write_json
from miner.text.pretokens import Atoms, Stream, cut_chunks, load_atoms
from miner.text.profiles import PROFILES, Profile, detect_profile
from miner.vectors.corpus_encoder import save_encoder, train_encoder
from miner.vectors.encoder import Encoder, check_encoder, load_encoder
from miner.vectors.layout import lay_out
from miner.vectors.neighbors import choose_device

LOG = logging.getLogger(__name__)
SAMPLE = 1 << 20  # bytes from which the profile is told
PLACES, REACH = 2, 48  # of a unit in the report, and the characters on each side
_FALLING = [True, False]  # by number, then by name


class Watcher(Protocol):
    """Who is told how far a run is."""

    def progress(
        self, name: str, total: int, unit: str
    ) -> AbstractContextManager[Callable[[int], None]]:
        """Yield a function to call with how many of `total` are newly done."""


@dataclass(frozen=True)
class Mined:
    """What a run found, for those who called it."""

    folder: Path
    vocabulary: pl.DataFrame
    manifest: dict[str, Any]


def mine(
    config: MineConfig, out: Path, watcher: Watcher, *, existing: Existing = "refuse"
) -> Mined:
    """Mine a corpus: cut, count, score, embed, let runs compete, prove, write the run folder."""
    if config.encoder != "corpus":
        check_encoder(config.encoder)
    sources = find_sources(config.corpus, as_bytes=config.profile == "bytes")
    key = describe_input(config, sources)
    with open_run(out, key, existing=existing) as run:
        encoder = find_encoder(config)
        atoms = cut_corpus(run, config, sources, watcher)
        candidates, min_count = count_runs(run, config, atoms, watcher)
        scores = score_runs(run, atoms, candidates)
        vectors = embed_runs(run, config, atoms, candidates, encoder, watcher)
        decisions = read_decisions(config)
        proposals = propose(
            run, config, atoms, candidates, scores, vectors, min_count, decisions=decisions
        )
        vocabulary, curve, proposals = rank_units(
            run, config, atoms, candidates, proposals, vectors, decisions=decisions
        )
        tell_fields(run, config, atoms, candidates, vocabulary, vectors, encoder)
        manifest = describe_run(
            run, key, sources, atoms, candidates, proposals, curve, decisions=decisions
        )
        write_run(
            run, config, candidates, vocabulary, proposals, curve, manifest, decisions=decisions
        )
    return Mined(out, vocabulary, manifest)


def describe_input(config: MineConfig, sources: tuple[Source, ...]) -> dict[str, Any]:
    """Return what a run depends on: the settings, the corpus, the version."""
    hashes = hash_sources(list(sources))
    inputs = [
        {"path": source.path, "bytes": source.bytes, "sha256": digest}
        for source, digest in zip(sources, hashes, strict=True)
    ]
    seeds = hash_seeds(config.seeds) if config.seeds else None
    key = {"miner": __version__, "config": asdict(config), "inputs": inputs, "seeds": seeds}
    if config.facets:
        key["facets"] = {name: list(words) for name, words in find_anchors(config).items()}
    if config.decisions:
        key["decisions"] = hash_logs(Path(config.decisions))
    return dict(json.loads(json.dumps(key)))


def find_anchors(config: MineConfig) -> Anchors:
    """Return the anchor words of the facets, the user's own where there are some."""
    return read_anchors(Path(config.facets)) if config.facets else DEFAULT


def hash_logs(place: Path) -> str:
    """Return the SHA-256 of all that reviewers decided."""
    logs = [log.path.read_bytes() for log in read_logs(place)]
    return hashlib.sha256(b"\0".join(logs)).hexdigest()


def read_decisions(config: MineConfig) -> Settled | None:
    """Return what holds of the decisions that the user named."""
    if not config.decisions:
        return None
    policy: Any = config.policy
    return settle_logs(read_logs(Path(config.decisions)), policy)


def hash_seeds(path: str) -> str:
    """Return the SHA-256 of the user's file of seeds."""
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ConfigError(
            f"the file of seeds cannot be read ({reason})", where=path, cure="Check --seeds"
        ) from error


def find_encoder(config: MineConfig) -> Encoder | None:
    """Return the encoder that the user named, None where one is trained on the corpus.

    What is not there, a CUDA device too, is told before the corpus is read and counted.
    """
    if config.device == "cuda":
        choose_device(config.device)
    if config.encoder == "corpus":
        return None
    return load_encoder(config.encoder, device=config.device)


def cut_corpus(
    run: Run, config: MineConfig, sources: tuple[Source, ...], watcher: Watcher
) -> Atoms:
    """Read the corpus and cut it into atoms."""

    def compute(folder: Path) -> int:
        skipped: list[Skipped] = []
        with watcher.progress("cutting", sum(source.bytes for source in sources), "B") as progress:
            chunks = read_chunks(
                sources,
                text_column=config.text_column,
                on_error=config.on_error,
                skipped=skipped,
                progress=progress,
            )
            first = next(chunks, None)
            if first is None:
                raise CorpusError(
                    "no document in it", where=", ".join(config.corpus), cure="Name other files"
                )
            profile = choose_profile(config, sources, first)
            text_bytes: list[int] = []
            documents = _weigh(chain([first], chunks), text_bytes)
            if profile.name != "bytes":
                documents = record_documents(documents, folder)
            atoms = cut_chunks(documents, folder, profile=profile, patterns=config.patterns)
        reading = {
            "profile": profile.name,
            "patterns": config.patterns,
            "text_bytes": sum(text_bytes),
            "skipped": [asdict(entry) for entry in skipped],
        }
        write_json(folder / "reading.json", reading)
        return int(atoms.table["count"].sum())

    def load(folder: Path) -> Atoms:
        reading = json.loads((folder / "reading.json").read_text(encoding="utf-8"))
        return load_atoms(folder, profile=PROFILES[reading["profile"]])

    return run.stage("atoms", compute, load)


def _weigh(chunks: Iterable[Chunk], sizes: list[int]) -> Iterator[Chunk]:
    """Pass chunks on, and note the bytes of their documents."""
    for chunk in chunks:
        sizes.append(int((chunk.ends - chunk.starts).sum()))
        yield chunk


def choose_profile(config: MineConfig, sources: tuple[Source, ...], first: Chunk) -> Profile:
    """Return the profile that the user named, or the one that fits the beginning of the corpus."""
    if any(is_bytes(source.form) for source in sources):
        return PROFILES["bytes"]
    if config.profile != "auto":
        return PROFILES[config.profile]
    return detect_profile(first.buffer[:SAMPLE].tobytes())


def count_runs(
    run: Run, config: MineConfig, atoms: Atoms, watcher: Watcher
) -> tuple[Candidates, int]:
    """Count every run of atoms that repeats."""
    counts = atoms.table["count"].to_numpy()
    total = int(counts.sum())
    min_count = config.min_count or default_min_count(total)

    def compute(folder: Path) -> int:
        with watcher.progress("counting", int(counts[counts >= min_count].sum()), "atom") as done:
            candidates = count_candidates(
                atoms.mined,
                counts,
                min_count=min_count,
                longest=config.max_length,
                memory=parse_size(config.memory) if config.memory else None,
                progress=done,
            )
        found = int((candidates.parent >= 0).sum())
        if found == 0:
            raise CorpusError(
                f"no run of atoms occurs {min_count} times among {total:,} atoms",
                where=", ".join(config.corpus),
                cure="Lower --min-count, or mine a larger corpus",
            )
        candidates.table.write_parquet(folder / "candidates.parquet")
        for name in ("keys", "parent", "suffix"):
            np.save(folder / f"{name}.npy", getattr(candidates, name))
        return found

    def load(folder: Path) -> Candidates:
        arrays = [np.load(folder / f"{name}.npy") for name in ("keys", "parent", "suffix")]
        return Candidates(pl.read_parquet(folder / "candidates.parquet"), *arrays)

    return run.stage("candidates", compute, load), min_count


def score_runs(run: Run, atoms: Atoms, candidates: Candidates) -> pl.DataFrame:
    """Compute the statistics of every run."""

    def compute(folder: Path) -> int:
        total = int(atoms.table["count"].sum())
        scores = score_candidates(candidates, find_splits(candidates), total=total)
        scores.write_parquet(folder / "scores.parquet")
        return scores.height

    return run.stage("scores", compute, lambda folder: pl.read_parquet(folder / "scores.parquet"))


def embed_runs(
    run: Run,
    config: MineConfig,
    atoms: Atoms,
    candidates: Candidates,
    named: Encoder | None,
    watcher: Watcher,
) -> np.ndarray:
    """Embed every candidate, with the encoder named or with one trained on the corpus."""

    def compute(folder: Path) -> int:
        encoder: Any = named
        if named is None:
            table = atoms.table
            encoder = train_encoder(
                atoms.mined.ids, table["count"].to_numpy(), table["text"], seed=config.seed
            )
            (folder / "encoder").mkdir()
            save_encoder(folder / "encoder", encoder, profile=atoms.profile.name)
        with watcher.progress("embedding", len(candidates.keys), "run") as progress:
            dimension = embed_candidates(
                folder / "vectors.f16",
                encoder,
                candidates,
                atoms.table["surface"],
                progress=progress,
            )
        about = {
            "encoder": config.encoder,
            "dimension": dimension,
            "adds_up": named is None,
            "device": getattr(encoder, "device", "cpu"),
            "precision": getattr(encoder, "precision", "float32"),
        }
        write_json(folder / "encoder.json", about)
        return len(candidates.keys)

    def load(folder: Path) -> np.ndarray:
        about = json.loads((folder / "encoder.json").read_text(encoding="utf-8"))
        return load_vectors(folder / "vectors.f16", about["dimension"])

    return run.stage("vectors", compute, load)


def propose(
    run: Run,
    config: MineConfig,
    atoms: Atoms,
    candidates: Candidates,
    scores: pl.DataFrame,
    vectors: np.ndarray,
    min_count: int,
    *,
    decisions: Settled | None = None,
) -> pl.DataFrame:
    """Weigh the evidence, let the runs compete for the text and prove what is left."""

    def compute(folder: Path) -> int:
        rows = scores["candidate"].to_numpy().astype(np.int64)
        shown = find_shown(candidates, atoms.table, rows)
        wanted = read_seeds(Path(config.seeds), atoms) if config.seeds else set()
        seeds = mark_runs(candidates, rows, wanted)
        torn, values = find_torn(candidates, atoms), find_values(candidates, atoms)
        sound = ~(torn | values)[rows]
        likeness = judge_runs(candidates, scores, vectors, shown, seeds, sound, seed=config.seed)
        tokens = spell_runs(candidates.keys[rows], atoms.table["text"])
        settled = settle_runs(
            atoms.mined,
            candidates,
            scores,
            likeness,
            objective=config.objective,
            budget=config.vocab_size,
            min_count=min_count,
            unsound={Verdict.VALUE: values, Verdict.TORN: torn},
            glue=find_glue(candidates, atoms),
            **find_wanted(decisions, candidates, tokens, rows, atoms, config.patterns),
        )
        splits = find_splits(candidates)
        runs = tabulate_runs(scores, likeness, settled, tokens).with_columns(
            closeness=pl.Series(measure_closeness(vectors, splits, rows)),
            wholeness=pl.Series(measure_wholeness(vectors, splits, rows)),
        )
        whole = propose_atoms(
            atoms.table,
            runs,
            candidates,
            min_count=min_count,
            objective=config.objective,
            patterns=config.patterns,
        )
        proposals = list_units(pl.concat([runs, whole]), budget=config.vocab_size)
        proposals = prove_proposals(proposals, atoms, candidates, patterns=config.patterns)
        proposals.write_parquet(folder / "proposals.parquet")
        return proposals.height

    return run.stage(
        "proposals", compute, lambda folder: pl.read_parquet(folder / "proposals.parquet")
    )


def find_wanted(
    decisions: Settled | None,
    candidates: Candidates,
    tokens: pl.Series,
    rows: np.ndarray,
    atoms: Atoms,
    patterns: Mapping[str, str],
) -> dict[str, np.ndarray]:
    """Return the rows of the candidates that people accepted and rejected, for `settle_runs`."""
    if decisions is None:
        return {}
    table = pl.DataFrame({"token": tokens, "candidate": pl.Series(rows, dtype=pl.UInt32)})
    table = table.with_columns(atom=pl.lit(None, pl.UInt32))
    known = find_units(table, decisions.decisions, atoms, candidates)
    wishes, _ = list_wishes(decisions.decisions, atoms, patterns, known=known)
    wanted: dict[str, list[Unit]] = {
        "accepted": [wish.form.unit for wish in wishes],
        "rejected": [unit for unit, said in decisions.decisions.items() if said.verdict == "reject"]
        + [wish.source for wish in wishes if wish.form.unit != wish.source],
    }
    return {
        name: rows[list(find_units(table, units, atoms, candidates).values())]
        for name, units in wanted.items()
        if units
    }


def rank_units(
    run: Run,
    config: MineConfig,
    atoms: Atoms,
    candidates: Candidates,
    proposals: pl.DataFrame,
    vectors: np.ndarray,
    *,
    decisions: Settled | None = None,
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Rank what was kept, order its merges, gather families and measure what it saves.

    Decisions of reviewers are obeyed: the proposals come back as they leave them.
    """

    def compute(folder: Path) -> int:
        applied = Applied(proposals, atoms, candidates)
        if decisions is not None:
            applied = apply_decisions(
                proposals,
                decisions.decisions,
                atoms,
                candidates,
                patterns=config.patterns,
                objective=config.objective,
            )
            for note in tell_outcome(decisions, applied):
                LOG.warning("%s", note)
            known = applied.proposals[: proposals.height].drop("place")
            known.sort("order").write_parquet(folder / "proposals.parquet")
        units, rows, near = rank_reviewed(applied, vectors, device=config.device, seed=config.seed)
        spaced = atoms.profile.name in ("words", "transliteration")
        with ThreadPoolExecutor(1) as drawing:  # beside the rest: it is as long
            drawn = drawing.submit(lay_out, rows, near.table, seed=config.seed)
            merges = order_merges(units, avoid=applied.rejected)
            write_vocabulary(folder, units, merges, spaced=spaced)
            units.write_parquet(folder / "units.parquet")
            curve = _measure_curve(units, atoms, applied.candidates, seed=config.seed)
            curve.write_parquet(folder / "savings.parquet")
            _write_map(folder, units, drawn.result(), len(vectors))
        about = {"index": near.index, "recall_at_10": near.recall, "device": near.device}
        write_json(folder / "search.json", {**about, "knee": find_knee(curve)})
        return units.height

    def load(folder: Path) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
        units = pl.read_parquet(folder / "units.parquet")
        decided = folder / "proposals.parquet"
        left = pl.read_parquet(decided) if decided.exists() else proposals
        return units, pl.read_parquet(folder / "savings.parquet"), left

    return run.stage("vocabulary", compute, load)


def tell_fields(
    run: Run,
    config: MineConfig,
    atoms: Atoms,
    candidates: Candidates,
    units: pl.DataFrame,
    vectors: np.ndarray,
    named: Encoder | None,
) -> None:
    """Write what is known of each unit beyond its text: facets, contexts, addresses and more."""

    def compute(folder: Path) -> int:
        return make_fields(
            folder,
            units,
            atoms,
            candidates,
            vectors,
            named or open_encoder(run.folder)[0],
            trained=named is None,
            anchors=find_anchors(config),
            patterns=config.patterns,
            seed=config.seed,
        )

    run.stage("fields", compute, lambda _: None)


def _write_map(folder: Path, units: pl.DataFrame, points: np.ndarray, vectors: int) -> None:
    """Write where each unit that has one of the vectors lies on the map."""
    ranks = units.filter(pl.col("candidate") < vectors)["rank"]
    x, y = points.T
    pl.DataFrame({"rank": ranks, "x": x, "y": y}).write_parquet(folder / "map.parquet")


def _measure_curve(
    units: pl.DataFrame, atoms: Atoms, candidates: Candidates, *, seed: int
) -> pl.DataFrame:
    """Return how much of the held-back text the first k units save, or of the mined one."""
    runs = units.filter(pl.col("candidate").is_not_null())
    slice_ = atoms.held if has_documents(atoms.held) else atoms.mined
    order = runs["candidate"].to_numpy().astype(np.int64)
    return measure_savings(slice_, candidates, final_values(runs, candidates), order, seed=seed)


def has_documents(stream: Stream) -> bool:
    """Say whether a stream holds any document."""
    return len(stream.documents) > 1


def describe_run(
    run: Run,
    key: dict[str, Any],
    sources: tuple[Source, ...],
    atoms: Atoms,
    candidates: Candidates,
    proposals: pl.DataFrame,
    curve: pl.DataFrame,
    *,
    decisions: Settled | None = None,
) -> dict[str, Any]:
    """Return the manifest: what went in, what came out, what it cost."""
    verdicts = proposals.group_by("verdict").len().sort("len", "verdict", descending=_FALLING)
    kept = proposals.filter(pl.col("verdict") == Verdict.KEPT)
    kinds = kept.group_by("kind").len().sort("len", "kind", descending=_FALLING)
    stage = {entry.name: run.folder / f"{i}_{entry.name}" for i, entry in enumerate(run.stages, 1)}

    def read(name: str, file: str) -> dict[str, Any]:
        return dict(json.loads((stage[name] / file).read_text(encoding="utf-8")))

    counted = candidates.table.filter(pl.col("length") > 1)["count"].min()
    return {
        "key": key,
        "config": key["config"],
        "inputs": key["inputs"],
        "versions": list_versions(),
        "bytes": sum(source.bytes for source in sources),
        "text_bytes": read("atoms", "reading.json")["text_bytes"],
        "profile": atoms.profile.name,
        "documents": len(atoms.mined.documents) - 1,
        "held_documents": len(atoms.held.documents) - 1,
        "measured_on": "held back" if has_documents(atoms.held) else "mined",
        "atoms": int(atoms.table["count"].sum()),
        "min_count": key["config"]["min_count"]
        or default_min_count(int(atoms.table["count"].sum())),
        "least_count": counted,
        "verdicts": dict(verdicts.iter_rows()),
        "kinds": dict(kinds.iter_rows()),
        "decisions": count_decisions(decisions) if decisions else None,
        "saved": curve.row(-1, named=True) if curve.height else {},
        "encoder": read("vectors", "encoder.json"),
        "search": read("vocabulary", "search.json"),
        "fields": tell_space(read("fields", "fields.json")),
        "skipped": read("atoms", "reading.json")["skipped"],
        "stages": [asdict(entry) for entry in run.stages],
    }


def tell_space(about: dict[str, Any]) -> dict[str, Any]:
    """Return what the manifest says of fields: the facets, and what a shared address means."""
    prefixes = [(row["signs"], row["cosine"]) for row in about["prefixes"]]
    return {"facets": list(about["facets"]), "cosine_by_shared_signs": dict(prefixes)}


def list_versions() -> dict[str, str]:
    """Return the versions of Python, of the machine and of the libraries that matter."""
    found = {"python": platform.python_version(), "machine": platform.machine()}
    for name in (
        "numpy",
        "numba",
        "polars",
        "faiss-gpu",
        "faiss-cpu",
        "sentence-transformers",
        "torch",
        "tokenizers",
    ):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def write_run(
    run: Run,
    config: MineConfig,
    candidates: Candidates,
    vocabulary: pl.DataFrame,
    proposals: pl.DataFrame,
    curve: pl.DataFrame,
    manifest: dict[str, Any],
    *,
    decisions: Settled | None = None,
) -> None:
    """Put the files for other programs at the top of the run folder."""
    last = run.folder / "6_vocabulary"
    for name in ("vocabulary.jsonl", "vocabulary.txt", "merges.tsv", "tokens.json"):
        _link(last / name, run.folder / name)
    decided = last / "proposals.parquet"
    found = decided if decided.exists() else run.folder / "5_proposals" / "proposals.parquet"
    _link(found, run.folder / "proposals.parquet")
    if config.decisions:
        copy_logs(Path(config.decisions), run.folder)
    encoder = run.folder / "4_vectors" / "encoder"
    if encoder.exists():
        shutil.copytree(encoder, run.folder / "encoder", copy_function=_link, dirs_exist_ok=True)
    (run.folder / "config.toml").write_text(write_config(config), encoding="utf-8")
    draw_report(
        run.folder,
        candidates,
        vocabulary,
        proposals,
        curve,
        manifest,
        decisions=manifest["decisions"],
        conflicts=decisions.conflicts if decisions else (),
    )
    write_json(run.folder / MANIFEST, manifest)


def copy_logs(place: Path, folder: Path) -> None:
    """Put the logs that were obeyed into the new run: its reviewers go on with them."""
    for log in read_logs(place):
        target = name_log(folder, log.reviewer)
        target.parent.mkdir(exist_ok=True)
        shutil.copyfile(log.path, target)


def draw_report(
    folder: Path,
    candidates: Candidates,
    vocabulary: pl.DataFrame,
    proposals: pl.DataFrame,
    curve: pl.DataFrame,
    manifest: dict[str, Any],
    *,
    decisions: Mapping[str, int] | None = None,
    conflicts: Sequence[Conflict] = (),
) -> Path:
    """Write the report of a run, with places of its best units; return where it is."""
    originals = open_originals(folder)
    shown = list_shown(vocabulary)
    known = pl.col("candidate").fill_null(0) < candidates.table.height  # not what people added
    shown = shown.filter(known)
    keys = list(list_keys(shown, candidates)) if shown.height else []
    found = originals.find_all(keys, most=PLACES, reach=REACH)
    rows = [
        (rank, place.before, place.unit, place.after)
        for rank, places in zip(shown["rank"] if keys else [], found, strict=True)
        for place in places
    ]
    drawn = folder / "6_vocabulary" / "map.parquet"
    write_report(
        folder / "report.html",
        vocabulary=vocabulary,
        proposals=proposals,
        curve=curve,
        manifest=manifest,
        contexts=pl.DataFrame(rows, schema=CONTEXTS, orient="row"),
        exact=originals.exact,
        places=pl.read_parquet(drawn) if drawn.exists() else None,
        decisions=decisions,
        conflicts=[(one.unit[0], one.field, one.said, one.holds) for one in conflicts],
    )
    return folder / "report.html"


def rewrite_report(run: Path, *, policy: Policy = "majority") -> Path:
    """Write the report of a finished run again, with what reviewers have decided since.

    RunError where the run is damaged.
    """
    finished = open_finished(run)
    reviewed = review_run(run, policy)
    units, proposals = finished.units, finished.proposals.drop("row")
    manifest = finished.manifest
    if reviewed:
        units, proposals = reviewed.units, reviewed.proposals
        manifest = manifest | {"verdicts": dict(proposals["verdict"].value_counts().iter_rows())}
    try:
        curve = pl.read_parquet(run / "6_vocabulary" / "savings.parquet")
        return draw_report(
            run,
            finished.candidates,
            units,
            proposals,
            curve,
            manifest,
            decisions=reviewed.counts if reviewed else None,
            conflicts=reviewed.conflicts if reviewed else (),
        )
    except (OSError, pl.exceptions.PolarsError) as error:
        raise RunError(
            f"its report cannot be written ({type(error).__name__})",
            where=str(run),
            cure="Check the folder's permissions, copy the whole run, or mine again",
        ) from error


def _link(source: str | Path, target: str | Path) -> None:
    """Give a file a second name, or copy it where the file system cannot."""
    Path(target).unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
