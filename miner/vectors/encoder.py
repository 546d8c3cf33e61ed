"""Texts to unit rows with a pretrained encoder: what does a model trained elsewhere say of them?

The only home of torch, which is imported when an encoder is loaded and not before. One code path
for CPU and GPU: device and precision differ, nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import polars as pl

from miner.errors import EncoderError, need_extra
from miner.progress import Advance, idle
from miner.vectors.corpus_encoder import find_static_home, load_static_encoder

if TYPE_CHECKING:
    import torch
    from sentence_transformers import SentenceTransformer
    from tokenizers import Tokenizer

DEVICES = ("auto", "cpu", "cuda")
PRECISIONS = ("auto", "float32", "bfloat16", "float16")
# Tokens a batch: on a CPU the layers of a small model stay in cache (measured: 300 to 600 is the
# best, 2,000 costs 15%); on a GPU a batch must be large enough to fill it.
TOKENS_AT_ONCE = {"cpu": 384, "cuda": 1 << 16}
TEXTS_AT_ONCE = 1 << 16
SAMPLE = 1000
_NEEDED = {  # a missing tokenizer would load as an empty one, and every text as the same row
    "model.safetensors": ("model*.safetensors",),
    "config.json": ("config.json",),
    "tokenizer.json": ("tokenizer.json", "vocab.*", "*.model", "*.tiktoken"),
}
_UNSAFE = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl", "*.h5", "*.msgpack", "*.ot", "*.onnx")
_NO_MODEL = "Give a sentence-transformers name or folder, or --encoder corpus, which needs neither"


class Encoder(Protocol):
    """What embeds texts: float32 unit rows, row i is text i."""

    @property
    def name(self) -> str:
        """Name or folder, as the user gave it."""

    @property
    def dimension(self) -> int:
        """Columns of a vector."""

    @property
    def device(self) -> str:
        """`cpu` or `cuda`."""

    @property
    def precision(self) -> str:
        """`float32`, `bfloat16` or `float16`: what the model computes in."""

    def encode(self, texts: Sequence[str] | pl.Series, *, advance: Advance = idle) -> np.ndarray:
        """Return one row per text, in order; `advance` is told how many texts came out."""


def check_encoder(name: str | Path) -> None:
    """MissingExtraError where an encoder needs a library that is not here; nothing is loaded."""
    if find_static_home(Path(name)) is None:
        need_extra("encoders", f"encoder {name}")


def load_encoder(
    name: str | Path, *, device: str = "auto", precision: str = "auto", fetch: bool = True
) -> Encoder:
    """Load any sentence-transformers model by name or folder.

    Without `fetch` what is not on this machine is not fetched, as where a stranger's run names it.

    Weights come from safetensors alone, and no code of the model's own is run. Raises
    `EncoderError` where the model is not there, not whole, not safe or does not fit the device.
    """
    if device not in DEVICES or precision not in PRECISIONS:
        raise ValueError(f"device is one of {DEVICES} and precision one of {PRECISIONS}")
    if device == "cuda":
        need_extra("encoders", "--device cuda")
        _choose_device(device)
    folder = _find_folder(str(name), fetch=fetch)
    static = load_static_encoder(folder)
    if static is not None:
        return static
    _check_folder(folder)
    need_extra("encoders", f"encoder {name}")
    place = _choose_device(device)
    model = _load_model(folder, place)
    kind = _choose_precision(place) if precision == "auto" else precision
    model.to(dtype=_torch_type(kind))
    width = int(model.encode(["a"], show_progress_bar=False).shape[1])
    return SentenceEncoder(str(name), model, _choose_reader(model), width, place, kind)


@dataclass(frozen=True)
class SentenceEncoder:
    """A sentence-transformers model, fed with batches of like length."""

    name: str
    model: SentenceTransformer
    reader: Callable[[pl.Series], Tokens] | None
    dimension: int
    device: str
    precision: str

    def encode(self, texts: Sequence[str] | pl.Series, *, advance: Advance = idle) -> np.ndarray:
        """Return float32 unit rows in the order of `texts`; the same text is read once."""
        which, distinct = _number(pl.Series("text", texts, pl.String))
        rows = [np.zeros((0, self.dimension), np.float32)]
        for first in range(0, len(distinct), TEXTS_AT_ONCE):
            rows.append(self._embed(distinct[first : first + TEXTS_AT_ONCE], advance))
        return np.concatenate(rows)[which]

    def _embed(self, texts: pl.Series, advance: Advance) -> np.ndarray:
        import torch

        tokens = self.reader(texts) if self.reader else None
        lengths = tokens.lengths if tokens else texts.str.len_chars().to_numpy().astype(np.int64)

        def embed(chosen: np.ndarray) -> np.ndarray:
            if tokens is None:
                batch = texts.gather(chosen).to_list()
                return self.model.encode(batch, batch_size=len(batch), show_progress_bar=False)
            return _run_model(self.model, tokens.padded(chosen), self.device)

        return embed_by_length(
            lengths,
            embed,
            tokens_at_once=TOKENS_AT_ONCE[self.device],
            out_of_memory=torch.OutOfMemoryError,
            advance=advance,
        )


def embed_by_length(
    lengths: np.ndarray,
    embed: Callable[[np.ndarray], np.ndarray],
    *,
    tokens_at_once: int,
    out_of_memory: type[Exception],
    advance: Advance = idle,
) -> np.ndarray:
    """Return float32 unit rows (n, dim) of `embed(chosen rows)`, called on rows of like length.

    The longest come first, so that memory runs out at once if at all; then the batch is halved,
    for this and all that follow.
    """
    order = np.argsort(-lengths, kind="stable")
    parts: list[np.ndarray] = []
    done = 0
    while done < order.shape[0]:
        length = max(int(lengths[order[done]]), 1)
        chosen = order[done : done + max(tokens_at_once // length, 1)]
        try:
            parts.append(embed(chosen).astype(np.float32))
        except out_of_memory as error:
            if chosen.shape[0] == 1:
                raise EncoderError(
                    f"the device has no memory for one text of {length} tokens",
                    cure="Use --device cpu or a smaller encoder",
                ) from error
            tokens_at_once = chosen.shape[0] // 2 * length
            continue
        done += chosen.shape[0]
        advance(chosen.shape[0])
    if not parts:
        return np.zeros((0, 0), np.float32)
    rows = np.empty((order.shape[0], parts[0].shape[1]), np.float32)
    rows[order] = np.concatenate(parts)
    lengths_of_rows = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(lengths_of_rows > 0, lengths_of_rows, 1)


# ---------------------------------------------------------------- texts to tokens


@dataclass(frozen=True)
class Tokens:
    """Token ids of many texts: text i is `ids[offsets[i]:offsets[i + 1]]`."""

    ids: np.ndarray
    offsets: np.ndarray
    padding: int

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each text."""
        return np.diff(self.offsets)

    def padded(self, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return ids and mask, int64 (chosen, longest), of some texts."""
        lengths = self.lengths[chosen]
        columns = np.arange(lengths.max(initial=0))
        mask = columns < lengths[:, None]
        places = np.where(mask, self.offsets[chosen][:, None] + columns, 0)
        return np.where(mask, self.ids[places], self.padding), mask.astype(np.int64)


def _number(texts: pl.Series) -> tuple[np.ndarray, pl.Series]:
    """Return which of the distinct texts each text is, and the distinct texts."""
    rows = pl.DataFrame({"text": texts}).with_row_index("row")
    first = rows.select(pl.col("row").first().over("text"))["row"].to_numpy()
    distinct, which = np.unique(first, return_inverse=True)
    return which, texts.gather(distinct)


def _pack(tokens: Iterable[Sequence[int]], padding: int) -> Tokens:
    rows = list(tokens)
    offsets = np.cumsum([0, *map(len, rows)])
    return Tokens(np.fromiter(chain.from_iterable(rows), np.int64, offsets[-1]), offsets, padding)


@dataclass(frozen=True)
class PlainReader:
    """Texts to tokens as the model's tokenizer does it."""

    tokenizer: Any
    longest: int

    def __call__(self, texts: pl.Series) -> Tokens:
        """Return the tokens of `texts`, special tokens included, cut at the model's length."""
        found = self.tokenizer(
            texts.to_list(), truncation=True, max_length=self.longest, return_attention_mask=False
        )
        return _pack(found["input_ids"], self.tokenizer.pad_token_id or 0)


@dataclass(frozen=True)
class WordReader:
    """Texts to tokens by words: each distinct word is cut once.

    Right for tokenizers that cut at spaces before all else (BERT's). Many times the speed of the
    tokenizer's own call, which on a GPU is what one waits for.
    """

    backend: Tokenizer
    frame: tuple[int, int, int]  # the ids that start and end a text, and padding
    longest: int
    words: dict[str, list[int]]

    def __call__(self, texts: pl.Series) -> Tokens:
        """Return the same tokens as `PlainReader`."""
        spelled = texts.str.split(" ")
        which, distinct = _number(spelled.explode())
        new = [word for word in distinct.to_list() if word not in self.words]
        found = self.backend.encode_batch_fast(new, add_special_tokens=False)
        self.words.update(zip(new, (cut.ids for cut in found), strict=True))
        words = _pack(map(self.words.__getitem__, distinct.to_list()), 0)
        return self._join(words, which, spelled.list.len().to_numpy())

    def _join(self, words: Tokens, which: np.ndarray, sizes: np.ndarray) -> Tokens:
        """Return the tokens of texts of `sizes` words, which are the `which` of `words`."""
        start, end, padding = self.frame
        lengths = words.lengths[which]
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        within = np.arange(offsets[-1]) - np.repeat(offsets[:-1] - words.offsets[which], lengths)
        ends = offsets[np.cumsum(sizes)]
        wide = np.diff(ends, prepend=0)
        place = np.arange(offsets[-1]) - np.repeat(ends - wide, wide)
        framed = np.concatenate([[0], np.cumsum(np.minimum(wide, self.longest - 2) + 2)])
        ids = np.empty(framed[-1], np.int64)
        ids[framed[:-1]], ids[framed[1:] - 1] = start, end
        kept = place < self.longest - 2
        ids[(np.repeat(framed[:-1] + 1, wide) + place)[kept]] = words.ids[within[kept]]
        return Tokens(ids, framed, padding)


def _choose_reader(model: SentenceTransformer) -> Callable[[pl.Series], Tokens] | None:
    """Return the fastest way to tokens that the model allows, None where only its own call is."""
    from tokenizers.models import WordPiece
    from tokenizers.pre_tokenizers import BertPreTokenizer

    backend = getattr(model.tokenizer, "backend_tokenizer", None)
    longest = model.max_seq_length
    prompted = model.default_prompt_name and model.prompts.get(model.default_prompt_name)
    if backend is None or prompted or not isinstance(longest, int) or longest < 3:
        return None
    plain = PlainReader(model.tokenizer, longest)
    if isinstance(backend.model, WordPiece) and isinstance(backend.pre_tokenizer, BertPreTokenizer):
        return CheckedReader(plain, _make_word_reader(model.tokenizer, longest))
    return plain


def _make_word_reader(tokenizer: Any, longest: int) -> WordReader:
    from tokenizers import Tokenizer

    backend = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    backend.no_padding()
    backend.no_truncation()
    frame = (tokenizer.cls_token_id, tokenizer.sep_token_id, tokenizer.pad_token_id)
    return WordReader(backend, frame, longest, {})


@dataclass(frozen=True)
class CheckedReader:
    """A fast reader that must agree with the plain one on a sample of each call."""

    plain: PlainReader
    fast: WordReader

    def __call__(self, texts: pl.Series) -> Tokens:
        """Return the tokens of the fast reader, or of the plain one where a sample differs."""
        found = self.fast(texts)
        sample = np.linspace(0, len(texts) - 1, min(len(texts), SAMPLE)).astype(np.int64)
        true = self.plain(texts.gather(sample))
        agrees = np.array_equal(found.lengths[sample], true.lengths) and all(
            np.array_equal(one, other)
            for one, other in zip(
                found.padded(sample), true.padded(np.arange(sample.size)), strict=True
            )
        )
        return found if agrees else self.plain(texts)


# ---------------------------------------------------------------- what runs it, and where


def _run_model(
    model: SentenceTransformer, batch: tuple[np.ndarray, np.ndarray], device: str
) -> np.ndarray:
    import torch

    ids, mask = (torch.from_numpy(array).to(device) for array in batch)
    with torch.inference_mode():
        rows = model({"input_ids": ids, "attention_mask": mask})["sentence_embedding"]
    return rows.float().cpu().numpy()


def _choose_device(device: str) -> str:
    import torch

    if device == "cuda" and not torch.cuda.is_available():
        raise EncoderError(
            "CUDA was asked for and this machine has none that torch can use",
            cure="Use --device auto or cpu, or install a CUDA build of torch",
        )
    return "cuda" if device != "cpu" and torch.cuda.is_available() else "cpu"


def _choose_precision(device: str) -> str:
    """Return half precision where the hardware computes in it, else `float32`.

    PyTorch runs bfloat16 on any CPU, but slower than float32 where the CPU has no instructions.
    """
    import torch

    if device == "cuda":
        return "float16"
    checks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    has = any(getattr(torch.cpu, check, lambda: False)() for check in checks)
    return "bfloat16" if has else "float32"


def _torch_type(precision: str) -> torch.dtype:
    import torch

    return {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}[
        precision
    ]


# ---------------------------------------------------------------- folders


def _find_folder(name: str, *, fetch: bool) -> Path:
    """Return the local folder of a model, fetched by its name where it is not one."""
    folder = Path(name)
    if folder.is_dir():
        return folder
    check_encoder(name)
    from huggingface_hub import snapshot_download

    repository = name if "/" in name else f"sentence-transformers/{name}"
    try:
        return Path(
            snapshot_download(repository, ignore_patterns=list(_UNSAFE), local_files_only=not fetch)
        )
    except (OSError, ValueError) as error:
        if not fetch:
            raise EncoderError(
                "it is not on this machine, and what a run names is never fetched",
                where=f"encoder {name}",
                cure=f"If you trust it, fetch it: hf download {repository}",
            ) from error
        raise EncoderError(
            "no folder of that name, and no model of that name could be fetched",
            where=f"encoder {name}",
            cure=_NO_MODEL,
        ) from error


def _check_folder(folder: Path) -> None:
    """Raise `EncoderError` where a folder cannot be loaded safely: weights, code, files."""
    for module in _list_modules(folder):
        kind, home = str(module["type"]), folder / str(module["path"])
        if not kind.startswith("sentence_transformers."):
            raise EncoderError(
                f"the model brings code of its own ({kind}), which is never run",
                where=str(folder),
                cure=_NO_MODEL,
            )
        whole = any(home.glob("model*.safetensors"))
        if not whole and any(any(home.glob(pattern)) for pattern in _UNSAFE):
            raise EncoderError(
                "the weights are not safetensors, and other forms can hold code",
                where=str(home),
                cure="Save the model again with safe_serialization=True",
            )
        if kind.endswith(".Transformer"):
            for what, patterns in _NEEDED.items():
                if not any(any(home.glob(pattern)) for pattern in patterns):
                    raise EncoderError(
                        f"the encoder is not whole: no {what}",
                        where=str(home),
                        cure="Copy or fetch it again",
                    )


def _list_modules(folder: Path) -> list[dict[str, str]]:
    """Return the modules of a sentence-transformers folder, or the one of a bare transformer."""
    try:
        modules = json.loads((folder / "modules.json").read_text(encoding="utf-8"))
        return [{"type": module["type"], "path": module["path"]} for module in modules]
    except FileNotFoundError:
        if (folder / "config.json").is_file():
            return [{"type": "sentence_transformers.Transformer", "path": ""}]
        raise EncoderError(
            "no modules.json and no config.json: this is not an encoder",
            where=str(folder),
            cure=_NO_MODEL,
        ) from None
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise EncoderError(
            f"modules.json cannot be read ({error})", where=str(folder), cure=_NO_MODEL
        ) from error


def _load_model(folder: Path, device: str) -> SentenceTransformer:
    """Load a checked folder, with no network and no code of the model's own."""
    from safetensors import SafetensorError
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging

    logging.disable_progress_bar()
    try:
        model = SentenceTransformer(
            str(folder),
            device=device,
            trust_remote_code=False,
            local_files_only=True,
            model_kwargs={"use_safetensors": True},
        )
        return model.eval()
    except (OSError, ValueError, LookupError, TypeError, RuntimeError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:200]
        raise EncoderError(
            f"the encoder cannot be loaded ({type(error).__name__}: {reason})",
            where=str(folder),
            cure="Copy or fetch it again: a file is missing or damaged",
        ) from error
    finally:
        logging.enable_progress_bar()
