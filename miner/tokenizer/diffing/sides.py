"""A loaded tokenizer to what can be compared: which steps, settings and ids does it have really?

What the library understood is compared, not what the file says: a key that nobody reads changes
nothing, a default that is written out is no change, and ids in `added_tokens` are not binding.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from miner.errors import TokenizerError, say_reason
from miner.tokenizer.reading.loading import HuggingFaceEngine, LoadedTokenizer, SentencePieceEngine

DEEPEST = 64  # levels of a config file
PARTS = ("normalizer", "pre_tokenizer", "post_processor", "decoder")
ROLES = ("bos_token", "eos_token", "unk_token", "pad_token", "mask_token", "sep_token", "cls_token")
EXTRA_LISTS = ("additional_special_tokens", "extra_special_tokens")

TYPES = {1: "NORMAL", 2: "UNKNOWN", 3: "CONTROL", 4: "USER_DEFINED", 5: "UNUSED", 6: "BYTE"}

Object = dict[str, Any]


@dataclass(frozen=True)
class Side:
    """One of the two tokenizers.

    `places` is the id of each piece, `parts` the steps of each part as the library holds them,
    `model` the settings of the model without its vocabulary, `merges` the merges in order, `scores`
    and `types` what each piece has beside its id, and `added` the added tokens by their content.
    """

    tokenizer: LoadedTokenizer
    places: dict[str, int]
    parts: Object = field(default_factory=dict)
    model: Object = field(default_factory=dict)
    merges: list[tuple[str, str]] = field(default_factory=list)
    scores: dict[str, float] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    added: dict[str, Object] = field(default_factory=dict)
    declared: dict[str, int] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """The library that reads it."""
        return self.tokenizer.kind

    @property
    def has_config(self) -> bool:
        """Whether files beside the tokenizer could tell roles and the chat template."""
        return self.tokenizer.path.is_dir()

    @cached_property
    def used(self) -> dict[int, str]:
        """The piece of each id that has one."""
        return {number: piece for piece, number in self.places.items()}

    @cached_property
    def settings(self) -> Object:
        """`tokenizer_config.json`, with the roles that `special_tokens_map.json` tells."""
        told = read_object(self.tokenizer.path / "special_tokens_map.json")
        settings = {**told, **self.tokenizer.config}
        check_depth(settings, self.tokenizer.path)
        return settings

    @cached_property
    def roles(self) -> dict[str, str]:
        """The token of each role that is filled."""
        told = {role: self._read_token(role, self.settings.get(role)) for role in ROLES}
        return {role: token for role, token in told.items() if token is not None}

    @cached_property
    def extra_roles(self) -> set[str]:
        """The special tokens that have no role, as the config lists them."""
        return {
            token
            for name in EXTRA_LISTS
            for entry in self._list_entries(name)
            if (token := self._read_token(name, entry)) is not None
        }

    @property
    def unknown(self) -> str | None:
        """The piece that stands for what the model does not know."""
        if self.kind == "sentencepiece":
            return next((piece for piece, kind in self.types.items() if kind == "UNKNOWN"), None)
        if "unk_id" in self.model:
            return self.used.get(self.model["unk_id"])
        return self.model.get("unk_token")

    def _read_token(self, name: str, entry: Any) -> str | None:
        token = entry.get("content") if isinstance(entry, dict) else entry
        if token is None or isinstance(token, str):
            return token
        raise TokenizerError(
            f"{name} is no token but {type(token).__name__}",
            where=str(self.tokenizer.path),
            cure="Mend tokenizer_config.json or special_tokens_map.json",
        )

    def _list_entries(self, name: str) -> list[Any]:
        entries = self.settings.get(name) or []
        if isinstance(entries, dict):
            return list(entries.values())
        if isinstance(entries, list):
            return entries
        raise TokenizerError(
            f"{name} is no list of tokens",
            where=str(self.tokenizer.path),
            cure="Mend tokenizer_config.json or special_tokens_map.json",
        )


def view_side(tokenizer: LoadedTokenizer) -> Side:
    """Return what can be compared of a tokenizer; TokenizerError where a file holds nonsense."""
    if isinstance(tokenizer.engine, HuggingFaceEngine):
        return _view_hugging_face(tokenizer, tokenizer.engine.tokenizer)
    if isinstance(tokenizer.engine, SentencePieceEngine):
        return _view_sentencepiece(tokenizer, tokenizer.engine.processor)
    return Side(tokenizer, {piece: i for i, piece in enumerate(tokenizer.pieces) if piece})


def _view_hugging_face(tokenizer: LoadedTokenizer, held: Any) -> Side:
    try:
        spec = json.loads(held.to_str())
    except Exception as error:
        raise TokenizerError(
            f"cannot be written out by `tokenizers` ({error})",
            where=str(tokenizer.path),
            cure="Save it again with the library that made it",
        ) from error
    model = dict(spec["model"])
    vocabulary, merges = model.pop("vocab", {}), model.pop("merges", [])
    scores = {} if isinstance(vocabulary, dict) else {piece: score for piece, score in vocabulary}
    return Side(
        tokenizer,
        held.get_vocab(with_added_tokens=True),
        {part: spec.get(part) for part in PARTS},
        model,
        [(left, right) for left, right in merges],
        scores,
        added={token["content"]: token for token in spec["added_tokens"]},
        declared=_read_declared(tokenizer),
    )


def _read_declared(tokenizer: LoadedTokenizer) -> dict[str, int]:
    """Return the ids that the file gives its added tokens, which the library need not follow."""
    listed = tokenizer.spec.get("added_tokens") or []
    try:
        return {str(token["content"]): int(token["id"]) for token in listed}
    except (TypeError, KeyError, ValueError) as error:
        raise TokenizerError(
            "added_tokens is no list of tokens with ids",
            where=str(tokenizer.path),
            cure="Save it again with the library that made it",
        ) from error


def _view_sentencepiece(tokenizer: LoadedTokenizer, held: Any) -> Side:
    proto = _parse_proto(tokenizer, held.serialized_model_proto())
    trained, normal = proto.trainer_spec, proto.normalizer_spec
    return Side(
        tokenizer,
        {entry.piece: number for number, entry in enumerate(proto.pieces)},
        {
            "normalizer": {
                "precompiled_charsmap": _digest(normal.precompiled_charsmap),
                "add_dummy_prefix": normal.add_dummy_prefix,
                "remove_extra_whitespaces": normal.remove_extra_whitespaces,
                "escape_whitespaces": normal.escape_whitespaces,
            },
            "denormalizer": {
                "precompiled_charsmap": _digest(proto.denormalizer_spec.precompiled_charsmap)
            },
        },
        {
            "type": _name_value(trained, "model_type"),
            "byte_fallback": trained.byte_fallback,
            "treat_whitespace_as_suffix": trained.treat_whitespace_as_suffix,
            "unk_surface": trained.unk_surface,
        },
        scores={entry.piece: entry.score for entry in proto.pieces},
        types={entry.piece: TYPES.get(entry.type, "NORMAL") for entry in proto.pieces},
    )


def _parse_proto(tokenizer: LoadedTokenizer, content: bytes) -> Any:
    from google.protobuf.message import DecodeError
    from sentencepiece import sentencepiece_model_pb2

    proto = sentencepiece_model_pb2.ModelProto()  # type: ignore[attr-defined]
    try:
        proto.ParseFromString(content)
    except DecodeError as error:
        raise TokenizerError(
            "is no SentencePiece model that miner can read",
            where=str(tokenizer.path),
            cure="Fetch it anew",
        ) from error
    return proto


def _name_value(message: Any, field_name: str) -> str:
    """Return the name of the value that a field of an enumeration has."""
    field_type = message.DESCRIPTOR.fields_by_name[field_name].enum_type
    return str(field_type.values_by_number[getattr(message, field_name)].name)


def _digest(table: bytes) -> str | None:
    """Return what tells one table of rules from another, none where there is no rule."""
    if not table:
        return None
    return f"{len(table):,} bytes, sha256 {hashlib.sha256(table).hexdigest()[:12]}"


def read_object(file: Path) -> Object:
    """Return the object in a JSON file, an empty one where there is no file."""
    if not file.is_file():
        return {}
    try:
        parsed = json.loads(file.read_bytes())
    except OSError as error:
        reason = say_reason(error)
        raise TokenizerError(
            f"cannot be read ({reason})", where=str(file), cure="Check the path"
        ) from error
    except (ValueError, RecursionError) as error:
        raise TokenizerError(
            f"is not JSON ({error})", where=str(file), cure="Fetch the file anew"
        ) from error
    if not isinstance(parsed, dict):
        raise TokenizerError("is not a JSON object", where=str(file), cure="Fetch the file anew")
    check_depth(parsed, file)
    return parsed


def check_depth(settings: Mapping[str, Any], where: Path) -> None:
    """TokenizerError where an object is nested deeper than any settings are."""
    level: list[Any] = [settings]
    for _ in range(DEEPEST):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, (dict, list))
        ]
        if not level:
            return
    raise TokenizerError(
        f"settings are nested more than {DEEPEST} levels deep",
        where=str(where),
        cure="Fetch tokenizer_config.json anew",
    )
