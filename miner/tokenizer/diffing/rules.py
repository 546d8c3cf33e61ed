"""Two models to findings: are merges, scores and settings the same, by which pieces are chosen?"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from miner.report.screen import tell_count
from miner.tokenizer.diffing.findings import Finding, Severity, show_change, take_examples
from miner.tokenizer.diffing.sides import Side

MEANS = {
    "type": "pieces are chosen by another rule: nearly every text is cut otherwise",
    "dropout": "with dropout a text is cut at random, each time otherwise: for training only",
    "unk_token": "what the model does not know gets another token, or is an error",
    "unk_id": "what the model does not know gets another token, or is an error",
    "byte_fallback": "without it characters that are no piece become unknown and are lost; with it "
    "they are written in bytes",
    "ignore_merges": "with it a word that is a piece is that piece, whatever the merges say",
    "fuse_unk": "unknown characters that stand together are one token, or one each",
    "continuing_subword_prefix": "pieces inside words are looked up under another name",
    "end_of_word_suffix": "pieces at the end of words are looked up under another name",
    "max_input_chars_per_word": "longer words than that are one unknown token",
    "unk_surface": "unknown text is written back in another way",
    "treat_whitespace_as_suffix": "spaces belong to the other end of words",
}
LOSSES = ("type", "unk_token", "unk_id", "byte_fallback")  # what is lost with their old value
KEEPS = "Keep the model of OLD and add to it"
Merge = tuple[str, str]


def compare_rules(old: Side, new: Side) -> list[Finding]:
    """Return what became of the model's settings, merges, scores and types of pieces."""
    findings = _compare_settings(old, new) if old.kind == new.kind else []
    if old.merges and new.merges:
        findings += _compare_merges(old, new)
    if old.scores and new.scores:
        findings += _compare_scores(old, new)
    return findings + _compare_types(old, new)


def _compare_settings(old: Side, new: Side) -> list[Finding]:
    findings = []
    for name in dict.fromkeys([*old.model, *new.model]):
        before, after = old.model.get(name), new.model.get(name)
        if name == "unk_id":  # an index: the piece counts, moved ids are told by themselves
            before, after = old.unknown, new.unknown
        if before == after or (before in (None, "") and after in (None, "")):
            continue
        lost = name in LOSSES and before not in (None, False)
        findings.append(
            Finding(
                "break" if lost else "warn",
                f"model {name}",
                f"model: {name} changed",
                MEANS.get(name, "text may be cut otherwise"),
                KEEPS,
                examples=(f"model.{name}: {show_change(before, after)}",),
            )
        )
    return findings


def _compare_merges(old: Side, new: Side) -> list[Finding]:
    before, after = set(old.merges), set(new.merges)
    gone = [merge for merge in old.merges if merge not in after]
    fresh = [merge for merge in new.merges if merge not in before]
    moved = find_displaced(
        [merge for merge in old.merges if merge in after],
        [merge for merge in new.merges if merge in before],
    )
    known = [merge for merge in fresh if "".join(merge) in old.places]
    added = [merge for merge in fresh if "".join(merge) not in old.places]
    told = [
        _tell_merges("break", "removed", gone, "words that they made come apart into more pieces"),
        _tell_merges(
            "warn",
            "reordered",
            moved,
            "merges are tried in order: words that two of them compete for are cut otherwise",
        ),
        _tell_merges(
            "warn", "added to old pieces", known, "text without a new piece is cut otherwise too"
        ),
        _tell_merges("notice", "added", added, "they make new pieces"),
    ]
    return [finding for finding in told if finding.count]


def _tell_merges(
    severity: Severity, change: str, merges: Sequence[Merge], consequence: str
) -> Finding:
    return Finding(
        severity,
        f"merges {change}",
        f"{tell_count(len(merges), 'merge')} {change}",
        consequence,
        ""
        if severity == "notice"
        else "Keep the merges of OLD in their order, and put new ones behind them",
        len(merges),
        take_examples(f"{left!r} + {right!r}" for left, right in merges),
    )


def find_displaced(old: Sequence[Merge], new: Sequence[Merge]) -> list[Merge]:
    """Return the fewest of the common merges that must be moved to get the old order.

    >>> find_displaced(["a", "b", "c", "d"], ["b", "c", "a", "d"])
    ['a']
    """
    rank = {merge: i for i, merge in enumerate(old)}
    ranks = [rank[merge] for merge in new]
    tails: list[int] = []  # the smallest end of a rising run of each length (patience sorting)
    lengths = []
    for number in ranks:
        place = bisect_left(tails, number)
        tails[place : place + 1] = [number]
        lengths.append(place)
    keep: set[int] = set()
    length, bound = len(tails) - 1, len(ranks)
    for i in reversed(range(len(ranks))):
        if lengths[i] == length and ranks[i] < bound:
            keep.add(i)
            length, bound = length - 1, ranks[i]
    return [new[i] for i in range(len(new)) if i not in keep]


def _compare_scores(old: Side, new: Side) -> list[Finding]:
    changed = [
        piece for piece, score in old.scores.items() if new.scores.get(piece, score) != score
    ]
    if not changed:
        return []
    return [
        Finding(
            "warn",
            "scores",
            f"{tell_count(len(changed), 'score')} changed",
            "the best way to cut a text is the one with the highest sum of scores: some texts are "
            "cut otherwise",
            "Keep the scores of OLD",
            len(changed),
            take_examples(
                f"{piece!r}: {show_change(old.scores[piece], new.scores[piece])}"
                for piece in changed
            ),
        )
    ]


def _compare_types(old: Side, new: Side) -> list[Finding]:
    """Types of SentencePiece: a piece that was special and is no more is a loss."""
    changed = [
        piece
        for piece, kind in old.types.items()
        if new.types and new.types.get(piece, kind) != kind
    ]
    lost = [piece for piece in changed if old.types[piece] not in ("NORMAL", "UNUSED")]
    plain = [piece for piece in changed if old.types[piece] in ("NORMAL", "UNUSED")]
    groups: tuple[tuple[Severity, list[str]], ...] = (("break", lost), ("warn", plain))
    return [
        Finding(
            severity,
            "types",
            f"{tell_count(len(pieces), 'piece')} of another type",
            "control pieces never come from text, user-defined ones always stay whole, unused ones "
            "are never made",
            "Keep the types of OLD",
            len(pieces),
            take_examples(f"{p!r}: {old.types[p]} -> {new.types[p]}" for p in pieces),
        )
        for severity, pieces in groups
        if pieces
    ]
