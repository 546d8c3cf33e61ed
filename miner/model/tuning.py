"""A model and a corpus to the model that knows the corpus: new rows and adapters learn.

Only they do: rows of old ids and all weights stay as they are, and an adapter lies beside them.
Read `tune_model` aloud and you know what `miner tune` does.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from miner.errors import RunError, UsageError, need_extra
from miner.model.adapters import (
    Parts,
    attach_parts,
    build_empty,
    check_libraries,
    check_same,
    choose_device,
    choose_precision,
    compute_logits,
    list_learning,
    load_base,
    name_tables,
    save_parts,
    spare_memory,
)
from miner.model.checkpoints import find_last, open_checkpoints, remove_checkpoints
from miner.model.packing import Packing, Sample, make_sample
from miner.model.steps import Pace, choose_micro
from miner.model.templates import STEPS, write_template
from miner.model.training import Saving, train_parts
from miner.model.tunable import Tunable, open_tunable
from miner.model.tuned import write_beside, write_whole
from miner.progress import SILENT, Progress
from miner.runs.workplace import (
    CHECKPOINTS,
    find_workplace,
    follow_link,
    open_folder,
    open_workplace,
)
from miner.tokenizer.reading.texts import Corpus, open_corpus, open_mined

LARGE = 1 << 30  # bytes of rows in training that are told
KEPT = 5  # numbers for each number of a row that learns: it, its first value, gradient, two moments


@dataclass(frozen=True)
class TuneConfig:
    """What `miner tune` is asked for; `steps` or `epochs`, `corpus` or `run`."""

    model: Path
    corpus: tuple[str, ...] = ()
    run: Path | None = None
    steps: int | None = None
    epochs: int | None = None
    batch: int = 4_096
    context: int | None = None
    learning_rate: float = 2e-4
    rank: int = 16
    rows_only: bool = False
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    four_bit: bool = False
    merge: bool = False
    seed: int = 0
    text_column: str | None = None


@dataclass(frozen=True)
class Tuned:
    """A model that was tuned: its folder, and its card."""

    folder: Path
    card: dict[str, Any]


def tune_model(
    config: TuneConfig,
    out: Path,
    *,
    resume: bool = False,
    overwrite: bool = False,
    progress: Progress = SILENT,
) -> Tuned:
    """Write an adapter for the model of `config` to `out`, or with `merge` the whole model.

    ModelError where the model cannot be tuned; CorpusError where the text is too short.
    """
    check_config(config, resume=resume, overwrite=overwrite)
    check_libraries(four_bit=config.four_bit)
    device = choose_device(config.device, four_bit=config.four_bit)
    base = open_base(config)
    corpus = open_text(config, progress)
    packing = Packing(corpus, base.reader.encode, base.reader.end, base.context, config.seed)
    out = follow_link(out)
    place = find_workplace(out) / CHECKPOINTS
    replaces = overwrite or (resume and find_last(place) is not None)
    with open_folder(out, kind="model", overwrite=replaces) as folder, told_tensors(out):
        pace = plan_pace(config, base, packing, device, progress)
        progress.note(describe_start(config, base, pace))
        key = list_settings(config, base, corpus, pace)
        last = open_checkpoints(place, key, resume=resume, overwrite=overwrite)
        model = prepare_model(config, base, pace)
        sample = make_sample(packing, base.reader.begin)
        learning = list_learning(model)
        saving = Saving(place, key, last)
        history = train_parts(model, learning, packing, sample, pace, saving, progress)
        save_parts(model, folder)
        tables = sorted(name_tables(model.get_base_model(), base.ids, tied=base.files.tied))
        del model, learning
        if config.merge:
            write_whole(base, folder, progress)
        card = make_card(config, base, key, history, corpus, sample)
        card["tuned"] |= {"device": device, "tables": tables}
        write_beside(base, folder, card, history)
    with open_workplace(out):
        remove_checkpoints(place)
    return Tuned(out, card)


def write_elsewhere(
    config: TuneConfig, out: Path, *, overwrite: bool = False, progress: Progress = SILENT
) -> Path:
    """Write what trains the model elsewhere to `out`; nothing is trained here."""
    check_numbers(config)
    need_extra("models", "miner tune --template")
    base = open_base(config)
    tables = sorted(name_tables(build_empty(config.model), base.ids, tied=base.files.tied))
    settings = {
        "model": str(config.model),
        "family": base.files.family,
        "loader": base.reader.loader,
        "corpus": list(config.corpus) or ["corpus.jsonl"],
        "text_column": config.text_column or "text",
        "new_ids": [base.ids.start, base.ids.stop],
        "tables": tables,
        "rank": config.rank,
        "rows_only": config.rows_only,
        "four_bit": config.four_bit,
        "steps": config.steps or STEPS,
        "batch": config.batch,
        "context": base.context,
        "learning_rate": config.learning_rate,
        "seed": config.seed,
        "end": base.reader.end_text,
    }
    with open_folder(out, kind="model", overwrite=overwrite) as folder:
        write_template(folder, settings, {"template": settings})
    progress.note(f"{len(base.ids):,} new rows in {' and '.join(tables) or 'no table'}")
    return out


def check_config(config: TuneConfig, *, resume: bool, overwrite: bool) -> None:
    """UsageError where options have no meaning, or none together."""
    if not config.corpus and config.run is None:
        raise UsageError("no text is named", cure="Add --corpus PATH or --run RUN")
    if config.corpus and config.run is not None:
        raise UsageError("--corpus and --run exclude each other", cure="Give one of them")
    if config.steps is not None and config.epochs is not None:
        raise UsageError("--steps and --epochs exclude each other", cure="Give one of them")
    if resume and overwrite:
        raise UsageError("--resume and --overwrite exclude each other", cure="Give one of them")
    if config.four_bit and config.device == "cpu":
        raise UsageError("--four-bit needs a CUDA device", cure="Leave --device cpu away")
    check_numbers(config)


def check_numbers(config: TuneConfig) -> None:
    """UsageError where a number has no meaning."""
    for name in ("steps", "epochs", "batch", "context", "rank"):
        value = getattr(config, name)
        if value is not None and value < 1:
            raise UsageError(f"--{name} is {value}", cure="Give 1 at least")
    if not 0 < config.learning_rate < 1:
        raise UsageError(f"--learning-rate is {config.learning_rate}", cure="2e-4 is usual")
    if config.seed < 0:
        raise UsageError(f"--seed is {config.seed}", cure="Give 0 at least")


def open_base(config: TuneConfig) -> Tunable:
    """Return the model to tune, whose folder was checked; ModelError where it is none to tune."""
    base = open_tunable(config.model, config.context)
    if config.rows_only and not base.ids:
        raise UsageError(
            "the model has no new rows, which --rows-only would train",
            cure="Give them to it with miner adopt, or leave --rows-only away",
        )
    return base


def open_text(config: TuneConfig, progress: Progress) -> Corpus:
    """Return the corpus to train on: files, or the text that a run was mined from."""
    if config.run is not None:
        return open_mined(config.run, progress)
    corpus = open_corpus(config.corpus, text_column=config.text_column, progress=progress)
    if not corpus.has_held:
        progress.note(
            "warning: too few documents to hold some back; it is measured on what it learns from"
        )
    return corpus


def plan_pace(
    config: TuneConfig, base: Tunable, packing: Packing, device: str, progress: Progress
) -> Pace:
    """Return how the model learns; without --steps the text is read once to count them."""
    blocks = max(config.batch // base.context, 1)
    steps = config.steps
    if steps is None:
        count = packing.count()
        progress.note(f"the text is {count:,} blocks of {base.context:,} ids")
        steps = max(count * (config.epochs or 1) // blocks, 1)
    micro = choose_micro(blocks, base.context, base.files.rows, device)
    precision = choose_precision(config.precision, device)
    return Pace(steps, blocks, micro, config.learning_rate, config.seed, device, precision)


def list_settings(config: TuneConfig, base: Tunable, corpus: Corpus, pace: Pace) -> dict[str, Any]:
    """Return what the result depends on: a training goes on under the same settings alone."""
    wanted = asdict(config)
    names = ("learning_rate", "rank", "rows_only", "four_bit", "seed", "text_column")
    return {name: wanted[name] for name in names} | {
        "steps": pace.steps,
        "batch": pace.blocks * base.context,
        "context": base.context,
        "precision": pace.precision,
        "new_ids": [base.ids.start, base.ids.stop],
        "weights": {file.name: file.stat().st_size for file in base.files.files},
        "documents": corpus.documents,
        "bytes": corpus.bytes,
    }


def describe_start(config: TuneConfig, base: Tunable, pace: Pace) -> str:
    """Return what learns, and how long."""
    rows = f"{len(base.ids):,} new rows"
    what = (
        f"adapters of rank {config.rank}"
        if not base.ids
        else (rows if config.rows_only else f"{rows} and adapters of rank {config.rank}")
    )
    note = "" if base.ids else " (the model has no new rows of miner adopt)"
    tables = 1 if base.files.tied or "output" not in base.files.tables else 2
    size = KEPT * 4 * len(base.ids) * base.files.width * tables
    if size > LARGE:
        note += f" (the rows take {size / 1e9:.1f} GB while they learn)"
    return (
        f"{base.files.family} on {pace.device} in {pace.precision}: {what} learn{note}; "
        f"{pace.steps:,} steps of {pace.blocks * base.context:,} ids"
    )


def prepare_model(config: TuneConfig, base: Tunable, pace: Pace) -> Any:
    """Return the model with the parts that learn; it says what it said without them."""
    model = load_base(
        base.files.path, device=pace.device, precision=pace.precision, four_bit=config.four_bit
    )
    if pace.device == "cuda":
        spare_memory(model)
    seen = [*range(min(base.files.rows, 8)), *base.ids[:8]]
    before = compute_logits(model, seen)
    rows = name_tables(model, base.ids, tied=base.files.tied)
    model = attach_parts(
        model, Parts(rows, 0 if config.rows_only else config.rank), seed=config.seed
    )
    check_same(before, compute_logits(model, seen), base.files.family)
    return model


def make_card(
    config: TuneConfig,
    base: Tunable,
    key: dict[str, Any],
    history: list[dict[str, Any]],
    corpus: Corpus,
    sample: Sample,
) -> dict[str, Any]:
    """Return the card of the model with what was learned."""
    bits = [line["bits_per_byte"] for line in history if "bits_per_byte" in line]
    settings = {name: value for name, value in key.items() if name != "weights"}
    return base.card | {
        "tuned": {
            "base": config.model.name,
            "family": base.files.family,
            "kind": "model" if config.merge else "adapter",
            "new_rows": len(base.ids),
            "before": bits[0],
            "after": bits[-1],
            "measured_bytes": sample.bytes,
            "held_back": corpus.has_held,
            "seconds": round(sum(line.get("seconds", 0.0) for line in history), 1),
            **settings,
        }
    }


@contextmanager
def told_tensors(out: Path) -> Iterator[None]:
    """Turn tensors that cannot be read or written, as on a full disk, into one line."""
    from safetensors import SafetensorError

    try:
        yield
    except SafetensorError as error:
        line = (str(error).strip().splitlines() or ["SafetensorError"])[0][:200]
        raise RunError(
            f"tensors cannot be read or written ({line})",
            where=str(out),
            cure="Free some disk, then give the same command with --resume",
        ) from error
