"""Checks to a table: what holds, what fails, with which text, and what is the cure?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from miner.tokenizer.checking.checking import Check


def summarize_checks(checks: Sequence[Check], name: str) -> str:
    """Return the checks as a table, and what failed with its cure."""
    width = max(len(check.name) for check in checks)
    lines = [f"{name}", "", f"{'':4}  {'':{width}}  {'passed':>9} {'of':>9} {'not its unit':>13}"]
    for check in checks:
        mark = "ok" if check.holds and check.tried else "-" if check.holds else "FAIL"
        absent = f"{check.absent:,}" if check.absent else ""
        numbers = f"{check.passed:>9,} {check.tried:>9,} {absent:>13}"
        lines.append(f"{mark:4}  {check.name:{width}}  {numbers}".rstrip())
    for check in checks:
        if not check.holds:
            lines += ["", f"{check.name}: {check.tried - check.passed:,} fail"]
            for failure in check.failures:
                pieces = " ".join(repr(piece) for piece in failure.pieces[:12])
                more = " ..." if len(failure.pieces) > 12 else ""
                lines.append(f"  {failure.text!r}: {failure.found}")
                lines.append(f"    ids {failure.ids[:12]}{more} {pieces}{more}")
            lines.append(f"  Cure: {check.cure}")
    return "\n".join(lines)


def list_checks(checks: Sequence[Check]) -> list[dict[str, Any]]:
    """Return the checks as data."""
    return [
        {
            "check": check.name,
            "passed": check.passed,
            "tried": check.tried,
            "absent": check.absent,
            "cure": check.cure,
            "failures": [vars(failure) for failure in check.failures],
        }
        for check in checks
    ]
