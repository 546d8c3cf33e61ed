"""A training that was cut off to its last whole step: what learns, its moments, and where it stood.

Tensors are safetensors, the rest is JSON; a checkpoint gets its name when all of it is on the disk.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from miner.errors import RunError
from miner.model.packing import Place
from miner.runs.files import write_json

SETTINGS, STATE = "settings.json", "state.json"
WEIGHTS, MOMENTS, HISTORY = "weights.safetensors", "moments.safetensors", "loss.jsonl"
Line = dict[str, Any]  # of the history: step, loss, ids, seconds, bits_per_byte


@dataclass
class State:
    """Where a training stands: steps that were taken, text that was read, what was measured."""

    step: int
    place: Place
    history: list[Line]


def open_checkpoints(folder: Path, key: Line, *, resume: bool, overwrite: bool) -> Path | None:
    """Return the last checkpoint under the same key, or make room for new ones.

    RunError where an unfinished training is there that the user neither resumes nor gives up.
    """
    last = find_last(folder)
    if resume and last is not None:
        if read_object(folder / SETTINGS) != json.loads(json.dumps(key)):
            raise RunError(
                "the unfinished training there has other settings, another model or corpus",
                where=str(folder),
                cure="Give the same options, or --overwrite to start afresh",
            )
        return last
    if last is not None and not overwrite:
        raise RunError(
            "an unfinished training is there",
            where=str(folder),
            cure="--resume goes on with it, --overwrite starts afresh",
        )
    remove_checkpoints(folder)
    return None


def remove_checkpoints(folder: Path) -> None:
    """Remove a folder of checkpoints; RunError where it holds something else."""
    if not folder.exists():
        return
    if not folder.is_dir() or (any(folder.iterdir()) and not (folder / SETTINGS).is_file()):
        raise RunError(
            "something other than a training is there",
            where=str(folder),
            cure="Choose another --out",
        )
    shutil.rmtree(folder)


def find_last(folder: Path) -> Path | None:
    """Return the last checkpoint in a folder, if there is one."""
    found = [
        path for path in folder.glob("step-*") if (path / STATE).is_file() and path.suffix != ".tmp"
    ]
    return max(found, key=lambda path: path.name, default=None)


def read_object(file: Path) -> Any:
    """Return what a JSON file holds, None where it cannot be read."""
    try:
        return json.loads(file.read_bytes())
    except (OSError, ValueError):
        return None


def write_checkpoint(folder: Path, key: Line, state: State, learning: Line, optimizer: Any) -> None:
    """Write where a training stands, then remove what was written before."""
    from safetensors.torch import save_file

    if not folder.exists():
        folder.mkdir()
        write_json(folder / SETTINGS, key)
    place = folder / f"step-{state.step:09}"
    draft = place.with_suffix(".tmp")
    for leftover in (draft, place):
        shutil.rmtree(leftover, ignore_errors=True)
    draft.mkdir()
    save_file(
        {name: tensor.detach().contiguous() for name, tensor in learning.items()}, draft / WEIGHTS
    )
    moments = {
        f"{name}|{part}": value
        for name, tensor in learning.items()
        for part, value in optimizer.state[tensor].items()
    }
    save_file(moments, draft / MOMENTS)
    write_history(draft / HISTORY, state.history)
    write_json(draft / STATE, {"step": state.step, "place": list(state.place)})
    draft.rename(place)
    for other in folder.glob("step-*"):
        if other != place:
            shutil.rmtree(other, ignore_errors=True)


def load_checkpoint(place: Path, learning: Line, optimizer: Any) -> State:
    """Put what was learned and its moments back; return where the training stood."""
    import torch
    from safetensors.torch import load_file

    weights, moments = load_file(place / WEIGHTS), load_file(place / MOMENTS)
    about = read_object(place / STATE)
    if weights.keys() != learning.keys() or not isinstance(about, dict):
        raise RunError(
            "the checkpoint is not whole", where=str(place), cure="Start afresh with --overwrite"
        )
    with torch.no_grad():
        for name, tensor in learning.items():
            tensor.copy_(weights[name])
    for entry, value in moments.items():
        name, part = entry.rsplit("|", 1)
        tensor = learning[name]
        optimizer.state[tensor][part] = value if part == "step" else value.to(tensor.device)
    history = [
        json.loads(line) for line in (place / HISTORY).read_text(encoding="utf-8").splitlines()
    ]
    return State(about["step"], Place(*about["place"]), history)


def write_history(file: Path, lines: Iterable[Line]) -> None:
    """Write a line of JSON for each step."""
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
