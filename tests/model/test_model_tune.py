"""`miner tune`: new rows and adapters learn, nothing else moves, and a cut-off training goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from conftest import Recorder
from safetensors import SafetensorError
from test_model_adopt import adopt, configure, load, make_model, pickle_it, read_tensors
from transformers import (
    AutoModelForCausalLM,
    MambaConfig,
    MambaForCausalLM,
    PhiConfig,
    PhiForCausalLM,
)
from watched import DEMO, ROOT, MinedDemo, watch_command

from miner.errors import CorpusError, MinerError, ModelError, RunError, UsageError
from miner.model import steps, tuning
from miner.model.adapters import (
    Parts,
    attach_parts,
    check_same,
    compute_logits,
    list_learning,
    name_tables,
    spare_memory,
)
from miner.model.checkpoints import find_last
from miner.model.curve import draw_training
from miner.model.folder import open_model
from miner.model.packing import (
    Packing,
    Place,
    cut_text,
    cut_windows,
    make_sample,
    pack_blocks,
    shuffle_blocks,
)
from miner.model.steps import Pace, measure_bits, sum_losses
from miner.model.templates import make_axolotl
from miner.model.tuning import TuneConfig, Tuned, tune_model, write_elsewhere
from miner.runs.workplace import find_workplace
from miner.tokenizer.reading.texts import open_corpus

pytest.importorskip("peft", reason="pip install 'miner[tune]'")
QUICK: dict[str, Any] = {"batch": 256, "context": 32, "learning_rate": 1e-2, "rank": 4}
MODELS: dict[str, dict[str, Any]] = {
    "llama": {}, "llama-tied-bf16": {"tied": True, "form": "bfloat16", "padding": 60},
    "qwen-sharded": {"shard": "20KB"}, "gpt2-fp16": {"form": "float16"},
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def _measure_little() -> Iterator[None]:
    """Tests measure on less text, and in one thread, as several wait for each other here."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("miner.model.packing.MEASURED", 4_000)
        yield
    torch.set_num_threads(threads)


def tune(model: Path, out: Path, **options: Any) -> Tuned:
    """Tune on the demo corpus, on the CPU; what is no setting goes to `tune_model`."""
    given = {
        name: options.pop(name) for name in ("resume", "overwrite", "progress") if name in options
    }
    wanted = {"corpus": (str(DEMO),), "steps": 8, "device": "cpu", **QUICK, **options}
    return tune_model(TuneConfig(model, **wanted), out, **given)


@dataclass(frozen=True)
class Case:
    """An adopted model, its adapter, and the whole model, of one training each."""

    adopted: Path
    adapter: Tuned
    whole: Tuned


QUICKLY = "llama-tied-bf16"  # the case of the default tests: 13 s each
CASES = [pytest.param(name, marks=[pytest.mark.slow] * (name != QUICKLY)) for name in MODELS]


@pytest.fixture(scope="module", params=CASES)
def case(
    request: pytest.FixtureRequest, demo: MinedDemo, tmp_path_factory: pytest.TempPathFactory
) -> Case:
    place = tmp_path_factory.mktemp("tune")
    base = make_model(place / "base", request.param.split("-")[0], **MODELS[request.param])
    adopted = adopt(demo, base, place / "adopted").folder
    adapter = tune(adopted, place / "adapter")
    return Case(adopted, adapter, tune(adopted, place / "whole", merge=True))


@pytest.fixture(scope="module")
def adopted(demo: MinedDemo, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small Llama with new rows."""
    place = tmp_path_factory.mktemp("adopted")
    return adopt(demo, make_model(place / "base"), place / "out").folder


def read_history(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "loss.jsonl").read_text().splitlines()]


# What it learns


def test_it_learns_and_says_how_much(case: Case) -> None:
    about, lines = case.adapter.card["tuned"], read_history(case.adapter.folder)
    bits = [line["bits_per_byte"] for line in lines if "bits_per_byte" in line]
    assert (about["before"], about["after"]) == (bits[0], bits[-1]) and bits[-1] < bits[0]
    losses = [line["loss"] for line in lines[1:]]
    assert [line["step"] for line in lines] == list(range(9)) and np.mean(losses[4:]) < np.mean(
        losses[:4]
    )
    assert all(line["ids"] == 256 for line in lines[1:]) and about["held_back"]
    assert about["after"] == case.whole.card["tuned"]["after"], "the same seed, the same training"
    names = {path.name for path in case.adapter.folder.iterdir()}
    wanted = {
        "adapter_config.json",
        "adapter_model.safetensors",
        "tokenizer.json",
        "miner.json",
        "README.md",
        "miner-files.json",
        "loss.jsonl",
        "curve.svg",
        "units.jsonl",
    }
    assert wanted <= names and not any(path.endswith((".bin", ".pt")) for path in names)
    assert "adapter_config.json" not in {path.name for path in case.whole.folder.iterdir()}


def test_rows_of_old_ids_stay_bit_for_bit(case: Case) -> None:
    before, after = read_tensors(case.adopted), read_tensors(case.whole.folder)
    card, moved = case.whole.card, set()
    first, end = card["tuned"]["new_ids"]
    assert (first, end) == (card["base_size"], card["vocab_size"])
    for name, tensor in before.items():
        assert tensor.dtype == after[name].dtype
        if name in card["model"]["tables"]:
            assert torch.equal(tensor[:first], after[name][:first])
            assert torch.equal(tensor[end:], after[name][end:]), "padding"
            assert not torch.equal(tensor[first:end], after[name][first:end])
        elif not torch.equal(tensor, after[name]):
            moved.add(name.rsplit(".", 2)[-2])
    linear = {"q_proj", "k_proj", "v_proj", "o_proj", "up_proj", "gate_proj", "down_proj"}
    assert moved == (
        linear
        if "gpt2" not in case.whole.card["model"]["family"].lower()
        else {"c_attn", "c_proj", "c_fc"}
    )


def test_adapter_and_whole_model_say_the_same(case: Case) -> None:
    from peft import PeftModel

    base = AutoModelForCausalLM.from_pretrained(case.adopted, dtype=torch.float32)
    adapted = PeftModel.from_pretrained(base, case.adapter.folder)
    whole = AutoModelForCausalLM.from_pretrained(case.whole.folder, dtype=torch.float32)
    ids = [*range(5), *range(*case.whole.card["tuned"]["new_ids"])][:20]
    one, other = compute_logits(adapted, ids), compute_logits(whole, ids)
    close = 1e-4 if case.whole.card["model"]["form"] == "F32" else 3e-2
    assert torch.allclose(one, other, atol=close)
    assert not torch.allclose(one, compute_logits(load(case.adopted), ids).float(), atol=1e-3)


def test_rows_alone_leave_every_other_tensor_as_it_is(adopted: Path, tmp_path: Path) -> None:
    out = tune(adopted, tmp_path / "out", rows_only=True, merge=True, steps=24)
    before, after = read_tensors(adopted), read_tensors(out.folder)
    moved = {name for name, tensor in before.items() if not torch.equal(tensor, after[name])}
    assert moved == set(out.card["model"]["tables"])
    assert out.card["tuned"]["after"] < out.card["tuned"]["before"]


@pytest.mark.slow
def test_a_fresh_process_loads_both_as_their_cards_say(adopted: Path, tmp_path: Path) -> None:
    tune(adopted, tmp_path / "adapter", steps=2)
    tune(adopted, tmp_path / "whole", steps=2, merge=True)
    script = f"""
import sys, torch
from transformers import AutoModelForCausalLM, AutoTokenizer
whole = AutoModelForCausalLM.from_pretrained({str(tmp_path / "whole")!r})
assert "peft" not in sys.modules and "miner" not in sys.modules
tokenizer = AutoTokenizer.from_pretrained({str(tmp_path / "adapter")!r})
ids = torch.tensor([tokenizer("in the house of the")["input_ids"]])
from peft import PeftModel
base = AutoModelForCausalLM.from_pretrained({str(adopted)!r})
adapted = PeftModel.from_pretrained(base, {str(tmp_path / "adapter")!r})
with torch.no_grad():
    print(float((whole(ids).logits - adapted(ids).logits).abs().max()) < 1e-4)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.stdout.strip() == "True", done.stderr


def test_a_model_without_new_rows_gets_adapters_alone(tmp_path: Path) -> None:
    base = make_model(tmp_path / "base", "gpt2")
    told = Recorder()
    out = tune(base, tmp_path / "out", progress=told, steps=3)
    assert any("no new rows of miner adopt" in line for line in told.notes)
    assert out.card["tuned"]["new_rows"] == 0 and out.card["tuned"]["tables"] == []
    with pytest.raises(UsageError, match="no new rows"):
        tune(base, tmp_path / "other", rows_only=True)


def test_it_learns_from_the_text_of_a_run(demo: MinedDemo, adopted: Path, tmp_path: Path) -> None:
    told = Recorder()
    out = tune(
        adopted,
        tmp_path / "out",
        corpus=(),
        run=demo.folder,
        steps=None,
        epochs=1,
        batch=16_384,
        progress=told,
    )
    about = out.card["tuned"]
    assert any("the text is" in line and "blocks of 32 ids" in line for line in told.notes)
    assert about["batch"] == 16_384 and about["steps"] == len(read_history(out.folder)) - 1 > 2


# How it learns


def test_only_new_rows_and_adapters_are_parameters(adopted: Path) -> None:
    model = load(adopted)
    rows = name_tables(model, range(700, 750), tied=False)
    assert set(rows) == {"model.embed_tokens", "lm_head"}
    before = compute_logits(model, [1, 2, 710])
    model = attach_parts(model, Parts(rows, 4), seed=0)
    assert torch.equal(before, compute_logits(model, [1, 2, 710])), "it begins as it was"
    learning = list_learning(model)
    assert all("lora_" in name or "trainable_tokens_delta" in name for name in learning)
    assert not any("lora_" in name for name in learning if "lm_head" in name)
    assert {tensor.shape[0] for name, tensor in learning.items() if "tokens" in name} == {50}


def test_a_head_with_a_bias_keeps_it() -> None:
    """PEFT computes a head with trained rows without its bias; such rows are left as they are."""
    model = PhiForCausalLM(
        PhiConfig(
            vocab_size=60,
            hidden_size=32,
            intermediate_size=32,
            num_hidden_layers=1,
            num_attention_heads=2,
        )
    )
    torch.nn.init.ones_(model.lm_head.bias)
    rows = name_tables(model, range(50, 60), tied=False)
    assert set(rows) == {"model.embed_tokens"}
    before = compute_logits(model, [1, 55])
    check_same(before, compute_logits(attach_parts(model, Parts(rows, 2), seed=0), [1, 55]), "Phi")
    both = attach_parts(PhiForCausalLM(model.config), Parts({**rows, "lm_head": [59]}, 2), seed=0)
    torch.nn.init.ones_(both.get_base_model().lm_head.token_adapter.base_layer.bias)
    with pytest.raises(ModelError, match="PEFT changes what Phi says"):
        check_same(before, compute_logits(both, [1, 55]), "Phi")


def test_a_model_that_takes_no_adapters_learns_rows_alone() -> None:
    config = MambaConfig(vocab_size=60, hidden_size=16, num_hidden_layers=1, state_size=4)
    rows = name_tables(MambaForCausalLM(config), range(50, 60), tied=True)
    with pytest.raises(ModelError, match=r"MambaForCausalLM .*Give rows_only"):
        attach_parts(MambaForCausalLM(config), Parts(rows, 4), seed=0)
    assert list_learning(attach_parts(MambaForCausalLM(config), Parts(rows, 0), seed=0))


def test_bits_per_byte_by_hand(tmp_path: Path) -> None:
    """A model that knows nothing needs log2(ids) bits a token, whatever the text."""
    config = configure("llama", 64, tied=False)
    model = AutoModelForCausalLM.from_config(config)
    torch.nn.init.zeros_(model.lm_head.weight)
    text = tmp_path / "text.txt"
    text.write_text("añb\n" * 30, encoding="utf-8")
    corpus = open_corpus([str(text)])
    packing = Packing(corpus, lambda texts: [[3] * len(t) for t in texts], 1, 16, 0)
    sample = make_sample(packing, 1)
    characters = sum(int(told.sum()) for _, told in sample.windows)
    assert sample.bytes * 3 == characters * 4, "of three characters, one has two bytes"
    pace = Pace(1, 1, 2, 1e-3, 0, "cpu", "float32")
    assert np.isclose(measure_bits(model, sample, pace), 6 * 3 / 4)


def test_layers_that_are_computed_twice_learn_the_same(adopted: Path) -> None:
    ids = torch.arange(40).reshape(2, 20)
    pace = Pace(1, 2, 2, 1e-3, 0, "cpu", "float32")
    gradients = []
    for spares in (False, True):
        model = load(adopted)
        if spares:
            spare_memory(model)
        rows = name_tables(model, range(700, 720), tied=False)
        model = attach_parts(model, Parts(rows, 2), seed=0).train()
        sum_losses(model, ids, None, pace).backward()
        gradients.append([tensor.grad for tensor in list_learning(model).values()])
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(*gradients, strict=True))


# What it reads


def make_packing(file: Path, lines: int, *, length: int = 8, seed: int = 0) -> Packing:
    file.write_text("".join(f"{number} and more\n" for number in range(lines)))

    def encode(texts: list[str]) -> list[list[int]]:
        return [[int(text.split()[0]) + 10, 7, 8] for text in texts]

    return Packing(open_corpus([str(file)]), encode, 2, length, seed)


def test_blocks_hold_every_document_but_those_held_back(tmp_path: Path) -> None:
    packing = make_packing(tmp_path / "a.txt", 2000)
    ids = np.concatenate(list(pack_blocks(packing)))
    documents = ids.reshape(-1, 4)
    assert (documents[:, 1:] == [7, 8, 2]).all()
    held = {int(text.split()[0]) for text in packing.corpus.held()}
    assert held and not held & set(documents[:, 0] - 10)
    assert len(documents) // 2 == packing.count() and 2000 - len(held) - len(documents) < 2


def test_each_pass_is_another_order_and_the_same_again(tmp_path: Path) -> None:
    packing = make_packing(tmp_path / "a.txt", 200)
    count = packing.count()

    def read(start: Place, blocks: int) -> list[tuple[Place, list[int]]]:
        found = packing.read(start)
        return [(place, block.tolist()) for place, block in (next(found) for _ in range(blocks))]

    whole = read(Place(), 2 * count)
    assert whole == read(Place(), 2 * count)
    assert whole[count + 5 :] == read(whole[count + 4][0], count - 5), "it goes on from any place"
    first, second = ([block for _, block in part] for part in (whole[:count], whole[count:]))
    assert sorted(first) == sorted(second) and first != second
    other = Packing(packing.corpus, packing.encode, 2, 8, 1)
    assert next(other.read(Place()))[1].tolist() != first[0] or other.seed == packing.seed


def test_shuffling_loses_nothing() -> None:
    blocks = [np.array([number]) for number in range(100)]
    mixed = [int(block[0]) for block in shuffle_blocks(blocks, np.random.default_rng(0), size=10)]
    assert sorted(mixed) == list(range(100)) and mixed != list(range(100))


@pytest.mark.parametrize("text", ["", "a", "ab cd " * 50, "x" * 99, "\n" * 40, "a" * 20 + " b"])
def test_pieces_join_back(text: str) -> None:
    pieces = cut_text(text, 16)
    assert "".join(pieces) == text and all(len(piece) <= 16 for piece in pieces)


def test_windows_tell_each_id_once() -> None:
    ids, is_text = np.arange(23), np.arange(23) % 5 > 0
    windows = list(cut_windows(ids, is_text, 6))
    counted = [number for window, told in windows for number in window[1:][told]]
    assert counted == [number for number in ids[1:] if is_text[number]]
    assert all(2 <= len(window) <= 6 for window, _ in windows)


# How it goes on


def same_training(one: Tuned, other: Tuned) -> bool:
    lines = [
        [line | {"seconds": 0} for line in read_history(tuned.folder)] for tuned in (one, other)
    ]
    weights = [read_tensors(tuned.folder) for tuned in (one, other)]
    return lines[0] == lines[1] and all(
        torch.equal(tensor, weights[1][name]) for name, tensor in weights[0].items()
    )


def stop_at(step: int) -> Callable[[str], None]:
    """Press Ctrl+C when a step is told."""

    def told(line: str) -> None:
        if line.startswith(f"step {step} "):
            signal.raise_signal(signal.SIGINT)

    return told


def test_a_stopped_training_goes_on_to_the_same_result(adopted: Path, tmp_path: Path) -> None:
    whole = tune(adopted, tmp_path / "whole", steps=12)
    out, told = tmp_path / "out", Recorder()
    for step in (3, 7):
        with pytest.raises(KeyboardInterrupt):
            tune(adopted, out, steps=12, progress=Recorder(on_note=stop_at(step)), resume=step > 3)
        assert not out.exists() and find_last(find_workplace(tmp_path / "out") / "checkpoints")
    files = {
        path.suffix
        for path in (find_workplace(tmp_path / "out") / "checkpoints").rglob("*")
        if path.is_file()
    }
    assert files == {".json", ".jsonl", ".safetensors"}, "no pickle"
    with pytest.raises(RunError, match="an unfinished training is there"):
        tune(adopted, out, steps=12)
    with pytest.raises(RunError, match="other settings"):
        tune(adopted, out, steps=12, seed=5, resume=True)
    done = tune(adopted, out, steps=12, resume=True, progress=told)
    assert "going on behind step 7 of 12" in told.notes and same_training(done, whole)
    assert {path.name for path in tmp_path.iterdir()} == {"whole", "out"}
    with pytest.raises(RunError, match="already there"):
        tune(adopted, out, steps=12, resume=True)


class Killed(BaseException):
    """The process is gone: no handler of errors sees this."""


def die_at(step: int) -> Callable[[str], None]:
    """End the training when a step is told, before it is saved."""

    def told(line: str) -> None:
        if line.startswith(f"step {step} "):
            raise Killed

    return told


def check_left(model: Path, out: Path, whole: Tuned) -> None:
    """Of a training of ten steps that died at the sixth, the fifth is there, and it goes on."""
    last = find_last(find_workplace(out) / "checkpoints")
    assert last is not None and last.name.endswith("5") and not out.exists()
    assert same_training(tune(model, out, steps=10, resume=True), whole)


def test_a_training_that_dies_goes_on_to_the_same_result(demo: MinedDemo, tmp_path: Path) -> None:
    base = make_model(tmp_path / "base", "gpt2")  # with dropout
    model = adopt(demo, base, tmp_path / "adopted").folder
    whole = tune(model, tmp_path / "whole", steps=10)
    with pytest.raises(Killed):
        tune(model, tmp_path / "out", steps=10, progress=Recorder(on_note=die_at(6)))
    check_left(model, tmp_path / "out", whole)


@pytest.mark.slow
def test_a_killed_training_goes_on_to_the_same_result(adopted: Path, tmp_path: Path) -> None:
    whole, out = tune(adopted, tmp_path / "whole", steps=10), tmp_path / "out"
    script = f"""
import os, torch
from pathlib import Path
from miner.model import packing
from miner.model.tuning import TuneConfig, tune_model
from miner.progress import Silent
packing.MEASURED = 4_000
torch.set_num_threads(1)
class Killer(Silent):
    def note(self, line):
        if line.startswith("step 6 "):
            os.kill(os.getpid(), 9)
config = TuneConfig(Path({str(adopted)!r}), ({str(DEMO)!r},), steps=10, device="cpu", **{QUICK!r})
tune_model(config, Path({str(out)!r}), progress=Killer())
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    check_left(adopted, out, whole)


def test_an_error_leaves_the_checkpoint_and_what_was_there(
    adopted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    first = tune(adopted, out, steps=2)
    usage = type("Usage", (), {"free": 10})
    with monkeypatch.context() as patched:
        patched.setattr("miner.model.tuned.shutil.disk_usage", lambda _: usage)
        with pytest.raises(ModelError, match="GB free"):
            tune(adopted, out, steps=3, merge=True, overwrite=True)
    assert (out / "adapter_config.json").exists() and first.card == json.loads(
        (out / "miner.json").read_text()
    )
    told = Recorder()
    done = tune(adopted, out, steps=3, merge=True, resume=True, progress=told)
    assert "going on behind step 3 of 3" in told.notes and done.card["tuned"]["kind"] == "model"
    assert AutoModelForCausalLM.from_pretrained(out) is not None


def test_a_full_disk_is_told_in_one_line(
    adopted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise SafetensorError("Error while serializing: No space left on device (os error 28)")

    monkeypatch.setattr("safetensors.torch.save_file", fail)
    with pytest.raises(RunError, match="No space left") as told:
        tune(adopted, tmp_path / "out")
    assert "resume" in str(told.value) and "\n" not in str(told.value)
    assert not (tmp_path / "out").exists()


# What it refuses


def spoil_card(folder: Path) -> None:
    card = json.loads((folder / "miner.json").read_text())
    (folder / "miner.json").write_text(json.dumps(card | {"base_size": 10**6}))


BAD: dict[str, tuple[dict[str, Any], type[MinerError], str]] = {
    "no text": ({"corpus": ()}, UsageError, "no text is named"),
    "both": ({"run": Path("run")}, UsageError, "exclude each other"),
    "steps and epochs": ({"epochs": 2}, UsageError, "exclude each other"),
    "no step": ({"steps": 0}, UsageError, "steps is 0"),
    "rate": ({"learning_rate": 0.0}, UsageError, "learning_rate is 0.0"),
    "context": ({"context": 4096}, UsageError, "the model reads 2 to 128"),
    "four bits": ({"four_bit": True}, UsageError, "bitsandbytes|CUDA"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_wrong_use_is_told_in_one_line(adopted: Path, tmp_path: Path, name: str) -> None:
    options, kind, reason = BAD[name]
    with pytest.raises(kind, match=reason) as refused:
        tune(adopted, tmp_path / "out", **options)
    assert "\n" not in str(refused.value) and refused.value.cure and not list(tmp_path.iterdir())


def test_no_gpu_is_told(adopted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UsageError, match="no CUDA device"):
        tune(adopted, tmp_path / "out", device="cuda")
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(UsageError, match=r"miner tune needs peft.*pip install 'miner\[tune\]'"):
        tune(adopted, tmp_path / "out")


def test_an_encoder_with_a_decoder_is_refused_by_name(tmp_path: Path) -> None:
    base = make_model(tmp_path / "base", "t5")
    with pytest.raises(ModelError, match="T5ForConditionalGeneration is an encoder with a decoder"):
        tune(base, tmp_path / "out")


def test_what_is_not_whole_or_not_safe_is_refused(demo: MinedDemo, tmp_path: Path) -> None:
    base = make_model(tmp_path / "base")
    adopted = adopt(demo, base, tmp_path / "adopted").folder
    spoil_card(adopted)
    with pytest.raises(ModelError, match="says base_size 1000000"):
        tune(adopted, tmp_path / "out")
    pickle_it(adopted)
    with pytest.raises(ModelError, match="pickles"):
        tune(adopted, tmp_path / "out")
    (base / "tokenizer.json").write_text(
        (make_model(tmp_path / "t5", "t5") / "tokenizer.json").read_text()
    )
    with pytest.raises(ModelError, match="900 ids, and the model 700 rows"):
        tune(base, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("case", [QUICKLY], indirect=True)
def test_a_folder_with_an_adapter_is_no_model_to_tune(case: Case, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="holds an adapter"):
        tune(case.adapter.folder, tmp_path / "out")
    again = tune(case.whole.folder, tmp_path / "again", steps=1)
    assert again.card["tuned"]["new_ids"] == case.whole.card["tuned"]["new_ids"]


def test_a_corpus_too_short_is_refused(adopted: Path, tmp_path: Path) -> None:
    text = tmp_path / "short.txt"
    text.write_text("only this\n")
    for more in ({"steps": 2}, {"steps": None}):
        with pytest.raises(CorpusError, match="a block 32"):
            tune(adopted, tmp_path / "out", corpus=(str(text),), **more)
    assert {path.name for path in tmp_path.iterdir()} == {"short.txt"}


def test_a_loss_that_is_no_number_and_a_full_gpu_are_told(
    adopted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = steps.sum_losses

    def break_loss(model: Any, ids: Any, told: Any, pace: Pace) -> Any:
        return real(model, ids, told, pace) * (1 if told is not None else float("nan"))

    monkeypatch.setattr(steps, "sum_losses", break_loss)
    with pytest.raises(ModelError, match="no number at step 1"):
        tune(adopted, tmp_path / "out")

    def run_out(*_: Any) -> Any:
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(steps, "sum_losses", run_out)
    with pytest.raises(ModelError, match=r"too little memory\. Give a shorter context"):
        tune(adopted, tmp_path / "out")
    assert not list(tmp_path.iterdir())


# What it writes beside


def test_the_curve_is_a_picture_without_scripts() -> None:
    history = [{"step": 0, "bits_per_byte": 2.0}, {"step": 1, "loss": 3.0, "ids": 8}]
    history += [{"step": 2, "loss": 2.5, "bits_per_byte": 1.5}]
    drawn = draw_training(history, '<script>"&')
    root = ElementTree.fromstring(drawn)  # noqa: S314 (ours)
    assert "<script" not in drawn and root.attrib["aria-label"].startswith('<script>"&')
    lines = [node.attrib["points"] for node in root.iter() if node.tag.endswith("polyline")]
    assert [len(points.split()) for points in lines] == [2, 2]
    flat = draw_training([{"step": 0, "bits_per_byte": 2.0}], "nothing learned")
    assert ElementTree.fromstring(flat) is not None  # noqa: S314


def test_a_template_says_which_rows_learn(adopted: Path, tmp_path: Path) -> None:
    yaml = pytest.importorskip("yaml")
    out = tmp_path / "elsewhere"
    config = TuneConfig(adopted, (str(DEMO),), batch=128, context=32, rank=4, steps=2)
    write_elsewhere(config, out)
    assert {path.name for path in out.iterdir()} == {
        "axolotl.yaml",
        "train.py",
        "README.md",
        "miner-files.json",
        "miner.json",
    }
    settings = yaml.safe_load((out / "axolotl.yaml").read_text())
    card = json.loads((adopted / "miner.json").read_text())
    ids = list(range(card["base_size"], card["vocab_size"]))
    assert settings["peft_trainable_token_indices"] == {"lm_head": ids, "model.embed_tokens": ids}
    assert settings["adapter"] == "lora" and settings["learning_rate"] == 2e-4
    assert settings["datasets"] == [
        {"path": str(DEMO), "ds_type": "text", "type": "completion", "field": "text"}
    ]


@pytest.mark.slow
def test_the_script_of_a_template_trains(adopted: Path, tmp_path: Path) -> None:
    out, card = tmp_path / "elsewhere", json.loads((adopted / "miner.json").read_text())
    config = TuneConfig(adopted, (str(DEMO),), batch=128, context=32, rank=4, steps=2)
    write_elsewhere(config, out)
    done = subprocess.run(
        [sys.executable, "train.py", "--out", "tuned", "--merge"],
        cwd=out,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
    )
    assert done.returncode == 0, done.stderr
    before, after = read_tensors(adopted), read_tensors(out / "tuned")
    first = card["base_size"]
    for name in card["model"]["tables"]:
        assert torch.equal(before[name][:first], after[name][:first])
        assert not torch.equal(before[name][first:], after[name][first:])


def test_names_of_files_end_no_string_in_a_template(tmp_path: Path) -> None:
    yaml = pytest.importorskip("yaml")
    name = 'a": \'b\' """ \\ # 😀\n- c'
    settings = {
        "model": name,
        "loader": "AutoTokenizer",
        "four_bit": True,
        "rank": 4,
        "tables": [],
        "new_ids": [0, 0],
        "corpus": [name],
        "text_column": name,
        "context": 8,
        "batch": 64,
        "steps": 2,
        "learning_rate": 1e-5,
        "seed": 0,
        "end": None,
        "family": "x",
        "rows_only": False,
    }
    read = yaml.safe_load(make_axolotl(settings))
    assert read["base_model"] == read["datasets"][0]["path"] == name and read["load_in_4bit"]
    tuning.write_template(tmp_path, settings, {"template": settings})
    space: dict[str, Any] = {}
    source = (tmp_path / "train.py").read_text()
    start = source.index("SETTINGS = ")
    exec("import json\n" + source[start : source.index("FIRST")], space)  # noqa: S102
    assert space["SETTINGS"] == settings


# The command


def test_the_command_tells_what_it_did(
    adopted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    out = tmp_path / "out"
    command = [
        "tune",
        str(adopted),
        "--corpus",
        str(DEMO),
        "--out",
        str(out),
        "--steps",
        "4",
        "--batch",
        "256",
        "--context",
        "32",
        "--learning-rate",
        "0.01",
    ]
    done = watch_command(tmp_path / "told", *command)
    assert done.code == 0, done.err
    assert "bits per byte of held-back text" in done.out and "Next: open" in done.out
    assert "step 4 of 4: loss" in done.err and "s left" in done.err
    assert not {"bitsandbytes", "datasets"} & done.modules
    assert not [event for event in done.touched if "connect" in event or "getaddrinfo" in event]


# Where a GPU is


@pytest.mark.gpu
@pytest.mark.parametrize("four_bit", [False, True])
def test_a_gpu_trains_in_bfloat16_and_in_four_bits(
    adopted: Path, tmp_path: Path, four_bit: bool
) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    if four_bit:
        pytest.importorskip("bitsandbytes")
    out = tune(adopted, tmp_path / "out", device="cuda", four_bit=four_bit, merge=True)
    about = out.card["tuned"]
    assert about["precision"] == "bfloat16" and about["after"] < about["before"]
    before, after = read_tensors(adopted), read_tensors(out.folder)
    first = about["new_ids"][0]
    for name in out.card["model"]["tables"]:
        assert torch.equal(before[name][:first], after[name][:first])
    assert open_model(out.folder).rows == out.card["model"]["rows"]
