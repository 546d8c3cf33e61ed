"""Models in Python: units into an existing one, and the training of what is new in it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from miner.api.results import Result, TextOrPath, list_paths
from miner.api.run import Run
from miner.model.adopting import AdoptConfig, adopt_model
from miner.model.rows import Init
from miner.model.tuned_view import summarize_tuned
from miner.model.tuning import TuneConfig, tune_model, write_elsewhere
from miner.model.view import summarize_model
from miner.progress import Progress, choose_progress


def find_folder(run: Run | TextOrPath) -> Path:
    """Return the folder of a run that may come as an object."""
    return run.folder if isinstance(run, Run) else Path(run)


def adopt(
    model: TextOrPath,
    run: Run | TextOrPath,
    out: TextOrPath,
    *,
    init: Init = "calibrated",
    corpus: TextOrPath | Sequence[TextOrPath] | None = None,
    vocab_size: int | None = None,
    units: int | None = None,
    text_column: str | None = None,
    policy: Literal["majority", "latest", "unanimous"] = "majority",
    seed: int = 0,
    overwrite: bool = False,
    progress: bool | Progress = False,
) -> Result:
    """Give a model an id and a row for the units of a run, as `miner adopt` does.

    Tokenizer and tables grow together, in a new folder; what was there stays bit for bit. Needs
    `pip install 'miner[models]'`.

    Args:
        model: a folder of Hugging Face with safetensors; no code of it is run.
        run: whose units the model gets.
        out: the folder to write; `AutoModelForCausalLM` loads it.
        init: what a new row begins with: `calibrated`, `mean`, `weighted`, `edges` or `random`.
        corpus: paths that tell which units pay; by default the run's own text.
        vocab_size: the most ids.
        units: how many units; by default all that pay.
        text_column: of tables and JSON lines.
        policy: what holds where reviewers of the run differ.
        seed: of random rows.
        overwrite: replace a model of miner that is there.
        progress: True for bars, or an object of the protocol `miner.Progress`.

    Returns:
        A `Result`; its `folder` is the model, its `data` the card.

    Raises:
        ModelError, TokenizerError, RunError, UsageError: with the place and the cure.

    >>> adopted = adopt("./model", "outputs/mine", "adopted")  # doctest: +SKIP
    """
    config = AdoptConfig(
        model=Path(model),
        run=find_folder(run),
        init=init,
        corpus=list_paths(corpus),
        vocab_size=vocab_size,
        units=units,
        text_column=text_column,
        policy=policy,
        seed=seed,
    )
    told = choose_progress(progress)
    adopted = adopt_model(config, Path(out), overwrite=overwrite, progress=told)
    return Result(summarize_model(adopted), adopted.card, adopted.folder)


def tune(
    model: TextOrPath,
    out: TextOrPath,
    *,
    corpus: TextOrPath | Sequence[TextOrPath] | None = None,
    run: Run | TextOrPath | None = None,
    steps: int | None = None,
    epochs: int | None = None,
    batch: int = 4_096,
    context: int | None = None,
    learning_rate: float = 2e-4,
    rank: int = 16,
    rows_only: bool = False,
    device: Literal["auto", "cpu", "cuda"] = "auto",
    precision: Literal["auto", "float32", "bfloat16"] = "auto",
    four_bit: bool = False,
    merge: bool = False,
    template: bool = False,
    seed: int = 0,
    text_column: str | None = None,
    resume: bool = False,
    overwrite: bool = False,
    progress: bool | Progress = False,
) -> Result:
    """Train the new rows of a model that `adopt` wrote, and LoRA adapters, as `miner tune` does.

    Needs `pip install 'miner[tune]'`. Rows of old ids stay bit for bit.

    Args:
        model: the folder that `adopt` wrote.
        out: the folder to write: an adapter of PEFT, or with `merge` the whole model.
        corpus: paths to learn from.
        run: whose own text is learnt from, where no corpus is given.
        steps: how many steps; not together with `epochs`.
        epochs: how often the text is read; once by default.
        batch: ids a step.
        context: ids a block; 512 by default, or what the model reads.
        learning_rate: of AdamW.
        rank: of adapters.
        rows_only: train the new rows, and no adapters.
        device: `auto`, `cpu` or `cuda`.
        precision: `auto` is bfloat16 on a GPU; what learns is float32 anyway.
        four_bit: QLoRA, the model in 4 bits, on a GPU.
        merge: write the whole model instead of an adapter.
        template: train nothing, and write settings for axolotl and a script, for people who train
            elsewhere.
        seed: of every random choice.
        text_column: of tables and JSON lines.
        resume: go on with a training that was cut off.
        overwrite: replace what `tune` wrote there.
        progress: True for bars, or an object of the protocol `miner.Progress`.

    Returns:
        A `Result`; its `data` is the card, with bits per byte of held-back text.

    Raises:
        ModelError, CorpusError, RunError, UsageError: with the place and the cure.

    >>> tuned = tune("adopted", "tuned", run="outputs/mine")  # doctest: +SKIP
    """
    config = TuneConfig(
        model=Path(model),
        corpus=list_paths(corpus),
        run=find_folder(run) if run is not None else None,
        steps=steps,
        epochs=epochs,
        batch=batch,
        context=context,
        learning_rate=learning_rate,
        rank=rank,
        rows_only=rows_only,
        device=device,
        precision=precision,
        four_bit=four_bit,
        merge=merge,
        seed=seed,
        text_column=text_column,
    )
    told = choose_progress(progress)
    if template:
        write_elsewhere(config, Path(out), overwrite=overwrite, progress=told)
        return Result(f"Next: read {out}/README.md", {}, Path(out))
    tuned = tune_model(config, Path(out), resume=resume, overwrite=overwrite, progress=told)
    return Result(summarize_tuned(tuned.card, str(out)), tuned.card, tuned.folder)
