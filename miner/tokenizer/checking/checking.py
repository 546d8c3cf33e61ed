"""A tokenizer to a table of what holds: is a unit one id, the same id, and does it come back?

The edge cases that every tokenizer of units must pass, and every unit of a run, alone and in the
places where it was found. Any tokenizer may be asked, so that one sees what a stock one does.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl

from miner.errors import TokenizerError
from miner.text.profiles import PROFILES, Profile, fold
from miner.tokenizer.checking.contexts import read_contexts
from miner.tokenizer.reading.card import FEWEST, UNITS_FILE
from miner.tokenizer.reading.loading import LoadedTokenizer
from miner.tokenizer.reading.scenes import decode_scenes, encode_scenes, write_scenes
from miner.tokenizer.reading.units import list_forms, read_units
from miner.tokenizer.training.sentence_piece import is_sign

SHOWN = 3  # failures of a check that are told in full
FORMULA, SYMBOLS = "Δ84", ("⟁", "🜂")
UNIT, TURNED, LONGER = "жартишина", "тишинажар", "тишинажардрожь"
SCENES = ("жартишина", "входдрожь")
SHORTER = ", or the cut is shorter"  # which is what such a tokenizer is for
HARD = (
    "", " ", "a", "  two  spaces ", "\ttab\r\nline\n", "é e\u0301 ﬁ ß ẞ ς Σ İ", "👩🏽‍🚀🇪🇺 🫧",
    "⁀ ▁ ⁀⁁ <0x41>", "\x00\x01\x7f\u0080\ufeff", "\u202etxet", "क्षत्रिय ภาษาไทย 学生です 한국어",
    "x\u0301\u0302y", "\U0010ffff\ue000",
    "Δ41Δ412 _RESO__RESO_", "(a)(b)[c]{d}", "don't по-русски 3.14 U.S.",
)  # fmt: skip


@dataclass(frozen=True)
class Failure:
    """One text that fails, as the tokenizer cuts it."""

    text: str
    ids: list[int]
    pieces: list[str]
    found: str


@dataclass
class Check:
    """One promise: how often it was tried and held, and what to do where it did not.

    `absent`: cases that say nothing, as the unit is none of this tokenizer's.
    """

    name: str
    cure: str
    tried: int = 0
    passed: int = 0
    absent: int = 0
    failures: list[Failure] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether nothing failed."""
        return self.passed == self.tried


def check_tokenizer(tokenizer: LoadedTokenizer, run: Path | None = None) -> list[Check]:
    """Return all checks of a tokenizer; with `run`, of its units too."""
    checker = Checker(tokenizer)
    checks = checker.check_edges()
    if run is not None:
        checks += checker.check_units(run)
    return [check for check in checks if check.tried or check.absent]


class Checker:
    """A tokenizer, and what it promises: canonical or exact, and which units."""

    def __init__(self, tokenizer: LoadedTokenizer) -> None:
        self.tokenizer = tokenizer
        self.exact = tokenizer.card.get("mode") == "exact"
        self.ours = "mode" in tokenizer.card
        self.trims = bool(tokenizer.card.get("trims", True))
        self.profile: Profile = PROFILES.get(str(tokenizer.card.get("profile")), PROFILES["words"])
        self.units = read_unit_ids(tokenizer.path) if self.ours else pl.DataFrame()
        self.plain = self.units.filter(pl.col("side") == "") if self.ours else pl.DataFrame()
        self.forms = set(self.plain["text"]) if self.ours else set()

    @property
    def shorter(self) -> str:
        """What the name of a check adds where a text is cut into the fewest pieces."""
        return SHORTER if self.tokenizer.card.get("cut") == FEWEST else ""

    @property
    def hard(self) -> tuple[str, ...]:
        """Texts that are easily damaged; a special token parts a text, which folding minds."""
        return HARD if self.ours and not self.exact else (*HARD, "<s> [SEP] <unk>")

    def fold(self, text: str) -> str:
        """Return what a text should come back as."""
        if not self.ours or self.exact:
            return text
        return self.profile.fold(text) if self.trims else fold(text, case=False, trim=False)

    # Small tools

    def compare(
        self, check: Check, texts: Sequence[str], hold: Callable[[int, np.ndarray], str | None]
    ) -> Check:
        """Count the texts whose ids `hold`; it returns what is wrong with text i, or None."""
        for i, ids in enumerate(self.tokenizer.encode(texts)):
            wrong = hold(i, ids)
            check.tried += 1
            check.passed += wrong is None
            if wrong is not None and len(check.failures) < SHOWN:
                pieces = [self.tokenizer.pieces[number] for number in ids]
                check.failures.append(Failure(texts[i], ids.tolist(), pieces, wrong))
        return check

    def one_id(self, name: str, texts: Sequence[str], cure: str) -> Check:
        """Check that each text is one id; a text that is no unit of ours says nothing."""
        check = Check(name, cure)
        known = [text for text in texts if not self.ours or self.knows(text)]
        check.absent = len(texts) - len(known)
        return self.compare(
            check, known, lambda _, ids: None if len(ids) == 1 else f"{len(ids)} ids"
        )

    def knows(self, text: str) -> bool:
        """Say whether a text is a spelling of a unit of this tokenizer."""
        return (text if self.exact else self.profile.fold(text)) in self.forms

    def same_ids(self, name: str, texts: Sequence[str], others: Sequence[str], cure: str) -> Check:
        """Check that texts[i] has the ids of others[i]."""
        wanted = self.tokenizer.encode(others)

        def hold(i: int, ids: np.ndarray) -> str | None:
            return None if np.array_equal(ids, wanted[i]) else f"other ids than {others[i]!r}"

        return self.compare(Check(name, cure), texts, hold)

    def comes_back(self, name: str, texts: Sequence[str], cure: str) -> Check:
        """Check that each text is decoded to itself, or to its canonical form."""
        decoded = self.tokenizer.decode(self.tokenizer.encode(texts))

        def hold(i: int, _: np.ndarray) -> str | None:
            return None if decoded[i] == self.fold(texts[i]) else f"comes back as {decoded[i]!r}"

        return self.compare(Check(name, cure), texts, hold)

    def stands(
        self, name: str, parts: Sequence[tuple[str, str, str]], cure: str, *, fewest: bool = False
    ) -> Check:
        """Check that the middle of each three parts of a text is one token there.

        Or that a unit which reaches over an end of it has its place; with `fewest`, that the text
        has no more tokens than its parts, the middle one being whole.
        """
        texts = ["".join(part) for part in parts]
        sides = ([part[i] for part in parts] if fewest else [] for i in (0, 2))
        before, after = map(self.tokenizer.encode, sides)
        whole = 2  # the unit, and a joiner in front of it, which its parts alone do not need
        enough = [len(one) + whole + len(other) for one, other in zip(before, after, strict=True)]
        units = dict(self.units.select("id", "text").iter_rows()) if self.ours else {}
        spans = self.tokenizer.spans(texts)

        def hold(i: int, ids: np.ndarray) -> str | None:
            if fewest and len(ids) <= enough[i]:
                return None
            return find_cut(spans[i], len(parts[i][0]), parts[i][1], units)

        return self.compare(Check(name, cure), texts, hold)

    # The edge cases

    def check_edges(self) -> list[Check]:
        """Return the checks of the list that every tokenizer of units must pass."""
        add = "Train with --tokens, and name it under special_tokens or never_split"
        folds = "Train in canonical mode, which folds case and spacing"
        keep = "Train with miner: the normal form keeps words alike in all places"
        checks = [
            self.one_id(f"{FORMULA} is one id", [FORMULA], add),
            self.one_id(f"{' and '.join(SYMBOLS)} are one id each", SYMBOLS, add),
            self.one_id(f"{UNIT} is one id", [UNIT], add),
            self.differ("symbols, and an order of parts, have ids of their own"),
            self.comes_back(f"{LONGER} comes back", [LONGER], keep),
            self.check_scenes(),
            self.comes_back(
                "hard texts come back", self.hard, "Train with --exact, or in byte-level form"
            ),
        ]
        if not self.exact and self.trims:
            ways = [UNIT + " ", "\n" + UNIT]
            ways += ["ЖАРтишина", "жарТИШИНА"] if self.profile.folds_case else []
            checks.insert(
                3,
                self.same_ids(
                    f"{UNIT} in other case, with a space behind", ways, [UNIT] * len(ways), folds
                ),
            )
        if not self.ours or self.knows(UNIT):
            around = [("(", ")"), ("«", "»"), ('x "', '", y'), ("a ", "."), ("x\n", "\ny")]
            around += [(", ", ","), (": ", ";")]
            checks.insert(
                4,
                self.stands(
                    f"{UNIT} beside punctuation and line breaks",
                    [(before, UNIT, after) for before, after in around],
                    keep,
                ),
            )
        return checks

    def differ(self, name: str) -> Check:
        """Check that two symbols, and two orders of the same parts, have different ids."""
        pairs = [SYMBOLS, (UNIT, TURNED)]
        others = self.tokenizer.encode([second for _, second in pairs])
        cure = "A normalizer or unknown token swallows the difference: remove it"

        def hold(i: int, ids: np.ndarray) -> str | None:
            return f"the same ids as {pairs[i][1]!r}" if np.array_equal(ids, others[i]) else None

        return self.compare(Check(name, cure), [first for first, _ in pairs], hold)

    def check_scenes(self) -> Check:
        """Check that scenes come back as a list, and as the text with signs."""
        cure = "Add the special tokens [SCN] and [SEP]"
        check = Check("scenes come out in order and come back", cure, tried=1)
        text = write_scenes(SCENES)
        try:
            ids = encode_scenes(self.tokenizer, SCENES)
            back = decode_scenes(self.tokenizer, ids)
            same = back == [self.fold(scene) for scene in SCENES]
            found = None if same else f"comes back as {back}"
        except TokenizerError as error:
            ids, found = self.tokenizer.encode([text])[0], error.problem
        check.passed = int(found is None)
        if found:
            pieces = [self.tokenizer.pieces[number] for number in ids]
            check.failures.append(Failure(text, ids.tolist(), pieces, found))
        return check

    # The units of a run

    def check_units(self, run: Path) -> list[Check]:
        """Return the checks of every unit of a run that this tokenizer has, or should have."""
        units = read_units(run)
        if not self.ours:
            self.profile = units.profile
        forms = list_forms(units, exact=False)
        texts = self.plain["text"].to_list() if self.ours else forms["text"].to_list()
        tokens = set(self.units["token"]) if self.ours else set(forms["text"])
        absent = len(set(units.table["token"]) - tokens)
        add = "Train with more --units, or a larger --vocab-size"
        folds = "Train in canonical mode"
        keep = "Train with miner: the normal form keeps words alike in all places"
        alone = self.one_id("a unit is one id", texts, add)
        alone.absent += absent
        checks = [alone, self.comes_back("a unit comes back", texts, keep)]
        if not self.exact and self.trims:
            behind, below = [f"{text} " for text in texts], [f"\n{text}" for text in texts]
            checks += [
                self.same_ids("the same with a space behind", behind, texts, folds),
                self.same_ids("the same after a line break", below, texts, folds),
            ]
        if not self.exact:
            apart = [unicodedata.normalize("NFD", text) for text in texts]
            checks.append(self.same_ids("the same in another Unicode form", apart, texts, folds))
            if self.profile.folds_case:
                capitals = [t.upper() for t in texts if self.profile.fold(t.upper()) == t]
                lower = [t for t in texts if self.profile.fold(t.upper()) == t]
                checks.append(self.same_ids("the same in capitals", capitals, lower, folds))
        if self.profile.name in ("words", "code"):  # elsewhere a bracket is part of the word
            around = [("(", text, "), x") for text in texts]
            name = f"the same in brackets and before a comma{self.shorter}"
            checks.append(self.stands(name, around, keep, fewest=bool(self.shorter)))
        beside = "Train with hf-bpe or hf-unigram: SentencePiece does not see what stands beside"
        checks.append(self.check_contexts(run, beside if self.ours else add))
        return checks

    def check_contexts(self, run: Path, cure: str) -> Check:
        """Check that each unit is one id in a place where it was found, or a longer unit has it.

        Where a text is cut into the fewest pieces, a cut that is no longer will do.
        """
        places = read_contexts(run)
        check = Check(f"a unit is one id where it was found{self.shorter}", cure)
        if self.ours:
            named = pl.col("unit").str.strip_chars(" ") if self.exact else pl.col("token")
            known = places.filter(named.is_in([form.strip(" ") for form in self.forms]))
            check.absent = len(places) - len(known)
            places = known
        parts = [
            (before + unit[: len(unit) - len(unit.lstrip(" "))], unit.lstrip(" "), after)
            for before, unit, after in places.select("before", "unit", "after").iter_rows()
        ]
        found = self.stands(check.name, parts, cure, fewest=bool(self.shorter))
        found.absent = check.absent
        return found


def is_word(text: str) -> bool:
    """Say whether a text begins with a word, in front of which a joiner may stand."""
    return not is_sign(text) and (text[0].isalnum() or text[0] == "_")


def find_cut(
    spans: Sequence[tuple[int, int, int]], start: int, unit: str, units: Mapping[int, str]
) -> str | None:
    """Say how `unit`, which begins at `start`, is cut; None where one token has it.

    A token may begin one character before a word (a space, or the mark that a joiner hangs on).
    One of `units`, ids with their texts, that reaches over an end has its place by right.
    """
    end, first = start + len(unit), start - is_word(unit)
    over = [(number, low, high) for number, low, high in spans if low < end and high > start]
    for number, low, high in over:
        if first <= low <= start and high == end:
            return None
        if number in units:
            inside = unit.casefold().startswith(units[number].strip().casefold())
            if high > end or low < first or (low < start and not inside):
                return None
    return f"{len(over)} tokens"


def read_unit_ids(folder: Path) -> pl.DataFrame:
    """Return the units of a tokenizer of miner; TokenizerError where the list is damaged."""
    place = folder / UNITS_FILE
    try:
        return pl.read_ndjson(
            place,
            schema={
                "id": pl.Int64,
                "text": pl.String,
                "side": pl.String,
                "token": pl.String,
                "kind": pl.String,
                "rank": pl.Int64,
                "count": pl.Int64,
                "parts": pl.List(pl.Int64),
            },
        )
    except (OSError, pl.exceptions.PolarsError) as error:
        raise TokenizerError(
            "is no list of units", where=str(place), cure="Train the tokenizer again"
        ) from error
