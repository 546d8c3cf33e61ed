"""A text to all that a run and its reviewers say of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from miner.review.absent import explain_absent
from miner.review.explainer import Explainer
from miner.review.reasons import explain, find_outcome
from miner.runs.annotations import check_form, review_run
from miner.runs.decisions import Policy, read_logs, settle_logs
from miner.runs.finished import open_finished


def explain_text(folder: Path, text: str, *, policy: Policy = "majority") -> dict[str, Any]:
    """Return why a text is a unit of a run, or why not, ready for JSON.

    `decisions` says which reviewer said what of it, `conflicts` where they differ and what holds
    by the policy, `reviewed` what came of all decisions: `verdict, detail, rank`, None where nobody
    decided anything.
    """
    run = open_finished(folder)
    explainer = Explainer(run)
    row = explainer.find(text)
    found = explain_absent(explainer, text) if row is None else explain(explainer, row)
    unit = check_form(run, text)[0] if row is None else explainer.unit(row)
    reviewed = review_run(folder, policy)
    logs = read_logs(folder)
    found["decisions"] = {log.reviewer: log.state[unit].said() for log in logs if unit in log.state}
    found["conflicts"] = [
        {"field": entry.field, "said": dict(entry.said), "holds": entry.holds, "policy": policy}
        for entry in settle_logs(logs, policy).conflicts
        if entry.unit == unit
    ]
    found["reviewed"] = find_outcome(reviewed, unit, row) if reviewed and unit else None
    return found
