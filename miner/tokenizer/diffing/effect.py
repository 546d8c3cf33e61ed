"""Two tokenizers and a sample to what changes: are texts cut as before, and do they come back?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from miner.report.screen import tell_count
from miner.tokenizer.diffing.cuts import cut_texts, write_texts
from miner.tokenizer.diffing.findings import EXAMPLES, Finding, take_examples
from miner.tokenizer.diffing.sides import Side

WIDE = 400  # tokens of an example that are kept


@dataclass(frozen=True)
class CutChange:
    """A line that is cut otherwise, the texts of its tokens before and after."""

    line: str
    before: tuple[str, ...]
    after: tuple[str, ...]


@dataclass(frozen=True)
class Effect:
    """What was measured on the lines that OLD can cut.

    `with_new` lines use a piece that only NEW has; `otherwise` are cut otherwise, of them
    `otherwise_without_new` use no new piece, which no addition can explain. `lost` lines came back
    from their ids before and do not now; `other_text` come back as another text than before.
    """

    lines: int
    with_new: int
    otherwise: int
    otherwise_without_new: int
    other_ids: int
    lost: int
    other_text: int
    failed: int
    tokens_before: int
    tokens_after: int
    unknown_before: int
    unknown_after: int
    examples: tuple[CutChange, ...]
    lost_examples: tuple[str, ...]

    @property
    def factor(self) -> float:
        """How many tokens one of before has become."""
        return self.tokens_after / self.tokens_before if self.tokens_before else 1.0

    @property
    def without_new(self) -> int:
        """How many lines use no new piece."""
        return self.lines - self.with_new


def measure_effect(old: Side, new: Side, texts: Sequence[str]) -> Effect:
    """Return what changes on a sample."""
    first, second = cut_texts(old.tokenizer, texts), cut_texts(new.tokenizer, texts)
    able = [i for i, ids in enumerate(first) if ids is not None]
    lines = [texts[i] for i in able]
    before = [ids for ids in first if ids is not None]
    after = [second[i] for i in able]
    fresh = _list_fresh(old, new)
    uses = [ids is not None and bool(np.isin(ids, fresh).any()) for ids in after]
    same = _match_cuts(old, new, lines, before, after)
    written = [write_texts(old.tokenizer, before), write_texts(new.tokenizer, after)]
    lost = [line for line, one, two in zip(lines, *written, strict=True) if one == line != two]
    changed = [i for i, equal in enumerate(same) if not equal]
    plain = [i for i in changed if not uses[i]]
    done = [(one, two) for one, two in zip(before, after, strict=True) if two is not None]
    return Effect(
        lines=len(lines),
        with_new=sum(uses),
        otherwise=len(changed),
        otherwise_without_new=len(plain),
        other_ids=sum(not np.array_equal(one, two) for one, two in done),
        lost=len(lost),
        other_text=sum(one != two for one, two in zip(*written, strict=True)),
        failed=len(lines) - len(done),
        tokens_before=sum(len(one) for one, _ in done),
        tokens_after=sum(len(two) for _, two in done),
        unknown_before=_count_unknown(old, [one for one, _ in done]),
        unknown_after=_count_unknown(new, [two for _, two in done]),
        examples=_show_cuts(
            old, new, [lines[i] for i in (plain or changed) if after[i] is not None]
        ),
        lost_examples=take_examples(lost),
    )


def _list_fresh(old: Side, new: Side) -> np.ndarray:
    """Return the ids of NEW whose piece OLD has not."""
    fresh = [new.places[piece] for piece in new.places.keys() - old.places.keys()]
    return np.array(sorted(fresh), np.int64)


def _match_cuts(
    old: Side,
    new: Side,
    lines: Sequence[str],
    before: Sequence[np.ndarray],
    after: Sequence[np.ndarray | None],
) -> list[bool]:
    """Say of each line whether it is cut as before: by pieces, else by where tokens end.

    Libraries, and models with and without ByteLevel, spell one piece in two ways.
    """
    same = []
    for line, one, two in zip(lines, before, after, strict=True):
        if two is None:
            same.append(False)
        elif old.kind == new.kind:
            pieces = [old.tokenizer.pieces[i] for i in one], [new.tokenizer.pieces[i] for i in two]
            same.append(pieces[0] == pieces[1])
        else:
            ends = [[end for _, _, end in side.tokenizer.spans([line])[0]] for side in (old, new)]
            same.append(len(one) == len(two) and ends[0] == ends[1])
    return same


def _count_unknown(side: Side, encoded: Sequence[np.ndarray]) -> int:
    number = side.places.get(side.unknown) if side.unknown is not None else None
    if number is None:
        return 0
    return sum(int((ids == number).sum()) for ids in encoded)


def _show_cuts(old: Side, new: Side, lines: Sequence[str]) -> tuple[CutChange, ...]:
    return tuple(
        CutChange(line, _show_tokens(old, line), _show_tokens(new, line))
        for line in lines[:EXAMPLES]
    )


def _show_tokens(side: Side, line: str) -> tuple[str, ...]:
    """Return the text that each token stands for, or its piece where it is unknown or empty."""
    unknown = side.places.get(side.unknown) if side.unknown is not None else None
    pieces, spans = side.tokenizer.pieces, side.tokenizer.spans([line])[0][:WIDE]
    return tuple(
        pieces[number] if number == unknown else line[start:end] or pieces[number]
        for number, start, end in spans
    )


def find_effects(effect: Effect, *, additions: bool) -> list[Finding]:
    """Return what the sample shows beyond what the files say."""
    findings = []
    of = f"of {tell_count(effect.lines, 'line')} of the sample"
    if effect.failed:
        findings.append(
            Finding(
                "break",
                "fails",
                f"NEW fails on {effect.failed:,} {of}",
                "these texts cannot be cut at all",
                "Give the model an unknown token or bytes",
                effect.failed,
            )
        )
    if effect.lost:
        findings.append(
            Finding(
                "break",
                "round trip",
                f"{effect.lost:,} {of} no longer come back from their ids",
                "what the model reads and writes is not the text any more",
                "Keep the normalizer, ByteLevel or byte fallback, and the decoder of OLD",
                effect.lost,
                effect.lost_examples,
            )
        )
    if effect.unknown_after > effect.unknown_before:
        more = effect.unknown_after - effect.unknown_before
        findings.append(
            Finding(
                "break",
                "unknown",
                f"{tell_count(more, 'more token')} of the sample "
                f"{'is' if more == 1 else 'are'} unknown",
                "what they stood for is lost",
                "Keep the pieces, and bytes as the last resort",
                more,
            )
        )
    return findings + _find_cut_changes(effect, additions, of)


def _find_cut_changes(effect: Effect, additions: bool, of: str) -> list[Finding]:
    count = effect.otherwise_without_new
    if not count:
        return []
    which = f"{count:,} {of} {'is' if count == 1 else 'are'} cut otherwise"
    return [
        Finding(
            "warn",
            "cuts",
            which + (", with no new piece in sight" if additions else ""),
            "the model reads the same words in pieces that it did not see in training; a context "
            f"holds {1 / effect.factor if effect.factor else 1:.2f} times as much text",
            "Extend without touching how the rest is cut, or train the model on the new cuts",
            count,
        )
    ]
