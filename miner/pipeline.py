"""The order of things: from a corpus to a run folder.

Read `mine` aloud and you know what `miner mine` does.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from miner.config import MineConfig, parse_size
from miner.corpus import Chunk, Skipped, Source, find_sources, is_bytes, read_chunks
from miner.errors import CorpusError
from miner.fields import DEFAULT, Anchors, make_fields, open_encoder, read_anchors
from miner.mining.candidates import Candidates, count_candidates, default_min_count
from miner.mining.embeddings import embed_candidates
from miner.mining.proposals import find_proposals
from miner.mining.ranking import final_values, gather_families, prove_proposals, rank_kept
from miner.mining.savings import find_knee, measure_savings
from miner.mining.scores import find_splits, score_candidates
from miner.mining.unithood import find_runs, find_seeds
from miner.mining.vocabulary import order_merges, write_vocabulary
from miner.progress import SILENT, Progress
from miner.report.drawing import draw_report
from miner.runs import stages
from miner.runs.annotations import count_decisions, move_families, tell_outcome
from miner.runs.concordance import record_documents
from miner.runs.decisions import Settled, read_logs, settle_logs
from miner.runs.describing import describe_run
from miner.runs.files import write_json
from miner.runs.keys import list_inputs, make_key
from miner.runs.manifest import Manifest
from miner.runs.names import ABOUT_VECTORS, CURVE, MANIFEST, PROPOSALS, UNITS, VECTORS
from miner.runs.obeying import Applied, apply_decisions, find_wanted
from miner.runs.publishing import publish_files
from miner.runs.store import Draft, Existing, draft_run
from miner.text.pretokens import Atoms, cut_chunks, has_documents
from miner.text.profiles import PROFILES, Profile, detect_profile
from miner.vectors.corpus_encoder import save_encoder, train_encoder
from miner.vectors.encoder import Encoder, check_encoder, load_encoder
from miner.vectors.layout import lay_out
from miner.vectors.neighbors import choose_device

LOG = logging.getLogger(__name__)
SAMPLE = 1 << 20  # bytes from which the profile is told


@dataclass(frozen=True)
class Mined:
    """What a run found, for those who called it."""

    folder: Path
    vocabulary: pl.DataFrame
    manifest: Manifest


def mine(
    config: MineConfig,
    out: Path,
    *,
    texts: Source | None = None,
    existing: Existing = "refuse",
    progress: Progress = SILENT,
) -> Mined:
    """Mine a corpus: cut, count, score, embed, let runs compete, prove, write the run folder.

    `texts` stands for the paths of the config where the corpus was in memory.
    """
    if config.encoder != "corpus":
        check_encoder(config.encoder)
    sources = (texts,) if texts else find_sources(config.corpus, as_bytes=config.profile == "bytes")
    inputs, anchors, decisions = list_inputs(sources), find_anchors(config), find_decisions(config)
    key = make_key(config, inputs, anchors)
    with draft_run(out, key, existing=existing) as run:
        named = find_encoder(config)
        atoms = cut_corpus(run, config, sources, progress)
        candidates = count_runs(run, config, atoms, progress)
        scores = score_runs(run, atoms, candidates)
        vectors = embed_runs(run, config, atoms, candidates, named, progress)
        proposals = propose(run, config, atoms, candidates, scores, vectors, decisions)
        ranked = rank_units(run, config, atoms, candidates, proposals, vectors, decisions)
        tell_fields(run, config, atoms, candidates, ranked.units, vectors, named, anchors)
        counts = count_decisions(decisions) if decisions else None
        manifest = describe_run(
            run, config, key, inputs, atoms, candidates, ranked, decisions=counts
        )
        publish_files(run.folder, config)
        conflicts = decisions.conflicts if decisions else ()
        draw_report(run.folder, candidates, ranked, manifest, decisions=counts, conflicts=conflicts)
        write_json(run.folder / MANIFEST, manifest.to_json())
    return Mined(out, ranked.units, manifest)


def find_anchors(config: MineConfig) -> Anchors:
    """Return the anchor words of the facets, the user's own where there are some."""
    return read_anchors(Path(config.facets)) if config.facets else DEFAULT


def find_decisions(config: MineConfig) -> Settled | None:
    """Return what holds of the decisions that the user named."""
    if not config.decisions:
        return None
    return settle_logs(read_logs(Path(config.decisions)), config.policy)


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
    run: Draft, config: MineConfig, sources: tuple[Source, ...], progress: Progress
) -> Atoms:
    """Read the corpus and cut it into atoms."""

    def compute(folder: Path) -> int:
        skipped: list[Skipped] = []
        sizes: list[int] = []
        with progress.task("cutting", sum(source.bytes for source in sources), "B") as advance:
            chunks = read_chunks(
                sources,
                text_column=config.text_column,
                on_error=config.on_error,
                skipped=skipped,
                advance=advance,
            )
            first = next(chunks, None)
            if first is None:
                raise CorpusError(
                    "no document in it",
                    where=", ".join(config.corpus) or "texts",
                    cure="Name other files",
                )
            profile = choose_profile(config, sources, first)
            documents = _weigh(chain([first], chunks), sizes)
            if profile.name != "bytes":
                documents = record_documents(documents, folder)
            atoms = cut_chunks(documents, folder, profile=profile, patterns=config.patterns)
        stages.save_reading(
            folder,
            profile=profile.name,
            patterns=config.patterns,
            abbreviations=atoms.abbreviations,
            text_bytes=sum(sizes),
            skipped=skipped,
        )
        return int(atoms.table["count"].sum())

    return run.stage("atoms", compute, stages.load_cut)


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


def choose_min_count(config: MineConfig, atoms: Atoms) -> int:
    """Return how often a run must occur."""
    return config.min_count or default_min_count(int(atoms.table["count"].sum()))


def count_runs(run: Draft, config: MineConfig, atoms: Atoms, progress: Progress) -> Candidates:
    """Count every run of atoms that repeats."""
    counts = atoms.table["count"].to_numpy()
    least = choose_min_count(config, atoms)

    def compute(folder: Path) -> int:
        with progress.task("counting", int(counts[counts >= least].sum()), "atom") as advance:
            candidates = count_candidates(
                atoms.mined,
                counts,
                min_count=least,
                longest=config.max_length,
                memory=parse_size(config.memory) if config.memory else None,
                advance=advance,
            )
        found = int((candidates.parent >= 0).sum())
        if not counts.any():
            raise CorpusError(
                "nothing but white space",
                where=", ".join(config.corpus) or "texts",
                cure="Mine a corpus with text in it",
            )
        if found == 0:
            raise CorpusError(
                f"no run of atoms occurs {least} times among {int(counts.sum()):,} atoms",
                where=", ".join(config.corpus) or "texts",
                cure="Lower --min-count, or mine a larger corpus",
            )
        stages.save_candidates(folder, candidates)
        return found

    return run.stage("candidates", compute, stages.load_candidates)


def score_runs(run: Draft, atoms: Atoms, candidates: Candidates) -> pl.DataFrame:
    """Compute the statistics of every run."""

    def compute(folder: Path) -> int:
        total = int(atoms.table["count"].sum())
        scores = score_candidates(candidates, find_splits(candidates), total=total)
        scores.write_parquet(folder / stages.SCORES)
        return scores.height

    return run.stage("scores", compute, stages.load_scores)


def embed_runs(
    run: Draft,
    config: MineConfig,
    atoms: Atoms,
    candidates: Candidates,
    named: Encoder | None,
    progress: Progress,
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
        with progress.task("embedding", len(candidates.keys), "run") as advance:
            dimension = embed_candidates(
                folder / VECTORS, encoder, candidates, atoms.table["surface"], advance=advance
            )
        about = {
            "encoder": config.encoder,
            "dimension": dimension,
            "adds_up": named is None,
            "device": getattr(encoder, "device", "cpu"),
            "precision": getattr(encoder, "precision", "float32"),
        }
        write_json(folder / ABOUT_VECTORS, about)
        return len(candidates.keys)

    return run.stage("vectors", compute, stages.load_rows)


def propose(
    run: Draft,
    config: MineConfig,
    atoms: Atoms,
    candidates: Candidates,
    scores: pl.DataFrame,
    vectors: np.ndarray,
    decisions: Settled | None,
) -> pl.DataFrame:
    """Weigh the evidence, let the runs compete for the text and prove what is left."""

    def compute(folder: Path) -> int:
        seeds = find_runs(candidates, find_seeds(config.seeds, atoms) if config.seeds else set())
        proposals = find_proposals(
            atoms,
            candidates,
            scores,
            vectors,
            min_count=choose_min_count(config, atoms),
            budget=config.vocab_size,
            objective=config.objective,
            patterns=config.patterns,
            seeds=seeds,
            **find_wanted(decisions, candidates, scores, atoms, config.patterns),
            seed=config.seed,
        )
        proposals = prove_proposals(proposals, atoms, candidates, patterns=config.patterns)
        proposals.write_parquet(folder / PROPOSALS)
        return proposals.height

    return run.stage("proposals", compute, stages.load_proposals)


def rank_units(
    run: Draft,
    config: MineConfig,
    atoms: Atoms,
    candidates: Candidates,
    proposals: pl.DataFrame,
    vectors: np.ndarray,
    decisions: Settled | None,
) -> stages.Ranked:
    """Rank what was kept, order its merges, gather families and measure what it saves.

    Decisions of reviewers change the proposals before.
    """

    def compute(folder: Path) -> int:
        table, words, runs = proposals, atoms, candidates
        families: Mapping[str, str] = {}
        rejected: frozenset[str] = frozenset()
        if decisions is not None:
            applied = obey(decisions, proposals, atoms, candidates, config)
            table, words, runs = applied.proposals, applied.atoms, applied.candidates
            families, rejected = applied.families, applied.rejected
            known = table[: proposals.height].drop("place")
            known.sort("order").write_parquet(folder / PROPOSALS)
            table = table.drop("place")
        units = rank_kept(table, words, runs)
        units, rows, near = gather_families(units, vectors, device=config.device, seed=config.seed)
        units = move_families(units, families) if families else units
        spaced = atoms.profile.name in ("words", "transliteration")
        with ThreadPoolExecutor(1) as drawing:  # beside the rest: it is as long
            drawn = drawing.submit(lay_out, rows, near.table, seed=config.seed)
            write_vocabulary(folder, units, order_merges(units, avoid=rejected), spaced=spaced)
            units.write_parquet(folder / UNITS)
            curve = measure_curve(units, atoms, runs, seed=config.seed)
            curve.write_parquet(folder / CURVE)
            stages.save_map(folder, units, drawn.result(), len(vectors))
        stages.save_search(
            folder, index=near.index, recall=near.recall, device=near.device, knee=find_knee(curve)
        )
        return units.height

    return run.stage("vocabulary", compute, partial(stages.load_ranked, proposals=proposals))


def obey(
    decisions: Settled,
    proposals: pl.DataFrame,
    atoms: Atoms,
    candidates: Candidates,
    config: MineConfig,
) -> Applied:
    """Return the proposals as decisions leave them, and tell what came of these."""
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
    return applied


def measure_curve(
    units: pl.DataFrame, atoms: Atoms, candidates: Candidates, *, seed: int
) -> pl.DataFrame:
    """Return how much of the held-back text the first k units save, or of the mined one."""
    runs = units.filter(pl.col("candidate").is_not_null())
    slice_ = atoms.held if has_documents(atoms.held) else atoms.mined
    order = runs["candidate"].to_numpy().astype(np.int64)
    return measure_savings(slice_, candidates, final_values(runs, candidates), order, seed=seed)


def tell_fields(
    run: Draft,
    config: MineConfig,
    atoms: Atoms,
    candidates: Candidates,
    units: pl.DataFrame,
    vectors: np.ndarray,
    named: Encoder | None,
    anchors: Anchors,
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
            anchors=anchors,
            patterns=config.patterns,
            seed=config.seed,
        )

    run.stage("fields", compute, lambda _: None)
