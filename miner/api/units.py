"""What a run answers with: one unit, and why a text is one or not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from miner.api.pictures import write_text


@dataclass(frozen=True)
class Unit:
    """A unit of a run.

    `rank` from 1, the best; `token`, its canonical form, and `surface`, as the corpus mostly
    writes it; `atoms`, what it is made of; `kind`: link, hyperlexeme, formula, symbol, marker or
    atom; `count`, how often it occurs, and `unit_count`, how often it is the unit of its place once
    all compete for the text; `score`, 0 to 1; `family`, the rank of the unit that stands for those
    that mean nearly the same, None for none. `statistics` holds all other columns.

    >>> import miner
    >>> unit = miner.mine(["new york is large", "i like new york", "new york"] * 9)["New York"]
    >>> unit.token, unit.kind, unit.atoms, unit.count
    ('new york', 'link', ('new', 'york'), 27)
    """

    rank: int
    token: str
    surface: str
    atoms: tuple[str, ...]
    kind: str
    count: int
    unit_count: int
    score: float
    family: int | None
    statistics: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def __str__(self) -> str:
        return self.token


def make_unit(row: Mapping[str, Any]) -> Unit:
    """Return the unit of a row of `Run.units`."""
    own = {name: row[name] for name in Unit.__dataclass_fields__ if name in row}
    rest = {name: value for name, value in row.items() if name not in own}
    return Unit(**own | {"atoms": tuple(row["atoms"])}, statistics=rest)


@dataclass(frozen=True, repr=False)
class Explanation:
    """Why a text is a unit of a run, or why not, and what would change that.

    `token`, its canonical form; `verdict`, None where it is no candidate at all; `headline`, the
    reason in a line; `changes`, what would change the verdict, a line each; `data`, all of it as
    `miner explain --json` prints it. `print` shows it as the command does.

    >>> import miner
    >>> run = miner.mine(["new york is large", "i like new york", "new york"] * 9)
    >>> run.explain("new york").verdict, run.explain("old york").verdict
    ('kept', None)
    """

    token: str
    verdict: str | None
    headline: str
    changes: tuple[str, ...]
    data: Mapping[str, Any]

    def __str__(self) -> str:
        from miner.review.explain_view import describe

        return describe(dict(self.data))

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return write_text(str(self))


def make_explanation(found: Mapping[str, Any]) -> Explanation:
    """Return what `explain_text` found as an object; its verdict obeys the reviewers."""
    verdict, headline = found.get("verdict"), found["headline"]
    now = found.get("reviewed") or {}
    if now.get("verdict") not in (None, verdict):
        verdict = now["verdict"]
        headline = (
            f"Its reviewers make it {verdict}{': ' if now['detail'] else ''}{now['detail'] or ''}."
        )
    return Explanation(found["token"], verdict, headline, tuple(found.get("changes", ())), found)
