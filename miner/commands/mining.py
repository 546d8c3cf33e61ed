"""A corpus to a run: mine, and before it inspect, or synth a corpus to try it on."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click

from miner.commands import options as shared
from miner.commands.options import BARS, folder_or_file, show
from miner.config import CHOICES, DEFAULT_VOCABULARY, MineConfig, read_config
from miner.errors import UsageError

DEVICES = r"con|prn|aux|nul|com\d|lpt\d"  # what Windows takes for no file, in any folder


@click.command()
@shared.corpus_option(
    help="A file, a folder, a quoted glob, or - for standard input; may come several "
    "times, and more paths may follow. Text, JSON lines, CSV, TSV (also .gz .zst .xz), "
    "Parquet, raw bytes, hex dumps, safetensors."
)
@click.argument("more", nargs=-1, metavar="[PATH]...")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="RUN",
    help="The run folder to write.  [default: outputs/ and the corpus's name]",
)
@click.option(
    "--vocab-size",
    type=int,
    metavar="N",
    help=f"The most units to keep: the one dial.  [default: {DEFAULT_VOCABULARY:,}]",
)
@click.option(
    "--objective",
    type=click.Choice(CHOICES["objective"]),
    help="meaning: what a person would call one unit; terms: key terms of the subject alone; "
    "phrases: general vocabulary alone; compression: what saves the most tokens.  "
    "[default: meaning]",
)
@click.option(
    "--min-count",
    type=int,
    metavar="N",
    help="How often a run must occur.  [default: 3 x sqrt(millions of atoms), 3 at least]",
)
@click.option("--max-length", type=int, metavar="N", help="The most atoms in a unit.  [default: 8]")
@click.option(
    "--profile",
    type=click.Choice(CHOICES["profile"]),
    help="How text is cut into atoms.  [default: auto, told from the corpus]",
)
@click.option(
    "--encoder",
    metavar="corpus|NAME|FOLDER",
    help="corpus: trained on the corpus itself, no download; or any "
    "sentence-transformers model.  [default: corpus]",
)
@click.option(
    "--device",
    type=click.Choice(CHOICES["device"]),
    help="Where the encoder and the search run.  [default: auto]",
)
@click.option("--seeds", metavar="FILE", help="Units known to be good, one a line, to learn from.")
@click.option(
    "--facets",
    metavar="FILE",
    help="What to measure units by: a TOML file with anchor words for each facet.  [default: "
    "logic, emotion and function, in English and Russian]",
)
@click.option(
    "--decisions",
    metavar="FILE",
    help="What reviewers decided: a run, a folder of logs, or one log. Accepted units compete as "
    "the best there is, rejected ones do not.",
)
@click.option(
    "--policy",
    type=click.Choice(CHOICES["policy"]),
    help="What holds where reviewers differ.  [default: majority]",
)
@click.option(
    "--text-column",
    metavar="NAME",
    help="Of tables and JSON lines.  [default: text, or the only column of text]",
)
@click.option(
    "--memory",
    metavar="SIZE",
    help="Memory for counting, such as 2GiB; a larger corpus is counted in passes, to "
    "the same rows.",
)
@click.option(
    "--on-error",
    type=click.Choice(CHOICES["on_error"]),
    help="What to do with input that cannot be read.  [default: stop]",
)
@click.option("--seed", type=int, metavar="N", help="Of every random choice.  [default: 0]")
@click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Settings in TOML; a run saves its own as config.toml. Options win over it.",
)
@shared.resume_option(help="Go on with a run that was cut off.")
@shared.overwrite_option(help="Replace a run that is there.")
@shared.json_option(help="Print the manifest instead of a table.")
def mine(
    more: tuple[str, ...],
    out: Path | None,
    config_file: Path | None,
    resume: bool,
    overwrite: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Mine a corpus for units of meaning.

    \b
    Examples:
      miner mine --corpus novel.txt
      miner mine --corpus 'logs/*.jsonl.gz' --text-column message --profile code
      zcat wiki.txt.gz | miner mine --corpus - --out outputs/wiki --memory 2GiB
    """
    settings = read_config(config_file) if config_file else {}
    options["corpus"] = (*options["corpus"], *more)
    settings |= {name: value for name, value in options.items() if value not in (None, ())}
    if not settings.get("corpus"):
        raise UsageError("no corpus is named", cure="Add --corpus PATH")
    if resume and overwrite:
        raise UsageError("--resume and --overwrite exclude each other", cure="Give one of them")
    from miner.api.mining import mine_paths

    folder = out or Path("outputs", name_run(settings["corpus"][0]))
    run = mine_paths(
        MineConfig(**settings), folder, resume=resume, overwrite=overwrite, progress=BARS
    )
    show(run.summary(), run.manifest.to_json, as_json=as_json)


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@shared.column_option
@click.option(
    "--tokenizer",
    type=folder_or_file,
    metavar="TOKENIZER",
    help="Count tokens under this tokenizer, a folder or a file; of a large corpus on a sample, "
    "with an interval.  [default: none]",
)
@click.option(
    "--profile",
    type=click.Choice(CHOICES["profile"]),
    default="auto",
    show_default=True,
    help="What you mean to mine with; bytes reads text files as bytes.",
)
@shared.page_option
@click.option(
    "--on-error",
    type=click.Choice(CHOICES["on_error"]),
    default="stop",
    show_default=True,
    help="What to do with files that cannot be read. Bytes that are not UTF-8 are counted anyway.",
)
@shared.json_option(help="Print all figures as JSON.")
def inspect(paths: tuple[str, ...], page: Path | None, as_json: bool, **options: Any) -> None:
    """Tell what a corpus is, and what it is enough for.

    Its size in megabytes, lines, words, A4 pages and tokens; which of six classes it is of and how
    miner would cut it, with the evidence; scripts, languages, repeated lines, broken characters.
    Memory stays the same for a corpus of any size.

    \b
    Examples:
      miner inspect my_texts/
      miner inspect 'logs/*.jsonl.gz' --text-column message --json
      miner inspect novel.txt --tokenizer ./gpt2 --html novel.html
      miner inspect model.safetensors
    """
    from miner.api.results import check_page
    from miner.api.tools import inspect as inspect_corpus

    check_page(page)
    told = inspect_corpus(paths, progress=BARS, **options)
    show(told.text, lambda: told.data, as_json=as_json)
    if page is not None:
        told.save(page)


@click.command()
@click.option("--lines", type=int, required=True, metavar="N", help="100 at least.")
@shared.out_option(metavar="FOLDER")
@shared.seed_option()
@click.option(
    "--script",
    default="cyrillic",
    show_default=True,
    metavar="NAME",
    help="cyrillic, latin, greek, armenian, georgian, glagolitic, runic, tifinagh, or "
    "private (letters that no language has).",
)
@click.option("--words", type=int, metavar="N", help="Stems.  [default: more for more lines]")
@click.option(
    "--units",
    type=int,
    metavar="N",
    help="Planted units.  [default: one for 20 lines, 30 to 20,000]",
)
@shared.overwrite_option(help="Replace a folder of synth that is there.")
@shared.json_option(help="Print what was made as JSON.")
def synth(as_json: bool, **options: Any) -> None:
    """Make up a language, write a corpus in it, and the key to what was planted.

    Words follow Zipf and a grammar; links, hyperlexemes, formulas, symbols, markers and nodes are
    planted among them; one line in eight is a scene, [SCN] ... [SEP] ... key.jsonl says what a
    miner should find, and how often it stands there. Memory stays the same for any number of lines.

    \b
    Examples:
      miner synth --lines 10000 --out made
      miner synth --lines 10000000 --out large --script runic --seed 7
    """
    from miner.api.tools import synth as write_language

    told = write_language(progress=BARS, **options)
    show(told.text, lambda: told.data, as_json=as_json)


def name_run(corpus: str) -> str:
    """Return the name of a corpus without what only a file system or a shell reads in it.

    Devices of Windows get a stroke behind their names.

    >>> [name_run(path) for path in ("a/novel.txt.gz", "logs/*.jsonl", "-", "../my texts/")]
    ['novel', 'logs', 'run', 'my_texts']
    >>> name_run("aux.txt")
    'aux_'
    """
    for part in reversed(Path(corpus).parts):
        name = re.sub(r"\W+", "_", part.split(".")[0]).strip("_")
        if name:
            return f"{name}_" if re.fullmatch(DEVICES, name, re.IGNORECASE) else name
    return "run"
