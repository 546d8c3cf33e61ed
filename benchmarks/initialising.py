"""Rows to bits per byte: with which beginning does a model know its new ids best?

A small Llama learns the front of a corpus with a byte-level BPE of its own, `miner adopt` gives it
the units of a run on the same text, once for each `--init`, and pieces of what stands behind, which
none of them saw, measure: bits of surprise per byte of UTF-8, so that tokenizers compare. Then the
new rows alone learn, all else frozen, for a few steps on the same blocks. What a second call finds
in the work folder it does not make again.

    python -m benchmarks.initialising --corpus novels.txt.gz --work /tmp/novels
    python -m benchmarks.initialising --corpus novels.txt.gz --work /tmp/novels --tied --minutes 5
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
import polars as pl
from scipy import sparse

from benchmarks.gold import print_table, read_text
from benchmarks.superword_peers import cut_documents, write_changed
from miner.model.adopting import AdoptConfig, adopt_model, count_ids, grow_tables, list_parts
from miner.model.folder import open_model
from miner.model.rows import INITS, Init
from miner.runs.finished import open_finished
from miner.tokenizer.checking.checking import read_unit_ids
from miner.tokenizer.reading.loading import LoadedTokenizer, load_tokenizer

SIZE = 8_192  # ids of the base
CONTEXT = 256
BASE_BLOCKS, BLOCKS = 4, 8  # of CONTEXT ids a step, for the base and for new rows
SHAPE = {
    "hidden_size": 256, "intermediate_size": 688, "num_hidden_layers": 6, "num_attention_heads": 4,
    "num_key_value_heads": 4, "max_position_embeddings": CONTEXT,
}  # fmt: skip
BASE_RATE, RATE = 2e-3, 3e-3  # at the most: of the base, and of new rows
SEED = 0


@dataclass(frozen=True)
class Place:
    """A work folder: text to learn from, as JSON lines, text held back, and the run."""

    folder: Path

    @property
    def documents(self) -> Path:
        return self.folder / "documents.jsonl"

    @property
    def held(self) -> Path:
        return self.folder / "held.txt"

    @property
    def run(self) -> Path:
        return self.folder / "run"

    def read(self) -> list[str]:
        """The documents to learn from."""
        return [json.loads(line)["text"] for line in self.documents.open(encoding="utf-8")]


def part_corpus(corpus: Path, place: Place, *, size: int, held: int) -> None:
    """Write the first `size` bytes to learn from, and of those behind `held`, spread evenly."""
    if place.held.exists():
        return
    place.folder.mkdir(parents=True, exist_ok=True)
    raw = read_text(corpus).encode()
    size = raw.rindex(b"\n", 0, min(size, len(raw) - held)) + 1
    texts, behind = (
        list(cut_documents(part.decode().splitlines(keepends=True)))
        for part in (raw[:size], raw[size:])
    )
    rows = (json.dumps({"text": text}, ensure_ascii=False) for text in texts)
    write_changed(place.documents, "".join(f"{row}\n" for row in rows).encode())
    step = max((len(raw) - size) // held, 1)
    write_changed(place.held, "".join(behind[step // 2 :: step]).encode())


def mine(place: Place) -> None:
    """Run `miner mine` on the text to learn from."""
    if not place.run.exists():
        command = ["mine", "--corpus", str(place.documents), "--out", str(place.run)]
        subprocess.run([sys.executable, "-m", "miner", *command], check=True, stdout=sys.stderr)


# --- the base


def train_base_tokenizer(texts: Sequence[str], folder: Path) -> None:
    """Write a byte-level BPE of `SIZE` ids as transformers reads it."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=SIZE, special_tokens=["<|end|>"], initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    about = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|end|>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(about))


def cut_blocks(tokenizer: LoadedTokenizer, texts: Sequence[str]) -> np.ndarray:
    """The ids of all texts in a row, cut into blocks: int64 (blocks, CONTEXT)."""
    ids = np.concatenate(tokenizer.encode(texts))
    return ids[: len(ids) // CONTEXT * CONTEXT].reshape(-1, CONTEXT)


def draw_blocks(blocks: np.ndarray, count: int, seed: int) -> Iterator[np.ndarray]:
    """Yield `count` blocks at a time, in random order, without end."""
    random = np.random.default_rng(seed)
    while True:
        order = random.permutation(len(blocks))
        for start in range(0, len(order) - count + 1, count):
            yield blocks[order[start : start + count]]


def train_base(texts: Sequence[str], folder: Path, *, tied: bool, minutes: float) -> None:
    """Train a small Llama for some minutes and write its folder."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    if (folder / "trained.json").exists():
        return
    train_base_tokenizer(texts, folder)
    blocks = cut_blocks(load_tokenizer(folder), texts)
    torch.manual_seed(SEED)
    config = LlamaConfig(
        vocab_size=SIZE, tie_word_embeddings=tied, bos_token_id=None, eos_token_id=0, **SHAPE
    )
    model = LlamaForCausalLM(config)
    matrices = [p for p in model.parameters() if p.ndim > 1]
    vectors = [p for p in model.parameters() if p.ndim == 1]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=BASE_RATE, betas=(0.9, 0.95))
    start, steps, losses = time.perf_counter(), 0, []
    for batch in draw_blocks(blocks, BASE_BLOCKS, SEED):
        done = (time.perf_counter() - start) / 60 / minutes
        if done >= 1:
            break
        cooled = 0.02 + 0.98 * math.cos(math.pi * done / 2) ** 2
        rate = BASE_RATE * min(1, (steps + 1) / 100) * cooled
        for group in optimizer.param_groups:
            group["lr"] = rate
        loss = measure_loss(model, torch.from_numpy(batch))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        steps += 1
        losses.append(loss.item())
        if steps % 200 == 0:
            print(f"{steps} steps, {done:.0%}: {np.mean(losses[-200:]):.3f}", file=sys.stderr)
    model.save_pretrained(folder)
    about = {
        "steps": steps,
        "tokens": steps * BASE_BLOCKS * CONTEXT,
        "there": int(blocks.size),
        "minutes": minutes,
        "parameters": sum(p.numel() for p in model.parameters()),
        "loss": float(np.mean(losses[-100:])),
    }
    (folder / "trained.json").write_text(json.dumps(about))


def measure_loss(model: Any, ids: Any) -> Any:
    """The mean surprise of all ids of a batch but the first of each block, in nats."""
    import torch

    with torch.autocast("cpu", torch.bfloat16):
        logits = model(input_ids=ids, use_cache=False).logits
    return torch.nn.functional.cross_entropy(
        logits[:, :-1].flatten(0, 1).float(), ids[:, 1:].flatten()
    )


# --- measuring


@dataclass(frozen=True)
class Text:
    """A text as ids in blocks, each of which begins with the last id of the one before."""

    blocks: np.ndarray  # int64 (blocks, CONTEXT), -1 where the last one is not full
    tokens: int
    bytes: int


def cut_held(tokenizer: LoadedTokenizer, text: str) -> Text:
    """Cut a text so that each id but its first is to be told once, with CONTEXT - 1 at most before.

    10 ids in blocks of 4: 0 1 2 3, 3 4 5 6, 6 7 8 9.
    """
    ids = tokenizer.encode([text])[0]
    step = CONTEXT - 1
    count = -(-(len(ids) - 1) // step)
    padded = np.full(count * step + 1, -1, np.int64)
    padded[: len(ids)] = ids
    blocks = np.lib.stride_tricks.sliding_window_view(padded, CONTEXT)[::step]
    return Text(blocks, len(ids), len(text.encode()))


def measure_bits(model: Any, text: Text) -> float:
    """Bits per byte of a text."""
    import torch

    model.eval()
    nats = 0.0
    with torch.no_grad():
        for start in range(0, len(text.blocks), BLOCKS):
            ids = torch.from_numpy(text.blocks[start : start + BLOCKS].copy())
            with torch.autocast("cpu", torch.bfloat16):
                hidden = model.model(input_ids=ids.clamp(min=0), use_cache=False)[0]
            logits = hidden[:, :-1].float() @ model.lm_head.weight.float().T
            nats += torch.nn.functional.cross_entropy(
                logits.flatten(0, 1), ids[:, 1:].flatten(), ignore_index=-1, reduction="sum"
            ).item()
    return nats / math.log(2) / text.bytes


def list_tables(model: Any) -> list[Any]:
    """The table of the input and that of the output; one where they are tied."""
    inputs, outputs = model.model.embed_tokens.weight, model.lm_head.weight
    return [inputs] if inputs is outputs else [inputs, outputs]


def load_model(folder: Path) -> Any:
    """The model of a folder, in float32."""
    import torch
    from transformers import LlamaForCausalLM

    return LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32)


def train_rows(
    model: Any, blocks: np.ndarray, base: int, *, steps: int, rate: float, seed: int = SEED
) -> None:
    """Train the rows from `base` on, in both tables, and nothing else; the rate falls to zero."""
    import torch

    model.requires_grad_(False)
    tables = list_tables(model)
    for table in tables:
        table.requires_grad_(True)
    optimizer = torch.optim.AdamW(tables, lr=rate, betas=(0.9, 0.95), weight_decay=0.0)
    model.train()
    for step, batch in zip(range(steps), draw_blocks(blocks, BLOCKS, seed), strict=False):
        for group in optimizer.param_groups:
            group["lr"] = rate * (1 - step / steps)
        measure_loss(model, torch.from_numpy(batch)).backward()
        for table in tables:
            table.grad[:base] = 0  # with no decay AdamW leaves what has no gradient as it is
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)


# --- neighbors: what `miner adopt` does not do

NEAREST, SOFT = 10, 0.1  # words that a row is made of, and the temperature of their cosines


def mix_neighbors(run: Path, folder: Path, base: LoadedTokenizer) -> sparse.csr_array:
    """The weight of each id of the base in each new id, (new ids, ids of the base): as in FOCUS.

    Anchors are ids that are a whole word, with a space in front, and an atom of the run; a new id
    is the softmax of the cosines of the nearest by the vectors that the run trained.
    """
    finished = open_finished(run)
    table = finished.candidates.table
    single = np.flatnonzero(table["length"].to_numpy() == 1)
    atoms = np.asarray(finished.candidates.keys)[single, 0] >> 1
    words = dict(finished.atoms.table.select("text", "atom").iter_rows())
    rows = dict(zip(atoms.tolist(), single.tolist(), strict=True))
    texts = base.decode([[number] for number in range(base.size)])
    anchors = [
        (number, rows[words[text[1:].lower()]])
        for number, text in enumerate(texts)
        if text[:1] == " " and words.get(text[1:].lower()) in rows
    ]
    ids, places = np.array(anchors).T
    units = (
        read_unit_ids(folder)
        .join(
            finished.units.select(pl.col("rank").cast(pl.Int64), "candidate"),
            on="rank",
            how="left",
            validate="m:1",
        )
        .filter(pl.col("id") >= base.size)
    )
    known = finished.vectors[places].astype(np.float32)
    cosines = finished.vectors[units["candidate"].to_numpy()].astype(np.float32) @ known.T
    nearest = np.argpartition(-cosines, NEAREST, axis=1)[:, :NEAREST]
    weights = np.exp(np.take_along_axis(cosines, nearest, axis=1) / SOFT)
    weights /= weights.sum(axis=1, keepdims=True)
    made = np.repeat(units["id"].to_numpy() - base.size, NEAREST)
    return sparse.csr_array(
        (weights.ravel(), (made, ids[nearest].ravel())), shape=(made.max() + 1, base.size)
    )


# --- the table


@dataclass(frozen=True)
class Plan:
    """What is asked for: of one corpus, one base, and some beginnings."""

    place: Place
    base: Path
    units: int
    steps: int
    rate: float

    def adopt(self) -> Path:
        """The folder of the base with rows for the units."""
        out = self.place.folder / f"{self.base.name}-adopted"
        if not (out / "miner.json").exists():
            adopt_model(self.configure("mean"), out, overwrite=True)
        return out

    def configure(self, init: Init) -> AdoptConfig:
        corpus = (str(self.place.documents),)
        return AdoptConfig(self.base, self.place.run, init=init, corpus=corpus, units=self.units)

    @cached_property
    def counts(self) -> np.ndarray:
        """How often each id occurs in what is learned."""
        return count_ids(self.configure("calibrated"), self.adopt())

    def make(self, init: str) -> dict[str, np.ndarray]:
        """The new rows of each table, as `adopt_model` makes them."""
        base = load_tokenizer(self.base)
        if init == "neighbors":
            mixing = mix_neighbors(self.place.run, self.adopt(), base)
            tables = open_model(self.base).list_tables()
            return {t.name: mixing @ t.read(np.arange(base.size)) for _, t in tables}
        size = load_tokenizer(self.adopt()).size
        parts = list_parts(self.adopt(), base, size)
        config = self.configure(cast(Init, init))
        growths = grow_tables(open_model(self.base), base.size, parts, config, self.counts)
        return {name: growth.more for name, growth in growths.items()}

    def measure(self, init: str) -> dict[str, object]:
        """A row of the table: bits per byte as it begins, and after the rows have learned."""
        folder = self.adopt()
        model, tokenizer = load_model(folder), load_tokenizer(folder)
        base = load_tokenizer(self.base)
        put_rows(model, base.size, self.make(init))
        text = cut_held(tokenizer, self.place.held.read_text(encoding="utf-8"))
        before = after = measure_bits(model, text)
        if self.steps:
            blocks = cut_blocks(tokenizer, self.place.read())
            train_rows(model, blocks, base.size, steps=self.steps, rate=self.rate)
            after = measure_bits(model, text)
        return {
            "init": init,
            "new ids": f"{tokenizer.size - base.size:,}",
            "tokens saved": f"{1 - text.tokens / self.text.tokens:.1%}",
            "bits per byte at step 0": f"{before:.4f}",
            f"after {self.steps} steps": f"{after:.4f}",
        }

    @cached_property
    def text(self) -> Text:
        """What is held back, as the base cuts it."""
        held = self.place.held.read_text(encoding="utf-8")
        return cut_held(load_tokenizer(self.base), held)

    def measure_base(self) -> dict[str, object]:
        """The row of the base."""
        bits = measure_bits(load_model(self.base), self.text)
        return {
            "init": "(base)",
            "new ids": "",
            "tokens saved": "",
            "bits per byte at step 0": f"{bits:.4f}",
        }


def put_rows(model: Any, base: int, made: Mapping[str, np.ndarray]) -> None:
    """Put rows into the tables of a model, from the row `base` on."""
    import torch

    named = dict(model.named_parameters())
    with torch.no_grad():
        for name, rows in made.items():
            named[name][base : base + len(rows)] = torch.from_numpy(rows.astype(np.float32))


def main() -> None:
    import torch

    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--corpus", type=Path, required=True, help="plain text, or .gz of it")
    parser.add_argument("--work", type=Path, required=True, help="where all that is made is kept")
    parser.add_argument("--size", type=int, default=12_000_000, help="bytes to learn from")
    parser.add_argument("--held", type=int, default=100_000, help="bytes behind them that measure")
    parser.add_argument("--minutes", type=float, default=10, help="for the base to learn")
    parser.add_argument("--tied", action="store_true", help="one table for input and output")
    parser.add_argument("--units", type=int, default=2_000)
    parser.add_argument("--steps", type=int, default=60, help="for new rows, of 2,048 tokens")
    parser.add_argument("--rate", type=float, default=RATE)
    parser.add_argument("--inits", nargs="+", default=[*INITS, "neighbors"])
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    place = Place(options.work)
    part_corpus(options.corpus, place, size=options.size, held=options.held)
    mine(place)
    base = place.folder / ("base-tied" if options.tied else "base")
    train_base(place.read(), base, tied=options.tied, minutes=options.minutes)
    plan = Plan(place, base, options.units, options.steps, options.rate)
    rows = [plan.measure_base()]
    for init in options.inits:
        rows.append(plan.measure(init))
        print(rows[-1], file=sys.stderr)
    print_table(rows)


if __name__ == "__main__":
    main()
