"""What a command is asked for to a job: which entries, which file, how much of it?"""

from __future__ import annotations

import hashlib
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from miner.corpus import find_sources
from miner.errors import UsageError
from miner.progress import SILENT, Progress
from miner.rewriting.entries import Entry, make_plan, number_signs
from miner.rewriting.patterns import Pattern
from miner.rewriting.provenance import check_provenance
from miner.rewriting.reading import KINDS, Style, read_dictionary, read_run
from miner.rewriting.streaming import Done, Form, Job, run_job
from miner.rewriting.trees import run_tree
from miner.runs.decisions import Policy
from miner.runs.workplace import is_stream


@dataclass(frozen=True)
class RewriteConfig:
    """What `miner rewrite` and `miner restore` are asked for; `run` or `dictionary`."""

    corpus: str
    out: Path
    run: Path | None = None
    dictionary: Path | None = None
    form: Form = "txt"
    density: float = 1.0
    seed: int = 0
    any_case: bool = False
    inflect: str | None = None
    links: bool = False
    style: Style = "glued"
    alphabet: str | None = None
    markers: bool = False
    policy: Policy = "majority"


def open_job(config: RewriteConfig, *, back: bool, progress: Progress = SILENT) -> Job:
    """Return the job of a command; UsageError where options have no meaning together."""
    if (config.run is None) == (config.dictionary is None):
        raise UsageError("name what stands for what", cure="Give either --run or --dictionary")
    if not 0 < config.density <= 1:
        raise UsageError(f"--density is {config.density}", cure="Give a share above 0, at most 1")
    if config.seed < 0:
        raise UsageError(f"--seed is {config.seed}", cure="Give 0 at least")
    if config.run and config.any_case:
        raise UsageError("--any-case is for --dictionary", cure="A run has its cases by itself")
    if config.run and config.inflect:
        raise UsageError("--inflect is for --dictionary", cure="Leave it away")
    for name, given in (
        ("links", config.links),
        ("style", config.style != "glued"),
        ("markers", config.markers),
    ):
        if config.dictionary and given:
            raise UsageError(f"--{name} is for --run", cure="Leave it away")
    if config.alphabet is not None and config.style != "signs":
        raise UsageError("--alphabet is for --style signs", cure="Name both, or neither")
    entries, patterns = read_entries(config, progress)
    near = f", patterns: {len(patterns):,}" if patterns else ""
    progress.note(f"texts with a sign: {len(entries):,}{near}")
    plan = make_plan(entries, patterns, share=config.density, seed=config.seed)
    key = {
        "corpus": config.corpus,
        "entries": hash_entries(entries, patterns),
        "form": config.form,
        "density": config.density,
        "seed": config.seed,
        "back": back,
    }
    numbers = number_signs(entries, patterns)
    how = {"entries": key["entries"], "form": config.form, "options": list_options(config)}
    if back:
        check_provenance(Path(config.corpus), how, progress)
    return Job(config.corpus, config.out, plan, config.form, back, key, patterns, numbers, how)


def list_options(config: RewriteConfig) -> str:
    """Return the options of a command that decide what a sign means, as one types them."""
    told = [f"--run {config.run}" if config.run else f"--dictionary {config.dictionary}"]
    told += ["--any-case"] * config.any_case
    told += [f"--inflect {config.inflect}"] if config.inflect else []
    told += [f"--style {config.style}"] if config.style != "glued" else []
    told += [f"--alphabet {shlex.quote(config.alphabet)}"] if config.alphabet else []
    told += ["--markers"] * config.markers + ["--links"] * config.links
    told += [f"--format {config.form}"] if config.form != "txt" else []
    return " ".join(told)


def read_entries(config: RewriteConfig, progress: Progress) -> tuple[list[Entry], list[Pattern]]:
    """Return the texts of a run, or the texts and patterns of a dictionary."""
    if config.run is not None:
        kinds = KINDS[:1] if config.links else KINDS
        entries, bare = read_run(
            config.run,
            kinds=kinds,
            policy=config.policy,
            style=config.style,
            alphabet=config.alphabet,
            markers=config.markers,
        )
        if bare:
            progress.note(
                f"{bare:,} units have no sign: none is left, or one of ␛ ␚ ⟨ ⟩ would be in it"
            )
        return entries, []
    return read_dictionary(
        config.dictionary or Path(), any_case=config.any_case, inflect=config.inflect
    )


def hash_entries(entries: list[Entry], patterns: list[Pattern]) -> str:
    """Return the SHA-256 of entries and patterns in their order."""
    rows = [f"{entry.text}\t{entry.sign}\t{entry.formed}\n" for entry in entries]
    rows += [f"{one.expression.pattern}\t{one.sign}\t{one.expression.flags}\n" for one in patterns]
    return hashlib.sha256("".join(rows).encode()).hexdigest()


def rewrite_corpus(config: RewriteConfig, *, progress: Progress = SILENT, **how: Any) -> Done:
    """Write a corpus as hyperword text."""
    return _run(open_job(config, back=False, progress=progress), progress=progress, **how)


def restore_corpus(config: RewriteConfig, *, progress: Progress = SILENT, **how: Any) -> Done:
    """Write hyperword text as it was, with the options that it was written with."""
    return _run(open_job(config, back=True, progress=progress), progress=progress, **how)


def _run(job: Job, **how: Any) -> Done:
    sources = find_sources([job.source], as_bytes=True)
    if len(sources) > 1 or Path(job.source).is_dir():
        return run_tree(job, sources, **how)
    return run_job(job, source=sources[0], **how)


def describe_done(done: Done, config: RewriteConfig, *, back: bool) -> str:
    """Return what was done, and what to do next."""
    size = f"{done.read / 1e6:,.1f} MB -> {done.written / 1e6:,.1f} MB in {config.out}"
    if back or is_stream(config.out):
        return size
    command = f"miner restore {list_options(config)} --corpus {config.out} --out OUT"
    return "\n".join(
        [
            size,
            f"places with a sign: {done.replaced:,}; signs that stood there by themselves, "
            f"escaped: {done.escaped:,}; lines left as they were: {done.left:,}",
            "",
            f"Next: {command} gives it back",
        ]
    )
