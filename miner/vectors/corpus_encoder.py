"""A corpus to its own sentence encoder: which atoms keep the same company, with no model at hand?

Positive PMI of atoms in a window, truncated SVD, and a share of the vectors of words that begin
alike for what is rare. Arrays and files only, so that any script, a made-up language or bytes get
vectors in seconds; what is saved is an ordinary sentence-transformers folder.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numba import njit
from threadpoolctl import threadpool_limits

from miner.errors import EncoderError
from miner.progress import Advance, idle

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from tokenizers.normalizers import Normalizer

# Measured on 29 MB of Russian prose and 18 MB of English novels (benchmarks/embedding.py prints
# the table). A window of 10 that crosses punctuation beats 5 and 3, and beats being cut by it;
# 5,000 x 5,000 beats 20,000 x 20,000, whose rare cells are noise that the SVD follows.
DIMENSION = 96
WINDOW = 10
VOCABULARY = 5_000  # atoms that make the matrix; every other atom is folded in
POSITIONS = 16 << 20  # of a larger corpus an even sample is read: time and memory stay bounded
SMOOTHING = 0.75  # of the context distribution (Levy et al. 2015)
DISCOUNT = 0.5  # meetings side by side that a pair must outweigh (after Pantel & Lin 2002)
OVERSAMPLING, PASSES = 10, 3
BLOCK = 1 << 16

SHORTEST, LONGEST = 3, 8  # letters that two words must begin with alike
STEM_PRIOR = 5.0
PIECE_WORDS = 4  # words that a beginning must have to stand for unseen ones
OWN_EVIDENCE = 12.0  # occurrences that weigh as much as all words that begin alike
SIF = 1e-3
KEPT = 50_000  # atoms in a saved encoder
TEXTS_AT_ONCE = 4096
UNKNOWN, CONTINUES = "[UNK]", "##"
INSIDE_LETTERS = 4  # a shorter atom inside an unknown word is more often an ending

# What the rules of `miner.text.pretokenization` say, as patterns of the Oniguruma library.
_SIGNS = r"".join(
    rf"\p{{{script}}}"
    for script in (
        "Han",
        "Hiragana",
        "Bopomofo",
        "Yi",
        "Thai",
        "Lao",
        "Tibetan",
        "Myanmar",
        "Khmer",
        "Balinese",
        "Javanese",
        "Tai_Tham",
        "Tai_Le",
        "New_Tai_Lue",
        "Linear_A",
        "Linear_B",
        "Cuneiform",
        "Egyptian_Hieroglyphs",
        "Anatolian_Hieroglyphs",
        "Tangut",
        "Nushu",
    )
)
_LETTERS = rf"[[\p{{L}}\p{{N}}\p{{M}}\p{{Co}}_]&&[^{_SIGNS}\p{{Katakana}}]]+"
_JOINED = rf"(?:['’ʼ.\-‐‑]{_LETTERS}|(?<=\p{{N}}),(?=\p{{N}}){_LETTERS})*"
_GRAPHEME = r"(?!\s)\X"
_SPACELESS = (
    rf"\p{{Katakana}}[\p{{Katakana}}\p{{M}}ー]*|[{_SIGNS}][\p{{M}}\u0E33\u0EB3\u0F0B]*|{_GRAPHEME}"
)
_HIEROGLYPH = r"(?:\p{Egyptian_Hieroglyphs}\p{M}*)"
_BRACKETED = r"\((?=\S*?\p{Egyptian_Hieroglyphs})(?:[^\s()]|\([^\s()]*\))*\)"
_SIGN_GROUP = (
    rf"(?:\x{{13379}}[^\s\x{{13379}}\x{{1337A}}]*\x{{1337A}}|{_HIEROGLYPH}|{_BRACKETED})"
    rf"(?:[:*&](?:{_HIEROGLYPH}|{_BRACKETED})|(?=\([:*]){_BRACKETED}"
    rf"|(?<=[:*]\))(?:{_HIEROGLYPH}|{_BRACKETED}))*"
)
_CUTS = {
    "words": rf"{_LETTERS}://\S*[\p{{L}}\p{{N}}_/]|{_LETTERS}{_JOINED}|{_SIGN_GROUP}|{_SPACELESS}",
    "code": rf"{_SIGN_GROUP}|{_LETTERS}|[\p{{Ps}}\p{{Pe}}]|(\p{{P}})\1*|{_SPACELESS}",
    "transliteration": r"\S+",
    "symbols": rf"{_SIGN_GROUP}|{_GRAPHEME}",
    "molecules": rf"\[[^\[\]\s]*\]|Cl|Br|%\d\d|{_GRAPHEME}",
    "bytes": r"<0x[0-9A-F]{2}>",
}
_FOLDER = {
    "modules.json": [
        {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.StaticEmbedding"},
        {
            "idx": 1,
            "name": "1",
            "path": "1_Normalize",
            "type": "sentence_transformers.models.Normalize",
        },
    ],
    "config_sentence_transformers.json": {
        "model_type": "SentenceTransformer",
        "prompts": {},
        "default_prompt_name": None,
        "similarity_fn_name": "cosine",
    },
}


@dataclass(frozen=True)
class CorpusEncoder:
    """Vectors of the atoms of a corpus: float32 unit rows, row i is atom i + 1.

    `weights` (atoms,) say how much an atom tells; `pieces` are beginnings of words, for words that
    the corpus does not hold.
    """

    texts: Sequence[str]
    vectors: np.ndarray
    weights: np.ndarray
    pieces: Sequence[str]
    piece_vectors: np.ndarray
    name: str = "corpus"

    @property
    def dimension(self) -> int:
        """Columns of a vector."""
        return int(self.vectors.shape[1])


def train_encoder(
    ids: np.ndarray,
    counts: np.ndarray,
    texts: Iterable[str],
    *,
    dimension: int = DIMENSION,
    window: int = WINDOW,
    vocabulary: int = VOCABULARY,
    seed: int = 0,
) -> CorpusEncoder:
    """Train an encoder on a stream of atoms: vectors, weights and pieces for unseen words.

    Windows cross stops, which count as a place: measured better than cutting at them.

    `ids` uint32 as `miner.text.pretokens` writes them (it may lie on disk); `counts` (atoms,) of
    atom i + 1, falling; `texts` their canonical texts.
    """
    spelled = pl.Series("text", texts, dtype=pl.String)
    own, seen = _read_company(
        ids, counts, dimension=dimension, window=window, vocabulary=vocabulary, seed=seed
    )
    shared, pieces, stems = _share_stems(own, seen, spelled)
    vectors = _blend(own, shared, seen, seed=seed)
    return CorpusEncoder(spelled.to_list(), vectors, weigh_atoms(counts), pieces, stems)


def train_atom_vectors(
    ids: np.ndarray,
    counts: np.ndarray,
    *,
    dimension: int = DIMENSION,
    window: int = WINDOW,
    vocabulary: int = VOCABULARY,
    seed: int = 0,
) -> np.ndarray:
    """Return float32 unit rows (atoms, dimension) from the company that atoms keep, no spelling.

    An atom that was never seen beside another gets a random direction: near to nothing.
    """
    own, seen = _read_company(
        ids, counts, dimension=dimension, window=window, vocabulary=vocabulary, seed=seed
    )
    return _blend(own, np.zeros_like(own), seen, seed=seed)


def weigh_atoms(counts: np.ndarray) -> np.ndarray:
    """Return the smooth inverse frequency a / (a + p) of each atom, float32 (Arora et al. 2017).

    >>> weigh_atoms(np.array([999, 1])).round(3)
    array([0.001, 0.5  ], dtype=float32)
    """
    share = counts / max(int(counts.sum()), 1)
    return (SIF / (SIF + share)).astype(np.float32)


def embed_runs(
    vectors: np.ndarray, weights: np.ndarray, atoms: np.ndarray, offsets: np.ndarray
) -> np.ndarray:
    """Return one float32 unit row per run: the direction of the weighted sum of its atoms.

    `atoms` are atom numbers, from 1, run after run; run i is `atoms[offsets[i]:offsets[i + 1]]`.
    A run whose atoms cancel out, or that is empty, is a row of zeros.
    """
    if offsets.shape[0] == 0 or offsets[0] != 0 or offsets[-1] != atoms.shape[0]:
        raise ValueError(f"offsets must run from 0 to {atoms.shape[0]}, the number of atoms")
    if atoms.size and not 1 <= int(atoms.min()) <= int(atoms.max()) <= vectors.shape[0]:
        raise ValueError(f"atoms must lie in 1..{vectors.shape[0]}")
    rows = np.zeros((offsets.shape[0] - 1, vectors.shape[1]), np.float32)
    _sum_runs(vectors, weights, atoms, offsets, rows)
    _scale_rows(rows)
    return rows


@njit(nogil=True, cache=True, fastmath=True, inline="always")
def _add_scaled(target: np.ndarray, scale: float, source: np.ndarray) -> None:
    for j in range(target.shape[0]):
        target[j] += scale * source[j]


@njit(nogil=True, cache=True, fastmath=True)
def _sum_runs(
    vectors: np.ndarray,
    weights: np.ndarray,
    atoms: np.ndarray,
    offsets: np.ndarray,
    rows: np.ndarray,
) -> None:
    for run in range(rows.shape[0]):
        row = rows[run]
        for place in range(offsets[run], offsets[run + 1]):
            atom = np.int64(atoms[place]) - 1
            _add_scaled(row, weights[atom], vectors[atom])


# ---------------------------------------------------------------- a folder that others can load


@dataclass(frozen=True)
class StaticEncoder:
    """Texts to unit rows by looking tokens up in a table: an `Encoder` that needs no torch."""

    name: str
    tokenizer: Tokenizer
    rows: np.ndarray
    device: str = "cpu"
    precision: str = "float32"

    @property
    def dimension(self) -> int:
        """Columns of a vector."""
        return int(self.rows.shape[1])

    def encode(self, texts: Sequence[str] | pl.Series, *, advance: Advance = idle) -> np.ndarray:
        """Return float32 unit rows in the order of `texts`; zeros where no token is known."""
        parts = [np.zeros((0, self.dimension), np.float32)]
        weights = np.ones(self.rows.shape[0], np.float32)
        for first in range(0, len(texts), TEXTS_AT_ONCE):
            batch = list(texts[first : first + TEXTS_AT_ONCE])
            found = self.tokenizer.encode_batch_fast(batch, add_special_tokens=False)
            tokens = [encoding.ids for encoding in found]
            offsets = np.cumsum([0, *map(len, tokens)])
            flat = np.fromiter(chain.from_iterable(tokens), np.int64, offsets[-1])
            parts.append(embed_runs(self.rows, weights, flat + 1, offsets))
            advance(len(batch))
        return np.concatenate(parts)


def save_encoder(
    folder: Path, encoder: CorpusEncoder, *, profile: str = "words", keep: int = KEPT
) -> None:
    """Write a folder that `SentenceTransformer(folder)` loads: StaticEmbedding and Normalize.

    The tokenizer cuts as the profile of that name does, as far as a pattern can say it. The `keep`
    most frequent atoms are written, atom i as token i, weights folded into the rows; other words
    are met by the longest known beginning.
    """
    if profile not in _CUTS:
        raise ValueError(f"profile must be one of {', '.join(_CUTS)}, not {profile}")
    from safetensors.numpy import save

    tokens, rows = _list_tokens(encoder, keep)
    tokenizer = _build_tokenizer(tokens, profile)
    _protect_atoms(tokenizer, tokens[1 : 1 + len(encoder.texts[:keep])])
    (folder / "1_Normalize").mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    (folder / "model.safetensors").write_bytes(save({"embedding.weight": rows}))
    for name, content in _FOLDER.items():
        (folder / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def find_static_home(folder: Path) -> Path | None:
    """Return where the rows of a folder of StaticEmbedding lie, None where it is another kind."""
    try:
        modules = json.loads((folder / "modules.json").read_text(encoding="utf-8"))
        kinds = [module["type"].rsplit(".", 1)[-1] for module in modules]
        home = folder / modules[0]["path"]
    except (OSError, ValueError, LookupError, TypeError):
        return None
    return home if kinds in (["StaticEmbedding"], ["StaticEmbedding", "Normalize"]) else None


def load_static_encoder(folder: Path) -> StaticEncoder | None:
    """Return the encoder of a folder of StaticEmbedding, None where the folder is another kind."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file
    from tokenizers import Tokenizer

    home = find_static_home(folder)
    if home is None:
        return None
    try:
        rows = load_file(home / "model.safetensors").get("embedding.weight")
        text = (home / "tokenizer.json").read_text(encoding="utf-8")
    except (OSError, ValueError, SafetensorError) as error:
        raise EncoderError(
            f"the encoder is not whole ({error})", where=str(folder), cure="Copy or train it again"
        ) from error
    if rows is None:
        return None  # another layout of the same class, which sentence-transformers knows
    try:
        tokenizer = Tokenizer.from_str(text)
        if rows.ndim != 2 or len(rows) < tokenizer.get_vocab_size():
            raise ValueError(f"{len(rows)} rows for {tokenizer.get_vocab_size()} tokens")
    except Exception as error:  # the library raises nothing else
        raise EncoderError(
            f"its tokenizer is not whole ({error})",
            where=str(folder),
            cure="Copy or train it again",
        ) from error
    tokenizer.no_padding()
    return StaticEncoder(folder.name, tokenizer, rows.astype(np.float32))


def _list_tokens(encoder: CorpusEncoder, keep: int) -> tuple[list[str], np.ndarray]:
    """Return the tokens in the order of their ids and their rows.

    Unknown, the atoms, beginnings of words, frequent atoms inside a word, then every letter, at
    the start and inside, with a row of zeros: it says nothing, and no letter makes a word unknown.
    """
    atoms = list(encoder.texts[:keep])
    vectors = encoder.vectors[:keep] * encoder.weights[:keep, None]
    inside = [i for i, text in enumerate(atoms[:VOCABULARY]) if len(text) >= INSIDE_LETTERS]
    letters = sorted(set("".join(atoms)))
    tokens = [UNKNOWN, *atoms, *encoder.pieces, *(CONTINUES + atoms[i] for i in inside)]
    silent = [*letters, *(CONTINUES + letter for letter in letters)]
    zeros = np.zeros((1 + len(silent), encoder.dimension), np.float32)
    rows = np.concatenate([zeros[:1], vectors, encoder.piece_vectors, vectors[inside], zeros[1:]])
    first: dict[str, int] = {}
    for place, token in enumerate(tokens + silent):
        first.setdefault(token, place)
    return list(first), rows[list(first.values())]


def _build_tokenizer(tokens: Sequence[str], profile: str) -> Tokenizer:
    """Return a WordPiece tokenizer whose words are the atoms of a profile."""
    from tokenizers import Regex, Tokenizer, normalizers, pre_tokenizers
    from tokenizers.models import WordPiece

    vocabulary = {token: number for number, token in enumerate(tokens)}
    longest = max(map(len, tokens))
    tokenizer = Tokenizer(
        WordPiece(
            vocabulary,
            unk_token=UNKNOWN,
            continuing_subword_prefix=CONTINUES,
            max_input_chars_per_word=max(longest, 100),
        )
    )
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFC(), *(_fold_case() if profile == "words" else ())]
    )
    cut = _cut_articles(tokens) + _CUTS[profile]
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(cut), "removed", invert=True)
    return tokenizer


def _cut_articles(tokens: Sequence[str]) -> str:
    """Return a pattern, and `|`, of the atoms that are joined to the next: `l'` in `l'eau`."""
    words = sorted(token[:-1] for token in tokens if token[-1:] in "'’ʼ" and token[:-1].isalpha())
    return rf"(?:{'|'.join(words)})['’ʼ](?=\p{{L}})|" if words else ""


def _fold_case() -> list[Normalizer]:
    """Return lower case, and what full case folding takes elsewhere."""
    from tokenizers import normalizers

    return [normalizers.Lowercase(), normalizers.Replace("ς", "σ"), normalizers.Replace("ß", "ss")]


def _protect_atoms(tokenizer: Tokenizer, atoms: Sequence[str]) -> None:
    """Make the atoms that the pattern would cut added tokens, which are matched before it."""
    from tokenizers import AddedToken

    kept = [text != text.lower() for text in atoms]  # what keeps its case
    unsure = [(i, text) for i, text in enumerate(atoms, 1) if kept[i - 1] or not text.isalnum()]
    found = tokenizer.encode_batch_fast([text for _, text in unsure], add_special_tokens=False)
    tokenizer.add_tokens(
        [
            AddedToken(text, normalized=not kept[i - 1], single_word=text[0].isalnum())
            for (i, text), encoding in zip(unsure, found, strict=True)
            if encoding.ids != [i]
        ]
    )


# ---------------------------------------------------------------- company: PMI and SVD


def _read_company(
    ids: np.ndarray, counts: np.ndarray, *, dimension: int, window: int, vocabulary: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return float32 unit rows (zeros for what has no company) and occurrences read, per atom.

    Rows are U * sqrt(S) of the SVD of positive PMI with smoothed contexts: O. Levy, Y. Goldberg,
    I. Dagan, "Improving Distributional Similarity with Lessons Learned from Word Embeddings", TACL
    3 (2015). As U * sqrt(S) = A V / sqrt(S), atoms outside the matrix are folded in by their rows.
    """
    if min(dimension, window, vocabulary) < 1 or vocabulary >= 1 << 16:
        raise ValueError("dimension and window must be positive, vocabulary in 1..65535")
    size = min(vocabulary, counts.shape[0])
    atoms = _sample_atoms(ids, POSITIONS, window)
    places, starts = _bucket_positions(atoms, counts.shape[0])
    contexts = np.minimum(atoms, size + 1).astype(np.uint16)
    log_shares = _log_shares(counts, size)
    matrix = _associations(contexts, places, starts, window, log_shares)
    axes = _right_axes(matrix, size, dimension, seed=seed)
    rows = np.zeros((counts.shape[0], dimension), np.float32)
    _multiply(*matrix, axes, rows[:size])
    _fold_rows(contexts, places, starts, window, log_shares, axes, rows)
    _scale_rows(rows)
    return rows, np.diff(starts[1:])


@njit(nogil=True, cache=True)
def _scale_rows(rows: np.ndarray) -> None:
    """Give every row the length 1, in place; a row of zeros stays one."""
    for row in rows:
        square = 0.0
        for value in row:
            square += np.float64(value) * value
        if square > 0:
            row *= np.float32(1 / np.sqrt(square))


def _sample_atoms(ids: np.ndarray, limit: int, window: int) -> np.ndarray:
    """Return the atoms of the stream, stops as 0, with `window` stops before and after."""
    edge = np.zeros(window, np.uint32)
    blocks = -(-ids.shape[0] // BLOCK)
    wanted = max(limit // BLOCK, 1)
    if blocks <= wanted:
        return np.concatenate([edge, ids >> 1, edge])
    chosen = np.linspace(0, blocks - 1, wanted).astype(np.int64)
    parts = [ids[block * BLOCK : (block + 1) * BLOCK] >> 1 for block in chosen.tolist()]
    return np.concatenate([edge, *(piece for part in parts for piece in (part, edge))])


@njit(nogil=True, cache=True)
def _bucket_positions(atoms: np.ndarray, types: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions sorted by atom, and where the positions of each atom start."""
    starts = np.zeros(types + 2, np.int64)
    for atom in atoms:
        starts[atom + 1] += 1
    for atom in range(types + 1):
        starts[atom + 1] += starts[atom]
    free = starts.copy()
    places = np.empty(atoms.shape[0], np.int32)
    for position in range(atoms.shape[0]):
        atom = atoms[position]
        places[free[atom]] = position
        free[atom] += 1
    return places, starts


def _log_shares(counts: np.ndarray, size: int) -> np.ndarray:
    """Return log p(c) of contexts 1..size under the smoothed distribution; 0 is the stop."""
    smooth = np.maximum(counts, 1).astype(np.float64) ** SMOOTHING
    shares = np.zeros(size + 1)
    shares[1:] = np.log(smooth[:size] / smooth.sum())
    return shares


@njit(nogil=True, cache=True)
def _read_row(
    contexts: np.ndarray,
    positions: np.ndarray,
    window: int,
    log_shares: np.ndarray,
    cells: np.ndarray,
    columns: np.ndarray,
    values: np.ndarray,
) -> int:
    """Write the positive PMI row of an atom at `positions`; return how many cells it has.

    A neighbour at distance d counts window + 1 - d. `cells` (contexts + 2,) is zero before and
    after; its first slot takes stops, its last the atoms that are no contexts.
    """
    for position in positions:
        for d in range(1, window + 1):
            weight = np.uint32(window + 1 - d)
            cells[contexts[position - d]] += weight
            cells[contexts[position + d]] += weight
    outside = log_shares.shape[0]
    total = np.int64(cells[outside])
    cells[0] = 0
    cells[outside] = 0
    found = _take_cells(contexts, positions, window, cells, columns, values)
    for cell in range(found):
        total += np.int64(values[cell])
    kept = 0
    for cell in range(found):
        count = values[cell]
        pmi = np.log(count / total) - log_shares[columns[cell]]
        if pmi > 0:
            columns[kept] = columns[cell] - 1
            values[kept] = pmi * count / (count + DISCOUNT * window)
            kept += 1
    return kept


@njit(nogil=True, cache=True)
def _take_cells(
    contexts: np.ndarray,
    positions: np.ndarray,
    window: int,
    cells: np.ndarray,
    columns: np.ndarray,
    values: np.ndarray,
) -> int:
    """Move the cells that are not zero to `columns` and `values`; return how many they are.

    A rare atom's cells are found by reading its windows again, a frequent one's by reading all.
    """
    found = 0
    if positions.shape[0] * 2 * window < cells.shape[0]:
        for position in positions:
            for place in range(position - window, position + window + 1):
                context = contexts[place]
                if cells[context] != 0:
                    columns[found], values[found] = context, cells[context]
                    cells[context] = 0
                    found += 1
    else:
        for context in range(cells.shape[0]):
            if cells[context] != 0:
                columns[found], values[found] = context, cells[context]
                cells[context] = 0
                found += 1
    return found


@njit(nogil=True, cache=True)
def _associations(
    contexts: np.ndarray,
    places: np.ndarray,
    starts: np.ndarray,
    window: int,
    log_shares: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return positive PMI of atoms 1..size in the same contexts, in CSR: ends, columns, values."""
    size = log_shares.shape[0] - 1
    cells = np.zeros(size + 2, np.uint32)
    ends = np.zeros(size + 1, np.int64)
    room = size
    for atom in range(1, size + 1):
        room += min((starts[atom + 1] - starts[atom]) * 2 * window, size)
    columns = np.empty(room + size, np.uint16)  # the system gives only the pages that are written
    values = np.empty(room + size, np.float32)
    filled = 0
    for atom in range(1, size + 1):
        filled += _read_row(
            contexts,
            places[starts[atom] : starts[atom + 1]],
            window,
            log_shares,
            cells,
            columns[filled:],
            values[filled:],
        )
        ends[atom] = filled
    return ends, columns[:filled], values[:filled]


@njit(nogil=True, cache=True, fastmath=True)
def _multiply(
    ends: np.ndarray, columns: np.ndarray, values: np.ndarray, right: np.ndarray, out: np.ndarray
) -> None:
    """Write the product of a CSR matrix and `right` to `out`."""
    for row in range(ends.shape[0] - 1):
        target = out[row]
        target[:] = 0
        for cell in range(ends[row], ends[row + 1]):
            _add_scaled(target, values[cell], right[columns[cell]])


@njit(nogil=True, cache=True, fastmath=True)
def _multiply_transposed(
    ends: np.ndarray, columns: np.ndarray, values: np.ndarray, right: np.ndarray, out: np.ndarray
) -> None:
    """Write the product of the transpose of a CSR matrix and `right` to `out`."""
    out[:] = 0
    for row in range(ends.shape[0] - 1):
        source = right[row]
        for cell in range(ends[row], ends[row + 1]):
            _add_scaled(out[columns[cell]], values[cell], source)


@njit(nogil=True, cache=True, fastmath=True)
def _fold_rows(
    contexts: np.ndarray,
    places: np.ndarray,
    starts: np.ndarray,
    window: int,
    log_shares: np.ndarray,
    axes: np.ndarray,
    rows: np.ndarray,
) -> None:
    """Write the vectors of the atoms that are no contexts, from their rows of PMI."""
    size = log_shares.shape[0] - 1
    cells = np.zeros(size + 2, np.uint32)
    columns = np.empty(size + 2, np.uint16)
    values = np.empty(size + 2, np.float32)
    for row in range(size, rows.shape[0]):
        positions = places[starts[row + 1] : starts[row + 2]]
        kept = _read_row(contexts, positions, window, log_shares, cells, columns, values)
        target = rows[row]
        for cell in range(kept):
            _add_scaled(target, values[cell], axes[columns[cell]])


def _right_axes(
    matrix: tuple[np.ndarray, np.ndarray, np.ndarray], size: int, dimension: int, *, seed: int
) -> np.ndarray:
    """Return V / sqrt(S) of a truncated SVD, float32 (size, dimension).

    Randomised subspace iteration: N. Halko, P. Martinsson, J. Tropp, SIAM Review 53 (2011). The
    bases come from the eigenvectors of small Gram matrices: 1/14 of the time of a QR, and ranks
    lower than `dimension` end in columns of zeros. Signs are fixed by the largest entry.
    """
    width = dimension + OVERSAMPLING
    right = np.random.default_rng(seed).standard_normal((size, width), dtype=np.float32)
    left = np.empty((size, width), np.float32)
    strengths = np.zeros(width)
    with threadpool_limits(1):
        for _ in range(PASSES):
            _multiply(*matrix, right, left)
            left, _ = _orthonormalise(left)
            _multiply_transposed(*matrix, left, right)
            right, strengths = _orthonormalise(right)
    right, strengths = right[:, :dimension], strengths[:dimension]
    peaks = right[np.abs(right).argmax(axis=0), np.arange(dimension)]
    signs = np.where(peaks < 0, -1.0, 1.0)
    scale = np.divide(signs, np.sqrt(strengths), out=np.zeros(dimension), where=strengths > 0)
    return np.ascontiguousarray(right * scale.astype(np.float32))


def _orthonormalise(columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return principal axes of unit length and their singular values, falling, 0 past the rank."""
    squares, turns = np.linalg.eigh((columns.T @ columns).astype(np.float64))
    squares, turns = squares[::-1], turns[:, ::-1]
    whole = squares > max(squares[0], 0) * 1e-7
    strengths = np.sqrt(np.where(whole, squares, 0))
    scale = np.divide(1, strengths, out=np.zeros_like(strengths), where=whole)
    return columns @ (turns * scale).astype(np.float32), strengths


# ---------------------------------------------------------------- spelling: words that begin alike


def _share_stems(
    own: np.ndarray, seen: np.ndarray, texts: pl.Series
) -> tuple[np.ndarray, list[str], np.ndarray]:
    """Return what words that begin alike say of each word, and the vectors of the beginnings.

    For each length of a beginning, the mean of the other words' vectors, each with the weight
    sqrt(occurrences), shrunk to nothing where few words share the beginning. A beginning that
    unlike words share has a short mean, so it says little.
    """
    order = texts.arg_sort().to_numpy()
    lengths = texts.str.len_chars().to_numpy().astype(np.int32)[order]
    points = np.frombuffer("".join(texts.gather(order)).encode("utf-32-le"), np.uint32)
    alike = _common_beginnings(points, lengths)
    masses = np.sqrt(np.minimum(seen, 200)).astype(np.float32)
    shared = np.zeros_like(own)
    found, stems = _mean_stems(own, masses, order, lengths, alike, shared)
    pieces = texts.gather(order[found[:, 0]]).str.head(pl.Series(found[:, 1])).to_list()
    _scale_rows(shared)
    _scale_rows(stems)
    return shared, pieces, stems


@njit(nogil=True, cache=True)
def _common_beginnings(points: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Return how many letters each text of a sorted list shares with the one before it."""
    alike = np.zeros(lengths.shape[0], np.int32)
    before, start = 0, 0
    for i in range(1, lengths.shape[0]):
        before, start = start, start + lengths[i - 1]
        limit = min(lengths[i - 1], lengths[i])
        while alike[i] < limit and points[before + alike[i]] == points[start + alike[i]]:
            alike[i] += 1
    return alike


@njit(nogil=True, cache=True, fastmath=True)
def _mean_stems(
    own: np.ndarray,
    masses: np.ndarray,
    order: np.ndarray,
    lengths: np.ndarray,
    alike: np.ndarray,
    shared: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Add the mean of each group of words that begin alike to `shared`; return the groups.

    Groups are (place in order, letters) and their vectors, of `PIECE_WORDS` words and more.
    """
    words, width = own.shape
    found = np.empty((words * 2, 2), np.int64)
    stems = np.empty((words * 2, width), np.float32)
    groups = 0
    total = np.empty(width, np.float32)
    for length in range(SHORTEST, LONGEST + 1):
        start = 0
        while start < words:
            end = start + 1
            while end < words and alike[end] >= length:
                end += 1
            if end - start > 1 and lengths[start] >= length:
                total[:] = 0
                mass = np.float32(0)
                for place in range(start, end):
                    word = order[place]
                    mass += masses[word]
                    _add_scaled(total, masses[word], own[word])
                for place in range(start, end):
                    word = order[place]
                    share = 1 / (mass - masses[word] + np.float32(STEM_PRIOR))
                    _add_scaled(shared[word], share, total)
                    _add_scaled(shared[word], -share * masses[word], own[word])
                if end - start >= PIECE_WORDS and groups < found.shape[0]:
                    found[groups, 0], found[groups, 1] = start, length
                    stems[groups] = total
                    groups += 1
            start = end
    return found[:groups], stems[:groups]


def _blend(own: np.ndarray, shared: np.ndarray, seen: np.ndarray, *, seed: int) -> np.ndarray:
    """Return unit rows between own and shared evidence; a random direction where there is none."""
    trust = (seen / (seen + OWN_EVIDENCE)).astype(np.float32)
    _mix_rows(own, shared, trust)
    silent = np.flatnonzero(~own.any(axis=1))
    own[silent] = np.random.default_rng(seed).standard_normal((silent.size, own.shape[1]))
    _scale_rows(own)
    return own


@njit(nogil=True, cache=True, fastmath=True)
def _mix_rows(own: np.ndarray, shared: np.ndarray, trust: np.ndarray) -> None:
    """Write trust * own + (1 - trust) * shared to `own`."""
    for row in range(own.shape[0]):
        own[row] *= trust[row]
        _add_scaled(own[row], 1 - trust[row], shared[row])
