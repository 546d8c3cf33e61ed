"""A model to the model with parts that learn: adapters, and rows of its new ids.

PEFT holds both. The rows of old ids are no parameters, so nothing can move them. Weights come from
safetensors alone, and no code of a folder is run.
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from miner.errors import ModelError, UsageError, need_extra

ALPHA = 2  # times the rank: how much an adapter weighs
FAR = 1e-2  # of the largest logit: what rounding explains, and no more


@dataclass(frozen=True)
class Parts:
    """What learns: `rows` are the new ids by the name of their table, `rank` 0 is no adapter."""

    rows: dict[str, list[int]]
    rank: int


def check_libraries(*, four_bit: bool) -> None:
    """UsageError where a library that is needed is not installed."""
    need_extra("tune", "miner tune")
    if four_bit and importlib.util.find_spec("bitsandbytes") is None:
        raise UsageError("bitsandbytes is not installed", cure="pip install bitsandbytes")


def choose_device(device: str, *, four_bit: bool) -> str:
    """Return `cuda` or `cpu`; UsageError where it is not there, or cannot do what is asked."""
    import torch

    there = torch.cuda.is_available()
    if device == "cuda" and not there:
        raise UsageError("no CUDA device is there", cure="Give --device cpu")
    chosen = "cuda" if there and device != "cpu" else "cpu"
    if four_bit and chosen == "cpu":
        raise UsageError(
            "--four-bit needs a CUDA device", cure="Leave it away, or run it where one is"
        )
    return chosen


def choose_precision(precision: str, device: str) -> str:
    """Return `bfloat16` or `float32`; the GPU computes in the first where it can."""
    import torch

    if precision != "auto":
        return precision
    fast = device == "cuda" and torch.cuda.is_bf16_supported()
    return "bfloat16" if fast else "float32"


def load_base(folder: Path, *, device: str, precision: str, four_bit: bool = False) -> Any:
    """Return the model of a folder that was checked; `auto` is the precision of its weights."""
    import torch
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    options: dict[str, Any] = {"dtype": precision}
    if four_bit:
        options["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=getattr(torch, precision),
        )
        options["device_map"] = {"": 0}
    model: Any
    try:
        with hidden_bars():
            model = AutoModelForCausalLM.from_pretrained(
                folder,
                trust_remote_code=False,
                local_files_only=True,
                use_safetensors=True,
                **options,
            )
    except (ValueError, OSError, KeyError, ImportError, TypeError) as error:
        line = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise ModelError(
            f"transformers does not load it ({line})",
            where=str(folder),
            cure="Fetch the whole model anew",
        ) from error
    return model if four_bit else model.to(device)


def build_empty(folder: Path) -> Any:
    """Return the model of a folder that was checked, without weights."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    about = AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    with torch.device("meta"):
        return AutoModelForCausalLM.from_config(about, trust_remote_code=False)


@contextmanager
def hidden_bars() -> Iterator[None]:
    """Keep the progress bars of `transformers` off the screen; ours tells more."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def name_tables(model: Any, ids: range, *, tied: bool) -> dict[str, list[int]]:
    """Return the new ids by the name of each table that gets rows for them.

    PEFT reaches the second name of a tied table by itself. A head with a bias is left as it is:
    PEFT would compute it without (0.21).
    """
    inputs, outputs = model.get_input_embeddings(), model.get_output_embeddings()
    wanted = [inputs]
    if outputs is not None and not tied and getattr(outputs, "bias", None) is None:
        wanted.append(outputs)
    names = {id(module): name for name, module in model.named_modules()}
    return {names[id(module)]: list(ids) for module in wanted} if ids else {}


def attach_parts(model: Any, parts: Parts, *, seed: int) -> Any:
    """Return the model with parts that learn, in float32; all else is frozen."""
    import torch
    from peft import LoraConfig, TrainableTokensConfig, get_peft_model

    torch.manual_seed(seed)
    if parts.rank:
        config: Any = LoraConfig(
            task_type="CAUSAL_LM",
            target_modules="all-linear",
            r=parts.rank,
            lora_alpha=ALPHA * parts.rank,
            lora_dropout=0.0,
            trainable_token_indices=parts.rows or None,
        )
    else:
        ids = next(iter(parts.rows.values()))
        config = TrainableTokensConfig(
            task_type="CAUSAL_LM", target_modules=list(parts.rows), token_indices=ids
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what PEFT warns of is settled here
        try:
            return get_peft_model(model, config)
        except ValueError as error:  # such as for Mamba, whose kernels pass adapters by
            line = (str(error).strip().splitlines() or ["ValueError"])[0][:200]
            cure = "Give --rows-only" if parts.rank and parts.rows else "Name another model"
            raise ModelError(
                f"PEFT has no such part for {type(model).__name__} ({line})", cure=cure
            ) from error


def spare_memory(model: Any) -> None:
    """Compute layers twice instead of keeping them: a third more time, for far longer blocks."""
    if not getattr(model, "supports_gradient_checkpointing", False):
        return
    if hasattr(model, "activation_checkpointing_enable"):  # transformers 5.20 or so
        model.activation_checkpointing_enable({"use_reentrant": False})
    else:
        model.gradient_checkpointing_enable({"use_reentrant": False})


def list_learning(model: Any) -> dict[str, Any]:
    """Return the parameters that learn, by name."""
    return {name: tensor for name, tensor in model.named_parameters() if tensor.requires_grad}


def compute_logits(model: Any, ids: list[int]) -> Any:
    """Return what a model says behind some ids, float32 (ids, vocabulary)."""
    import torch

    model.eval()
    with torch.no_grad():
        place = next(model.parameters()).device
        return model(input_ids=torch.tensor([ids], device=place), use_cache=False).logits[0].float()


def check_same(before: Any, after: Any, family: str) -> None:
    """ModelError where a model says something else before anything was learned."""
    far = float((before - after).abs().max())
    if not far <= FAR * max(float(before.abs().max()), 1e-6):
        raise ModelError(
            f"PEFT changes what {family} says before it learns (by {far:.3g})",
            cure="Tune it with --template's train.py, and report it",
        )


def save_parts(model: Any, folder: Path) -> None:
    """Write the adapter, as `PeftModel.from_pretrained` reads it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what PEFT warns of is settled here
        # "auto" would ask the Hub whether the vocabulary has grown
        model.save_pretrained(folder, safe_serialization=True, save_embedding_layers=False)


def merge_parts(base: Path, parts: Path, folder: Path) -> None:
    """Write the model of `base` with the adapter in `parts`, at the precision of its weights."""
    from peft import PeftModel

    model = load_base(base, device="cpu", precision="auto")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what PEFT warns of is settled here
        merged = PeftModel.from_pretrained(model, parts).merge_and_unload()
    with hidden_bars():
        merged.save_pretrained(folder, safe_serialization=True)
