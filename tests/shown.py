"""What pages show: commands with their options, and Python that is run as it stands."""

from __future__ import annotations

import ast
import gzip
import json
import random
import re
from pathlib import Path

import click

from miner.commands.main import commands

ROOT = Path(__file__).parents[1]
FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SKIPPED = re.compile(r"<!-- not run: (.+) -->\n+$")
SHOWN = re.compile(r"#\s*-> (.*)$")


def commands_shown(text: str) -> list[tuple[str, list[str]]]:
    """(command, options) of each `miner ...` in code, lines joined where they go on."""
    code = [body for language, body in FENCE.findall(text) if language != "python"]
    code += re.findall(r"`([^`\n]+)`", FENCE.sub("", text))
    lines = [line for body in code for line in body.replace("\\\n", " ").splitlines()]
    calls = [call for line in lines for call in re.split(r"&&|\||;", line)]
    shown = [re.search(r"(?:^|[\s/])miner ([a-z]+)\b(.*)", call) for call in calls]
    return [(match[1], re.findall(r"(?<!\S)--?[a-z][\w-]*", match[2])) for match in shown if match]


def check_commands(text: str) -> int:
    """Assert that each command and option shown exists; return how many commands there are."""
    shown = commands_shown(text)
    for name, options in shown:
        assert name in commands.commands, f"miner {name}"
        known = {
            option
            for parameter in commands.commands[name].params
            if isinstance(parameter, click.Option)
            for option in (*parameter.opts, *parameter.secondary_opts)
        }
        for option in options:
            assert option in {*known, "--help", "-h"}, f"miner {name} {option}"
    return len(shown)


def find_links(text: str) -> list[str]:
    """Where links and pictures outside code lead."""
    text = re.sub(r"`[^`\n]+`", "", FENCE.sub("", text))
    found = re.findall(r"\]\(([^)\s]+)\)|(?:src|href)=\"([^\"]+)\"", text)
    return [one or other for one, other in found]


def find_anchors(text: str) -> set[str]:
    """The anchors of headings, as GitHub and the site name them."""
    titles = re.findall(r"^#+ (.*)$", FENCE.sub("", text), re.MULTILINE)
    names = [re.sub(r"[^\w\- ]", "", title.lower()).strip() for title in titles]
    return {re.sub(r"\s", "-", name) for name in names}


def python_shown(text: str) -> tuple[list[str], list[str]]:
    """Blocks of Python that are to run, and the reasons of those that are not."""
    blocks, reasons = [], []
    for match in FENCE.finditer(text):
        if match[1] in ("python", "py"):
            skipped = SKIPPED.search(text[: match.start()])
            (reasons if skipped else blocks).append(skipped[1] if skipped else match[2])
    return blocks, reasons


def run_python(block: str, names: dict[str, object]) -> int:
    """Run a block statement by statement; return how many values it shows, all as they are.

    A line `expression  # -> value` says what the expression is.
    """
    lines, checked = block.splitlines(), 0
    for statement in ast.parse(block).body:
        shown = SHOWN.search(lines[(statement.end_lineno or 1) - 1])
        code = ast.unparse(statement)
        if shown and isinstance(statement, ast.Expr):
            value = eval(code, names)  # noqa: S307
            assert repr(value) == shown[1].strip(), f"{code} is {value!r}"
            checked += 1
        else:
            exec(code, names)  # noqa: S102
    return checked


def make_texts(seed: int = 0) -> list[str]:
    """Documents in which `in order to`, `time zone` and `вход тишина жар` are units."""
    dealt = random.Random(seed)
    syllables = ["ba", "de", "ki", "lo", "mu", "na", "po", "ra", "si", "te", "vo", "zu"]

    def word() -> str:
        return "".join(dealt.choices(syllables, k=3))

    russian = ["вечер", "дом", "река", "снег", "берег", "мост", "поле", "лес", "город", "сад"]
    texts = []
    for _ in range(500):
        dealt.shuffle(russian)
        texts += [
            f"{word()} met {word()} in order to {word()} and talk in the {word()}.",
            f"{word()} {word()} time zone {word()} ad hoc, {word()} in the {word()}.",
            f"{russian[0]} вход тишина жар {russian[1]}, тишина {russian[2]} {russian[3]} жар.",
        ]
    return [*texts, "We met in order to talk."]


def write_texts(folder: Path) -> None:
    """Write the files that the pages name, `texts/` and `book.txt`, into a folder."""
    texts = make_texts()
    (folder / "texts").mkdir()
    lines = "".join(json.dumps({"body": text}) + "\n" for text in texts)
    with gzip.open(folder / "texts" / "a.jsonl.gz", "wt", encoding="utf-8") as file:
        file.write(lines)
    (folder / "book.txt").write_text("\n".join(texts), encoding="utf-8")
