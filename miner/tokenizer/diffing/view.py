"""A difference to a screen of text or an object: what is wrong, how bad, what now?

Whatever comes from a file is shown with its control signs, bidirectional marks and line ends
written out, so that no file can speak to the terminal.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from miner.report.screen import fit, tell_count, wrap
from miner.tokenizer.diffing.difference import Difference
from miner.tokenizer.diffing.effect import CutChange, Effect
from miner.tokenizer.diffing.findings import Finding
from miner.tokenizer.diffing.sides import Side

WIDTH = 100  # columns
SHOWN = 3  # examples of a finding in text
TEMPLATE_SHOWN = 12  # lines of a chat template
CUTS_SHOWN = 3  # lines that are cut otherwise
MARGIN = 8  # columns in front of what a finding says
CONTEXT_LENGTH = 8192  # tokens, to say in plain words what a factor means


def describe_difference(difference: Difference, sample: str = "the built-in sample") -> str:
    """Return the report: findings with the worst first, what was measured, the verdict."""
    sections = [
        f"OLD  {fit(_name_side(difference.old), WIDTH - 5)}\n"
        f"NEW  {fit(_name_side(difference.new), WIDTH - 5)}",
        *(_describe_finding(finding) for finding in difference.findings),
        _describe_effect(difference.effect, sample),
        _wrap(difference.verdict, 0),
    ]
    return "\n\n".join(sections)


def record_difference(difference: Difference) -> dict[str, Any]:
    """Return the difference as an object for JSON; examples are capped, counts are not."""
    return {
        "old": _record_side(difference.old),
        "new": _record_side(difference.new),
        "verdict": difference.verdict,
        "safe": difference.is_safe,
        "exit_code": difference.exit_code,
        "findings": [asdict(finding) for finding in difference.findings],
        "effect": {
            **asdict(difference.effect),
            "factor": difference.effect.factor,
            "without_new": difference.effect.without_new,
        },
    }


def _record_side(side: Side) -> dict[str, Any]:
    return {
        "path": str(side.tokenizer.path),
        "kind": side.kind,
        "model": side.model.get("type"),
        "ids": side.tokenizer.size,
        "pieces": len(side.places),
    }


def _name_side(side: Side) -> str:
    model = side.model.get("type") or "unknown model"
    return f"{side.tokenizer.path}: {side.kind}, {model}, {side.tokenizer.size:,} ids"


def _describe_finding(finding: Finding) -> str:
    """Return a finding: severity and what, examples, consequence, cure."""
    lines = [wrap(finding.what, WIDTH, finding.severity.ljust(MARGIN))]
    shown = TEMPLATE_SHOWN if finding.kind == "chat template" else SHOWN
    for example in finding.examples[:shown]:
        lines.append(" " * (MARGIN + 2) + fit(example, WIDTH - MARGIN - 2))
    more = max(finding.count, len(finding.examples)) - shown
    if more > 0 and finding.examples:
        lines.append(" " * (MARGIN + 2) + f"... and {more:,} more")
    lines += [_wrap(finding.consequence, MARGIN)] if finding.consequence else []
    lines += [_wrap(f"Cure: {finding.cure}", MARGIN)] if finding.cure else []
    return "\n".join(lines)


def _describe_effect(effect: Effect, sample: str) -> str:
    rows = [
        ("tokens", f"{effect.tokens_before:,} -> {effect.tokens_after:,}{_say_context(effect)}"),
        ("cut as before", _say_cuts(effect)),
        ("ids", f"{effect.other_ids:,} of {tell_count(effect.lines, 'line')} get other ids"),
        (
            "round trip",
            f"{tell_count(effect.lost, 'line')} no longer come back; "
            f"{effect.other_text:,} come back as another text than before",
        ),
    ]
    if effect.unknown_before or effect.unknown_after:
        rows.append(("unknown", f"{effect.unknown_before:,} -> {effect.unknown_after:,} tokens"))
    if effect.failed:
        rows.append(("failed", f"{tell_count(effect.failed, 'line')} that NEW cannot cut"))
    head = f"measured on {fit(sample, WIDTH - 40)}, {tell_count(effect.lines, 'line')}"
    lines = [head, *(f"  {name:<15}{text}" for name, text in rows)]
    for change in effect.examples[:CUTS_SHOWN]:
        lines += _show_change(change)
    return "\n".join(lines)


def _say_context(effect: Effect) -> str:
    if effect.tokens_before == effect.tokens_after or not effect.tokens_after:
        return ""
    held = round(CONTEXT_LENGTH / effect.factor)
    return (
        f"  (x {effect.factor:.3f}: a context of {CONTEXT_LENGTH:,} tokens holds what took "
        f"{held:,})"
    )


def _say_cuts(effect: Effect) -> str:
    plain = effect.without_new - effect.otherwise_without_new
    if not effect.with_new:
        return f"{plain:,} of {tell_count(effect.lines, 'line')}"
    return (
        f"{plain:,} of {effect.without_new:,} lines without a new piece; "
        f"{tell_count(effect.with_new, 'line')} with one"
    )


def _show_change(change: CutChange) -> Iterator[str]:
    """Yield the tokens of a line before and after, from shortly before they differ."""
    pairs = zip(change.before, change.after, strict=False)
    first = next((i for i, (one, two) in enumerate(pairs) if one != two), 0)
    start = max(first - 2, 0)
    for name, tokens in (("before", change.before), ("after", change.after)):
        text = ("… " if start else "") + _join_tokens(tokens[start:])
        yield f"  {name:<15}{fit(text, WIDTH - 17)}"


def _join_tokens(tokens: Sequence[str]) -> str:
    return " | ".join(tokens)


def _wrap(text: str, margin: int) -> str:
    """Return a text as lines of at most `WIDTH` columns, with a margin in front."""
    return wrap(text, WIDTH, " " * margin)
