"""A text to the atoms of a run: how would the corpus have cut it?"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from miner.runs.finished import Finished
from miner.text.pretokens import MOST_ATOMS
from miner.text.recut import recut_texts


@dataclass(frozen=True)
class Cut:
    """A text in atoms: forms, "" a stop; numbers, 0 where unknown; whether a space precedes."""

    forms: tuple[str, ...]
    numbers: tuple[int, ...]
    spaces: tuple[bool, ...]

    @property
    def stops(self) -> int:
        """How many stops stand between its atoms."""
        return sum(not form for form in self.forms)

    @property
    def unknown(self) -> list[str]:
        """The atoms that the corpus does not have."""
        pairs = zip(self.forms, self.numbers, strict=True)
        return list(dict.fromkeys(form for form, number in pairs if form and not number))

    @property
    def keys(self) -> np.ndarray:
        """The keys of its atoms, uint32 (atoms,), 0 for a stop or an unknown one."""
        pairs = zip(self.numbers, self.spaces, strict=True)
        return np.array([(n << 1) | (space and n > 0) for n, space in pairs], np.uint32)

    @property
    def form(self) -> str:
        """The canonical form of a run without stops, "" where there is none."""
        return "" if self.stops else self._spell(0, len(self.forms))

    def _spell(self, first: int, last: int) -> str:
        parts = zip(self.spaces[first:last], self.forms[first:last], strict=True)
        return "".join(" " * space + form for space, form in parts).removeprefix(" ")

    def list_inner(self) -> list[str]:
        """Return the canonical forms of all runs inside, up to `MOST_ATOMS` long."""
        size = min(len(self.forms), 1_000)
        return [
            self._spell(first, last)
            for first in range(size)
            for last in range(first + 1, min(first + MOST_ATOMS, size) + 1)
            if all(self.forms[first:last])
        ]


def cut_pieces(text: str, run: Finished) -> list[tuple[bool, str]]:
    """Return the atoms of a text as they are written, each with whether a space precedes it.

    "" is a stop; those on the edges are left out.
    """
    profile = run.atoms.profile
    if profile.name == "bytes":
        names = re.findall("<0x[0-9A-F]{2}>", text)
        known = names if "".join(names) == text else [f"<0x{b:02X}>" for b in encode(text)]
        return [(False, name) for name in known]
    content = encode(text)
    cut = recut_texts([content.decode()], profile, run.patterns, run.atoms.abbreviations)
    pieces, end = [], 0
    for start, stop in cut.spans().tolist() if content else []:
        if stop > start:
            gap = content[end:start].decode("utf-8", "replace")
            pieces.append((any(map(str.isspace, gap)), content[start:stop].decode("utf-8")))
        elif pieces and pieces[-1][1]:
            pieces.append((False, ""))
        end = max(stop, end)
    return pieces[:-1] if pieces and not pieces[-1][1] else pieces


def encode(text: str) -> bytes:
    """Return a text as UTF-8; what no file could hold becomes a question mark."""
    return text.encode("utf-8", "replace")
