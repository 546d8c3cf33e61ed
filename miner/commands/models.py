"""Units into models: rows for new ids, and their training."""

from __future__ import annotations

from typing import Any

import click

from miner.commands import options as shared
from miner.commands.options import BARS, STOPPED, folder_or_file, show
from miner.config import CHOICES

INITS = ("mean", "weighted", "edges", "random", "calibrated")


@click.command()
@click.argument("model", type=folder_or_file, metavar="MODEL")
@shared.run_option(required=True, help="Whose units the model gets.")
@shared.out_option(metavar="FOLDER")
@click.option(
    "--init",
    type=click.Choice(INITS),
    default="calibrated",
    show_default=True,
    help="What a new row begins with. mean: its parts alike; weighted: mostly its last part in the "
    "input, its first in the output; edges: these alone; random: as the other rows are spread; "
    "calibrated: weighted, a mean where input and output are one table, then moved until the model "
    "expects a unit as often as it occurs.",
)
@shared.corpus_option(
    help="What tells which units pay; may come several times.  [default: the run's own text]"
)
@click.option("--units", type=int, metavar="K", help="How many units.  [default: all that pay]")
@click.option("--vocab-size", type=int, metavar="N", help="The most ids of the tokenizer.")
@shared.column_option
@shared.seed_option(help="Of random rows.")
@shared.policy_option
@shared.overwrite_option(help="Replace a model of miner that is there.")
@shared.json_option(help="Print the card as JSON.")
def adopt(as_json: bool, **options: Any) -> None:
    """Give MODEL, a Hugging Face folder, an id and a row for the units of RUN.

    Tokenizer and tables grow together, in a new folder; what was there stays bit for bit. No code
    of MODEL is run, and its weights must be safetensors.

    \b
    Examples:
      miner adopt ./Qwen3-0.6B --run outputs/run --out adopted
      miner adopt ./gpt2 --run outputs/run --out adopted --units 5000 --init mean
    """
    from miner.api.models import adopt as adopt_model

    told = adopt_model(progress=BARS, **options)
    show(told.text, lambda: told.data, as_json=as_json)


@click.command()
@click.argument("model", type=folder_or_file, metavar="MODEL")
@shared.corpus_option(
    help="What to learn from, in the forms that `miner mine` reads; may come several times. One "
    "document in twenty is held back and measures."
)
@shared.run_option(metavar="RUN", help="Learn from the text of this run.")
@shared.out_option(metavar="FOLDER")
@click.option("--steps", type=int, metavar="N", help="How many steps.  [default: one epoch]")
@click.option("--epochs", type=int, metavar="N", help="How often the text is read, instead.")
@click.option("--batch", type=int, metavar="N", default=4096, show_default=True, help="Ids a step.")
@click.option(
    "--context", type=int, metavar="N", help="Ids a block.  [default: 512, or what the model reads]"
)
@click.option("--learning-rate", type=float, metavar="X", default=2e-4, show_default=True)
@click.option("--rank", type=int, metavar="N", default=16, show_default=True, help="Of adapters.")
@click.option("--rows-only", is_flag=True, help="Train the new rows, without adapters.")
@click.option("--device", type=click.Choice(CHOICES["device"]), default="auto", show_default=True)
@click.option(
    "--precision",
    type=click.Choice(("auto", "float32", "bfloat16")),
    default="auto",
    show_default=True,
    help="auto: bfloat16 on a GPU. What learns is float32 anyway.",
)
@click.option("--four-bit", is_flag=True, help="QLoRA: the model in 4 bits (NF4), on a GPU.")
@click.option("--merge", is_flag=True, help="Write the whole model instead of an adapter.")
@click.option(
    "--template",
    is_flag=True,
    help="Train nothing: write axolotl.yaml and train.py, for people who train elsewhere.",
)
@shared.column_option
@shared.seed_option(help="Of every random choice.")
@shared.resume_option(help="Go on with a training that was cut off.")
@shared.overwrite_option(help="Replace what miner tune wrote there.")
@shared.json_option(help="Print the card as JSON.")
def tune(as_json: bool, **options: Any) -> int:
    """Train the new rows of MODEL, which `miner adopt` wrote, and adapters (LoRA); nothing else.

    Needs pip install 'miner[tune]'. A model without new rows gets adapters alone. Rows of old ids
    stay bit for bit. The result is an adapter of PEFT, or with --merge a whole model.

    \b
    Examples:
      miner tune adopted --corpus texts/ --out tuned
      miner tune adopted --run outputs/run --rows-only --steps 500 --merge --out tuned
      miner tune adopted --corpus texts/ --template --out elsewhere
    """
    from miner.api.models import tune as tune_model

    try:
        told = tune_model(progress=BARS, **options)
    except KeyboardInterrupt:
        BARS.note("stopped; the same command with --resume goes on behind the last whole step")
        return STOPPED
    show(told.text, lambda: told.data, as_json=as_json)
    return 0
