"""`miner check`, scenes, and loading: what holds is said, and a hostile file is a clear error."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from watched import DEMO, MinedDemo, call_command, watch_command

from miner.errors import RunError, TokenizerError
from miner.tokenizer.checking.checking import HARD, check_tokenizer, find_cut
from miner.tokenizer.checking.contexts import read_contexts
from miner.tokenizer.reading.loading import LoadedTokenizer, cut_batches, load_tokenizer
from miner.tokenizer.reading.scenes import decode_scenes, encode_scenes, write_scenes
from miner.tokenizer.training.training import TrainConfig, train_tokenizer

WAYS = [
    ("hf-bpe", False), ("hf-unigram", True), ("sentencepiece-bpe", True),
    ("sentencepiece-unigram", False),
]  # fmt: skip


@pytest.fixture(scope="module")
def ours(demo: MinedDemo, tmp_path_factory: pytest.TempPathFactory) -> Path:
    trainer, exact = WAYS[0]
    return train_ours(demo, tmp_path_factory.mktemp("ours") / "bpe", trainer, exact=exact)


def train_ours(demo: MinedDemo, out: Path, trainer: str, *, exact: bool) -> Path:
    config = TrainConfig(demo.folder, (str(DEMO),), trainer, 2600, exact=exact)
    return train_tokenizer(config, out).folder


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A byte-level BPE as anyone trains it."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=1000, show_progress=False, initial_alphabet=alphabet)
    tokenizer.train([str(DEMO)], trainer)
    place = tmp_path_factory.mktemp("stock") / "tokenizer.json"
    tokenizer.save(str(place))
    return place


# Checks


@pytest.mark.parametrize(("trainer", "exact"), WAYS)
def test_every_check_of_a_tokenizer_of_ours_holds(
    demo: MinedDemo, ours: Path, tmp_path: Path, trainer: str, exact: bool
) -> None:
    folder = (
        ours
        if (trainer, exact) == WAYS[0]
        else train_ours(demo, tmp_path / "out", trainer, exact=exact)
    )
    checks = check_tokenizer(load_tokenizer(folder), demo.folder)
    failed = {check.name: check.failures for check in checks if not check.holds}
    assert failed == {}
    tried = {check.name: check.tried for check in checks}
    assert tried["a unit is one id"] > 500
    assert tried["a unit is one id where it was found"] > 400


def test_the_command_ends_with_0_on_ours(demo: MinedDemo, tmp_path: Path, ours: Path) -> None:
    done = watch_command(tmp_path / "u.json", "check", str(ours), "--run", str(demo.folder))
    assert done.code == 0, done.out
    assert "FAIL" not in done.out
    assert not {"torch", "faiss", "transformers"} & done.modules


def test_the_command_ends_with_1_on_a_stock_one_and_shows_ids_and_cure(
    demo: MinedDemo, stock: Path
) -> None:
    done = call_command("check", str(stock), "--run", str(demo.folder))
    assert done.code == 1
    assert "FAIL" in done.out
    assert "Cure: " in done.out
    ids = load_tokenizer(stock).encode(["Δ84"])[0].tolist()
    assert f"'Δ84': {len(ids)} ids" in done.out
    assert f"ids {ids}" in done.out


def test_the_checks_as_json_name_what_fails(stock: Path) -> None:
    done = call_command("check", str(stock), "--json")
    assert done.code == 1
    checks = json.loads(done.out)
    failed = [check for check in checks if check["passed"] < check["tried"]]
    assert failed
    for check in failed:
        assert check["cure"]
        assert 1 <= len(check["failures"]) <= 3
        assert {"text", "ids", "pieces", "found"} <= set(check["failures"][0])
    names = {check["check"] for check in checks if check["passed"] == check["tried"]}
    assert "hard texts come back" in names
    assert not any("a unit" in check["check"] for check in checks)


def test_a_stock_tokenizer_fails_where_it_should(demo: MinedDemo, stock: Path) -> None:
    checks = {c.name: c for c in check_tokenizer(load_tokenizer(stock), demo.folder)}
    for name in (
        "Δ84 is one id",
        "⟁ and 🜂 are one id each",
        "scenes come out in order and come back",
    ):
        assert not checks[name].holds, name
    assert not checks["a unit is one id"].holds
    assert checks["a unit comes back"].holds


@pytest.mark.parametrize("arguments", [["nowhere"], ["{ours}", "--run", "nowhere"], []])
def test_wrong_use_is_one_line(ours: Path, arguments: list[str]) -> None:
    filled = [argument.format(ours=ours) for argument in arguments]
    done = call_command("check", *filled)
    assert done.code in (2, 3)
    assert done.err.strip()


def test_a_check_looks_at_hard_texts() -> None:
    assert "" in HARD
    assert any("\x00" in text for text in HARD)


@pytest.mark.parametrize(
    ("spans", "problem"),
    [
        ([(1, 0, 2), (2, 2, 8), (3, 8, 9)], None),
        ([(1, 0, 1), (2, 1, 8), (3, 8, 9)], None),
        ([(1, 0, 2), (2, 2, 5), (3, 5, 8)], "2 tokens"),
        ([(1, 0, 2), (2, 2, 9)], "1 tokens"),
        ([(1, 0, 2), (9, 2, 9)], None),
    ],
)
def test_a_cut_is_found_by_where_tokens_end(
    spans: list[tuple[int, int, int]], problem: str | None
) -> None:
    assert find_cut(spans, 2, "united", {9: "united s"}) == problem


def test_a_damaged_list_of_units_is_a_clear_error(
    demo: MinedDemo, ours: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(ours, copy)
    (copy / "units.jsonl").write_text("{")
    with pytest.raises(TokenizerError, match="list of units"):
        check_tokenizer(load_tokenizer(copy), demo.folder)
    (copy / "units.jsonl").unlink()
    with pytest.raises(TokenizerError, match="list of units"):
        check_tokenizer(load_tokenizer(copy))


def test_places_of_units_are_texts_of_the_corpus(demo: MinedDemo) -> None:
    places = read_contexts(demo.folder)
    text = DEMO.read_text(encoding="utf-8").casefold()
    rows = places.select("before", "unit", "after").rows()
    assert len(rows) > 1000
    found = sum("".join(row).strip().casefold() in text for row in rows)
    assert found / len(rows) > 0.9
    with pytest.raises(RunError):
        read_contexts(demo.folder / "none")


# Scenes

SCENE = st.text(
    st.characters(exclude_categories=["Cs", "Cn", "Lu", "Lt", "Z", "Cc", "M"]), max_size=8
)


@given(st.lists(SCENE, min_size=1, max_size=4))
@settings(max_examples=60)
def test_scenes_come_back_in_order(ours: Path, scenes: list[str]) -> None:
    tokenizer = load_once(ours)
    wanted = [tokenizer.decode(tokenizer.encode([scene]))[0] for scene in scenes]
    ids = encode_scenes(tokenizer, scenes)
    assert decode_scenes(tokenizer, ids) == wanted
    pieces = [tokenizer.pieces[number] for number in ids]
    assert pieces[0] == "[SCN]"
    assert pieces.count("[SEP]") == len(scenes) - 1


LOADED: dict[Path, LoadedTokenizer] = {}


def load_once(path: Path) -> LoadedTokenizer:
    if path not in LOADED:
        LOADED[path] = load_tokenizer(path)
    return LOADED[path]


def test_scenes_are_the_ids_of_their_parts_and_of_their_text(ours: Path) -> None:
    tokenizer = load_once(ours)
    scenes = ["жартишина", "входдрожь"]
    ids = encode_scenes(tokenizer, scenes)
    first, second = tokenizer.encode(scenes)
    assert ids.tolist() == [4, *first.tolist(), 5, *second.tolist()]
    assert tokenizer.encode([write_scenes(scenes)])[0].tolist() == ids.tolist()
    assert tokenizer.decode([ids]) == ["[SCN]жартишина[SEP]входдрожь"]


def test_scenes_that_hold_a_sign_or_are_none_are_refused(ours: Path) -> None:
    for scenes in ([], ["a[SEP]b"], ["[SCN]"]):
        with pytest.raises(ValueError, match="scene"):
            encode_scenes(load_once(ours), scenes)


def test_ids_that_are_no_scenes_are_refused(ours: Path) -> None:
    for ids in ([], [5], [100, 4]):
        with pytest.raises(TokenizerError, match=r"do not begin with \[SCN\]"):
            decode_scenes(load_once(ours), ids)


def test_a_tokenizer_without_signs_says_so(stock: Path) -> None:
    for call in (lambda t: encode_scenes(t, ["a"]), lambda t: decode_scenes(t, [1])):
        with pytest.raises(TokenizerError, match="has no token"):
            call(load_once(stock))


def test_an_empty_scene_is_a_scene(ours: Path) -> None:
    tokenizer = load_once(ours)
    assert decode_scenes(tokenizer, encode_scenes(tokenizer, ["", "a", ""])) == ["", "a", ""]


# Loading

GOOD = {"version": "1.0", "model": {"type": "BPE", "vocab": {"a": 0, "b": 1}, "merges": []}}
HOSTILE: dict[str, bytes] = {
    "empty": b"",
    "white": b"  \n",
    "broken": b'{"model": ',
    "deep": b'{"a":' * 100_000,
    "deep list": b'{"model": ' + b"[" * 100_000,
    "list": b"[1, 2]",
    "text": b'"text"',
    "number": b"5",
    "null": b"null",
    "nothing": b"{}",
    "no model": b'{"model": null}',
    "model of text": b'{"model": "BPE"}',
    "unknown model": b'{"model": {"type": "Magic", "vocab": {}}}',
    "bad ids": b'{"model": {"type": "BPE", "vocab": {"a": -1}, "merges": []}}',
    "ids of text": b'{"model": {"type": "BPE", "vocab": {"a": "b"}, "merges": []}}',
    "bad merges": b'{"model": {"type": "BPE", "vocab": {"a": 0}, "merges": [["a", "zz"]]}}',
    "bad expression": json.dumps(GOOD | {"pre_tokenizer": {
        "type": "Split", "pattern": {"Regex": "("}, "behavior": "Isolated", "invert": False,
    }}).encode(),
    "not utf-8": b'{"model": "\xff"}',
    "garbage": bytes(range(256)) * 8,
    "zeros": b"\x00" * 1000,
    "nan": b'{"model": NaN}',
    "unigram": b'{"model": {"type": "Unigram", "unk_id": 9, "vocab": [["a", 0.0]]}}',
    "empty unigram": b'{"model": {"type": "Unigram", "unk_id": 0, "vocab": []}}',
}  # fmt: skip


@pytest.mark.parametrize("name", list(HOSTILE))
def test_a_hostile_file_is_a_clear_error(tmp_path: Path, name: str) -> None:
    for file in ("tokenizer.json", "tokenizer.model"):
        place = tmp_path / file
        place.write_bytes(HOSTILE[name])
        for path in (place, tmp_path):
            with pytest.raises(TokenizerError) as caught:
                load_tokenizer(path)
            assert caught.value.where
            assert caught.value.cure
            assert len(str(caught.value).splitlines()) == 1
        place.unlink()


def test_a_hostile_file_ends_the_command_with_3(tmp_path: Path) -> None:
    for name in ("deep", "garbage", "bad ids"):
        place = tmp_path / "tokenizer.json"
        place.write_bytes(HOSTILE[name])
        done = call_command("check", str(place))
        assert done.code == 3, (name, done.err)
        assert done.err.startswith("error: ") and done.err.count("\n") == 1


def test_what_is_not_there_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(TokenizerError, match="no such file"):
        load_tokenizer(tmp_path / "none")
    with pytest.raises(TokenizerError, match="holds neither"):
        load_tokenizer(tmp_path)
    (tmp_path / "tokenizer_config.json").write_text("{}")
    with pytest.raises(TokenizerError, match="holds neither"):
        load_tokenizer(tmp_path)


@pytest.mark.parametrize("name", ["tokenizer_config.json", "miner.json"])
@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff", b"[" * 100_000])
def test_a_damaged_file_beside_it_is_a_clear_error(
    tmp_path: Path, name: str, content: bytes
) -> None:
    (tmp_path / "tokenizer.json").write_text(json.dumps(GOOD))
    (tmp_path / name).write_bytes(content)
    with pytest.raises(TokenizerError, match=name):
        load_tokenizer(tmp_path)


@pytest.mark.parametrize(
    "card",
    [{"mode": 5}, {"mode": ["exact"]}, {"profile": []}, {"mode": "exact", "profile": {"a": 1}}],
    ids=repr,
)
def test_an_odd_card_is_no_traceback(tmp_path: Path, card: dict) -> None:
    (tmp_path / "tokenizer.json").write_text(json.dumps(GOOD))
    (tmp_path / "miner.json").write_text(json.dumps(card))
    done = call_command("check", str(tmp_path))
    assert done.code in (1, 3)


def test_a_folder_with_a_good_file_is_loaded_with_what_is_beside_it(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text(json.dumps(GOOD))
    (tmp_path / "tokenizer_config.json").write_text('{"chat_template": "{{ x }}"}')
    loaded = load_tokenizer(tmp_path)
    assert (loaded.size, loaded.kind, loaded.chat_template) == (2, "tokenizers", "{{ x }}")
    (tmp_path / "chat_template.jinja").write_text("{{ y }}")
    assert load_tokenizer(tmp_path).chat_template == "{{ y }}"


def test_truncation_and_padding_of_the_file_are_not_obeyed(tmp_path: Path) -> None:
    cut = {"direction": "Right", "max_length": 1, "strategy": "LongestFirst", "stride": 0}
    place = tmp_path / "tokenizer.json"
    place.write_text(json.dumps(GOOD | {"truncation": cut}))
    assert [ids.tolist() for ids in load_tokenizer(place).encode(["abab"])] == [[0, 1, 0, 1]]


def test_an_id_that_nothing_uses_is_an_empty_piece(tmp_path: Path) -> None:
    place = tmp_path / "tokenizer.json"
    model = {"type": "BPE", "vocab": {"a": 0, "b": 3}, "merges": []}
    place.write_text(json.dumps({"model": model}))
    assert load_tokenizer(place).pieces == ["a", "", "", "b"]


def test_an_id_beyond_all_reason_does_not_fill_the_memory(tmp_path: Path) -> None:
    place = tmp_path / "tokenizer.json"
    model = {"type": "BPE", "vocab": {"a": 0, "b": 20_000_000}, "merges": []}
    place.write_text(json.dumps({"model": model}))
    with pytest.raises(TokenizerError):
        load_tokenizer(place)


@given(st.lists(st.text(max_size=5), max_size=20))
@settings(max_examples=50)
def test_batches_are_all_texts_in_order(texts: list[str]) -> None:
    assert [text for batch in cut_batches(texts) for text in batch] == texts


def test_ids_come_as_int64_in_the_order_of_the_texts(ours: Path) -> None:
    tokenizer = load_once(ours)
    found = tokenizer.encode(["a", "", "жартишина"])
    assert [ids.dtype for ids in found] == [np.int64] * 3
    assert [len(ids) for ids in found][1:] == [0, 1]
    assert tokenizer.encode([]) == []


def test_spans_cover_a_text_without_gaps(ours: Path) -> None:
    tokenizer = load_once(ours)
    text = "Жартишина (day after day), Δ84 é ⟁."
    spans = tokenizer.spans([text])[0]
    assert [number for number, _, _ in spans] == tokenizer.encode([text])[0].tolist()
    edges = [(low, high) for _, low, high in spans]
    assert edges[0][0] == 0
    assert edges[-1][1] == len(text)
    assert all(low <= high for low, high in edges)


@pytest.mark.parametrize("ids", [[-1], [10**9], [2**40]])
def test_ids_that_are_none_are_a_clear_error_or_nothing(ours: Path, ids: list[int]) -> None:
    try:
        assert load_once(ours).decode([ids]) == [""]
    except TokenizerError as error:
        assert error.cure
