"""A corpus to a run folder: the whole way, on texts whose units are known."""

from __future__ import annotations

import gzip
import io
import json
import lzma
import os
import random
import re
import signal
import subprocess
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import polars as pl
import pytest
import zstandard
from watched import DEMO, ROOT, MinedDemo

from miner import pipeline
from miner.config import MineConfig, read_config
from miner.corpus import find_sources, read_chunks
from miner.errors import MinerError, RunError
from miner.mining.vocabulary import join_pieces, rank_merges, read_merges, split_unit
from miner.pipeline import Mined, mine
from miner.runs.names import STAGES
from miner.runs.store import Draft, Existing
from miner.text.pretokens import choose_held
from miner.text.profiles import PROFILES
from miner.text.recut import normalize

T = TypeVar("T")
REAL = ROOT.parent / "shared" / "corpora"
RESULTS = ("vocabulary.jsonl", "vocabulary.txt", "merges.tsv", "tokens.json", "proposals.parquet")


def mine_text(
    folder: Path,
    text: str | bytes,
    *,
    name: str = "corpus.txt",
    existing: Existing = "refuse",
    **settings: Any,
) -> Mined:
    """Mine one file that is written to `folder`, into `folder/run`."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    config = MineConfig(corpus=(str(path),), **settings)
    return mine(config, folder / "run", existing=existing)


def results(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in RESULTS}


def tokens(mined: Mined) -> list[str]:
    return [str(token) for token in mined.vocabulary["token"]]


def chatter(lines: int, *, seed: int = 0, names: tuple[str, ...] = ("New York",)) -> str:
    """Lines of words at random, frequent ones among them, with a name in each fourth line."""
    chance = random.Random(seed)
    words = [f"word{number}" for number in range(40)] + ["of", "the"] * 20
    rows = []
    for number in range(lines):
        row = [chance.choice(words) for _ in range(7)]
        if number % 4 == 0:
            row.insert(3, names[number // 4 % len(names)])
        rows.append(" ".join(row))
    return "\n".join(rows) + "\n"


# ---------------------------------------------------------------- the files of a run


def test_the_files_of_a_run_are_there(demo: MinedDemo) -> None:
    for name in (*RESULTS, "manifest.json", "report.html", "config.toml"):
        assert (demo.folder / name).stat().st_size > 0, name
    assert (demo.folder / "encoder" / "modules.json").exists()
    told = sorted(path.name for path in demo.folder.iterdir() if path.name[0].isdigit())
    assert told == [f"{number}_{name}" for number, name in enumerate(STAGES, 1)]
    assert not list(demo.folder.rglob("*.tmp"))
    assert demo.beside == ["run", "used.json"]


def test_ranks_count_from_one_and_follow_the_score(demo: MinedDemo) -> None:
    assert demo.units["rank"].to_list() == list(range(1, demo.units.height + 1))
    assert demo.units["score"].is_sorted(descending=True)
    assert demo.units["score"].is_between(0, 1).all()
    assert demo.units["token"].is_unique().all()
    assert demo.units["glued"].is_unique().all()
    assert set(demo.units["kind"]) <= {"link", "hyperlexeme", "formula", "symbol", "marker", "atom"}


def test_the_atoms_of_a_unit_spell_it(demo: MinedDemo) -> None:
    for token, atoms, glued, kind in demo.units.select(
        "token", "atoms", "glued", "kind"
    ).iter_rows():
        pieces = split_unit(token, atoms)
        assert "".join(pieces) == token
        assert glued in (token.replace(" ", ""), token)
        if kind == "hyperlexeme" and len(atoms) > 1:
            assert len(atoms) >= 4
        if kind == "link":
            assert len(atoms) <= 3


def test_the_surface_of_a_unit_has_its_canonical_form(demo: MinedDemo) -> None:
    words = PROFILES["words"]
    text = DEMO.read_text(encoding="utf-8")
    for token, surface in demo.units.select("token", "surface").iter_rows():
        assert normalize(surface, words) == token == normalize(token, words)
        first = surface.split(" ")[0]
        assert first in text


def test_families_are_headed_by_their_best_unit(demo: MinedDemo) -> None:
    members = demo.units.filter(pl.col("family").is_not_null())
    heads = members.filter(pl.col("family") == pl.col("rank"))["rank"]
    assert set(members["family"]) == set(heads)
    assert (members["family"] <= members["rank"]).all()


def test_every_kept_proposal_is_a_unit_and_every_unit_a_proposal(demo: MinedDemo) -> None:
    kept = demo.proposals.filter(pl.col("verdict") == "kept")
    assert sorted(kept["token"]) == sorted(demo.units["token"])
    joined = kept.join(demo.units, on="token", validate="1:1", suffix="_unit")
    assert (joined["count"] == joined["count_unit"]).all()
    assert (joined["kind"] == joined["kind_unit"]).all()


def test_every_proposal_has_a_verdict_and_the_manifest_counts_them(demo: MinedDemo) -> None:
    assert demo.proposals["verdict"].null_count() == 0
    counted = dict(demo.proposals["verdict"].value_counts().iter_rows())
    assert demo.manifest["verdicts"] == counted
    assert demo.manifest["kinds"] == dict(demo.units["kind"].value_counts().iter_rows())
    scored = next(stage["rows"] for stage in demo.manifest["stages"] if stage["name"] == "scores")
    assert demo.proposals.filter(pl.col("candidate").is_not_null()).height == scored


def test_the_lines_of_vocabulary_txt_are_the_tokens(demo: MinedDemo) -> None:
    lines = (demo.folder / "vocabulary.txt").read_text(encoding="utf-8").split("\n")
    assert lines.pop() == ""
    assert [line.removeprefix("▁").replace("▁", " ") for line in lines] == demo.units[
        "token"
    ].to_list()
    assert "▁жартишина" in lines and "⟁" in lines


def test_tokens_json_holds_every_unit_once(demo: MinedDemo) -> None:
    told = json.loads((demo.folder / "tokens.json").read_text(encoding="utf-8"))
    assert sorted(told) == ["never_split", "special_tokens"]
    single = demo.units.filter(~pl.col("kind").is_in(["link", "hyperlexeme"]))
    assert told["special_tokens"] == single["surface"].to_list()
    assert {"Δ41", "⟁", "_RESO_", "VXS_ΔC1:R8K"} <= set(told["special_tokens"])
    assert len(set(told["never_split"])) == demo.units.height - single.height


def test_merges_build_every_unit_of_halves_that_are_there(demo: MinedDemo) -> None:
    merges = read_merges(demo.folder / "merges.tsv")
    there = {atom for atoms in demo.units["atoms"] for atom in atoms}
    for left, right, result in merges.iter_rows():
        assert left in there and right in there
        there.add(result)
    ranks = rank_merges(merges)
    for token, atoms in demo.units.select("token", "atoms").iter_rows():
        assert join_pieces(split_unit(token, atoms), ranks) == [token]


def test_the_manifest_says_what_went_in(demo: MinedDemo) -> None:
    (source,) = demo.manifest["inputs"]
    assert source["bytes"] == DEMO.stat().st_size == demo.manifest["bytes"]
    texts = [line.rstrip("\r\n") for line in DEMO.open(encoding="utf-8", newline="")]
    assert demo.manifest["text_bytes"] == sum(len(line.encode()) for line in texts)
    assert re.fullmatch("[0-9a-f]{64}", source["sha256"])
    lines = len(DEMO.read_bytes().splitlines())
    assert demo.manifest["documents"] + demo.manifest["held_documents"] == lines
    assert {"python", "numpy", "polars", "torch"} <= set(demo.manifest["versions"])
    assert [stage["name"] for stage in demo.manifest["stages"]] == list(STAGES)
    assert all(stage["peak_mb"] > 10 for stage in demo.manifest["stages"])
    saved = demo.manifest["saved"]
    assert 0 < saved["low"] <= saved["saved"] <= saved["high"] < 1
    assert saved["units"] == demo.units.filter(pl.col("atoms").list.len() > 1).height
    assert 0 < demo.manifest["search"]["knee"] <= demo.units.height


def test_the_saved_config_is_the_one_that_ran(demo: MinedDemo) -> None:
    config = MineConfig(**read_config(demo.folder / "config.toml"))
    assert config == MineConfig(corpus=(str(DEMO),))
    assert demo.manifest["config"]["corpus"] == [str(DEMO)]


# ---------------------------------------------------------------- what is found


@pytest.mark.parametrize(
    "token",
    [
        "Δ41",
        "Δ∞",
        "⟁",
        "🜂",
        "🫧",
        "_RESO_",
        "_THRESHOLD_",
        "_ARCH_",
        "VXS_ΔC1:R8K",
        "входтишинажар",
        "жартишина",
    ],
)
def test_seeds_of_the_language_are_units_of_the_demo(demo: MinedDemo, token: str) -> None:
    assert token in demo.units["token"].to_list()


def test_set_phrases_are_units_and_chance_neighbours_are_not(demo: MinedDemo) -> None:
    found = set(demo.units["token"])
    assert {
        "сельское хозяйство",
        "артериальное давление",
        "blood pressure",
        "supply chain",
    } <= found
    best = set(demo.units.head(demo.units.height // 2)["token"])
    assert {"of the", "in the", "to the", "и в", "в"}.isdisjoint(best)


def test_new_york_wins(tmp_path: Path) -> None:
    mined = mine_text(tmp_path, chatter(300))
    assert tokens(mined)[0] == "new york"
    row = mined.vocabulary.row(0, named=True)
    told = sum(number % 4 == 0 for number in np.flatnonzero(~choose_held(300)).tolist())
    assert row["count"] == row["unit_count"] == told > 60
    assert row["surface"] == "New York" and row["kind"] == "link"
    assert "of the" not in tokens(mined)


def test_the_better_known_name_of_two(tmp_path: Path) -> None:
    """`new york` and `hong kong` are units, `york hong` is none, however often they meet."""
    text = chatter(400, names=("New York Hong Kong", "Hong Kong", "New York"))
    found = tokens(mine_text(tmp_path, text))
    assert {"new york", "hong kong"} <= set(found)
    assert "york hong" not in found


def nested(units: pl.DataFrame, share: float) -> list[tuple[str, str]]:
    """Pairs of units of which the first lies inside the second for `share` of its places."""
    counts = {tuple(a): (t, c) for a, t, c in units.select("atoms", "token", "count").iter_rows()}
    pairs = []
    for atoms, (token, count) in counts.items():
        for length in range(2, len(atoms)):
            for start in range(len(atoms) - length + 1):
                part = counts.get(atoms[start : start + length])
                if part and count >= share * part[1]:
                    pairs.append((part[0], token))
    return pairs


def test_no_unit_lives_inside_another_one(demo: MinedDemo) -> None:
    assert nested(demo.units, 0.8) == []


def mined_lines(path: Path) -> list[str]:
    """The documents that are not held back, folded, as one reads them."""
    documents = [
        chunk.buffer[start:end].tobytes().decode()
        for chunk in read_chunks(find_sources([str(path)]))
        for start, end in zip(chunk.starts, chunk.ends, strict=True)
    ]
    held = choose_held(len(documents))
    return [
        unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())
        for text, away in zip(documents, held, strict=True)
        if not away
    ]


def test_counts_are_those_of_a_regular_expression(demo: MinedDemo) -> None:
    """Places of `a b` with white space between and no letter, digit or joint beside."""
    lines = mined_lines(DEMO)
    chosen = demo.units.filter(pl.col("token").str.contains(r"^\p{L}+( \p{L}+)+$"))
    sample = chosen.gather_every(max(chosen.height // 100, 1))
    assert sample.height > 50
    beside = r"[\w'’\-‐‑\u0300-\u036f]"
    for token, count in sample.select("token", "count").iter_rows():
        words = r"\s+".join(map(re.escape, token.split(" ")))
        pattern = re.compile(rf"(?<!{beside})(?={words}(?!{beside}))")
        assert sum(len(pattern.findall(line)) for line in lines) == count, token


def test_counts_of_symbols_are_those_of_the_text(demo: MinedDemo) -> None:
    text = "\n".join(mined_lines(DEMO))
    counts = dict(demo.units.select("token", "count").iter_rows())
    for token in ("⟁", "🜂", "⊘", "_RESO_", "VXS_ΔC1:R8K"):
        assert counts[token] == text.count(token.casefold()), token


# ---------------------------------------------------------------- the same again


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `corpus.txt`, a part of the demo, and `run`, which nothing cut off."""
    folder = tmp_path_factory.mktemp("whole")
    mine_text(folder, "".join(DEMO.read_text(encoding="utf-8").splitlines(keepends=True)[:600]))
    return folder


def config_of(whole: Path, **settings: Any) -> MineConfig:
    return MineConfig(corpus=(str(whole / "corpus.txt"),), **settings)


def test_the_same_config_gives_the_same_bytes(whole: Path, tmp_path: Path) -> None:
    mine(config_of(whole), tmp_path / "run")
    assert results(tmp_path / "run") == results(whole / "run")
    for name in ("model.safetensors", "tokenizer.json", "modules.json"):
        once, twice = (folder / "run" / "encoder" / name for folder in (whole, tmp_path))
        assert once.read_bytes() == twice.read_bytes(), name


def test_memory_and_threads_change_no_byte(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    mine(config_of(whole, memory="1MiB"), tmp_path / "run")
    assert results(tmp_path / "run") == results(whole / "run")


class Killed(BaseException):
    """The process is gone."""


def kill_at(
    monkeypatch: pytest.MonkeyPatch, victim: str, where: str, die: Callable[[], None]
) -> None:
    """Make a run die `before` a stage, `in` it, when all but the last file is there, or `after`."""
    real = Draft.stage

    def stage(
        run: Draft, name: str, compute: Callable[[Path], int], load: Callable[[Path], T]
    ) -> T:
        def dying(folder: Path) -> int:
            rows = compute(folder)
            next(path for path in sorted(folder.rglob("*")) if path.is_file()).unlink()
            die()
            return rows

        if name == victim and where == "before":
            die()
        found = real(run, name, dying if name == victim and where == "in" else compute, load)
        if name == victim and where == "after":
            die()
        return found

    monkeypatch.setattr(Draft, "stage", stage)


def raise_killed() -> None:
    raise Killed


@pytest.mark.parametrize("victim", STAGES)
def test_a_run_that_dies_in_any_stage_goes_on_to_the_same_bytes(
    whole: Path, tmp_path: Path, victim: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        kill_at(patch, victim, "in", raise_killed)
        with pytest.raises(Killed):
            mine(config_of(whole), tmp_path / "run")
    assert not (tmp_path / "run").exists()
    done: list[str] = []
    real = Draft.stage

    def stage(
        run: Draft, name: str, compute: Callable[[Path], int], load: Callable[[Path], T]
    ) -> T:
        def noted(folder: Path) -> int:
            done.append(name)
            return compute(folder)

        return real(run, name, noted, load)

    monkeypatch.setattr(Draft, "stage", stage)
    mined = mine(config_of(whole), tmp_path / "run", existing="resume")
    assert done == list(STAGES[STAGES.index(victim) :])
    assert results(tmp_path / "run") == results(whole / "run")
    assert [entry.name for entry in mined.manifest.stages] == list(STAGES)


KILLER = """
import os, signal, sys
from pathlib import Path
import pytest
from miner import pipeline
from miner.pipeline import mine
from test_pipeline import config_of, kill_at

def die():
    os.kill(os.getpid(), signal.SIGKILL)

whole, out, victim, where = sys.argv[1:]
if victim in ("draw_report", "write_json"):
    setattr(pipeline, victim, lambda *_, **__: die())
else:
    kill_at(pytest.MonkeyPatch(), victim, where, die)
mine(config_of(Path(whole)), Path(out), existing="resume")
"""


def check_kill(whole: Path, tmp_path: Path, victim: str, where: str) -> None:
    command = [sys.executable, "-c", KILLER, str(whole), str(tmp_path / "run"), victim, where]
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": paths}, check=False)
    assert done.returncode == -signal.SIGKILL
    assert not (tmp_path / "run").exists()
    mine(config_of(whole), tmp_path / "run", existing="resume")
    assert results(tmp_path / "run") == results(whole / "run")
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"run"}


@pytest.mark.parametrize(("victim", "where"), [("vectors", "in"), ("draw_report", "")])
def test_a_run_survives_kill_9(whole: Path, tmp_path: Path, victim: str, where: str) -> None:
    check_kill(whole, tmp_path, victim, where)


@pytest.mark.slow
@pytest.mark.parametrize("where", ["before", "in", "after"])
@pytest.mark.parametrize("victim", STAGES)
def test_a_run_survives_kill_9_anywhere(
    whole: Path, tmp_path: Path, victim: str, where: str
) -> None:
    check_kill(whole, tmp_path, victim, where)


def test_other_settings_do_not_go_on_with_a_run(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        kill_at(patch, "scores", "before", raise_killed)
        with pytest.raises(Killed):
            mine(config_of(whole), out)
    for config in (config_of(whole, seed=1), config_of(whole, vocab_size=10)):
        with pytest.raises(RunError, match="other settings or another corpus"):
            mine(config, out, existing="resume")
    copy = tmp_path / "corpus.txt"
    copy.write_text("Another corpus of another text\n" * 50)
    with pytest.raises(RunError, match="other settings or another corpus"):
        mine(MineConfig(corpus=(str(copy),)), out, existing="resume")


def test_a_changed_corpus_is_another_corpus(tmp_path: Path) -> None:
    mine_text(tmp_path, chatter(100))
    with pytest.raises(RunError, match="already finished"):
        mine_text(tmp_path, chatter(100), existing="resume")
    with pytest.raises(RunError, match="a run is already there"):
        mine_text(tmp_path, chatter(101), existing="resume")


# ---------------------------------------------------------------- settings that matter


@pytest.mark.parametrize("objective", ["meaning", "compression"])
def test_vocab_size_is_the_most_units(whole: Path, tmp_path: Path, objective: str) -> None:
    small = mine(config_of(whole, vocab_size=25, objective=objective), tmp_path / "small")
    assert small.vocabulary.height == 25
    assert small.manifest.verdicts["kept"] == 25


def test_the_best_units_do_not_depend_on_how_many_are_kept(whole: Path, tmp_path: Path) -> None:
    few = mine(config_of(whole, vocab_size=30), tmp_path / "few")
    many = pl.read_ndjson(whole / "run" / "vocabulary.jsonl", infer_schema_length=None)
    assert few.vocabulary["token"].to_list()[:20] == many["token"].to_list()[:20]


def test_min_count_and_max_length_bound_the_units(whole: Path, tmp_path: Path) -> None:
    mined = mine(config_of(whole, min_count=6, max_length=2), tmp_path / "run")
    assert mined.vocabulary["count"].min() >= 6  # type: ignore[operator]
    assert mined.vocabulary["atoms"].list.len().max() == 2
    proposals = pl.read_parquet(tmp_path / "run" / "proposals.parquet")
    assert proposals["count"].min() == mined.manifest.least_count == 6


def test_compression_saves_more_tokens_than_meaning(tmp_path: Path) -> None:
    """Measured on the text that is mined: fifty documents are too few to hold one back."""
    lines = DEMO.read_text(encoding="utf-8").splitlines()
    text = "\n".join(" . ".join(lines[start::50]) for start in range(50))
    saved = {}
    for objective in ("meaning", "compression"):
        mined = mine_text(tmp_path / objective, text, objective=objective, vocab_size=200)
        assert mined.manifest.measured_on == "mined"
        assert mined.vocabulary.height == 200
        saved[objective] = mined.manifest.saved["saved"]
    assert saved["compression"] >= saved["meaning"] > 0


def test_patterns_of_the_user_are_atoms(tmp_path: Path) -> None:
    text = "".join(f"see AB-12/{n % 3} of {chr(97 + n % 7)}{n % 5}\n" for n in range(60))
    mined = mine_text(tmp_path, text, patterns={"ticket": r"[A-Z]+-\d+/\d"}, profile="words")
    atoms = pl.read_parquet(tmp_path / "run" / "1_atoms" / "atoms.parquet")
    assert "ab-12/1" in atoms["text"].to_list()
    assert mined.manifest.config.patterns == {"ticket": r"[A-Z]+-\d+/\d"}


def test_code_keeps_case_and_spaces(tmp_path: Path) -> None:
    names = ["count", "Count", "total", "size", "Index"]
    chance = random.Random(0)
    text = "".join(
        f"if ({chance.choice(names)}  !=  0) return NULL; {chance.choice(names)}=0;\n"
        for _ in range(200)
    )
    mined = mine_text(tmp_path, text, profile="code")
    assert mined.manifest.profile == "code"
    found = tokens(mined)
    assert found
    for token, count in mined.vocabulary.select("token", "count").iter_rows():
        assert text.count(token) >= count * 0.9, token
    assert any("NULL" in token for token in found) and not any("null" in token for token in found)


def test_bytes_are_units_of_bytes(tmp_path: Path) -> None:
    chance = random.Random(0)
    signature = bytes.fromhex("89504e470d0a1a0a")
    content = b"".join(
        signature[:5] + bytes(chance.randrange(256) for _ in range(chance.randrange(5, 30)))
        for _ in range(300)
    )
    mined = mine_text(tmp_path, content, name="image.bin")
    assert mined.manifest.profile == "bytes"
    best = mined.vocabulary.row(0, named=True)
    assert best["atoms"] == ["<0x89>", "<0x50>", "<0x4E>", "<0x47>", "<0x0D>"]
    assert best["count"] == content.count(signature[:5])


def pairs(first: str, last: str) -> list[str]:
    """A family of a hundred units."""
    return [f"{first}{i} {last}{j}" for i in range(10) for j in range(10)]


def test_seeds_raise_their_family(tmp_path: Path) -> None:
    """Fifty of a hundred pairs of a kind are shown: the other fifty rank higher than without."""
    chance = random.Random(0)
    wanted, others = pairs("red", "fox"), pairs("go", "home")
    filler = [f"word{number}" for number in range(60)]
    rows = [
        " ".join(
            part
            for unit in chance.sample(wanted + others, 3)
            for part in (*chance.choices(filler, k=2), unit)
        )
        for _ in range(900)
    ]
    text = "\n".join(rows) + "\n"
    shown, unseen = wanted[::2], set(wanted[1::2])
    (tmp_path / "seeds.txt").write_text("\n".join(shown))
    places = {}
    for name, seeds in (("without", None), ("with", str(tmp_path / "seeds.txt"))):
        mine_text(tmp_path / name, text, seeds=seeds)
        proposals = pl.read_parquet(tmp_path / name / "run" / "proposals.parquet")
        ranked = proposals.sort("score", descending=True)["token"].to_list()
        places[name] = np.mean([place for place, token in enumerate(ranked) if token in unseen])
    assert places["with"] < places["without"]


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (None, "seeds"),
        (b"", "no seed in it"),
        (b" \n\n", "no seed in it"),
        (b"caf\xe9", "not UTF-8"),
        ("folder", "seeds"),
    ],
)
def test_a_wrong_file_of_seeds_is_one_line(
    tmp_path: Path, content: bytes | str | None, named: str
) -> None:
    path = tmp_path / "seeds.txt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content:
        path.mkdir()
    with pytest.raises(MinerError) as caught:
        mine_text(tmp_path / "here", chatter(100), seeds=str(path))
    assert str(path) in str(caught.value) and named in str(caught.value)
    assert "\n" not in str(caught.value) and caught.value.exit_code == 3
    assert not (tmp_path / "here" / "run").exists()


# ---------------------------------------------------------------- every form of a corpus


def write_forms(folder: Path, lines: list[str]) -> dict[str, list[str]]:
    """The same documents in every form, and how to name each of them."""
    text = "".join(f"{line}\n" for line in lines).encode()
    rows = [{"id": number, "text": line} for number, line in enumerate(lines)]
    table = pl.DataFrame(rows)
    jsonl = "".join(json.dumps(row) + "\n" for row in rows).encode()
    parquet = io.BytesIO()
    table.write_parquet(parquet)
    half = len(lines) // 2
    (folder / "many").mkdir()
    files = {
        "a.txt": text,
        "a.jsonl": jsonl,
        "a.csv": table.write_csv().encode(),
        "a.tsv": table.write_csv(separator="\t").encode(),
        "a.parquet": parquet.getvalue(),
        "a.txt.gz": gzip.compress(text),
        "a.jsonl.xz": lzma.compress(jsonl),
        "a.txt.zst": zstandard.compress(text),
        "a.unknown": text,
        "many/1.txt": "".join(f"{line}\n" for line in lines[:half]).encode(),
        "many/2.txt": "\n".join(lines[half:]).encode(),
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
    forms = {name: [str(folder / name)] for name in files if not name.startswith("many/")}
    several = [str(folder / "many" / name) for name in ("1.txt", "2.txt")]
    return forms | {
        "folder": [str(folder / "many")],
        "glob": [str(folder / "many" / "*.txt")],
        "several": several,
        "stdin": ["-"],
    }


def test_every_form_of_a_corpus_gives_the_same_units(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = chatter(200, names=("New York", "Hong Kong")).splitlines()
    forms = write_forms(tmp_path, lines)
    found = {}
    for name, paths in forms.items():
        stdin = io.TextIOWrapper(io.BytesIO((tmp_path / "a.txt").read_bytes()))
        monkeypatch.setattr(sys, "stdin", stdin)
        mine(MineConfig(corpus=tuple(paths)), tmp_path / f"run-{name}")
        found[name] = results(tmp_path / f"run-{name}")
    assert b"new york" in found["a.txt"]["vocabulary.jsonl"]
    for name in forms:
        assert found[name] == found["a.txt"], name


def test_a_run_names_no_place_but_those_the_user_gave(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("corpus.txt").write_text(chatter(100))
    mine(MineConfig(corpus=("corpus.txt",)), Path("run"))
    places = {str(tmp_path), str(tmp_path.resolve()), str(ROOT), str(Path.home()), sys.prefix}
    for path in Path("run").rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        for place in places - {"/"}:
            assert place.encode() not in content, f"{path} names {place}"


def test_what_cannot_be_had_is_told_before_anything_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def count(*_: object, **__: object) -> None:
        raise AssertionError("an hour of counting")

    monkeypatch.setattr(pipeline, "count_candidates", count)
    missing: dict[str, Any] = {"seeds": str(tmp_path / "none"), "encoder": str(tmp_path / "none")}
    for name, path in missing.items():
        with pytest.raises(MinerError, match="none"):
            mine_text(tmp_path, chatter(100), **{name: path})


# ---------------------------------------------------------------- real corpora

CLASSES = {
    "ru_prose": "words", "en_novels": "words", "lzh_tang": "words", "th_pud": "words",
    "akk_translit": "transliteration", "egy_hiero": None, "sym_emoji": None,
    "chem_smiles_hiv": "molecules", "logs_apache": "code", "mix_learnxy": "code",
    "sa_vedic_iast": None, "math_openlogic": None, "codes_icd9": None, "akk_cuneiform": None,
}  # fmt: skip


def check_run(folder: Path, mined: Mined) -> None:
    assert mined.vocabulary.height > 0
    assert mined.manifest.verdicts["kept"] == mined.vocabulary.height
    ranks = rank_merges(read_merges(folder / "merges.tsv"))
    profile = PROFILES[mined.manifest.profile]
    for token, atoms, surface in mined.vocabulary.select("token", "atoms", "surface").iter_rows():
        assert join_pieces(split_unit(token, atoms), ranks) == [token]
        assert normalize(token, profile) == token
        assert normalize(surface, profile) == token
    assert len(nested(mined.vocabulary, 0.8)) <= 0.01 * mined.vocabulary.height
    assert mined.vocabulary["glued"].is_unique().all()


@pytest.mark.slow
@pytest.mark.parametrize("name", CLASSES)
def test_a_real_corpus_end_to_end(tmp_path: Path, name: str) -> None:
    path = REAL / f"{name}.txt.gz"
    if not path.exists():
        pytest.skip(f"{path.name} is not here")
    with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
        text = "".join(line for line, _ in zip(lines, range(6_000), strict=False))[:1_500_000]
    mined = mine_text(tmp_path, text)
    if CLASSES[name]:
        assert mined.manifest.profile == CLASSES[name]
    check_run(tmp_path / "run", mined)


@pytest.mark.slow
def test_the_weights_of_a_model_end_to_end(tmp_path: Path) -> None:
    path = REAL / "model_weights.safetensors"
    if not path.exists():
        pytest.skip(f"{path.name} is not here")
    mined = mine(MineConfig(corpus=(str(path),)), tmp_path / "run")
    assert mined.manifest.profile == "bytes"
    check_run(tmp_path / "run", mined)
