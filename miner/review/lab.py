"""A run to JupyterLab: how is its review opened from the command line?"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import chdir, contextmanager, suppress
from pathlib import Path
from typing import Any

from miner.errors import need_extra
from miner.runs.decisions import Policy, name_log
from miner.runs.manifest import read_manifest

OVERRIDES = Path(__file__).parent / "static"  # holds labconfig/default_setting_overrides.json
KEYS = """\
`j` `k` move, `a` accepts, `r` rejects, `c` clears, `e` renames, `u` undoes, `/` searches; \
`?` lists all keys. Decisions are saved at once, in `decisions/` of the run.

Nothing opened? The kernel was still starting: click into the cell above, and press Shift+Enter \
again.
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

    The notebook lies in a folder of its own, where server and kernels start too: nothing beside a
    stranger's run is imported, and no settings that came with it are read. Returns its exit code.
    MissingExtraError where the extra is not installed.
    """
    need_extra("review", "the review in Jupyter")
    read_manifest(run)
    if reviewer is not None:
        name_log(run, reviewer)  # says what is wrong with the name
    with made_notebook(run, reviewer, policy) as notebook, chdir(notebook.parent):
        from jupyterlab.labapp import LabApp

        try:
            LabApp.launch_instance(list_options(notebook, browser=browser, port=port))
        except SystemExit as end:
            return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


@contextmanager
def made_notebook(run: Path, reviewer: str | None, policy: Policy = "majority") -> Iterator[Path]:
    """Yield a new notebook for a run, alone in a new folder, and what the server must know.

    Both go at the end; a folder in which people saved something of theirs stays.
    """
    folder = Path(tempfile.mkdtemp(prefix="miner-review-"))
    notebook = folder / "review.ipynb"
    text = json.dumps(make_notebook(str(run.resolve()), reviewer, policy), ensure_ascii=False)
    notebook.write_text(text + "\n", encoding="utf-8")
    before = {name: os.environ.get(name) for name in ("JUPYTER_CONFIG_PATH", "PYTHONSAFEPATH")}
    paths = filter(None, [str(OVERRIDES), before["JUPYTER_CONFIG_PATH"]])
    os.environ |= {"JUPYTER_CONFIG_PATH": os.pathsep.join(paths), "PYTHONSAFEPATH": "1"}
    try:
        yield notebook
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            os.environ |= {name: value} if value is not None else {}
        notebook.unlink(missing_ok=True)
        shutil.rmtree(folder / ".ipynb_checkpoints", ignore_errors=True)  # Jupyter's own
        with suppress(OSError):  # what people saved there stays
            folder.rmdir()


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


def make_notebook(run: str, reviewer: str | None, policy: Policy = "majority") -> dict[str, Any]:
    """Return a notebook that reviews a run."""
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
