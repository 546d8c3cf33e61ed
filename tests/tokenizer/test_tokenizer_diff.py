"""Tokenizer diff: is each change told with its severity, and nothing where nothing changed?"""

from __future__ import annotations

import copy
import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from miner.commands.main import main
from miner.errors import ModelError, TokenizerError
from miner.tokenizer.diffing import (
    EXAMPLES,
    Difference,
    Finding,
    describe_difference,
    diff_tokenizers,
    read_sample,
    record_difference,
)
from miner.tokenizer.diffing.rules import find_displaced
from miner.tokenizer.diffing.view import WIDTH
from miner.tokenizer.reading.loading import load_tokenizer
from miner.tokenizer.training.hugging_face import ALPHABET

Spec = dict[str, Any]
TEXTS = ["the cat sat on the mat, the end", "Жар тишина вошла в дом", "x = 1;  y = 22 😀",
         "the theme of the cat"]  # fmt: skip
MERGES = [["t", "h"], ["th", "e"], ["Ġ", "the"], ["a", "t"], ["c", "at"], ["Ġ", "cat"]]
SPLIT = {"type": "Split", "pattern": {"Regex": r" ?\p{L}+| ?\p{N}+|\s+|[^\s\p{L}\p{N}]+"},
         "behavior": "Isolated", "invert": False}  # fmt: skip
BYTES = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
CONFIG = {"bos_token": "<s>", "eos_token": {"content": "</s>"}, "padding_side": "left",
          "model_max_length": 512}  # fmt: skip


@pytest.fixture(autouse=True)
def _keep_signals() -> Iterator[None]:
    """The command listens to SIGTERM; the test run gets its own ear back."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def token(content: str, number: int, **flags: bool) -> Spec:
    named = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized", "special"), False)
    return {"id": number, "content": content, **named, **flags}


def byte_level() -> Spec:
    """A small byte-level BPE: `<s>`, `</s>`, 256 letters, six merges."""
    pieces = ["<s>", "</s>", *ALPHABET, *("".join(merge) for merge in MERGES)]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [token("<s>", 0, special=True), token("</s>", 1, special=True)],
        "normalizer": {"type": "Sequence", "normalizers": [{"type": "NFC"}]},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [copy.deepcopy(SPLIT), {**BYTES}]},
        "post_processor": None,
        "decoder": {
            "type": "ByteLevel",
            "add_prefix_space": True,
            "trim_offsets": True,
            "use_regex": True,
        },
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": {piece: i for i, piece in enumerate(pieces)},
            "merges": copy.deepcopy(MERGES),
        },
    }


def unigram() -> Spec:
    scored = [
        ["<unk>", 0.0],
        *([letter, -9.0] for letter in "▁abcdefghijklmnopqrstuvwxyz"),
        ["▁the", -2.0],
        ["▁cat", -3.0],
        ["at", -4.0],
    ]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": None,
        "post_processor": None,
        "pre_tokenizer": {
            "type": "Metaspace",
            "replacement": "▁",
            "prepend_scheme": "always",
            "split": True,
        },
        "decoder": {
            "type": "Metaspace",
            "replacement": "▁",
            "prepend_scheme": "always",
            "split": True,
        },
        "model": {"type": "Unigram", "unk_id": 0, "vocab": scored, "byte_fallback": False},
    }


def word_piece() -> Spec:
    pieces = ["[UNK]", "[CLS]", "the", "cat", "##s", "a", "sat", "mat", "on", ",", "end"]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [token("[UNK]", 0, special=True), token("[CLS]", 1, special=True)],
        "normalizer": {
            "type": "BertNormalizer",
            "clean_text": True,
            "handle_chinese_chars": True,
            "strip_accents": None,
            "lowercase": True,
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [
                {"SpecialToken": {"id": "[CLS]", "type_id": 0}},
                {"Sequence": {"id": "A", "type_id": 0}},
            ],
            "pair": [
                {"Sequence": {"id": "A", "type_id": 0}},
                {"Sequence": {"id": "B", "type_id": 1}},
            ],
            "special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [1], "tokens": ["[CLS]"]}},
        },
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": {
            "type": "WordPiece",
            "unk_token": "[UNK]",
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
            "vocab": {piece: i for i, piece in enumerate(pieces)},
        },
    }


Change = Callable[[Spec], Any]


@pytest.fixture
def compare(tmp_path: Path) -> Callable[..., Difference]:
    """Diff a tokenizer against a copy of it that was changed."""

    def run(spec: Spec, change: Change, texts: list[str] = TEXTS) -> Difference:
        paths = write_pair(tmp_path, spec, change)
        return diff_tokenizers(*map(load_tokenizer, paths), texts)

    return run


def write_pair(folder: Path, spec: Spec, change: Change) -> tuple[Path, Path]:
    old, new = folder / "old.json", folder / "new.json"
    old.write_text(json.dumps(spec))
    changed = copy.deepcopy(spec)
    change(changed)
    new.write_text(json.dumps(changed))
    return old, new


def kinds(difference: Difference) -> dict[str, str]:
    """The severity of each kind of finding."""
    return {finding.kind: finding.severity for finding in difference.findings}


def find(difference: Difference, kind: str) -> Finding:
    return next(finding for finding in difference.findings if finding.kind == kind)


def add_piece(spec: Spec, left: str, right: str) -> None:
    model = spec["model"]
    model["vocab"][left + right] = len(model["vocab"])
    model["merges"].append([left, right])


# Nothing, and additions


@pytest.mark.parametrize("spec", [byte_level(), unigram(), word_piece()])
def test_identical_files_differ_in_nothing(compare: Any, spec: Spec) -> None:
    found = compare(spec, lambda _: None)
    assert found.findings == ()
    assert (found.exit_code, found.verdict) == (0, "safe: the two are the same")
    assert found.effect.otherwise == found.effect.other_ids == found.effect.lost == 0


def test_what_the_library_ignores_is_no_difference(compare: Any) -> None:
    """Merges as text or as pairs, defaults written out or not, keys that nobody reads."""

    def rewrite(spec: Spec) -> None:
        spec["model"]["merges"] = [" ".join(merge) for merge in MERGES]
        del spec["model"]["fuse_unk"], spec["pre_tokenizer"]["pretokenizers"][1]["use_regex"]
        spec["pre_tokenizer"]["pretokenizers"][1]["use_regex"] = False
        spec["model"]["nobody_reads_this"] = [{"a": 1}]

    assert compare(byte_level(), rewrite).findings == ()


def test_additions_are_notices_and_safe(compare: Any) -> None:
    found = compare(byte_level(), lambda spec: add_piece(spec, "Ġthe", "m"))
    assert kinds(found) == {"added": "notice", "merges added": "notice"}
    assert found.exit_code == 0
    assert found.verdict.startswith("safe: no id moved")
    assert "text without the new pieces is cut as before (3 of 3 lines)" in found.verdict
    assert (found.effect.with_new, found.effect.otherwise_without_new) == (1, 0)
    assert find(found, "added").examples == ("'Ġthem' (264)",)


def test_an_added_token_is_an_addition(compare: Any) -> None:
    found = compare(byte_level(), lambda spec: spec["added_tokens"].append(token("⟁Δ41", 264)))
    assert kinds(found) == {"added": "notice"}
    assert found.exit_code == 0 and found.is_safe


def test_additions_that_cut_other_text_are_not_safe(compare: Any) -> None:
    """A merge that makes an old piece changes lines in which no new piece is."""

    def change(spec: Spec) -> None:
        add_piece(spec, "Ġthe", "m")
        spec["model"]["merges"].insert(0, ["h", "e"])
        spec["model"]["vocab"]["he"] = len(spec["model"]["vocab"])
        spec["model"]["merges"] = spec["model"]["merges"][:1] + spec["model"]["merges"][2:]
        spec["model"]["merges"].append(["t", "he"])
        spec["model"]["merges"] = [m for m in spec["model"]["merges"] if m != ["th", "e"]]

    found = compare(byte_level(), change, ["the that", "thin"])
    assert kinds(found)["merges removed"] == "break"
    assert kinds(found)["merges added to old pieces"] == "warn"
    assert kinds(found)["cuts"] == "warn"
    assert find(found, "cuts").count == found.effect.otherwise_without_new == 2
    assert not found.is_safe


# Pieces and ids


def test_a_removed_piece_breaks(compare: Any) -> None:
    def change(spec: Spec) -> None:
        del spec["model"]["vocab"]["Ġcat"]
        spec["model"]["merges"].remove(["Ġ", "cat"])

    found = compare(byte_level(), change)
    assert kinds(found)["removed"] == kinds(found)["merges removed"] == "break"
    assert find(found, "removed").examples == ("'Ġcat' (263)",)
    assert found.exit_code == 1 and found.verdict.startswith("unsafe: 1 piece removed")
    assert found.effect.otherwise == 2
    example = found.effect.examples[0]
    assert " cat" in example.before and " cat" not in example.after


def test_moved_ids_break(compare: Any) -> None:
    def swap(spec: Spec) -> None:
        vocabulary = spec["model"]["vocab"]
        vocabulary["at"], vocabulary["cat"] = vocabulary["cat"], vocabulary["at"]

    found = compare(byte_level(), swap)
    assert kinds(found) == {"moved": "break", "reused": "break"}
    assert find(found, "moved").count == find(found, "reused").count == 2
    assert find(found, "moved").examples == ("'at': 261 -> 262", "'cat': 262 -> 261")
    assert found.effect.otherwise == 0 and found.effect.other_ids > 0


def test_an_id_used_again_breaks(compare: Any) -> None:
    def rename(spec: Spec) -> None:
        spec["model"]["vocab"]["dog"] = spec["model"]["vocab"].pop("the")
        del spec["model"]["vocab"]["Ġthe"]
        spec["model"]["merges"] = [["t", "h"], ["a", "t"], ["c", "at"], ["Ġ", "cat"]]

    found = compare(byte_level(), rename)
    assert find(found, "reused").examples == ("259: 'the' -> 'dog'",)
    assert kinds(found)["reused"] == kinds(found)["removed"] == "break"
    assert kinds(found)["holes"] == "notice" and find(found, "holes").examples == ("260",)


def test_pieces_with_one_id_break(compare: Any) -> None:
    found = compare(word_piece(), lambda spec: spec["model"]["vocab"].update(mat=6))
    assert find(found, "shared").severity == "break"
    assert "'mat' (6)" in find(found, "shared").examples
    assert found.exit_code == 1


def test_declared_ids_that_the_loader_does_not_follow(compare: Any) -> None:
    spec = byte_level()
    spec["added_tokens"].append(token("<|im_start|>", 264, special=True))

    def renumber(changed: Spec) -> None:
        changed["added_tokens"][-1]["id"] = 300_000

    found = compare(spec, renumber)
    assert kinds(found) == {"renumbered": "break"}
    assert find(found, "renumbered").examples == (
        "'<|im_start|>': 300,000 in the file, 264 when loaded",
    )
    added = compare(byte_level(), lambda s: s["added_tokens"].append(token("<|im_end|>", 9_999)))
    assert kinds(added) == {"added": "notice", "renumbered": "warn"}
    assert added.exit_code == 0


@settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(order=st.permutations(range(11)))
def test_every_permutation_of_ids_is_moved(order: list[int], tmp_path: Path) -> None:
    spec = word_piece()
    spec["added_tokens"], spec["post_processor"] = [], None
    pieces = list(spec["model"]["vocab"])

    def permute(changed: Spec) -> None:
        changed["model"]["vocab"] = {pieces[i]: order[i] for i in range(len(pieces))}

    found = diff_tokenizers(*map(load_tokenizer, write_pair(tmp_path, spec, permute)), ["the cat"])
    moved = sum(order[i] != i for i in range(len(pieces)))
    assert found.exit_code == (1 if moved else 0)
    assert [finding.count for finding in found.findings if finding.kind == "moved"] == (
        [moved] if moved else []
    )


# Steps


def test_a_lost_split_breaks_by_its_name(compare: Any) -> None:
    found = compare(byte_level(), lambda spec: spec["pre_tokenizer"]["pretokenizers"].pop(0))
    lost = find(found, "pre_tokenizer lost")
    assert lost.severity == "break" and found.exit_code == 1
    assert lost.what == (
        "pre_tokenizer lost its Split rule (pre_tokenizer.pretokenizers[0] of OLD)"
    )
    assert "longer contexts" in lost.consequence


def test_a_lost_byte_level_breaks_by_its_name(compare: Any) -> None:
    found = compare(byte_level(), lambda spec: spec["pre_tokenizer"]["pretokenizers"].pop(1))
    assert "ByteLevel step" in find(found, "pre_tokenizer lost").what
    assert kinds(found)["round trip"] == "break"
    assert found.effect.lost >= 3


def test_byte_level_that_cuts_no_more_has_lost_a_split(compare: Any) -> None:
    spec = byte_level()
    spec["pre_tokenizer"] = {**BYTES, "use_regex": True}

    def change(changed: Spec) -> None:
        changed["pre_tokenizer"]["use_regex"] = False

    found = compare(spec, change)
    assert find(found, "pre_tokenizer lost").what == (
        "pre_tokenizer lost its Split rule (pre_tokenizer.use_regex of OLD)"
    )

    def write_out(changed: Spec) -> None:
        changed["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [SPLIT, BYTES]}

    kept = compare(spec, write_out)
    assert kinds(kept) == {"pre_tokenizer changed": "warn"} and kept.is_safe


def test_a_changed_pattern_warns_with_its_path_and_is_shortened(compare: Any) -> None:
    spec = byte_level()
    long = "|".join(f"word{i}" for i in range(2000)) + "|"
    spec["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = long + r"\p{L}+"

    def change(changed: Spec) -> None:
        changed["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = long + r"\p{N}+"

    found = compare(spec, change)
    (example,) = find(found, "pre_tokenizer changed").examples
    assert example.startswith("pre_tokenizer.pretokenizers[0].pattern.Regex: '…")
    assert r"\p{L}+" in example and r"\p{N}+" in example and len(example) < 150
    assert kinds(found)["pre_tokenizer changed"] == "warn"


def test_normalizers_lost_added_moved(compare: Any) -> None:
    spec = byte_level()
    spec["normalizer"]["normalizers"] = [{"type": "NFC"}, {"type": "Lowercase"}]
    lost = compare(spec, lambda changed: changed["normalizer"]["normalizers"].pop())
    assert kinds(lost)["normalizer lost"] == "break"
    moved = compare(spec, lambda changed: changed["normalizer"]["normalizers"].reverse())
    assert kinds(moved) == {"normalizer reordered": "warn"} and moved.exit_code == 0
    more = compare(
        spec, lambda changed: changed["normalizer"]["normalizers"].insert(0, {"type": "NFKC"})
    )
    assert kinds(more)["normalizer added"] == "warn" and more.exit_code == 0
    bare = compare(byte_level(), lambda changed: changed.update(normalizer={"type": "NFC"}))
    assert bare.findings == ()


def test_a_changed_setting_of_a_normalizer_warns(compare: Any) -> None:
    def change(spec: Spec) -> None:
        spec["normalizer"]["lowercase"] = False

    found = compare(word_piece(), change, ["the cat", "The cat"])
    assert kinds(found)["normalizer changed"] == "warn"
    assert find(found, "normalizer changed").examples == ("normalizer.lowercase: true -> false",)
    assert kinds(found)["unknown"] == "break"  # `The` is no piece
    assert found.effect.examples[0].after[0] == "[UNK]"


def test_a_lower_case_normalizer_loses_the_round_trip(compare: Any) -> None:
    found = compare(
        byte_level(), lambda spec: spec["normalizer"]["normalizers"].append({"type": "Lowercase"})
    )
    assert kinds(found)["normalizer added"] == "warn"
    assert kinds(found)["round trip"] == "break"
    assert find(found, "round trip").examples == ("Жар тишина вошла в дом",)


def test_a_lost_decoder_breaks(compare: Any) -> None:
    found = compare(byte_level(), lambda spec: spec.update(decoder=None))
    assert kinds(found)["decoder lost"] == kinds(found)["round trip"] == "break"
    assert found.effect.otherwise == 0


def test_a_changed_post_processor_breaks(compare: Any) -> None:
    found = compare(word_piece(), lambda spec: spec.update(post_processor=None))
    assert kinds(found) == {"post_processor changed": "break"}
    offsets = compare(byte_level(), lambda spec: spec.update(post_processor=dict(BYTES)))
    assert kinds(offsets) == {"post_processor changed": "notice"}


# Models


@pytest.mark.parametrize(
    ("name", "before", "after", "severity"),
    [
        ("dropout", None, 0.1, "warn"),
        ("ignore_merges", False, True, "warn"),
        ("fuse_unk", False, True, "warn"),
        ("byte_fallback", True, False, "break"),
        ("byte_fallback", False, True, "warn"),
        ("unk_token", "<s>", None, "break"),
        ("unk_token", "<s>", "</s>", "break"),
    ],
)
def test_settings_of_the_model(
    compare: Any, name: str, before: Any, after: Any, severity: str
) -> None:
    spec = byte_level()
    spec["model"][name] = before
    found = compare(spec, lambda changed: changed["model"].update({name: after}))
    assert kinds(found)[f"model {name}"] == severity


def test_another_type_of_model_breaks(tmp_path: Path) -> None:
    old, new = tmp_path / "old.json", tmp_path / "new.json"
    old.write_text(json.dumps(byte_level()))
    new.write_text(json.dumps(unigram()))
    found = diff_tokenizers(load_tokenizer(old), load_tokenizer(new), TEXTS)
    assert find(found, "model type").examples == ("model.type: 'BPE' -> 'Unigram'",)
    assert kinds(found)["model type"] == "break"


def test_merges_reordered_warn(compare: Any) -> None:
    def change(spec: Spec) -> None:
        merges = spec["model"]["merges"]
        merges.insert(0, merges.pop(3))

    found = compare(byte_level(), change)
    assert kinds(found) == {"merges reordered": "warn"}
    assert find(found, "merges reordered").examples == ("'a' + 't'",)
    assert found.exit_code == 0 and "all 4 lines of the sample are cut as before" in found.verdict


@given(order=st.permutations(range(8)))
def test_the_fewest_displaced_merges_put_the_rest_in_order(order: list[int]) -> None:
    old = [(str(i), "x") for i in range(8)]
    new = [old[i] for i in order]
    displaced = set(find_displaced(old, new))
    kept = [order[i] for i in range(8) if new[i] not in displaced]
    assert kept == sorted(kept)
    longest = [1] * 8
    for i in range(8):
        longest[i] = 1 + max((longest[j] for j in range(i) if order[j] < order[i]), default=0)
    assert len(kept) == max(longest)


def test_changed_scores_warn(compare: Any) -> None:
    def change(spec: Spec) -> None:
        spec["model"]["vocab"][28][1] = -90.0

    found = compare(unigram(), change, ["the cat"])
    assert kinds(found) == {"scores": "warn", "cuts": "warn", "died": "warn"}
    assert find(found, "scores").examples == ("'▁the': -2 -> -90",)
    assert find(found, "died").examples == ("'▁the' (28)",)
    assert found.exit_code == 0 and found.verdict.startswith("with care: ")


def test_a_dead_piece_is_told(compare: Any) -> None:
    """A piece that no merge makes, and an added token behind another one."""

    def change(spec: Spec) -> None:
        spec["model"]["vocab"]["theater"] = 264

    found = compare(byte_level(), change)
    assert kinds(found) == {"added": "notice", "dead": "warn"}
    assert find(found, "dead").examples == ("'theater' (264)",)


def test_an_added_token_hidden_by_another_is_told(compare: Any) -> None:
    def hide(spec: Spec) -> None:
        spec["normalizer"] = {"type": "Lowercase"}
        spec["added_tokens"] += [
            token("foo bar", 264, normalized=True),
            token("Foo bar", 265, normalized=True),
        ]

    found = compare(byte_level(), hide)
    assert find(found, "dead").severity == "warn"
    assert find(found, "dead").count == 1


def test_an_old_piece_that_no_text_becomes_any_more_is_told(compare: Any) -> None:
    """A Split that cuts spaces off leaves pieces with a space in front dead."""

    def change(spec: Spec) -> None:
        spec["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = r" |\p{L}+|[^ \p{L}]+"

    found = compare(byte_level(), change)
    assert {"'Ġthe' (260)", "'Ġcat' (263)"} <= set(find(found, "died").examples)
    assert found.effect.factor > 1


# Special tokens, roles, templates


@pytest.mark.parametrize("flag", ["special", "lstrip", "rstrip", "single_word", "normalized"])
def test_flags_of_special_tokens_break(compare: Any, flag: str) -> None:
    def change(spec: Spec) -> None:
        spec["added_tokens"][0][flag] = not spec["added_tokens"][0][flag]

    found = compare(byte_level(), change)
    assert kinds(found)["flags"] == "break"
    before = "true -> false" if flag == "special" else "false -> true"
    assert find(found, "flags").examples == (f"'<s>': {flag} {before}",)


def test_flags_of_other_added_tokens_warn(compare: Any) -> None:
    spec = byte_level()
    spec["added_tokens"].append(token("Δ41", 264))

    def change(changed: Spec) -> None:
        changed["added_tokens"][-1]["single_word"] = True

    assert kinds(compare(spec, change)) == {"flags": "warn"}


def test_a_token_that_is_no_longer_added_breaks(compare: Any) -> None:
    found = compare(byte_level(), lambda spec: spec["added_tokens"].pop(0))
    assert kinds(found)["no added token"] == "break"
    gained = compare(byte_level(), lambda spec: spec["added_tokens"].append(token("the", 259)))
    assert kinds(gained)["now an added token"] == "warn"


Write = Callable[..., Path]


@pytest.fixture
def folder(tmp_path: Path) -> Write:
    """A folder with a tokenizer and the files around it."""

    def write(name: str, spec: Spec | None = None, **files: Any) -> Path:
        place = tmp_path / name
        place.mkdir()
        (place / "tokenizer.json").write_text(json.dumps(spec or byte_level()))
        for file, content in files.items():
            text = content if isinstance(content, str) else json.dumps(content)
            ending = "jinja" if file == "chat_template" else "json"
            (place / f"{file}.{ending}").write_text(text)
        return place

    return write


def diff_folders(old: Path, new: Path) -> Difference:
    return diff_tokenizers(load_tokenizer(old), load_tokenizer(new), TEXTS)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({}, {"eos_token": "<s>"}, {"eos_token": "break"}),
        ({}, {"bos_token": None}, {"bos_token": "break"}),
        ({}, {"pad_token": "</s>"}, {"pad_token": "notice"}),
        ({}, {"unk_token": "</s>"}, {"unk_token": "warn"}),
        ({}, {"eos_token": "</s>"}, {}),
        ({}, {"padding_side": "right", "model_max_length": 4096}, {"config": "notice"}),
        ({}, {"add_bos_token": True}, {"config": "break"}),
        ({}, {"clean_up_tokenization_spaces": True}, {"config": "warn"}),
        ({"extra_special_tokens": ["a"]}, {}, {"special tokens": "break"}),
        ({}, {"extra_special_tokens": {"image": "a"}}, {"special tokens": "notice"}),
        ({"chat_template": "a"}, {"chat_template": "b"}, {"chat template": "break"}),
        ({}, {"chat_template": "b"}, {"chat template": "notice"}),
    ],
)
def test_roles_and_settings(folder: Write, before: Spec, after: Spec, expected: Spec) -> None:
    old = folder("old", tokenizer_config=CONFIG | before)
    new = folder("new", tokenizer_config=CONFIG | after)
    found = diff_folders(old, new)
    assert kinds(found) == expected
    assert found.exit_code == ("break" in expected.values())


def test_roles_may_stand_in_the_map(folder: Write) -> None:
    old = folder("old", tokenizer_config=CONFIG)
    rest = {key: value for key, value in CONFIG.items() if not key.endswith("_token")}
    new = folder(
        "new", tokenizer_config=rest, special_tokens_map={"bos_token": "<s>", "eos_token": "</s>"}
    )
    assert diff_folders(old, new).findings == ()


def test_a_changed_template_is_shown_as_a_diff(folder: Write) -> None:
    lines = [f"line {i}" for i in range(9)]
    old = folder("old", chat_template="\n".join(lines))
    lines[4] = "<|im_start|>\u202e"
    found = diff_folders(old, folder("new", chat_template="\n".join(lines)))
    assert find(found, "chat template").examples == (
        "@@ -4,3 +4,3 @@",
        " line 3",
        "-line 4",
        "+<|im_start|>\u202e",
        " line 5",
    )
    assert "+<|im_start|>[U+202E]" in describe_difference(found)


def test_a_single_file_has_no_roles_to_compare(folder: Write) -> None:
    old = folder("old", tokenizer_config=CONFIG)
    found = diff_folders(old, old / "tokenizer.json")
    assert kinds(found) == {"not compared": "none"} and found.exit_code == 0


def test_padding_and_truncation_are_harmless(compare: Any) -> None:
    padding = {
        "strategy": "BatchLongest",
        "direction": "Right",
        "pad_to_multiple_of": None,
        "pad_id": 0,
        "pad_type_id": 0,
        "pad_token": "<s>",
    }
    found = compare(byte_level(), lambda spec: spec.update(padding=padding))
    assert kinds(found) == {"padding": "notice"} and found.exit_code == 0


# Weights


def test_new_ids_without_a_row(folder: Write) -> None:
    old = folder("old", config={"vocab_size": 264})
    spec = byte_level()
    add_piece(spec, "Ġthe", "m")
    found = diff_folders(old, folder("new", spec))
    assert kinds(found)["no row"] == "warn" and found.exit_code == 0
    assert "the model of OLD" in find(found, "no row").what
    padded = diff_folders(old, folder("padded", spec, config={"vocab_size": 320}))
    assert "no row" not in kinds(padded)
    inner = diff_folders(old, folder("inner", spec, config={"text_config": {"vocab_size": 264}}))
    assert "the model of NEW" in find(inner, "no row").what


def test_rows_that_were_not_trained(folder: Write) -> None:
    spec = byte_level()
    for right in "mnos":
        add_piece(spec, "Ġthe", right)
    table = np.random.default_rng(0).normal(size=(272, 8)).astype(np.float32)
    old = folder("old")

    def judge(name: str, rows: np.ndarray | float) -> Difference:
        place = folder(name, spec)
        changed = table.copy()
        changed[264:268] = rows
        save_file({"model.embed_tokens.weight": changed}, place / "model.safetensors")
        return diff_folders(old, place)

    assert "untrained" not in kinds(judge("trained", table[264:268]))
    assert find(judge("zero", 0.0), "untrained").examples == (
        "model.embed_tokens.weight, 4 rows seen: all zero",
    )
    assert find(judge("same", table[:264].mean(axis=0)), "untrained").severity == "warn"


def test_weights_in_brain_floats_are_read(tmp_path: Path) -> None:
    from miner.tokenizer.diffing.weights import find_tables

    rows = np.arange(6, dtype=np.float32).reshape(3, 2)
    content = (rows.view(np.uint32) >> 16).astype("<u2").tobytes()
    header = json.dumps(
        {"wte.weight": {"dtype": "BF16", "shape": [3, 2], "data_offsets": [0, len(content)]}}
    ).encode()
    (tmp_path / "model.safetensors").write_bytes(
        len(header).to_bytes(8, "little") + header + content
    )
    (table,), told = find_tables(tmp_path)
    assert told is None and table.rows == 3
    assert np.array_equal(table.read(np.array([2, 0])), rows[[2, 0]])


# SentencePiece


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A small SentencePiece model as a message that can be changed."""
    from sentencepiece import SentencePieceTrainer, sentencepiece_model_pb2

    place = tmp_path_factory.mktemp("piece")
    lines = ["the cat sat on the mat", "a cat and a hat", "the end of the day"] * 50
    SentencePieceTrainer.train(
        sentence_iterator=iter(lines),
        model_prefix=str(place / "m"),
        vocab_size=300,
        model_type="bpe",
        byte_fallback=True,
        hard_vocab_limit=False,
        minloglevel=9,
        user_defined_symbols=["Δ41"],
    )
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString((place / "m.model").read_bytes())
    return proto


def diff_models(place: Path, model: Any, change: Callable[[Any], Any]) -> Difference:
    old, new = place / "old.model", place / "new.model"
    old.write_bytes(model.SerializeToString())
    changed = type(model)()
    changed.CopyFrom(model)
    change(changed)
    new.write_bytes(changed.SerializeToString())
    return diff_tokenizers(load_tokenizer(old), load_tokenizer(new), TEXTS)


def test_sentencepiece_models(tmp_path: Path, model: Any) -> None:
    same = diff_models(tmp_path, model, lambda _: None)
    assert same.findings == ()

    def prefix(proto: Any) -> None:
        proto.normalizer_spec.add_dummy_prefix = False

    found = diff_models(tmp_path, model, prefix)
    assert kinds(found)["normalizer changed"] == "warn"
    assert find(found, "normalizer changed").examples == (
        "normalizer.add_dummy_prefix: true -> false",
    )

    def charsmap(proto: Any) -> None:
        proto.normalizer_spec.precompiled_charsmap = b""

    assert kinds(diff_models(tmp_path, model, charsmap))["normalizer lost"] == "break"


def test_sentencepiece_pieces(tmp_path: Path, model: Any) -> None:
    known = {entry.piece: number for number, entry in enumerate(model.pieces)}

    def retype(proto: Any) -> None:
        proto.pieces[known["Δ41"]].type = 1

    found = diff_models(tmp_path, model, retype)
    assert find(found, "types").examples == ("'Δ41': USER_DEFINED -> NORMAL",)
    assert kinds(found)["types"] == "break"

    def score(proto: Any) -> None:
        proto.pieces[known["▁cat"]].score = -999.0

    assert kinds(diff_models(tmp_path, model, score))["scores"] == "warn"

    def add(proto: Any) -> None:
        proto.pieces.add(piece="▁brandnew", score=0.0, type=4)

    more = diff_models(tmp_path, model, add)
    assert kinds(more) == {"added": "notice"} and more.is_safe

    def fall(proto: Any) -> None:
        proto.trainer_spec.byte_fallback = False
        for entry in proto.pieces:
            entry.type = 1 if entry.type == 6 else entry.type

    lost = diff_models(tmp_path, model, fall)
    assert kinds(lost)["model byte_fallback"] == "break"
    assert kinds(lost)["unknown"] == kinds(lost)["round trip"] == "break"


def test_libraries_that_differ_are_compared_as_far_as_can_be(tmp_path: Path, model: Any) -> None:
    old, new = tmp_path / "old.model", tmp_path / "new.json"
    old.write_bytes(model.SerializeToString())
    new.write_text(json.dumps(unigram()))
    found = diff_tokenizers(load_tokenizer(old), load_tokenizer(new), TEXTS)
    assert kinds(found)["library"] == "warn"
    assert kinds(found)["removed"] == "break"


# Hostile files


@pytest.mark.parametrize(
    "change",
    [
        lambda spec: spec.update(added_tokens="x"),
        lambda spec: spec.update(added_tokens=[1, 2]),
        lambda spec: spec["model"].update(vocab=[["a"], 3]),
        lambda spec: spec["model"].update(vocab={"a": "b"}),
        lambda spec: spec["model"].update(merges=[["only one"]]),
        lambda spec: spec.update(normalizer={"type": "Sequence", "normalizers": "x"}),
        lambda spec: spec.update(model=7),
    ],
)
def test_wrong_types_are_clear_errors(compare: Any, change: Change) -> None:
    with pytest.raises(TokenizerError) as caught:
        compare(byte_level(), change)
    assert "new.json" in str(caught.value) and caught.value.cure


@pytest.mark.parametrize(
    "config",
    [
        {"bos_token": [1]},
        {"eos_token": {"content": 5}},
        {"extra_special_tokens": "abc"},
        {"extra_special_tokens": [["x"]]},
        {"a": json.loads("[" * 200 + "]" * 200)},
    ],
)
def test_hostile_configs_are_clear_errors(folder: Write, config: Spec) -> None:
    old = folder("old", tokenizer_config=CONFIG)
    with pytest.raises(TokenizerError) as caught:
        diff_folders(old, folder("new", tokenizer_config=config))
    assert "new" in str(caught.value) and caught.value.cure


def test_damaged_files_beside_it_are_clear_errors(folder: Write) -> None:
    spec = byte_level()
    add_piece(spec, "Ġthe", "m")
    old, new = folder("old"), folder("new", spec)
    (new / "model.safetensors").write_bytes(b"\xff" * 64)
    with pytest.raises(ModelError, match="no safetensors file"):
        diff_folders(old, new)
    (new / "model.safetensors").unlink()
    (new / "config.json").write_text("[" * 9_000)
    with pytest.raises(TokenizerError, match="not JSON"):
        diff_folders(old, new)


def test_a_regex_without_end_is_a_failure_and_no_traceback(compare: Any) -> None:
    def change(spec: Spec) -> None:
        spec["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = "(x+x+)+y"

    found = compare(byte_level(), change, ["x" * 60, "fine"])
    assert kinds(found)["fails"] == "break" and found.effect.failed == 1


def test_a_text_that_explodes_is_a_clear_error(compare: Any) -> None:
    def change(spec: Spec) -> None:
        spec["normalizer"]["normalizers"] += [
            {"type": "Replace", "pattern": {"String": "a"}, "content": "a" * 40}
        ] * 3

    with pytest.raises(TokenizerError, match=r"turns .* characters into .* tokens"):
        compare(byte_level(), change, ["aaaa"])


def test_whatever_a_file_says_is_shown_safely(compare: Any) -> None:
    evil = "x\x1b[31m\u202e\r\n\u2066"
    found = compare(byte_level(), lambda spec: spec["model"]["vocab"].update({evil: 264}))
    shown = describe_difference(found, evil)
    assert all(line.isprintable() for line in shown.split("\n"))
    assert json.loads(json.dumps(record_difference(found)))["findings"]


# Size, form, command


def test_large_vocabularies_are_compared_whole(tmp_path: Path) -> None:
    """What compares each piece with each other never ends here."""
    spec = word_piece()
    spec["model"]["vocab"] |= {f"word{i}": 11 + i for i in range(100_000)}

    def reverse(changed: Spec) -> None:
        changed["model"]["vocab"] |= {f"word{i}": 100_010 - i for i in range(100_000)}

    old, new = map(load_tokenizer, write_pair(tmp_path, spec, reverse))
    found = diff_tokenizers(old, new, TEXTS)
    assert find(found, "moved").count == 100_000
    assert len(find(found, "moved").examples) == EXAMPLES
    assert "... and 99,997 more" in describe_difference(found)


Say = Callable[..., tuple[int, str, str]]


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Say:
    def run(*arguments: str | Path) -> tuple[int, str, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main([str(argument) for argument in arguments])
        told = capsys.readouterr()
        assert isinstance(left.value.code, int)
        return left.value.code, told.out, told.err

    return run


def remove_cat(spec: Spec) -> None:
    del spec["model"]["vocab"]["Ġcat"]
    spec["model"]["merges"].remove(["Ġ", "cat"])


def test_the_command_tells_and_leaves_with_its_code(tmp_path: Path, say: Say) -> None:
    old, new = write_pair(tmp_path, byte_level(), remove_cat)
    code, out, err = say("diff", old, new)
    assert code == 1 and err == ""
    assert out.index("break   1 piece removed") < out.index("measured on the built-in sample")
    assert out.splitlines()[-1].startswith("unsafe: ")
    assert say("diff", old, old)[0] == 0
    assert say("diff", new, old)[0] == 0  # what one lost is an addition to the other
    body = [line for line in out.splitlines() if not line.startswith(("OLD", "NEW"))]
    assert max(map(len, body)) <= WIDTH


def test_the_command_prints_one_object(tmp_path: Path, say: Say) -> None:
    old, new = write_pair(tmp_path, byte_level(), remove_cat)
    sample = tmp_path / "sample.txt"
    sample.write_text("the cat\nno such animal\n")
    code, out, _ = say("diff", old, new, "--json", "--sample", sample)
    told = json.loads(out)
    assert (code, told["exit_code"], told["safe"]) == (1, 1, False)
    assert told["effect"]["lines"] == 2 and told["effect"]["otherwise"] == 1
    assert told["effect"]["factor"] == pytest.approx(
        told["effect"]["tokens_after"] / told["effect"]["tokens_before"]
    )
    assert {"severity", "kind", "what", "consequence", "cure", "count", "examples"} == set(
        told["findings"][0]
    )
    assert told["old"]["pieces"] == told["new"]["pieces"] + 1


def test_mistakes_are_one_line(tmp_path: Path, say: Say) -> None:
    old, new = write_pair(tmp_path, byte_level(), lambda spec: spec.update(added_tokens="x"))
    code, out, err = say("diff", old, new)
    assert (code, out) == (3, "") and err.startswith("error: ") and err.count("\n") == 1
    code, _, err = say("diff", old, tmp_path / "nothing")
    assert code in (2, 3) and err.count("\n") <= 4
    empty = tmp_path / "model.bin"
    empty.write_bytes(b"\x00\x01")
    code, _, err = say("diff", old, old, "--sample", empty)
    assert code == 3 and "bytes and no text" in err


def test_help_teaches_by_examples(say: Say) -> None:
    code, out, _ = say("diff", "--help")
    assert code == 0 and "miner diff ./base ./tokenizer" in out


def test_a_sample_is_text_and_the_built_in_one_is_mixed(tmp_path: Path) -> None:
    lines = read_sample(None)
    assert 30 <= len(lines) <= 60
    assert any("\n" in line for line in lines) and any("😀" in line for line in lines)
    assert any("你" in line or "我" in line for line in lines)
    path = tmp_path / "rows.jsonl"
    path.write_text('{"text": "one"}\n{"text": "two"}\n')
    assert read_sample(path) == ["one", "two"]


def test_a_real_model_against_itself_and_an_edited_copy(shared: Path, tmp_path: Path) -> None:
    base = shared / "models" / "potion-base-4m"
    same = diff_folders(base, base)
    assert same.findings == ()
    spec = json.loads((base / "tokenizer.json").read_text(encoding="utf-8"))
    spec["added_tokens"].append(token("Δ41Δ", len(spec["model"]["vocab"])))
    edited = tmp_path / "edited"
    edited.mkdir()
    (edited / "tokenizer.json").write_text(json.dumps(spec))
    found = diff_folders(base, edited)
    assert kinds(found) == {"added": "notice", "no row": "warn"}
    assert found.exit_code == 0 and found.is_safe
