"""What two tokenizers differ in: how bad is it, what does it do, and what mends it?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal, get_args

Severity = Literal["break", "warn", "notice", "none"]
SEVERITIES: tuple[Severity, ...] = get_args(Severity)  # the worst first
EXAMPLES = 20  # that are kept of one finding; the count is always whole
CONTEXT = 12  # characters before the first difference of two long values
VALUE = 36  # characters of a value that are shown


@dataclass(frozen=True)
class Finding:
    """One difference. `kind` is its name for machines; `what` and `examples` may hold raw text.

    break: removed, moved or lost; warn: other cuts, or a token without effect; notice: harmless or
    an addition; none: told for the record.
    """

    severity: Severity
    kind: str
    what: str
    consequence: str
    cure: str = ""
    count: int = 1
    examples: tuple[str, ...] = ()


def take_examples(texts: Iterable[str]) -> tuple[str, ...]:
    """Return the first `EXAMPLES` of many texts, without making the others."""
    return tuple(islice(texts, EXAMPLES))


def show_change(before: Any, after: Any) -> str:
    """Return `before -> after`, long values cut to where they differ.

    >>> show_change(True, False), show_change(None, "NFC")
    ('true -> false', "none -> 'NFC'")
    >>> show_change("x" * 50 + "(a+)", "x" * 50 + "(b+)")
    "'…xxxxxxxxxx(a+)' -> '…xxxxxxxxxx(b+)'"
    """
    if isinstance(before, str) and isinstance(after, str):
        start = _common(before, after)
        return f"{_clip(before, start)} -> {_clip(after, start)}"
    return f"{show_value(before)} -> {show_value(after)}"


def show_value(value: Any) -> str:
    """Return a value of JSON as a person would write it, shortened."""
    if isinstance(value, str):
        return _clip(value, 0)
    if value is None or isinstance(value, bool):
        return {None: "none", True: "true", False: "false"}[value]
    if isinstance(value, float):
        return f"{value:.6g}"
    text = str(value.get("type") or value) if isinstance(value, dict) else str(value)
    return text if len(text) <= 2 * VALUE else text[: 2 * VALUE - 1] + "…"


def list_changes(old: Any, new: Any, path: str) -> Iterator[str]:
    """Yield `path: before -> after` of every value that differs, depth first.

    >>> list(list_changes({"a": [1, 2]}, {"a": [1, 3], "b": True}, "x"))
    ['x.a[1]: 2 -> 3', 'x.b: none -> true']
    """
    if isinstance(old, dict) and isinstance(new, dict):
        for key in dict.fromkeys([*old, *new]):
            yield from list_changes(old.get(key), new.get(key), f"{path}.{key}")
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for i, (before, after) in enumerate(zip(old, new, strict=True)):
            yield from list_changes(before, after, f"{path}[{i}]")
    elif old != new:
        yield f"{path}: {show_change(old, new)}"


def _common(one: str, other: str) -> int:
    """Return how many characters two texts begin with in common."""
    pairs = zip(one, other, strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def _clip(text: str, start: int) -> str:
    """Return a text in quotes: `VALUE` characters from shortly before `start`."""
    first = 0 if len(text) <= VALUE or start < CONTEXT else start - CONTEXT + 1
    clipped = ("…" if first else "") + text[first : first + VALUE]
    return f"'{clipped}…'" if first + VALUE < len(text) else f"'{clipped}'"
