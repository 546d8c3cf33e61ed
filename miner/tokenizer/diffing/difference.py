"""Findings and a measured effect to a verdict: may NEW take the place of OLD?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from miner.report.screen import tell_count
from miner.tokenizer.diffing.effect import Effect, find_effects, measure_effect
from miner.tokenizer.diffing.findings import SEVERITIES, Finding
from miner.tokenizer.diffing.ids import compare_ids, list_added
from miner.tokenizer.diffing.reach import find_dead
from miner.tokenizer.diffing.roles import compare_roles
from miner.tokenizer.diffing.rules import compare_rules
from miner.tokenizer.diffing.sample import SAMPLE
from miner.tokenizer.diffing.sides import Side, view_side
from miner.tokenizer.diffing.steps import compare_steps
from miner.tokenizer.diffing.weights import check_weights
from miner.tokenizer.reading.loading import LoadedTokenizer


@dataclass(frozen=True)
class Difference:
    """All that two tokenizers differ in, the worst first."""

    old: Side
    new: Side
    findings: tuple[Finding, ...]
    effect: Effect

    def count(self, severity: str) -> int:
        """Return how many findings are that bad."""
        return sum(finding.severity == severity for finding in self.findings)

    @property
    def exit_code(self) -> int:
        """1 where something was removed, moved or lost, else 0."""
        return 1 if self.count("break") else 0

    @property
    def is_safe(self) -> bool:
        """Whether nothing broke, and text without new pieces is cut as before."""
        return not self.exit_code and not self.effect.otherwise_without_new

    @property
    def verdict(self) -> str:
        """One line for a person."""
        if not self.findings:
            return "safe: the two are the same"
        if self.exit_code:
            worst = [finding.what for finding in self.findings if finding.severity == "break"]
            more = f", and {len(worst) - 3:,} more" if len(worst) > 3 else ""
            return f"unsafe: {'; '.join(worst[:3])}{more}"
        return self._judge_cuts()

    def _judge_cuts(self) -> str:
        kept = "no id moved, no piece or rule was lost"
        changed, plain = self.effect.otherwise_without_new, self.effect.without_new
        which = "lines without a new piece" if self.effect.with_new else "lines"
        if changed:
            return f"with care: {kept}, but {changed:,} of {plain:,} {which} are cut otherwise"
        warned = self.count("warn")
        told = f"; see {tell_count(warned, 'warning')} above" if warned else ""
        if list_added(self.old, self.new):
            return (
                f"safe: {kept}; text without the new pieces is cut as before ({plain:,} of "
                f"{plain:,} lines){told}"
            )
        return f"safe: {kept}; all {plain:,} lines of the sample are cut as before{told}"


def diff_tokenizers(
    old: LoadedTokenizer, new: LoadedTokenizer, texts: Sequence[str] = SAMPLE
) -> Difference:
    """Return what NEW differs in from OLD, in its files and on a sample of texts.

    TokenizerError where a file holds nonsense, or a text becomes absurdly many tokens.
    """
    one, two = view_side(old), view_side(new)
    effect = measure_effect(one, two, texts)
    findings = [
        *compare_ids(one, two),
        *compare_steps(one, two),
        *compare_rules(one, two),
        *compare_roles(one, two),
        *find_dead(one, two),
        *check_weights(one, two),
        *find_effects(effect, additions=bool(list_added(one, two))),
    ]
    findings.sort(key=lambda finding: SEVERITIES.index(finding.severity))
    return Difference(one, two, tuple(findings), effect)
