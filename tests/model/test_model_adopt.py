"""`miner adopt`: a model gets rows for the units of a run, and nothing that was there changes."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from bases import make_added, make_gpt2, make_llama2, make_llama3, make_unigram
from safetensors import safe_open
from safetensors.numpy import save_file
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    AutoTokenizer,
    Gemma2Config,
    GPT2Config,
    LlamaConfig,
    PreTrainedTokenizerFast,
    Qwen2Config,
    T5Config,
)
from watched import MinedDemo, call_command

from miner.corpus.tensors import Growth, Tensor, copy_tensors, decode, encode, list_tensors
from miner.errors import ModelError, UsageError
from miner.model.adopting import AdoptConfig, Adopted, adopt_model, count_ids, list_parts, pad
from miner.model.folder import open_model
from miner.model.rows import Counts, find_slope, make_rows, split_counts, weigh_parts
from miner.tokenizer.checking.checking import read_unit_ids
from miner.tokenizer.reading.loading import load_tokenizer
from miner.tokenizer.training.training import TrainConfig, train_tokenizer

SMALL = {
    "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 128,
}  # fmt: skip
UNITS = 60


def configure(family: str, rows: int, *, tied: bool) -> Any:
    ends = {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 0}
    if family == "gpt2":
        return GPT2Config(vocab_size=rows, n_embd=32, n_layer=2, n_head=4, n_positions=128, **ends)
    if family == "t5":
        return T5Config(
            vocab_size=rows,
            d_model=32,
            d_ff=64,
            num_layers=2,
            num_heads=4,
            d_kv=8,
            decoder_start_token_id=0,
            **ends,
        )
    if family == "gemma":
        return Gemma2Config(vocab_size=rows, head_dim=8, **SMALL, **ends)
    kind = LlamaConfig if family == "llama" else Qwen2Config
    return kind(vocab_size=rows, tie_word_embeddings=tied, **SMALL, **ends)


SPECS: dict[str, Callable[[], dict]] = {
    "llama": make_llama3, "qwen": make_added, "gpt2": make_gpt2, "gemma": make_llama2,
    "t5": make_unigram,
}  # fmt: skip


def make_model(
    folder: Path,
    family: str = "llama",
    *,
    padding: int = 0,
    tied: bool = False,
    form: str = "float32",
    shard: str = "1GB",
) -> Path:
    """A small model of a family with its tokenizer, weights at random."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tokenizer.json").write_text(json.dumps(SPECS[family]()), encoding="utf-8")
    settings = {"tokenizer_class": "PreTrainedTokenizerFast"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    config = configure(family, load_tokenizer(folder).size + padding, tied=tied)
    torch.manual_seed(0)
    kind = AutoModelForSeq2SeqLM if family == "t5" else AutoModelForCausalLM
    model = kind.from_config(config).to(getattr(torch, form))
    model.save_pretrained(folder, max_shard_size=shard)
    return folder


def load(folder: Path) -> Any:
    kind = AutoModelForSeq2SeqLM if "T5" in (folder / "config.json").read_text() else None
    return (kind or AutoModelForCausalLM).from_pretrained(folder)


def adopt(demo: MinedDemo, model: Path, out: Path, **options: Any) -> Adopted:
    return adopt_model(AdoptConfig(model, demo.folder, **{"units": UNITS, **options}), out)


def read_tensors(folder: Path) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = {}
    for file in folder.glob("*.safetensors"):
        with safe_open(file, framework="pt") as opened:
            found |= {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    return found


MODELS: dict[str, dict[str, Any]] = {
    "llama": {}, "llama-tied-bf16": {"tied": True, "form": "bfloat16", "padding": 60},
    "qwen-sharded-padded": {"shard": "20KB", "padding": 900}, "gpt2-fp16": {"form": "float16"},
    "gemma-bf16": {"form": "bfloat16"}, "t5": {},
}  # fmt: skip


@pytest.fixture(scope="module", params=MODELS)
def pair(
    request: pytest.FixtureRequest, demo: MinedDemo, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Adopted]:
    place = tmp_path_factory.mktemp("adopt")
    family = request.param.split("-")[0]
    base = make_model(place / "base", family, **MODELS[request.param])
    return base, adopt(demo, base, place / "out", init="mean")


def test_what_was_there_stays_bit_for_bit(pair: tuple[Path, Adopted]) -> None:
    base, adopted = pair
    before, after = read_tensors(base), read_tensors(adopted.folder)
    assert before.keys() == after.keys()
    size = load_tokenizer(base).size
    tables = adopted.card["model"]["tables"]
    for name, tensor in before.items():
        kept = slice(size) if name in tables else slice(None)
        assert tensor.dtype == after[name].dtype
        assert torch.equal(tensor[kept], after[name][kept])
    assert not adopted.difference.exit_code


def test_it_loads_with_a_row_for_every_id(pair: tuple[Path, Adopted]) -> None:
    base, adopted = pair
    is_own = adopted.card["model"]["family"] == "Qwen2ForCausalLM"
    assert adopted.card["model"]["loads_as_it_is"] != is_own, "transformers builds its own there"
    loader = PreTrainedTokenizerFast if is_own else AutoTokenizer
    tokenizer, model = loader.from_pretrained(adopted.folder), load(adopted.folder)
    rows, size = model.get_input_embeddings().weight.shape[0], load_tokenizer(adopted.folder).size
    assert size <= rows == model.get_output_embeddings().weight.shape[0]
    assert rows == adopted.card["model"]["rows"] == model.config.vocab_size
    text = read_unit_ids(adopted.folder).filter(side="")["text"][0]
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert max(ids) >= load_tokenizer(base).size, "units are read"
    plain = torch.tensor([list(range(2, 12))])
    more = {"decoder_input_ids": plain} if "T5" in adopted.card["model"]["family"] else {}
    with torch.no_grad():
        new, old = (m(input_ids=plain, **more).logits for m in (model, load(base)))
    shared = load_tokenizer(base).size
    assert torch.equal(new[..., :shared], old[..., :shared]), "it says of old ids what it said"


def test_new_rows_are_the_mean_of_their_parts(pair: tuple[Path, Adopted]) -> None:
    base, adopted = pair
    size, units = load_tokenizer(base).size, read_unit_ids(adopted.folder)
    before, after = read_tensors(base), read_tensors(adopted.folder)
    for name in adopted.card["model"]["tables"]:
        wide = torch.finfo(after[name].dtype).eps
        for number, parts in units.select("id", "parts").iter_rows():
            assert number >= size
            wanted = before[name][parts].float().mean(dim=0)
            assert torch.allclose(after[name][number].float(), wanted, rtol=2 * wide, atol=1e-6)


def test_padding_stays_or_is_the_mean(pair: tuple[Path, Adopted]) -> None:
    base, adopted = pair
    before, after = read_tensors(base), read_tensors(adopted.folder)
    size = load_tokenizer(adopted.folder).size
    for name in adopted.card["model"]["tables"]:
        rest, old = after[name][size:], before[name]
        if size < len(old):
            assert torch.equal(rest, old[size:])
        elif len(rest):
            mean = old.float().mean(dim=0)
            assert torch.allclose(rest.float(), mean.expand(rest.shape), atol=1e-2)


def test_the_parts_of_an_id_are_what_its_text_was_before(demo: MinedDemo, tmp_path: Path) -> None:
    base = make_model(tmp_path / "base")
    adopted = adopt(demo, base, tmp_path / "out")
    old, new = load_tokenizer(base), load_tokenizer(adopted.folder)
    for number, parts in read_unit_ids(adopted.folder).select("id", "parts").iter_rows():
        text = new.decode([[number]])[0]
        assert old.encode([text])[0].tolist() == parts and new.encode([text])[0][0] == number


# How rows begin


def test_weights_of_parts_by_hand() -> None:
    three = np.array([3])
    assert weigh_parts(three, init="edges", output=False).tolist() == [0, 0, 1]
    steep = weigh_parts(three, init="weighted", output=True)
    assert np.allclose(steep[:-1] / steep[1:], np.e**2) and np.isclose(steep.sum(), 1)
    assert weigh_parts(np.zeros(0, np.int64), init="mean", output=True).tolist() == []


@pytest.mark.parametrize("form", ["F32", "F16", "BF16", "F64"])
def test_numbers_are_rounded_as_torch_does(form: str) -> None:
    values = np.random.default_rng(0).normal(0, 3, (50, 4)).astype(np.float32)
    kind = {
        "F32": torch.float32,
        "F16": torch.float16,
        "BF16": torch.bfloat16,
        "F64": torch.float64,
    }[form]
    wanted = torch.from_numpy(values).to(kind)
    assert encode(values, form) == wanted.view(torch.uint8).numpy().tobytes()
    raw = np.frombuffer(
        encode(values, form),
        {"BF16": "<u2", "F64": "<f8"}.get(form, f"<f{4 if form == 'F32' else 2}"),
    )
    assert np.array_equal(decode(raw, form).reshape(50, 4), wanted.float().numpy())


def test_random_rows_are_spread_like_the_others(tmp_path: Path) -> None:
    table = next(
        t
        for t in list_tensors(make_model(tmp_path) / "model.safetensors")
        if t.name.endswith("embed_tokens.weight")
    )
    rows = make_rows(table, [[0]] * 4000, init="random", output=False, seed=3)
    known = table.read(np.arange(table.rows))
    assert np.allclose(rows.mean(axis=0), known.mean(axis=0), atol=0.003)
    assert np.allclose(rows.std(axis=0), known.std(axis=0), rtol=0.1)
    assert np.array_equal(rows, make_rows(table, [[0]] * 4000, init="random", output=True, seed=3))


def test_rows_are_padded_as_the_old_ones_were() -> None:
    assert [pad(size, 128) for size in (100, 128, 129, 300)] == [128, 128, 256, 384]
    assert pad(703, 700) == 704 and pad(702, 701) == 702


# What cannot be adopted


def rewrite(base: Path, **changes: Any) -> None:
    config = json.loads((base / "config.json").read_text())
    (base / "config.json").write_text(json.dumps(config | changes))


def forget_table(base: Path) -> None:
    (base / "model.safetensors").write_bytes(struct.pack("<Q", 2) + b"{}")


def shorten(base: Path) -> None:
    file = base / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])


def pickle_it(base: Path) -> None:
    (base / "model.safetensors").rename(base / "pytorch_model.bin")


def lose_a_shard(base: Path) -> None:
    index = {"weight_map": {"a": "model.safetensors", "b": "model-2.safetensors"}}
    (base / "model.safetensors.index.json").write_text(json.dumps(index))


def leave_the_folder(base: Path) -> None:
    index = {"weight_map": {"a": "../other.safetensors"}}
    (base / "model.safetensors.index.json").write_text(json.dumps(index))


def need_code(base: Path) -> None:
    rewrite(base, model_type="mine", auto_map={"AutoConfig": "mine.Config"})
    (base / "mine.py").write_text("raise SystemExit('it ran')")


def take_another_tokenizer(base: Path) -> None:
    (base / "tokenizer.json").write_text(json.dumps(make_unigram()))


HOSTILE: dict[str, tuple[Callable[[Path], Any], str]] = {
    "no config": (lambda base: (base / "config.json").unlink(), "cannot be read"),
    "a list": (lambda base: (base / "config.json").write_text("[]"), "is not a JSON object"),
    "no such family": (lambda base: rewrite(base, model_type="nowhere"), "does not open it"),
    "code of its own": (need_code, "code of its own"),
    "no text": (lambda base: rewrite(base, model_type="vit"), "no vocab_size|no language model"),
    "other size": (lambda base: rewrite(base, vocab_size=999), "has 700 rows, and config.json"),
    "many layers": (lambda base: rewrite(base, num_hidden_layers=10**9), "num_hidden_layers is"),
    "width is text": (lambda base: rewrite(base, hidden_size="wide"), "does not open it"),
    "no tables": (forget_table, "have no"),
    "cut off": (shorten, "no safetensors file"),
    "pickle": (pickle_it, "pickles"),
    "a missing shard": (lose_a_shard, "a shard is missing"),
    "another folder": (leave_the_folder, "another folder"),
    "another tokenizer": (take_another_tokenizer, "900 ids, and the model 700 rows"),
    "no weights": (lambda base: (base / "model.safetensors").unlink(), "holds no model"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_not_whole_or_not_safe_is_refused_by_name(
    demo: MinedDemo, tmp_path: Path, name: str
) -> None:
    base = make_model(tmp_path / "base")
    change, reason = HOSTILE[name]
    change(base)
    with pytest.raises(ModelError, match=reason) as refused:
        adopt(demo, base, tmp_path / "out")
    assert "\n" not in str(refused.value) and refused.value.cure
    assert sorted(path.name for path in tmp_path.iterdir()) == ["base"], "nothing is half-written"


def test_no_code_and_no_pickle_comes_along(demo: MinedDemo, tmp_path: Path) -> None:
    base = make_model(tmp_path / "base")
    for name in ("mine.py", "training_args.bin", "optimizer.pt"):
        (base / name).write_text("print('it ran')")
    (base / "LICENSE").write_text("as you like")
    rewrite(base, auto_map={"AutoModelForCausalLM": "mine.Model"})
    out = adopt(demo, base, tmp_path / "out").folder
    names = {path.name for path in out.iterdir()}
    assert not names & {"mine.py", "training_args.bin", "optimizer.pt"} and "LICENSE" in names
    assert "auto_map" not in json.loads((out / "config.json").read_text())


def test_an_error_leaves_what_was_there(
    demo: MinedDemo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = make_model(tmp_path / "base")
    out = adopt(demo, base, tmp_path / "out").folder
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    usage = type("Usage", (), {"free": 10})
    monkeypatch.setattr("miner.model.adopting.shutil.disk_usage", lambda _: usage)
    with pytest.raises(ModelError, match="GB free"):
        adopt_model(AdoptConfig(base, demo.folder, units=5), out, overwrite=True)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_a_model_that_gets_nothing_is_not_written(demo: MinedDemo, tmp_path: Path) -> None:
    base = make_model(tmp_path / "base")
    with pytest.raises(UsageError, match="no unit of the run gets an id"):
        adopt(demo, base, tmp_path / "out", units=0)
    assert not (tmp_path / "out").exists()


def test_the_bias_of_a_head_grows_too(tmp_path: Path) -> None:
    from transformers import BartConfig, BartForConditionalGeneration

    config = BartConfig(
        vocab_size=90,
        d_model=16,
        encoder_layers=1,
        decoder_layers=1,
        encoder_ffn_dim=16,
        decoder_ffn_dim=16,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        max_position_embeddings=32,
    )
    BartForConditionalGeneration(config).save_pretrained(tmp_path)
    model = open_model(tmp_path)
    roles = {tensor.name: (role, tensor.shape) for role, tensor in model.list_tables()}
    assert ("bias", (90,)) in roles.values() and model.tied
    assert isinstance(model.tables["input"][0], Tensor)


def test_the_command_says_what_it_made(demo: MinedDemo, tmp_path: Path) -> None:
    base = make_model(tmp_path / "base")
    out = tmp_path / "out"
    command = ["adopt", str(base), "--run", str(demo.folder), "--out", str(out), "--units", "20"]
    done = call_command(*command)
    assert done.code == 0, done.err
    assert "700 old ones bit for bit" in done.out and "safe: no id moved" in done.out
    refused = call_command(*command)
    assert refused.code == 3 and "--overwrite" in refused.err


def test_rows_behind_the_new_ones_stay_and_padding_follows(tmp_path: Path) -> None:
    """By hand: of six rows, a new fifth; of a bias that lies across, three from the sixth on."""
    rows = np.arange(12, dtype=np.float32).reshape(6, 2)
    bias = np.arange(6, dtype=np.float16).reshape(1, 6)
    save_file({"rows": rows, "bias": bias}, tmp_path / "old.safetensors")
    nine, seven = np.float32([[9, 9]]), np.float32([[7, 7]])
    growths = {
        "rows": Growth(6, 4, nine, seven),
        "bias": Growth(6, 5, np.repeat(nine[0, :1], 3), seven[0, :1], padding=2),
    }
    copy_tensors(tmp_path / "old.safetensors", tmp_path / "new.safetensors", growths)
    with safe_open(tmp_path / "new.safetensors", framework="np") as new:
        assert new.get_tensor("rows").ravel().tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 9, 9, 10, 11]
        assert new.get_tensor("bias").tolist() == [[0, 1, 2, 3, 4, 9, 9, 9, 7, 7]]


def test_a_disk_that_fills_up_leaves_nothing(demo: MinedDemo, tmp_path: Path) -> None:
    """Files may be half as long as the weights: the system says so as it does of a full disk."""
    resource = pytest.importorskip("resource", reason="no limits of this kind")
    model, out = make_model(tmp_path / "model", padding=4096), tmp_path / "out"
    size = (model / "model.safetensors").stat().st_size
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size // 2, before[1]))
    try:
        done = call_command("adopt", str(model), "--run", str(demo.folder), "--out", str(out))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert done.code == 3 and "error: " in done.err.splitlines()[-1], done.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model"]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="no sparse files, or no /proc")
def test_a_large_table_is_never_whole_in_memory(demo: MinedDemo, tmp_path: Path) -> None:
    """A table of 1 GB, a hole on the disk, is extended in less than one of it."""
    folder = make_model(tmp_path / "model")
    config = LlamaConfig(
        vocab_size=131_072,
        hidden_size=4096,
        intermediate_size=64,
        num_hidden_layers=1,
        num_attention_heads=32,
        num_key_value_heads=1,
        dtype="bfloat16",
        tie_word_embeddings=True,
        architectures=["LlamaForCausalLM"],
    )
    config.save_pretrained(folder)
    with torch.device("meta"):
        shapes = {
            name: tensor.shape
            for name, tensor in AutoModelForCausalLM.from_config(config).state_dict().items()
            if name != "lm_head.weight"
        }
    write_hole(folder / "model.safetensors", shapes)
    code = (
        "import sys; from miner.commands.main import commands; "
        "commands(sys.argv[1:], standalone_mode=False); "
        "print(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])"
    )  # not ru_maxrss, which begins with that of the process that started this one
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            code,
            "adopt",
            str(folder),
            "--run",
            str(demo.folder),
            "--out",
            str(tmp_path / "out"),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    peak = int(done.stdout.splitlines()[-1]) << 10
    assert (tmp_path / "out" / "model.safetensors").stat().st_size > 1 << 30
    assert peak < 1 << 30


def write_hole(file: Path, shapes: dict[str, torch.Size]) -> None:
    """A safetensors file of zeros that takes no room."""
    header, place = {}, 0
    for name, shape in shapes.items():
        size = 2 * shape.numel()
        header[name] = {
            "dtype": "BF16",
            "shape": list(shape),
            "data_offsets": [place, place + size],
        }
        place += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with file.open("wb") as stream:
        stream.write(struct.pack("<Q", len(text)) + text)
        stream.truncate(8 + len(text) + place)


def test_a_folder_with_sentencepiece_alone(demo: MinedDemo, tmp_path: Path) -> None:
    """Without `tokenizer.json` the model's own tokenizer is its SentencePiece file."""
    train_tokenizer(
        TrainConfig(demo.folder, (), trainer="sentencepiece-bpe", vocab_size=700, exact=True),
        tmp_path / "tok",
    )
    folder = make_model(tmp_path / "model")
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer.model").write_bytes((tmp_path / "tok" / "tokenizer.model").read_bytes())
    adopted = adopt_model(AdoptConfig(folder, demo.folder), tmp_path / "out")
    old, new = load_tokenizer(folder), load_tokenizer(adopted.folder)
    assert new.size == adopted.card["vocab_size"] > old.size
    parts = list_parts(adopted.folder, old, new.size)
    assert all(ids and max(ids) < old.size for ids in parts)


# Calibrated rows


def write_table(place: Path, rows: np.ndarray) -> Tensor:
    save_file({"table": rows.astype(np.float32)}, place / "table.safetensors")
    return list_tensors(place / "table.safetensors")[0]


def test_units_that_are_taken_apart_give_the_counts_of_before() -> None:
    counts = split_counts(np.array([4, 4, 10, 2, 4]), [[2], [1, 2]])
    assert counts.before.tolist() == [4, 8, 16] and counts.units.tolist() == [2, 4]
    twice = split_counts(np.array([0, 3]), [[0, 0]])
    assert twice.before.tolist() == [6], "a part that stands twice counts twice"


def test_the_slope_is_that_of_ids_that_occur(tmp_path: Path) -> None:
    """1, 2 and 4 times: the first column rises by 1 an octave, the second stays."""
    table = write_table(tmp_path, np.array([[0, 5], [1, 5], [2, 5], [99, 99]]))
    assert np.allclose(find_slope(table, np.array([1, 2, 4, 0])), [1 / np.log(2), 0])
    assert find_slope(table, np.array([3, 3, 3, 3])).tolist() == [0, 0], "nothing to tell it from"
    assert find_slope(table, np.zeros(4, np.int64)).tolist() == [0, 0]


@pytest.mark.parametrize("tied", [False, True])
def test_calibrated_rows_stand_where_their_count_asks(tmp_path: Path, tied: bool) -> None:
    """A table whose rows are the octave of their count gives a unit the octave of its own."""
    table, parts = write_table(tmp_path, np.array([[2], [3], [4]])), [[2], [1, 2], [0]]
    counts = Counts(np.array([2, 4, 0]), np.array([4, 8, 16]))
    made = make_rows(table, parts, init="calibrated", output=not tied, tied=tied, counts=counts)
    wanted = np.array([1, 2, -1])  # one that never occurs: half a time
    if tied:  # from the mean, three quarters of the way
        wanted = 0.75 * wanted + 0.25 * np.array([4, 3.5, 2])
    assert np.allclose(made[:, 0], wanted, atol=1e-5)
    with pytest.raises(ValueError, match="need counts"):
        make_rows(table, parts, init="calibrated", output=True)


def test_calibrated_rows_are_weighted_but_a_mean_in_a_tied_table(tmp_path: Path) -> None:
    """With all counts alike no row moves."""
    rows = np.random.default_rng(0).normal(size=(3, 4))
    table, parts = write_table(tmp_path, rows), [[0, 1], [2, 1, 0]]
    counts = Counts(np.array([7, 7]), np.array([7, 7, 7]))
    for output in (False, True):
        made, plain, mean = (
            make_rows(table, parts, init=init, output=output, tied=tied, counts=counts)
            for init, tied in (("calibrated", False), ("weighted", False), ("mean", False))
        )
        both = make_rows(table, parts, init="calibrated", output=output, tied=True, counts=counts)
        assert np.allclose(made, plain) and not np.allclose(made, mean)
        assert np.allclose(both, mean)


def test_a_model_adopts_calibrated_rows(
    demo: MinedDemo, pair: tuple[Path, Adopted], tmp_path: Path
) -> None:
    base, _ = pair
    model, adopted = open_model(base), adopt(demo, base, tmp_path / "out")
    assert adopted.card["model"]["init"] == "calibrated", "the default"
    old, new = load_tokenizer(base), load_tokenizer(adopted.folder)
    parts = list_parts(adopted.folder, old, new.size)
    counted = count_ids(AdoptConfig(base, demo.folder), adopted.folder)
    counts = split_counts(counted, parts)
    assert (counts.units > 0).any()
    more = np.array([len(ids) - 1 for ids in parts]) @ counts.units
    assert counts.before.sum() == counted.sum() + more
    after = read_tensors(adopted.folder)
    for role, tensor in model.list_tables():
        made, mean = (
            make_rows(
                tensor, parts, init=init, output=role != "input", tied=model.tied, counts=counts
            )
            for init in ("calibrated", "mean")
        )
        wide = torch.finfo(after[tensor.name].dtype).eps
        rows = after[tensor.name][old.size : new.size].float().numpy()
        assert np.allclose(rows, made, rtol=2 * wide, atol=1e-6)
        assert np.abs(rows - mean).max() > np.abs(rows - made).max()
