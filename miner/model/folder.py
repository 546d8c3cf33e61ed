"""A model folder to its tables: which tensors have a row for every id?

`transformers` knows the families: the model is built twice without weights, once with more ids,
and the tensors whose shape changes are the tables. No code of the folder is run, and weights are
read from safetensors alone.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from miner.corpus.tensors import Tensor, list_tensors
from miner.errors import ModelError, need_extra, say_reason
from miner.runs.files import check_plain

CONFIG, WEIGHTS, INDEX = "config.json", "model.safetensors", "model.safetensors.index.json"
DANGEROUS = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")  # can run code when they are opened
MOST_LAYERS = 2_000
MORE = 64  # ids in the second build

Role = Literal["input", "output", "bias"]


@dataclass(frozen=True)
class ModelFolder:
    """A model as files: its settings, the files of its weights, and the tensors to extend.

    `rows`: how many ids the tables have room for, padding included. `tied`: whether one table is
    both input and output.
    """

    path: Path
    config: dict[str, Any]
    family: str
    files: tuple[Path, ...]
    tables: Mapping[Role, tuple[Tensor, ...]]
    rows: int
    tied: bool

    @property
    def width(self) -> int:
        """How many numbers a row of the input has."""
        return self.tables["input"][0].shape[1]

    def list_tables(self) -> Iterator[tuple[Role, Tensor]]:
        """Yield every tensor to extend with what it is for."""
        for role, tensors in self.tables.items():
            for tensor in tensors:
                yield role, tensor


@dataclass(frozen=True)
class Plan:
    """What `transformers` makes of a config: the names of tables, by their role."""

    family: str
    names: Mapping[str, Role]
    rows: int
    tied: bool
    prefix: str


def open_model(folder: Path) -> ModelFolder:
    """Return what a folder holds; ModelError where it is not whole, or cannot be opened safely."""
    check_plain(folder)
    config = read_json(folder / CONFIG, cure="Name the folder of a Hugging Face model")
    files = find_weights(folder)
    plan = plan_tables(folder)
    held = {tensor.name: tensor for file in files for tensor in list_tensors(file)}
    check_index(folder, held)
    tables: dict[Role, tuple[Tensor, ...]] = {}
    for role in ("input", "output", "bias"):
        names = [name for name, use in plan.names.items() if use == role]
        found = (find_tensor(held, name, plan.prefix) for name in names)
        if tensors := tuple(dict.fromkeys(tensor for tensor in found if tensor is not None)):
            tables[role] = tensors
    if plan.tied and "input" not in tables and "output" in tables:
        tables["input"] = tables.pop("output")
    if "input" not in tables or (
        not plan.tied and "output" in plan.names.values() and "output" not in tables
    ):
        wanted = " or ".join(sorted(plan.names))
        raise ModelError(
            f"its weights have no {wanted}", where=str(folder), cure="Fetch the weights anew"
        )
    for role, tensors in tables.items():
        tables[role] = tuple(check_table(tensor, plan.rows) for tensor in tensors)
    return ModelFolder(folder, config, plan.family, files, tables, plan.rows, plan.tied)


def read_json(file: Path, *, cure: str = "Fetch the file anew") -> dict[str, Any]:
    """Return the object in a file; ModelError where there is none."""
    try:
        parsed = json.loads(file.read_bytes())
    except OSError as error:
        reason = say_reason(error)
        raise ModelError(f"cannot be read ({reason})", where=str(file), cure=cure) from error
    except (ValueError, RecursionError) as error:
        raise ModelError(f"is not JSON ({error})", where=str(file), cure=cure) from error
    if not isinstance(parsed, dict):
        raise ModelError("is not a JSON object", where=str(file), cure=cure)
    return parsed


def find_weights(folder: Path) -> tuple[Path, ...]:
    """Return the files of the weights, all of them there; ModelError where they are not."""
    if (folder / INDEX).is_file():
        places = read_json(folder / INDEX).get("weight_map")
        if not isinstance(places, dict) or not places:
            raise ModelError("names no weights", where=str(folder / INDEX), cure="Fetch it anew")
        names = sorted({str(name) for name in places.values()})
        for name in names:
            if Path(name).name != name:
                raise ModelError(
                    f"names a file of another folder, {name!r}",
                    where=str(folder / INDEX),
                    cure="Use a model that you trust",
                )
            if not (folder / name).is_file():
                raise ModelError(
                    "a shard is missing",
                    where=str(folder / name),
                    cure="Fetch the whole model, or remove an index that is out of date",
                )
        return tuple(folder / name for name in names)
    if (folder / WEIGHTS).is_file():
        return (folder / WEIGHTS,)
    unsafe = sorted(path.name for pattern in DANGEROUS for path in folder.glob(pattern))
    if unsafe:
        raise ModelError(
            f"its weights are pickles ({unsafe[0]}), which can run code when they are opened",
            where=str(folder),
            cure="Convert them where you trust them: load the model in "
            "transformers and save_pretrained() writes model.safetensors",
        )
    raise ModelError(f"holds no {WEIGHTS}", where=str(folder), cure="Fetch the weights")


def check_index(folder: Path, held: Mapping[str, Tensor]) -> None:
    """ModelError where the index names a tensor that its file does not hold."""
    if not (folder / INDEX).is_file():
        return
    for name, file in read_json(folder / INDEX)["weight_map"].items():
        if name not in held or held[name].file.name != file:
            raise ModelError(
                f"holds no {name!r}, which the index names",
                where=str(folder / str(file)),
                cure="Fetch the whole model anew",
            )


def plan_tables(folder: Path) -> Plan:
    """Return which tensors of a model have a row for every id, by building it without weights."""
    need_extra("models", f"to open the model {folder}")
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    except Exception as error:
        raise refuse(folder, error) from error
    rows = getattr(config.get_text_config(), "vocab_size", None)
    if not isinstance(rows, int) or rows < 1:
        raise ModelError(
            "its config.json has no vocab_size", where=str(folder), cure="Name a language model"
        )
    for name in ("num_hidden_layers", "encoder_layers", "decoder_layers", "num_decoder_layers"):
        layers = getattr(config.get_text_config(), name, None) or 0
        if not isinstance(layers, int) or layers > MOST_LAYERS:
            raise ModelError(
                f"{name} is {layers}",
                where=str(folder / CONFIG),
                cure=f"The most is {MOST_LAYERS:,}",
            )
    try:
        model = build(config)
        grown = measure_shapes(build(enlarge(config, rows, rows + MORE)))
    except ModelError:
        raise
    except Exception as error:
        raise refuse(folder, error) from error
    before = measure_shapes(model)
    changed = [name for name, shape in before.items() if grown.get(name) != shape]
    inputs, outputs = model.get_input_embeddings(), model.get_output_embeddings()
    names, unknown = name_roles(model, changed, inputs, outputs)
    if unknown:
        raise ModelError(
            f"{unknown[0]} has a row for every id too, and how new ones are made is not known",
            where=str(folder),
            cure="Adopt a model with an embedding and a head alone",
        )
    tied = outputs is not None and outputs.weight is inputs.weight
    return Plan(type(model).__name__, names, rows, tied, model.base_model_prefix)


def refuse(folder: Path, error: Exception) -> ModelError:
    """Return why `transformers` does not open a model, in one line."""
    told = str(error)
    if "trust_remote_code" in told or "custom code" in told:
        return ModelError(
            "it needs code of its own, which would run here",
            where=str(folder),
            cure="Use a model that transformers knows by itself",
        )
    line = (told.strip().splitlines() or [type(error).__name__])[0][:200]
    return ModelError(
        f"transformers does not open it ({line})",
        where=str(folder / CONFIG),
        cure="Check that config.json is whole",
    )


def build(config: Any) -> Any:
    """Return the model of a config, without weights."""
    import torch
    from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM

    kinds: list[Any] = [AutoModelForCausalLM, AutoModelForSeq2SeqLM]
    if getattr(config, "is_encoder_decoder", False):
        kinds.reverse()
    kind = next((kind for kind in kinds if type(config) in kind._model_mapping), None)
    if kind is None:
        raise ModelError(
            f"{config.model_type} is no language model that writes text",
            cure="Adopt a model with a head over its vocabulary",
        )
    with torch.device("meta"):
        model = kind.from_config(config, trust_remote_code=False)
    model.tie_weights()
    return model


def enlarge(config: Any, rows: int, more: int) -> Any:
    """Return a copy of a config with more ids."""
    larger = copy.deepcopy(config)
    for part in (larger, larger.get_text_config()):
        if getattr(part, "vocab_size", None) == rows:
            part.vocab_size = more
    return larger


def measure_shapes(model: Any) -> dict[str, tuple[int, ...]]:
    """Return the shape of each tensor of a model, those that share one under all names."""
    named = [
        *model.named_parameters(remove_duplicate=False),
        *model.named_buffers(remove_duplicate=False),
    ]
    return {name: tuple(tensor.shape) for name, tensor in named}


def name_roles(
    model: Any, changed: Sequence[str], inputs: Any, outputs: Any
) -> tuple[dict[str, Role], list[str]]:
    """Return what each tensor is for, and those of which that is not known."""
    tensors = dict(model.named_parameters(remove_duplicate=False))
    buffers = dict(model.named_buffers(remove_duplicate=False))
    names: dict[str, Role] = {}
    unknown = []
    for name in changed:
        tensor = tensors.get(name)
        if tensor is not None and tensor is inputs.weight:
            names[name] = "input"
        elif outputs is not None and tensor is not None and tensor is outputs.weight:
            names[name] = "output"
        elif (outputs is not None and tensor is getattr(outputs, "bias", ...)) or (
            name.endswith("final_logits_bias") and name in buffers
        ):
            names[name] = "bias"
        else:
            unknown.append(name)
    return names, unknown


def find_tensor(held: Mapping[str, Tensor], name: str, prefix: str) -> Tensor | None:
    """Return a tensor by the name that the model gives it; files leave its prefix away, or not."""
    for known in (name, name.removeprefix(f"{prefix}."), f"{prefix}.{name}"):
        if known in held:
            return held[known]
    return None


def check_table(tensor: Tensor, rows: int) -> Tensor:
    """Return a table with a row for each id; ModelError where it has others, or unknown numbers."""
    shape = tensor.shape[1:] if tensor.shape[:1] == (1,) and rows > 1 else tensor.shape
    if shape[:1] != (rows,):
        raise ModelError(
            f"{tensor.name} has {tensor.rows:,} rows, and config.json says {rows:,}",
            where=str(tensor.file),
            cure="Fetch the whole model anew",
        )
    if not tensor.is_known:
        raise ModelError(
            f"{tensor.name} is of form {tensor.form}",
            where=str(tensor.file),
            cure="Adopt a model whose embedding is in floats of 16 or 32 bits",
        )
    return replace(tensor, shape=shape)
