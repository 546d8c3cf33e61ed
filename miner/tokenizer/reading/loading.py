"""A path to a tokenizer: whatever the format, how does it cut a text, and what do its ids mean?

Known are `tokenizer.json` of Hugging Face, `*.model` of SentencePiece, and folders that hold one of
them. The files come from strangers: nothing in them is run, and a damaged one is a clear error.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from miner.errors import TokenizerError, need_extra, say_reason
from miner.runs.files import check_plain

TOKENIZER_JSON = "tokenizer.json"
MODEL_NAMES = ("tokenizer.model", "spiece.model", "sentencepiece.bpe.model", "sentencepiece.model")
CONFIG = "tokenizer_config.json"
LARGEST = 1 << 30  # bytes of a tokenizer file
MOST_IDS = 10_000_000
PANIC = "PanicException"  # what the core of `tokenizers` throws where it gives up
BATCH = 1 << 20  # characters that are cut at a time

Spans = list[tuple[int, int, int]]  # (id, start, end) of each token, in characters of the text


class Engine(Protocol):
    """What a library does with a tokenizer: texts to ids and back, special tokens not added."""

    def encode(self, texts: list[str]) -> list[list[int]]:
        """Return the ids of each text."""

    def spans(self, texts: list[str]) -> list[Spans]:
        """Return the ids of each text and where each token stands in it."""

    def decode(self, ids: list[list[int]]) -> list[str]:
        """Return the text of each list of ids, special tokens included."""

    def pieces(self) -> list[str]:
        """Return the form of each id as the file writes it; an id that is not used is empty."""


@dataclass(frozen=True)
class LoadedTokenizer:
    """A tokenizer and the files around it, as data.

    `kind` is `tokenizers` or `sentencepiece`. `spec` is the parsed `tokenizer.json`, empty for
    SentencePiece; `config` is `tokenizer_config.json`, and `card` is `miner.json`, what a tokenizer
    of miner tells of itself; both are empty where there is none. `chat_template` is the template,
    from wherever it stands.
    """

    path: Path
    kind: str
    engine: Engine
    pieces: list[str]
    spec: dict[str, Any] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    card: dict[str, Any] = field(default_factory=dict)
    chat_template: str | None = None

    @property
    def name(self) -> str:
        """The name of the folder or file, for tables."""
        return self.path.name or str(self.path)

    @property
    def size(self) -> int:
        """How many ids there are, those that no piece uses included."""
        return len(self.pieces)

    def encode(self, texts: Sequence[str]) -> list[np.ndarray]:
        """Return the ids of each text, int64 (tokens,), special tokens not added.

        TokenizerError where a text cannot be cut: a lone surrogate is no text.
        """
        encoded: list[np.ndarray] = []
        for batch in cut_batches(texts):
            found = self._call(self.engine.encode, batch, batch)
            encoded += [np.array(ids, np.int64) for ids in found]
        return encoded

    def spans(self, texts: Sequence[str]) -> list[Spans]:
        """Return `(id, start, end)` of every token of each text, in characters of the text."""
        return [
            spans
            for batch in cut_batches(texts)
            for spans in self._call(self.engine.spans, batch, batch)
        ]

    def decode(self, ids: Sequence[Sequence[int] | np.ndarray]) -> list[str]:
        """Return the text of each list of ids; special tokens are written out."""
        plain = [[int(number) for number in numbers] for numbers in ids]
        return list(self._call(self.engine.decode, plain, []))

    def _call(self, work: Any, argument: Any, texts: list[str]) -> Any:
        for text in texts:
            check_text(text, where=str(self.path))
        try:
            return work(argument)
        except BaseException as error:
            if not is_failure(error):
                raise
            raise TokenizerError(
                f"the tokenizer fails on this text ({_first_line(error)})",
                where=str(self.path),
                cure="Try the same text with the library it was made for",
            ) from error


def is_failure(error: BaseException) -> bool:
    """Say whether an error is one of a library; a panic of its core is no Exception."""
    return isinstance(error, Exception) or type(error).__name__ == PANIC


def check_text(text: str, *, where: str) -> None:
    """TokenizerError where `text` holds a lone surrogate, which no UTF-8 can carry."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise TokenizerError(
            f"U+{ord(text[error.start]):04X} at character {error.start} is half of a character "
            "(a lone surrogate) and no text",
            where=where,
            cure="Repair the text: text.encode('utf-16', 'surrogatepass').decode('utf-16', "
            "'replace')",
        ) from error


def cut_batches(texts: Sequence[str]) -> Iterator[list[str]]:
    """Yield the texts in order, about `BATCH` characters at a time."""
    batch: list[str] = []
    size = 0
    for text in texts:
        batch.append(text)
        size += len(text)
        if size >= BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def load_tokenizer(path: str | os.PathLike[str]) -> LoadedTokenizer:
    """Return the tokenizer of a file or a folder.

    TokenizerError where nothing there is a tokenizer, or the file is damaged.
    """
    place = Path(path)
    if place.is_dir():
        return _load_folder(place)
    if not place.exists():
        raise TokenizerError(
            "there is no such file or folder",
            where=str(path),
            cure="Name a tokenizer.json, a SentencePiece .model, or a folder with one of them; "
            "nothing is downloaded",
        )
    return _load_file(place, place, {})


def _load_folder(folder: Path) -> LoadedTokenizer:
    """Return the tokenizer of a folder, with what its other files tell."""
    check_plain(folder)
    about: dict[str, Any] = {
        "config": _read_object(folder / CONFIG),
        "card": _read_object(folder / "miner.json"),
    }
    template = folder / "chat_template.jinja"
    about["chat_template"] = (
        _read_text(template) if template.is_file() else _find_template(about["config"])
    )
    return _load_file(folder, find_file(folder), about)


def find_file(path: Path) -> Path:
    """Return the tokenizer's file in a folder, or `path` itself where it is a file."""
    if path.is_file():
        return path
    for name in (TOKENIZER_JSON, *MODEL_NAMES):
        if (path / name).is_file():
            return path / name
    raise TokenizerError(
        f"holds neither {TOKENIZER_JSON} nor {' nor '.join(MODEL_NAMES)}",
        where=str(path),
        cure="Save the tokenizer with save_pretrained, or name the file itself",
    )


def _find_template(config: dict[str, Any]) -> str | None:
    """Return the chat template of a `tokenizer_config.json`; of several, all of them as JSON."""
    template = config.get("chat_template")
    return template if template is None or isinstance(template, str) else json.dumps(template)


def _load_file(path: Path, file: Path, about: dict[str, Any]) -> LoadedTokenizer:
    content = _read_bytes(file)
    if content.lstrip()[:1] == b"{":
        spec = _parse_object(content, file)
        engine: Engine = HuggingFaceEngine.parse(content, file)
        return LoadedTokenizer(path, "tokenizers", engine, engine.pieces(), spec, **about)
    engine = SentencePieceEngine.parse(content, file)
    return LoadedTokenizer(path, "sentencepiece", engine, engine.pieces(), **about)


def _read_bytes(file: Path) -> bytes:
    try:
        size = file.stat().st_size
        if size > LARGEST:
            raise TokenizerError(
                f"holds {size:,} bytes, more than any tokenizer",
                where=str(file),
                cure="Name the tokenizer's file, not the model's weights",
            )
        return file.read_bytes()
    except OSError as error:
        reason = say_reason(error)
        raise TokenizerError(
            f"cannot be read ({reason})", where=str(file), cure="Check the path"
        ) from error


def _read_text(file: Path) -> str:
    try:
        return _read_bytes(file).decode("utf-8")
    except UnicodeDecodeError as error:
        raise TokenizerError("is not UTF-8", where=str(file), cure="Fetch it anew") from error


def _read_object(file: Path) -> dict[str, Any]:
    """Return the object in a JSON file, an empty one where there is no file."""
    return _parse_object(_read_bytes(file), file) if file.is_file() else {}


def _parse_object(content: bytes, file: Path) -> dict[str, Any]:
    try:
        parsed = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise _damaged(file, "is not JSON", error) from error
    if not isinstance(parsed, dict):
        raise _damaged(file, "is not a JSON object", None)
    return parsed


def _damaged(file: Path, problem: str, error: BaseException | None) -> TokenizerError:
    told = f" ({_first_line(error)})" if error else ""
    return TokenizerError(
        f"{problem}{told}", where=str(file), cure="Fetch the file anew, or save it again"
    )


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


class HuggingFaceEngine:
    """A `tokenizer.json` in the library `tokenizers`."""

    def __init__(self, tokenizer: Any) -> None:
        tokenizer.no_truncation()
        tokenizer.no_padding()
        tokenizer.encode_special_tokens = False
        self.tokenizer = tokenizer

    @classmethod
    def parse(cls, content: bytes, file: Path) -> HuggingFaceEngine:
        """Return the tokenizer of a file's content; TokenizerError where the library refuses it."""
        from tokenizers import Tokenizer

        try:
            return cls(Tokenizer.from_buffer(content))
        except BaseException as error:
            if not is_failure(error):
                raise
            raise _damaged(file, "is no tokenizer that `tokenizers` can read", error) from error

    def encode(self, texts: list[str]) -> list[list[int]]:
        """Return the ids of each text."""
        return [e.ids for e in self.tokenizer.encode_batch_fast(texts, add_special_tokens=False)]

    def spans(self, texts: list[str]) -> list[Spans]:
        """Return the ids of each text and where each token stands in it."""
        return [
            [(number, *offset) for number, offset in zip(e.ids, e.offsets, strict=True)]
            for e in self.tokenizer.encode_batch(texts, add_special_tokens=False)
        ]

    def decode(self, ids: list[list[int]]) -> list[str]:
        """Return the text of each list of ids."""
        return list(self.tokenizer.decode_batch(ids, skip_special_tokens=False))

    def pieces(self) -> list[str]:
        """Return the form of each id, byte-level letters as they stand in the file."""
        vocabulary = self.tokenizer.get_vocab(with_added_tokens=True)
        if max(vocabulary.values(), default=0) > MOST_IDS:
            raise TokenizerError(
                f"has an id above {MOST_IDS:,}", cure="No model has so many rows: mend the file"
            )
        pieces = [""] * (max(vocabulary.values(), default=-1) + 1)
        for piece, number in vocabulary.items():
            pieces[number] = piece
        return pieces


class SentencePieceEngine:
    """A `.model` in the library `sentencepiece`."""

    def __init__(self, processor: Any) -> None:
        self.processor = processor

    @classmethod
    def parse(cls, content: bytes, file: Path) -> SentencePieceEngine:
        """Return the model of a file's content; TokenizerError where the library refuses it."""
        if not content:
            raise _damaged(file, "is empty", None)
        need_extra("sentencepiece", f"{file} is no JSON; a SentencePiece model")
        from sentencepiece import SentencePieceProcessor

        try:
            return cls(SentencePieceProcessor(model_proto=content))
        except Exception as error:
            raise _damaged(file, "is no tokenizer that miner can read", error) from error

    def encode(self, texts: list[str]) -> list[list[int]]:
        """Return the ids of each text."""
        return list(self.processor.encode(texts))

    def spans(self, texts: list[str]) -> list[Spans]:
        """Return the ids of each text and where each token stands in it."""
        mapped = self.processor.encode(texts, return_type="offset_mapping")
        return [
            [(number, *offset) for number, offset in zip(e["ids"], e["offsets"], strict=True)]
            for e in mapped
        ]

    def decode(self, ids: list[list[int]]) -> list[str]:
        """Return the text of each list of ids."""
        return list(self.processor.decode(ids))

    def pieces(self) -> list[str]:
        """Return the form of each id, `▁` for a space."""
        return list(self.processor.id_to_piece(list(range(self.processor.get_piece_size()))))
