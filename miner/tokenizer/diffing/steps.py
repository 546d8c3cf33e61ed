"""Two pipelines to findings: which step was lost, added, moved or set otherwise, what does it do?

Steps are compared as a flat list, so that a step in a Sequence is the same as one without. A
`ByteLevel` that cuts words by its own expression counts as that Split and the bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from miner.tokenizer.diffing.findings import (
    Finding,
    Severity,
    list_changes,
    show_change,
    show_value,
    take_examples,
)
from miner.tokenizer.diffing.sides import Object, Side
from miner.tokenizer.training.extending import keep_spaces

LISTS = ("normalizers", "pretokenizers", "processors", "decoders")
OWN = "the own expression of ByteLevel"
MOST = 1000  # steps that are aligned one by one
SAME, ALIKE = 3, 1  # what aligning two steps is worth: equal, or of one type

DOES = {
    "Split": "it cuts text apart before the model sees it",
    "ByteLevel": "it writes every byte as a letter, so that no text is unknown",
    "ByteFallback": "it joins single bytes to characters again",
    "BPEDecoder": "it puts the spaces back",
    "BertNormalizer": "it cleans text and may fold capitals and accents",
    "BertPreTokenizer": "it cuts at spaces and punctuation",
    "CharDelimiterSplit": "it cuts at one character",
    "Digits": "it parts digits from letters",
    "FixedLength": "it cuts every so many characters",
    "Fuse": "it joins the pieces to one text",
    "Lowercase": "it makes capitals small",
    "Metaspace": "it writes spaces as ▁, by which pieces know the beginning of a word",
    "NFC": "it composes letters and their marks",
    "NFD": "it parts letters and their marks",
    "NFKC": "it composes letters and marks, and folds look-alikes",
    "NFKD": "it parts letters and marks, and folds look-alikes",
    "Nmt": "it removes control characters",
    "Precompiled": "it folds characters by the table of SentencePiece",
    "Prepend": "it puts a sign in front of every text",
    "Punctuation": "it parts punctuation from words",
    "Replace": "it writes one text for another",
    "Strip": "it removes spaces at the ends",
    "StripAccents": "it removes accents",
    "UnicodeScripts": "it cuts where the script changes",
    "Whitespace": "it cuts at spaces and punctuation",
    "WhitespaceSplit": "it cuts at spaces",
    "WordPiece": "it joins pieces that begin with ## to words",
}
EFFECTS = {
    "normalizer": "text reaches the model in another form: other pieces, longer or shorter "
    "contexts, rows trained on the old form stay silent",
    "pre_tokenizer": "text is cut at other places than in training: other pieces, often more of "
    "them (longer contexts)",
    "decoder": "ids are written out as other text",
    "denormalizer": "ids are written out as other text",
    "post_processor": "other special tokens stand around a text than in training: prompts and "
    "adapters break",
}


@dataclass(frozen=True)
class Step:
    """A step of a pipeline, where it stands in the file, and its settings."""

    type: str
    path: str
    settings: Object

    def is_like(self, other: Step) -> int:
        """Return how much two steps are one."""
        if self.type != other.type:
            return 0
        return SAME if self.settings == other.settings else ALIKE


def compare_steps(old: Side, new: Side) -> list[Finding]:
    """Return what became of every step of the pipelines, of two tokenizers of one library."""
    if old.kind != new.kind:
        return []
    if old.kind == "sentencepiece":
        return _compare_rules(old, new)
    return [
        finding
        for part in ("normalizer", "pre_tokenizer", "decoder")
        for finding in _compare_part(part, old.parts.get(part), new.parts.get(part))
    ] + _compare_processors(old.parts.get("post_processor"), new.parts.get("post_processor"))


def _compare_part(part: str, old: Any, new: Any) -> list[Finding]:
    if old == new:
        return []
    if part == "decoder" and new == keep_spaces(old):
        return [
            Finding(
                "notice",
                "decoder changed",
                "decoder: Metaspace is written as other steps",
                "ids are written out as the same text; only, spaces inside its first token stay",
            )
        ]
    pairs = align_steps(list(flatten(old, part)), list(flatten(new, part)))
    lost = [before for before, after in pairs if before and not after]
    added = [after for before, after in pairs if after and not before]
    moved = [(step, twin) for step in lost if (twin := _take_twin(step, added))]
    changed = [
        (before, after)
        for before, after in pairs
        if before and after and before.settings != after.settings
    ]
    gone = [step for step in lost if all(step is not other for other, _ in moved)]
    return [
        *(_tell_lost(part, step) for step in gone),
        *(_tell_changed(part, before, after) for before, after in changed),
        *(_tell_moved(part, before, after) for before, after in moved),
        *(_tell_added(part, step) for step in added),
    ]


def flatten(part: Any, path: str) -> Iterator[Step]:
    """Yield the steps of a part in order, those of sequences in their place.

    >>> spec = {"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Lowercase"}]}
    >>> [step.path for step in flatten(spec, "normalizer")]
    ['normalizer.normalizers[0]', 'normalizer.normalizers[1]']
    """
    if not isinstance(part, dict):
        return
    name = next((name for name in LISTS if isinstance(part.get(name), list)), None)
    if part.get("type") == "Sequence" and name:
        for i, inner in enumerate(part[name]):
            yield from flatten(inner, f"{path}.{name}[{i}]")
        return
    step = Step(str(part.get("type")), path, {k: v for k, v in part.items() if k != "type"})
    if path.startswith("pre_tokenizer") and step.settings.get("use_regex"):
        own = {"pattern": {"Regex": OWN}, "behavior": "Isolated", "invert": False}
        yield Step("Split", f"{path}.use_regex", own)
        step = replace(step, settings=step.settings | {"use_regex": False})
    yield step


def align_steps(old: list[Step], new: list[Step]) -> list[tuple[Step | None, Step | None]]:
    """Return the steps side by side: equal ones first, then those of one type, order kept."""
    if len(old) > MOST or len(new) > MOST:
        return [*((step, None) for step in old), *((None, step) for step in new)]
    best = _score_alignments(old, new)
    pairs: list[tuple[Step | None, Step | None]] = []
    i = j = 0
    while i < len(old) or j < len(new):
        if i < len(old) and best[i][j] == best[i + 1][j]:
            pairs.append((old[i], None))
            i += 1
        elif j < len(new) and best[i][j] == best[i][j + 1]:
            pairs.append((None, new[j]))
            j += 1
        else:
            pairs.append((old[i], new[j]))
            i, j = i + 1, j + 1
    return pairs


def _score_alignments(old: list[Step], new: list[Step]) -> list[list[int]]:
    """Return what the best alignment of `old[i:]` with `new[j:]` is worth, by i and j."""
    best = [[0] * (len(new) + 1) for _ in range(len(old) + 1)]
    for i in reversed(range(len(old))):
        for j in reversed(range(len(new))):
            like = old[i].is_like(new[j])
            joined = best[i + 1][j + 1] + like if like else 0
            best[i][j] = max(joined, best[i + 1][j], best[i][j + 1])
    return best


def _take_twin(step: Step, added: list[Step]) -> Step | None:
    """Return the added step that is the lost one at another place, and take it from the list."""
    for i, other in enumerate(added):
        if step.is_like(other) == SAME:
            return added.pop(i)
    return None


def _tell_lost(part: str, step: Step) -> Finding:
    name = "Split rule" if step.type == "Split" else f"{step.type} step"
    return Finding(
        "break",
        f"{part} lost",
        f"{part} lost its {name} ({step.path} of OLD)",
        _say_effect(part, step.type),
        "Put the step back as it was in OLD",
        examples=take_examples(_show_settings(step.settings)),
    )


def _tell_changed(part: str, before: Step, after: Step) -> Finding:
    return Finding(
        "warn",
        f"{part} changed",
        f"{part}: {after.type} set otherwise",
        _say_effect(part, after.type),
        "Keep what OLD says where text must be cut as before; the sample shows what changes",
        examples=take_examples(list_changes(before.settings, after.settings, after.path)),
    )


def _tell_moved(part: str, before: Step, after: Step) -> Finding:
    return Finding(
        "warn",
        f"{part} reordered",
        f"{part}: {after.type} stands at another place",
        _say_effect(part, after.type),
        "Keep the order of OLD",
        examples=(f"{before.path} -> {after.path}",),
    )


def _tell_added(part: str, step: Step) -> Finding:
    return Finding(
        "warn",
        f"{part} added",
        f"{part} has a new step: {step.type} ({step.path})",
        _say_effect(part, step.type),
        "Leave it away where text must be cut as before",
        examples=take_examples(_show_settings(step.settings)),
    )


def _say_effect(part: str, kind: str) -> str:
    does = DOES.get(kind)
    if kind == "ByteLevel" and part == "decoder":
        does = "it joins the letters of bytes to text again"
    return f"{does}; {EFFECTS[part]}" if does else EFFECTS[part]


def _show_settings(settings: Object) -> Iterator[str]:
    return (f"{name} {show_value(value)}" for name, value in settings.items())


def _compare_processors(old: Any, new: Any) -> list[Finding]:
    """What stands around a text: a ByteLevel there moves offsets only."""
    before, after = (
        [step for step in flatten(part, "post_processor") if step.type != "ByteLevel"]
        for part in (old, new)
    )
    bare = [[(step.type, step.settings) for step in steps] for steps in (before, after)]
    if bare[0] != bare[1]:
        return [
            Finding(
                "break",
                "post_processor changed",
                "post_processor changed",
                EFFECTS["post_processor"],
                "Keep the post_processor of OLD",
                examples=take_examples(list_changes(old, new, "post_processor")),
            )
        ]
    if old != new:
        return [
            Finding(
                "notice",
                "post_processor changed",
                "post_processor: ByteLevel changed",
                "offsets of tokens may begin at a space or after it; no id changes",
                examples=take_examples(list_changes(old, new, "post_processor")),
            )
        ]
    return []


def _compare_rules(old: Side, new: Side) -> list[Finding]:
    """The normalizers of two SentencePiece models."""
    findings = []
    for part in ("normalizer", "denormalizer"):
        for name, before in old.parts[part].items():
            after = new.parts[part][name]
            if before == after:
                continue
            severity: Severity = "break" if before is not None and after is None else "warn"
            kind = "lost" if severity == "break" else "changed"
            findings.append(
                Finding(
                    severity,
                    f"{part} {kind}",
                    f"{part}: {name} {kind}",
                    EFFECTS[part],
                    "Keep the normalizer_spec of OLD",
                    examples=(f"{part}.{name}: {show_change(before, after)}",),
                )
            )
    return findings
