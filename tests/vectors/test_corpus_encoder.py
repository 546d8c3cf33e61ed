"""The encoder trained on the corpus: company, spelling, and a folder that others load."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from miner.errors import EncoderError
from miner.vectors import corpus_encoder as ce

PETS, TOOLS = ("cat", "dog", "hamster"), ("hammer", "chisel", "wrench")


def stream(lines: list[list[str]]) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Return ids, counts and texts of documents given as lists of atoms."""
    words = [word for line in lines for word in line]
    texts = sorted(set(words), key=lambda word: (-words.count(word), word))
    number = {text: i for i, text in enumerate(texts, 1)}
    keys = [0]
    for line in lines:
        keys += [(number[word] << 1) | (i > 0) for i, word in enumerate(line)] + [0]
    return np.array(keys, np.uint32), np.array([words.count(text) for text in texts]), texts


@pytest.fixture(scope="module")
def zoo() -> tuple[np.ndarray, np.ndarray, list[str]]:
    rng = np.random.default_rng(5)
    topics = ((PETS, ("purrs", "eats", "sleeps")), (TOOLS, ("cuts", "hits", "turns")))
    return stream(
        [
            [str(rng.choice(nouns)), "always", str(rng.choice(verbs)), "here"]
            for nouns, verbs in topics
            for _ in range(300)
        ]
    )


def brute_row(ids: np.ndarray, counts: np.ndarray, atom: int, window: int, size: int) -> dict:
    """Return the positive PMI row of an atom by dictionaries: context -> value."""
    atoms = (ids >> 1).tolist()
    near: dict[int, int] = {}
    for place, center in enumerate(atoms):
        for other in range(max(place - window, 0), min(place + window + 1, len(atoms))):
            if center == atom and other != place and atoms[other]:
                weight = window + 1 - abs(place - other)
                near[atoms[other]] = near.get(atoms[other], 0) + weight
    shares = counts**0.75 / (counts**0.75).sum()
    total = sum(near.values())
    row = {}
    for context, count in near.items():
        pmi = np.log(count / total / shares[context - 1])
        if context <= size and pmi > 0:
            row[context - 1] = pmi * count / (count + ce.DISCOUNT * window)
    return row


@settings(max_examples=30)
@given(
    st.lists(st.lists(st.sampled_from("abcdefg"), max_size=12), min_size=1, max_size=8),
    st.integers(1, 5),
    st.integers(1, 7),
)
def test_association_rows_are_those_of_a_dictionary(
    lines: list[list[str]], window: int, vocabulary: int
) -> None:
    ids, counts, texts = stream([*lines, ["a"]])
    size = min(vocabulary, len(texts))
    atoms = ce._sample_atoms(ids, ce.POSITIONS, window)
    places, starts = ce._bucket_positions(atoms, len(texts))
    contexts = np.minimum(atoms, size + 1).astype(np.uint16)
    ends, columns, values = ce._associations(
        contexts, places, starts, window, ce._log_shares(counts, size)
    )
    for row in range(size):
        cells = slice(ends[row], ends[row + 1])
        found = dict(zip(columns[cells].tolist(), values[cells].tolist(), strict=True))
        assert found == pytest.approx(brute_row(ids, counts, row + 1, window, size), abs=1e-5)


def test_axes_are_those_of_the_full_svd() -> None:
    rng = np.random.default_rng(1)
    left, _ = np.linalg.qr(rng.standard_normal((40, 40)))
    right, _ = np.linalg.qr(rng.standard_normal((40, 40)))
    strengths = 0.7 ** np.arange(40.0)
    dense = ((left * strengths) @ right.T).astype(np.float32)
    ends = np.arange(0, 1601, 40)
    columns = np.tile(np.arange(40, dtype=np.uint16), 40)
    axes = ce._right_axes((ends, columns, dense.ravel()), 40, 4, seed=0)
    expected = right[:, :4] / np.sqrt(strengths[:4])
    cosines = (axes * expected).sum(0) * strengths[:4]
    assert np.abs(cosines) == pytest.approx(np.ones(4), abs=1e-3)
    peaks = axes[np.abs(axes).argmax(0), np.arange(4)]
    assert (peaks > 0).all()  # the sign is fixed


def test_words_of_one_company_are_near(zoo: tuple) -> None:
    ids, counts, texts = zoo
    vectors = ce.train_atom_vectors(ids, counts, dimension=2)
    at = {text: vectors[i] for i, text in enumerate(texts)}
    assert at["cat"] @ at["dog"] > 0.95
    assert at["hammer"] @ at["wrench"] > 0.95
    assert at["cat"] @ at["hammer"] < 0.2


def test_rows_are_unit_and_the_same_each_time(zoo: tuple) -> None:
    first = ce.train_encoder(*zoo)
    again = ce.train_encoder(*zoo)
    assert np.array_equal(first.vectors, again.vectors)
    assert first.vectors.dtype == np.float32
    assert np.linalg.norm(first.vectors, axis=1) == pytest.approx(np.ones(len(zoo[2])), abs=1e-5)


def test_rare_words_lean_on_words_that_begin_alike(zoo: tuple) -> None:
    ids, counts, texts = zoo
    alone = [["hammering"]]  # seen once, beside nothing
    number = len(texts) + 1
    more = np.concatenate([ids, np.array([number << 1, 0], np.uint32)])
    encoder = ce.train_encoder(more, np.append(counts, 1), [*texts, *alone[0]])
    rare, hammer, cat = (
        encoder.vectors[encoder.texts.index(word)] for word in ("hammering", "hammer", "cat")
    )
    assert rare @ hammer > 0.9 > 0.5 > rare @ cat


def test_atoms_without_company_are_near_to_nothing() -> None:
    ids, counts, _ = stream([[word] for word in ("xa", "yb", "zc", "wd")])
    vectors = ce.train_atom_vectors(ids, counts, window=1)  # all that a window holds is stops
    assert np.abs(vectors @ vectors.T - np.eye(4)).max() < 0.5


@pytest.mark.parametrize("lines", [[["a"]], [["a", "a", "a"]], [["a", "b"]], [["a"] * 50 + ["b"]]])
def test_smallest_corpora(lines: list[list[str]]) -> None:
    vectors = ce.train_encoder(*stream(lines)).vectors
    assert np.isfinite(vectors).all()
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(len(vectors)), abs=1e-5)


def test_a_large_corpus_is_sampled_evenly() -> None:
    ids = (np.arange(20 * ce.BLOCK, dtype=np.uint32) // ce.BLOCK + 1) << 1
    atoms = ce._sample_atoms(ids, 5 * ce.BLOCK, window=3)
    assert atoms.shape[0] <= 5 * (ce.BLOCK + 3) + 3
    assert {1, 20} <= set(np.unique(atoms).tolist())
    assert (atoms[:3] == 0).all() and (atoms[-3:] == 0).all()


def test_runs_are_weighted_sums() -> None:
    vectors = np.array([[1, 0], [0, 1]], np.float32)
    weights = np.array([0.6, 0.8], np.float32)
    rows = ce.embed_runs(vectors, weights, np.array([1, 2, 2]), np.array([0, 2, 3, 3]))
    assert rows.tolist() == pytest.approx(np.array([[0.6, 0.8], [0, 1], [0, 0]]))


@pytest.mark.parametrize(
    ("atoms", "offsets"), [([1, 3], [0, 2]), ([0], [0, 1]), ([1], [0]), ([1, 1], [0, 1])]
)
def test_wrong_runs_are_refused(atoms: list[int], offsets: list[int]) -> None:
    vectors, weights = np.eye(2, dtype=np.float32), np.ones(2, np.float32)
    with pytest.raises(ValueError, match=r"atoms|offsets"):
        ce.embed_runs(vectors, weights, np.array(atoms), np.array(offsets))


def test_saved_encoder_gives_the_vectors_of_the_ids(zoo: tuple, tmp_path: Path) -> None:
    encoder = ce.train_encoder(*zoo)
    ce.save_encoder(tmp_path, encoder)
    loaded = ce.load_static_encoder(tmp_path)
    assert loaded is not None
    pairs = [(i, j) for i in range(len(encoder.texts)) for j in range(len(encoder.texts))]
    texts = [f" {encoder.texts[i].upper()}  {encoder.texts[j]}\n" for i, j in pairs]
    expected = ce.embed_runs(
        encoder.vectors, encoder.weights, np.array(pairs).ravel() + 1, np.arange(len(pairs) + 1) * 2
    )
    assert np.abs(loaded.encode(texts) - expected).max() < 1e-5


@pytest.mark.slow
def test_sentence_transformers_loads_the_folder(zoo: tuple, tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer

    encoder = ce.train_encoder(*zoo)
    ce.save_encoder(tmp_path, encoder)
    model = SentenceTransformer(str(tmp_path), device="cpu")
    rows = model.encode(list(encoder.texts))
    assert [type(module).__name__ for module in model] == ["StaticEmbedding", "Normalize"]
    assert np.abs(rows - encoder.vectors).max() < 1e-5


@pytest.mark.parametrize(
    ("profile", "atoms"),
    [
        ("words", ["тишина", "don't", "не-то", "3,14", "_RESO_", "Δ41", "नमस्ते", "春", "วั"]),
        ("words", ["Δ∞", "VXS_ΔC1:R8K", "https://a.b/c?d=1", "⟁", "🜂", "👩‍👩‍👧"]),
        ("code", ["Foo_1", "==", "(", ";;", "#", "//"]),
        ("transliteration", ["a-na", "{d}UTU", "KI.2"]),
        ("symbols", ["C", "=", "é", "🏳️‍🌈", "𓀀"]),
        ("molecules", ["C", "=", "Cl", "[nH+]", "c", "1", "%12", "Br"]),
        ("code", ["𓂋", "𓆓:𓂧", "(𓂋:𓏙)", "𓍹(𓏏:𓏏)𓇋𓍺", "𓊐(:𓊪*𓏏)", "(𓏐*𓏊:)𓏖", "(", "x"]),
        ("bytes", ["<0x0A>", "<0xFF>"]),
    ],
)
def test_tokenizer_keeps_atoms_whole(profile: str, atoms: list[str], tmp_path: Path) -> None:
    ce.save_encoder(tmp_path, ce.train_encoder(*stream([atoms, atoms])), profile=profile)
    loaded = ce.load_static_encoder(tmp_path)
    assert loaded is not None
    assert [loaded.tokenizer.encode(atom).tokens for atom in atoms] == [[atom] for atom in atoms]
    glue = "" if profile in ("symbols", "molecules", "bytes") else " "
    assert loaded.tokenizer.encode(glue.join(atoms)).tokens == atoms


def test_unseen_words_are_met_by_their_beginning(tmp_path: Path) -> None:
    lines = [["домика", "домики", "домиков", "домику", "жар"], ["тишина", "жар"]] * 30
    encoder = ce.train_encoder(*stream(lines))
    ce.save_encoder(tmp_path, encoder)
    loaded = ce.load_static_encoder(tmp_path)
    assert loaded is not None
    rows = loaded.encode(["домиками", "жартишина", "жар тишина", "qqq"])
    assert encoder.texts[int((encoder.vectors @ rows[0]).argmax())].startswith("домик")
    assert rows[1] == pytest.approx(rows[2], abs=1e-5)
    assert not rows[3].any()


def test_wrong_settings_and_damaged_folders_are_refused(zoo: tuple, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="dimension"):
        ce.train_encoder(*zoo, dimension=0)
    encoder = ce.train_encoder(*zoo)
    with pytest.raises(ValueError, match="profile"):
        ce.save_encoder(tmp_path, encoder, profile="poems")
    assert ce.load_static_encoder(tmp_path / "nowhere") is None
    ce.save_encoder(tmp_path, encoder)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(EncoderError, match="not whole"):
        ce.load_static_encoder(tmp_path)


def test_no_torch_on_the_way() -> None:
    import subprocess
    import sys

    code = (
        "import sys, miner.vectors.corpus_encoder; "
        "print({'torch', 'transformers'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
