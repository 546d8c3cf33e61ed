"""Texts to units: as which run of atoms would the corpus have cut each?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from miner.runs.decisions import Unit
from miner.text.pretokens import Atoms
from miner.text.recut import Cutter

LONGEST_UNIT = 64  # atoms of a unit that a reviewer adds


@dataclass(frozen=True)
class Form:
    """A text as a unit of the corpus: its keys, in numbers past all where an atom is unknown.

    `problem` says why it can be none.
    """

    unit: Unit
    keys: tuple[int, ...]
    problem: str | None = None


def cut_forms(texts: Sequence[str], atoms: Atoms, patterns: Mapping[str, str]) -> list[Form]:
    """Return each text as a unit: cut as the corpus is, in canonical form."""
    clean = [text.replace("\n", " ").strip() for text in texts]
    if atoms.profile.name == "bytes":
        return [_name_bytes(text, atoms) for text in clean]
    cut = Cutter.of(atoms, patterns).cut(clean)
    return [
        _make_form(text, cut.keys[start:end], cut.raw[start:end], cut.forms, atoms)
        for text, start, end in zip(clean, cut.first, cut.first[1:], strict=False)
    ]


def _make_form(
    text: str, keys: np.ndarray, raw: np.ndarray, forms: Sequence[str], atoms: Atoms
) -> Form:
    inner = np.flatnonzero(keys)
    first, last = (int(inner[0]), int(inner[-1]) + 1) if len(inner) else (0, 0)
    keys, raw = keys[first:last], raw[first:last]  # a stop ends each text
    spelled = [atoms.profile.spell(forms[number]) for number in (raw >> 1).tolist()]
    spaces = (keys & 1).tolist()
    token = "".join(
        " " * bool(space and i) + part
        for i, (part, space) in enumerate(zip(spelled, spaces, strict=True))
    )
    unit = (token or text, tuple(spelled))
    numbers = tuple(int(key) & ~1 if i == 0 else int(key) for i, key in enumerate(keys.tolist()))
    if not len(keys):
        return Form(unit, (), "there is nothing in it")
    if 0 in numbers:
        return Form(unit, numbers, "punctuation or a line end inside it stops a unit here")
    if len(numbers) > LONGEST_UNIT:
        return Form(unit, numbers, f"it has {len(numbers)} atoms, and {LONGEST_UNIT} are the most")
    return Form(unit, numbers)


def _name_bytes(text: str, atoms: Atoms) -> Form:
    """Return a run of bytes, written `<0x41><0x42>`, as a unit."""
    parts = tuple(f"{part}>" for part in text.split(">") if part)
    known = dict(zip(atoms.table["text"], atoms.table["atom"], strict=True))
    numbers = tuple(int(known.get(part, 0)) << 1 for part in parts)
    unit = ("".join(parts), parts)
    if not parts or 0 in numbers:
        return Form(unit, numbers, "it must be bytes of the corpus, written <0x41><0x42>")
    return Form(unit, numbers)
