"""Two vocabularies to findings: which pieces went, which ids moved, what is new?

A model knows ids only. An id that another piece has now is read by the row trained for the old one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from miner.report.screen import tell_count
from miner.tokenizer.diffing.findings import Finding, Severity, show_change, take_examples
from miner.tokenizer.diffing.sides import Side


def compare_ids(old: Side, new: Side) -> list[Finding]:
    """Return what became of every piece and every id."""
    return [
        *_find_other_library(old, new),
        *_find_removed(old, new),
        *_find_moved(old, new),
        *_find_changed(old, new),
        *_find_shared(old, new),
        *_find_renumbered(old, new),
        *_find_added(old, new),
        *_find_holes(old, new),
    ]


def list_added(old: Side, new: Side) -> list[str]:
    """Return the pieces that only NEW has, by id."""
    fresh = new.places.keys() - old.places.keys()
    return sorted(fresh, key=lambda piece: (new.places[piece], piece))


def show_pieces(pieces: Iterable[str], side: Side) -> tuple[str, ...]:
    """Return examples of pieces with their ids."""
    return take_examples(f"{piece!r} ({side.places[piece]:,})" for piece in pieces)


def _find_other_library(old: Side, new: Side) -> list[Finding]:
    if old.kind == new.kind:
        return []
    return [
        Finding(
            "warn",
            "library",
            f"OLD is read by {old.kind}, NEW by {new.kind}",
            "steps and settings cannot be compared one by one; ids, roles and the cuts of the "
            "sample can, and are",
            "Compare two files of one library where there are such",
        )
    ]


def _find_removed(old: Side, new: Side) -> list[Finding]:
    gone = sorted(old.places.keys() - new.places.keys(), key=old.places.__getitem__)
    if not gone:
        return []
    return [
        Finding(
            "break",
            "removed",
            f"{tell_count(len(gone), 'piece')} removed",
            "text and prompts that hold them come apart into other pieces, or become unknown",
            "Keep every piece; a token that should not be used can stay in its place",
            len(gone),
            show_pieces(gone, old),
        )
    ]


def _find_moved(old: Side, new: Side) -> list[Finding]:
    moved = [
        piece for piece, number in old.places.items() if new.places.get(piece, number) != number
    ]
    if not moved:
        return []
    moved.sort(key=old.places.__getitem__)
    return [
        Finding(
            "break",
            "moved",
            f"{tell_count(len(moved), 'piece')} moved to another id",
            "the model reads them by rows that were trained for other pieces: nonsense out",
            "Give every piece the id it had; put new pieces behind the last id",
            len(moved),
            take_examples(f"{p!r}: {old.places[p]:,} -> {new.places[p]:,}" for p in moved),
        )
    ]


def _find_changed(old: Side, new: Side) -> list[Finding]:
    """Ids that stand for another piece: those that moved pieces took, and those used again."""
    both = sorted(old.used.keys() & new.used.keys())
    changed = [number for number in both if old.used[number] != new.used[number]]
    # where pieces share an id, `used` knows one of them only, and not always the same
    changed = [
        number
        for number in changed
        if new.places.get(old.used[number]) != number or old.places.get(new.used[number]) != number
    ]
    if not changed:
        return []
    return [
        Finding(
            "break",
            "reused",
            f"{tell_count(len(changed), 'id')} stand for another piece"
            if len(changed) > 1
            else "1 id stands for another piece",
            "what the model writes with these ids is shown as other text, and the rows were "
            "trained for the old pieces",
            "Leave an old id to its piece, also one that is not used any more",
            len(changed),
            take_examples(
                f"{number:,}: {show_change(old.used[number], new.used[number])}"
                for number in changed
            ),
        )
    ]


def _find_shared(old: Side, new: Side) -> list[Finding]:
    """Pieces of NEW that have one id together, where they had not in OLD."""
    counts = Counter(new.places.values())
    pieces = [
        piece
        for piece, number in new.places.items()
        if counts[number] > 1 and old.places.get(piece) != number
    ]
    if not pieces:
        return []
    pieces.sort(key=lambda piece: (new.places[piece], piece))
    return [
        Finding(
            "break",
            "shared",
            f"{tell_count(len(pieces), 'piece')} came to an id that another piece has too",
            "the model cannot tell them apart, and only one of them can be written back",
            "Give each piece an id of its own",
            len(pieces),
            show_pieces(pieces, new),
        )
    ]


def _find_renumbered(old: Side, new: Side) -> list[Finding]:
    """Added tokens whose declared id is not the one that `tokenizers` gives them."""
    known, fresh = [], []
    for piece, number in new.declared.items():
        if new.places.get(piece, number) == number:
            continue
        if piece not in old.places:
            fresh.append(piece)
        elif old.declared.get(piece) != number:
            known.append(piece)
    consequence = (
        "`tokenizers` gives them the next free ids, other programs take the file's word: one text, "
        "two lists of ids"
    )
    cure = "Number added tokens from the last id of the model's vocabulary on, without a gap"
    groups: tuple[tuple[Severity, list[str]], ...] = (("break", known), ("warn", fresh))
    return [
        Finding(
            severity,
            "renumbered",
            f"{tell_count(len(pieces), 'added token')} declared with an id that is not theirs",
            consequence,
            cure,
            len(pieces),
            take_examples(
                f"{p!r}: {new.declared[p]:,} in the file, {new.places[p]:,} when loaded"
                for p in pieces
            ),
        )
        for severity, pieces in groups
        if pieces
    ]


def _find_added(old: Side, new: Side) -> list[Finding]:
    added = list_added(old, new)
    if not added:
        return []
    numbers = [new.places[piece] for piece in added]
    whole = numbers[-1] - numbers[0] + 1 == len(numbers)
    ids = f"ids {numbers[0]:,} to {numbers[-1]:,}" if whole else f"ids from {numbers[0]:,} on"
    ids = f"id {numbers[0]:,}" if len(numbers) == 1 else ids
    return [
        Finding(
            "notice",
            "added",
            f"{tell_count(len(added), 'piece')} added, {ids}",
            "each new id needs a row in the embedding (and the head), and training: until then it "
            "means nothing to the model",
            "Give the model rows for them (miner adopt, or resize_token_embeddings) and train them",
            len(added),
            show_pieces(added, new),
        )
    ]


def _find_holes(old: Side, new: Side) -> list[Finding]:
    holes = [
        number
        for number in range(new.tokenizer.size)
        if number not in new.used and (number >= old.tokenizer.size or number in old.used)
    ]
    if not holes:
        return []
    return [
        Finding(
            "notice",
            "holes",
            f"{tell_count(len(holes), 'id')} without a piece",
            "a model that writes one of them writes nothing",
            "Number the pieces without a gap",
            len(holes),
            take_examples(f"{number:,}" for number in holes),
        )
    ]
