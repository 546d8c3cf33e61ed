"""A run to JupyterLab: how is its review opened from the command line?"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from miner.errors import RunError, need_extra, say_reason
from miner.runs.decisions import Policy, name_log
from miner.runs.files import make_plain_folder, replace_file
from miner.runs.manifest import read_manifest
from miner.runs.names import NOTEBOOK

OVERRIDES = Path(__file__).parent / "static"  # holds labconfig/default_setting_overrides.json
KEYS = """\
`j` `k` move, `a` accepts, `r` rejects, `c` clears, `e` renames, `u` undoes, `/` searches; \
`?` lists all keys. Decisions are saved at once, in `decisions/` of the run.
"""


def open_lab(
    run: Path,
    reviewer: str | None,
    *,
    policy: Policy = "majority",
    browser: bool = True,
    port: int | None = None,
) -> int:
    """Open the notebook of a run in JupyterLab, on this machine alone; back when it is closed.

    Returns its exit code. MissingExtraError where the extra is not installed.
    """
    need_extra("review", "the review in Jupyter")
    read_manifest(run)
    if reviewer is not None:
        name_log(run, reviewer)  # says what is wrong with the name
    notebook = write_notebook(run, reviewer, policy)
    from jupyterlab.labapp import LabApp

    others = os.environ.get("JUPYTER_CONFIG_PATH")  # LabApp reads it, and asks about no news
    os.environ["JUPYTER_CONFIG_PATH"] = os.pathsep.join(filter(None, [str(OVERRIDES), others]))
    try:
        LabApp.launch_instance(list_options(notebook, browser=browser, port=port))
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def list_options(notebook: Path, *, browser: bool = True, port: int | None = None) -> list[str]:
    """Return the command line of JupyterLab; its token stays its own."""
    options = [
        str(notebook),
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.root_dir={notebook.parent}",
        f"--LabApp.default_url=/lab/tree/{notebook.name}",
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        "--LabApp.extension_manager=readonly",
    ]
    if port is not None:
        options += [f"--ServerApp.port={port}", "--ServerApp.port_retries=0"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        options.append("--allow-root")  # in a container; it listens to this machine alone
    return options if browser else [*options, "--no-browser"]


def write_notebook(run: Path, reviewer: str | None, policy: Policy = "majority") -> Path:
    """Return the notebook of a run, written anew: one that came with the run is not opened."""
    place = run.absolute() / NOTEBOOK
    try:
        make_plain_folder(place.parent)
        text = json.dumps(make_notebook("..", reviewer, policy), ensure_ascii=False, indent=1)
        replace_file(place, (text + "\n").encode())
    except OSError as error:
        raise RunError(
            f"the notebook cannot be written ({say_reason(error)})",
            where=str(place),
            cure="Check the permissions of the run folder",
        ) from error
    return place


def make_notebook(run: str, reviewer: str | None, policy: Policy = "majority") -> dict[str, Any]:
    """Return a notebook that reviews a run; `run` is told from where the notebook lies."""
    named = "" if reviewer is None else f", reviewer={reviewer!r}"
    named += "" if policy == "majority" else f", policy={policy!r}"
    code = (
        "# Shift+Enter opens the review\n"
        f"from miner.review.widget import Review\n\nRUN = {run!r}\nReview(RUN{named})"
    )
    return {
        "cells": [
            {
                "cell_type": "code",
                "id": "review",
                "metadata": {},
                "execution_count": None,
                "outputs": [],
                "source": code,
            },
            {"cell_type": "markdown", "id": "keys", "metadata": {}, "source": KEYS},
        ],
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
