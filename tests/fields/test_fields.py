"""Fields: what a unit is known by, told by hand, by brute force and on planted corpora."""

from __future__ import annotations

import itertools
import json
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from conftest import mine_texts
from hypothesis import given, settings
from hypothesis import strategies as st
from watched import DEMO, MinedDemo, call_command

from miner.errors import ConfigError, RunError, UsageError
from miner.fields import DEFAULT, read_anchors, read_fields, remake_fields
from miner.fields.addresses import (
    LEVELS,
    SIGNS,
    find_codes,
    measure_prefixes,
    measure_return,
    place_codes,
    read_address,
    train_codebooks,
    write_addresses,
)
from miner.fields.facets import find_axes, measure_facets, measure_widths, nest_columns
from miner.fields.layers import (
    Layer,
    drop_layer,
    read_layers,
    read_texts,
    read_vectors,
    tell_values,
    write_layer,
)
from miner.fields.making import make_fields
from miner.fields.scenes import find_scenes
from miner.fields.structure import measure_resonance, measure_structure
from miner.fields.typical import find_typical
from miner.runs.concordance import open_originals
from miner.runs.decisions import Log, name_log
from miner.runs.finished import open_finished
from miner.text.pretokens import Atoms
from miner.text.recut import normalize
from miner.vectors.neighbors import find_centers, unit_rows


def draw_rows(count: int, width: int = 16, *, seed: int = 0) -> np.ndarray:
    """Unit rows in clusters of clusters."""
    random = np.random.default_rng(seed)
    far = random.standard_normal((8, width))
    near = far[random.integers(0, 8, count)] + 0.3 * random.standard_normal((count, width))
    return unit_rows(near)


# Facets


def test_a_facet_is_what_its_anchors_do_not_share_with_others() -> None:
    anchors = [np.array([[1.0, 0, 1]]), np.array([[0, 1.0, 1]])]
    axes = find_axes(anchors, np.zeros(3))
    assert np.allclose(axes, [[0.5**0.5, -(0.5**0.5), 0], [-(0.5**0.5), 0.5**0.5, 0]], atol=1e-6)


def test_one_facet_is_measured_from_the_middle() -> None:
    axes = find_axes([np.array([[1.0, 0]])], np.array([0.0, 1]))
    assert np.allclose(axes, [[0.5**0.5, -(0.5**0.5)]])


def test_a_row_of_which_nothing_is_known_has_no_facet() -> None:
    told = measure_facets(np.array([[0.0, 0], [1, 0]]), np.array([[1.0, 0]]), np.zeros(2))
    assert np.isnan(told[0, 0]) and told[1, 0] == 1


def test_nested_columns_begin_with_the_facets_and_keep_all_cosines() -> None:
    rows = draw_rows(200)
    axes = find_axes([rows[:3], rows[3:9]], rows.mean(axis=0))
    basis = nest_columns(rows - rows.mean(axis=0), axes)
    assert np.allclose(basis.T @ basis, np.eye(16), atol=1e-5)
    assert np.allclose(rows @ basis[:, 0], rows @ axes[0], atol=1e-5)
    assert np.allclose((rows @ basis) @ (rows @ basis).T, rows @ rows.T, atol=1e-5)
    spread = ((rows - rows.mean(axis=0)) @ basis)[:, 2:].var(axis=0)
    assert (np.diff(spread) <= 1e-6).all(), "the largest first"


def test_more_nested_columns_find_more_of_the_nearest() -> None:
    rows = draw_rows(400, 64)
    basis = nest_columns(rows - rows.mean(axis=0), np.zeros((0, 64), np.float32))
    shares = measure_widths(rows, basis, seed=0)
    assert list(shares) == [8, 32] and 0.3 < shares[8] < shares[32] <= 1


def test_default_anchors_are_words_in_two_languages() -> None:
    assert list(DEFAULT) == ["logic", "emotion", "function"]
    for words in DEFAULT.values():
        assert len(set(words)) == len(words) > 20
        assert any(word.isascii() for word in words) and any(not word.isascii() for word in words)
    assert not set(DEFAULT["logic"]) & set(DEFAULT["emotion"])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("warm = 1", "no list"),
        ('warm = "sun"', "no list"),
        ("warm = []", "no list"),
        ('warm = ["", " "]', "no list"),
        ('"a b" = ["sun"]', "no name"),
        ("", "0 facets"),
        ("warm = [", "no TOML"),
        (b"\xff", "no TOML"),
        (None, "cannot be read"),
    ],
)
def test_a_file_of_anchors_that_is_none(
    tmp_path: Path, text: str | bytes | None, told: str
) -> None:
    file = tmp_path / "facets.toml"
    if text is not None:
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigError, match=told):
        read_anchors(file)


# Structure


def test_direction_and_tension_by_hand() -> None:
    units = pl.DataFrame(
        {
            "forward": [0.9, None],
            "backward": [0.2, None],
            "npmi": [0.5, None],
            "closeness": [0.2, None],
        }
    )
    told = measure_structure(units)
    assert told["direction"].to_list() == [pytest.approx(0.7), None]
    assert told["tension"].to_list() == [pytest.approx(0.4), None]


def test_resonance_by_hand() -> None:
    """Of 9 documents, a and b meet apart in 3; a is in 4 of them, b in 4, chance gives 16 / 9."""
    texts = ["a x b", "a x b", "b x a", "a x x", "b x x", "x x x", "x x x", "x x x", "a b x"]
    atoms, candidates = mine_texts([*texts], min_count=1)
    keys = keys_of(atoms, "a", "b")
    ids, documents = np.asarray(atoms.mined.ids), np.asarray(atoms.mined.documents)
    found = float(measure_resonance(ids, documents, keys)[0])
    expected = np.log2(4 / (16 / 9 + 1)) / -np.log2(4 / 10)
    assert found == pytest.approx(expected, abs=1e-5)
    assert candidates.table.height


def keys_of(atoms: Atoms, *texts: str) -> np.ndarray:
    numbers = dict(atoms.table.select("text", "atom").iter_rows())
    keys = [numbers[text] << 1 | (i > 0) for i, text in enumerate(texts)]
    return np.array([keys], np.uint32)


@settings(max_examples=60)
@given(
    st.lists(st.lists(st.integers(1, 4), min_size=1, max_size=8), min_size=2, max_size=8),
    st.lists(st.integers(1, 4), min_size=2, max_size=3),
)
def test_resonance_is_what_counting_by_hand_gives(
    documents: list[list[int]], run: list[int]
) -> None:
    ids = np.array([0, *(a << 1 | 1 for text in documents for a in text), 0, 0, 0], np.uint32)
    starts = 1 + np.cumsum([0, *map(len, documents)])
    keys = np.array([[a << 1 | (i > 0) for i, a in enumerate(run)]], np.uint32)
    found = float(measure_resonance(ids, starts, keys)[0])
    parts, total = sorted(set(run)), len(documents)
    both, alone = 0, dict.fromkeys(parts, 0)
    for text in documents:
        own = sum(text[i : i + len(run)] == run for i in range(len(text)))
        left = {part: text.count(part) - own * run.count(part) for part in parts}
        both += all(count > 0 for count in left.values())
        for part in parts:
            alone[part] += left[part] > 0
    if len(parts) < 2:
        assert np.isnan(found)
        return
    chance = total * np.prod([max(count, 1) / total for count in alone.values()])
    scale = (len(parts) - 1) * max(-np.log2((both + 1) / (total + 1)), 1e-9)
    expected = np.clip(np.log2((both + 1) / (chance + 1)) / scale, -1, 1)
    assert found == pytest.approx(float(expected), abs=1e-4)


def test_a_corpus_of_one_document_resonates_with_nothing() -> None:
    ids = np.array([0, 3, 5, 0, 0], np.uint32)
    assert np.isnan(measure_resonance(ids, np.array([1, 3]), np.array([[2, 5]], np.uint32)))[0]


# Addresses


@given(st.lists(st.integers(0, 31), min_size=LEVELS, max_size=LEVELS))
def test_an_address_and_its_beginnings_are_read_back(codes: list[int]) -> None:
    address = write_addresses(np.array([codes], np.uint8))[0]
    assert read_address(address).tolist() == codes
    assert read_address(address.lower()).tolist() == codes
    for length in range(1, len(address)):
        found = read_address(address[:length])
        signs = sum(sign in SIGNS for sign in address[:length])
        assert found is not None and found.tolist() == codes[:signs]


@pytest.mark.parametrize("text", ["", "no", "VXSZ", "VX_Δ1", "VXS_ΔC:R8K", "VXS_ΔC1:R8KK", "Δ41"])
def test_what_is_no_address(text: str) -> None:
    assert read_address(text) is None


def test_a_shared_beginning_means_nearness() -> None:
    rows = draw_rows(3000)
    books = train_codebooks(rows)
    codes = find_codes(rows, books)
    told = measure_prefixes(rows, codes)
    cosines = told["cosine"].to_list()[:5]
    assert cosines == sorted(cosines) and cosines[1] > cosines[0] + 0.3
    back = measure_return(rows, codes, books, seed=0)
    assert back["first"] > 0.9 and back["ten"] > 0.99


def test_the_mean_cosine_of_prefixes_is_that_of_all_pairs() -> None:
    rows = draw_rows(60)
    codes = find_codes(rows, train_codebooks(rows))
    for signs, _, count, cosine in measure_prefixes(rows, codes).iter_rows():
        pairs = [
            float(rows[i] @ rows[j])
            for i, j in itertools.combinations(range(60), 2)
            if (codes[i, :signs] == codes[j, :signs]).all()
        ]
        assert count == len(pairs)
        assert cosine == (pytest.approx(np.mean(pairs), abs=1e-5) if pairs else None)


def test_signs_are_chosen_one_after_the_other() -> None:
    rows = draw_rows(500)
    books = train_codebooks(rows)
    codes = find_codes(rows, books)
    left = rows.copy()
    for level, centers in enumerate(books):
        far = ((left[:, None] - centers) ** 2).sum(axis=2)
        chosen = far[np.arange(500), codes[:, level]]
        assert np.allclose(chosen, far.min(axis=1), atol=1e-4)
        left -= centers[codes[:, level]]
    assert np.allclose(place_codes(codes, books), unit_rows(rows - left), atol=1e-4)


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_few_rows_have_addresses_too(count: int) -> None:
    rows = draw_rows(max(count, 1))[:count]
    books = train_codebooks(rows)
    assert books.shape == (LEVELS if count else 0, count, 16)
    codes = find_codes(rows, books)
    if count:
        assert np.allclose(place_codes(codes, books), rows, atol=1e-3)


def test_centers_are_no_more_than_rows() -> None:
    with pytest.raises(ValueError, match="1 to 3"):
        find_centers(draw_rows(3), 4)


# Places and scenes


def test_typical_places_are_those_in_common_company() -> None:
    common = "the sun and the warm light fell on old stone walls in summer"
    texts = [f"{common} {word} red door {common}" for word in ("aa", "bb", "cc")]
    texts.append("zz yy red door xx ww")
    atoms, _ = mine_texts(texts, min_count=1)
    table = atoms.table
    random = np.random.default_rng(0)
    vectors = unit_rows(random.standard_normal((table.height + 1, 32)))
    vectors[0] = 0
    keys = keys_of(atoms, "red", "door")
    found = find_typical(atoms.mined, list(keys), vectors, table["count"].to_numpy())
    documents = np.searchsorted(np.asarray(atoms.mined.documents), found["place"], side="right")
    assert sorted(documents.tolist()) == [1, 2, 3]
    assert found["cosine"].is_sorted(descending=True)


def test_the_anchor_of_a_family_is_its_middle_not_its_head() -> None:
    units = pl.DataFrame(
        {
            "rank": [1, 2, 3, 4],
            "family": [1, 1, 1, 4],
            "unit_count": [1, 8, 1, 5],
            "count": [1, 8, 1, 5],
        }
    ).cast({"rank": pl.UInt32, "family": pl.UInt32})
    rows = unit_rows(np.array([[1, 0.4, 0], [1, 0, 0], [1, -0.4, 0], [0, 0, 1]]))
    scenes, fields = find_scenes(units, rows)
    assert scenes.select("family", "anchor", "members").rows() == [(1, 2, [1, 2, 3])]
    assert fields[0] @ rows[1] > 0.999


# In a run


def test_the_fields_of_a_run(demo: MinedDemo) -> None:
    fields = read_fields(demo.folder)
    assert fields.table["token"].to_list() == demo.units["token"].to_list()
    assert fields.table["address"].null_count() == 0
    assert fields.about["encoder"] == "corpus"
    prefixes = [row["cosine"] for row in fields.about["prefixes"]][:5]
    assert prefixes == sorted(prefixes)
    units = open_finished(demo.folder).units
    links = fields.table.filter(units["candidate"].is_not_null())
    assert fields.table.filter(units["candidate"].is_null())["direction"].is_null().all()
    assert links["direction"].null_count() == 0 and links["tension"].is_between(0, 1).all()
    assert links["resonance"].drop_nulls().is_between(-1, 1).all()
    assert demo.manifest["fields"]["facets"] == ["logic", "emotion", "function"]
    assert "same 1, 2, 3 signs have a mean" in demo.command.out


def test_typical_places_of_a_run_hold_the_unit(demo: MinedDemo) -> None:
    fields = read_fields(demo.folder)
    chosen = fields.contexts.join(demo.units.select("rank", "token"), on="rank").head(200)
    places = open_originals(demo.folder).read_places(
        chosen["place"].to_numpy(), chosen["length"].to_numpy().astype(np.int64)
    )
    profile = open_finished(demo.folder).atoms.profile
    for token, place in zip(chosen["token"], places, strict=True):
        assert normalize(place.unit, profile) == token


def test_scenes_hold_their_anchor(demo: MinedDemo) -> None:
    scenes = read_fields(demo.folder).scenes
    assert scenes.height > 10
    for anchor, members, name in scenes.select("anchor", "members", "scene").iter_rows():
        assert anchor in members and len(members) > 1
        assert read_address(name.rpartition("@")[2]) is not None


@pytest.fixture
def run(demo: MinedDemo, tmp_path: Path) -> Path:
    """A copy of the demo's run that may be changed."""
    return Path(shutil.copytree(demo.folder, tmp_path / "run"))


def test_anchors_of_the_user(run: Path, tmp_path: Path) -> None:
    file = tmp_path / "facets.toml"
    file.write_text('warm = ["жар", "свет"]\nnowhere = ["qqq", "www", "eee"]\n', encoding="utf-8")
    fields = remake_fields(run, facets=file)
    assert fields.space.facets == ("warm",)
    best = fields.table.sort("warm", descending=True, nulls_last=True)["token"].head(20).to_list()
    assert any("жар" in token or "свет" in token for token in best)
    assert remake_fields(run).space.facets == ("warm",), "anchors stay"


def test_what_a_reviewer_adds_has_an_address(run: Path) -> None:
    log = Log(name_log(run, "anna"))
    added = ("тишина вход", ("тишина", "вход"))
    log.set([added], {"verdict": "accept"})
    fields = remake_fields(run)
    row = fields.table.filter(pl.col("token") == "тишина вход")
    assert row.height == 1 and row["address"][0]


def test_fields_that_are_not_there_or_damaged(run: Path) -> None:
    place = run / "7_fields" / "space.safetensors"
    content = place.read_bytes()
    for broken in (b"", content[:100], content[:-5], b"\xff" * 50):
        place.write_bytes(broken)
        with pytest.raises(RunError, match="fields cannot be read"):
            read_fields(run)
    remake_fields(run)
    assert read_fields(run).table.height
    about = run / "7_fields" / "fields.json"
    for broken_about in ("[]", "{}", '{"facets": 1}', "\x00"):
        about.write_text(broken_about)
        with pytest.raises(RunError, match="fields cannot be read"):
            read_fields(run)
    shutil.rmtree(run / "7_fields")
    with pytest.raises(RunError, match="earlier version"):
        read_fields(run)


def test_a_run_without_units_has_fields_too(tmp_path: Path, demo: MinedDemo) -> None:
    found = open_finished(demo.folder)
    from miner.fields import open_encoder

    encoder, _ = open_encoder(demo.folder)
    count = make_fields(
        tmp_path,
        found.units.clear(),
        found.atoms,
        found.candidates,
        found.vectors,
        encoder,
        trained=True,
        anchors=DEFAULT,
        patterns={},
    )
    assert count == 0 and pl.read_parquet(tmp_path / "fields.parquet").height == 0


# Layers


def test_layers_come_from_a_table_and_stay(run: Path, tmp_path: Path) -> None:
    table = tmp_path / "senses.tsv"
    table.write_text("token\tsmell\trhythm\nжар тишина\tдым\t3\nΔ41\tозон\t\nнет\tx\ty\n")
    for layer in read_texts(table):
        write_layer(run, layer)
    layers = read_layers(run)
    assert list(layers) == ["rhythm", "smell"]
    assert tell_values(layers, "жар тишина") == {"rhythm": ["3"], "smell": ["дым"]}
    assert tell_values(layers, "Δ41") == {"smell": ["озон"]}
    drop_layer(run, "smell")
    assert list(read_layers(run)) == ["rhythm"]


def test_layers_outlive_a_run_that_is_mined_anew(run: Path) -> None:
    table = pl.DataFrame({"token": ["Δ41"], "item": ["x"], "value": ["y"]})
    write_layer(run, Layer("smell", table))
    told = call_command("mine", "--corpus", str(DEMO), "--out", str(run), "--overwrite")
    assert told.code == 0, told.err
    assert tell_values(read_layers(run), "Δ41") == {"smell": ["y"]}


def test_vectors_come_back_as_unit_rows(run: Path, tmp_path: Path) -> None:
    file = tmp_path / "photos.jsonl"
    rows = [
        {"token": "Δ41", "item": "a.jpg", "vector": [3, 4]},
        {"item": "b.jpg", "vector": [0, -2]},
    ]
    file.write_text("\n".join(map(json.dumps, rows)))
    write_layer(run, read_vectors("photo", file, encoder="run"))
    layer = read_layers(run)["photo"]
    assert layer.rows is not None and layer.encoder == "run"
    assert np.allclose(layer.rows, [[0.6, 0.8], [0, -1]])
    assert tell_values({"photo": layer}, "Δ41") == {"photo": ["a.jpg"]}


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("a.tsv", "word\tsmell\nx\ty\n", "no column token"),
        ("a.tsv", "token\nx\n", "no column beside token"),
        ("a.txt", "token\tsmell\n", "no table by its name"),
        ("a.tsv", "token\ta b\nx\ty\n", "no name for a layer"),
        ("a.tsv", "token\tvalue\nx\ty\n", "no name for a layer"),
        ("a.tsv", "", "cannot be read"),
        ("a.parquet", "PAR1", "cannot be read"),
        ("a.jsonl", "{", "cannot be read"),
        ("a.tsv", None, "cannot be read"),
    ],
)
def test_a_table_of_layers_that_is_none(
    tmp_path: Path, name: str, text: str | None, told: str
) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises((ConfigError, UsageError), match=told):
        read_texts(tmp_path / name)


@pytest.mark.parametrize(
    "rows",
    [
        [{"token": "a"}],
        [{"token": "a", "vector": [1]}, {"token": "b", "vector": [1, 2]}],
        [{"token": "a", "vector": []}],
        [{"token": "a", "vector": "pickle"}],
        [{"token": "a", "vector": "[1, NaN]"}],
    ],
)
def test_vectors_that_are_none(tmp_path: Path, rows: list[dict[str, object]]) -> None:
    file = tmp_path / "photos.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)))
    with pytest.raises(ConfigError, match="vector"):
        read_vectors("photo", file, encoder=None)


def test_a_layer_that_is_damaged_or_a_link_is_named(run: Path, tmp_path: Path) -> None:
    (run / "layers").mkdir()
    (run / "layers" / "smell.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(RunError, match=r"smell\.parquet"):
        read_layers(run)
    (run / "layers" / "smell.parquet").unlink()
    secret = tmp_path / "secret.parquet"
    pl.DataFrame({"token": ["a"], "item": ["b"], "value": ["c"]}).write_parquet(secret)
    (run / "layers" / "smell.parquet").symlink_to(secret)
    with pytest.raises(RunError, match="is no layer"):
        read_layers(run)
    with pytest.raises(UsageError, match="no layer"):
        drop_layer(run, "smell")


def test_a_name_leads_nowhere_else(run: Path) -> None:
    table = pl.DataFrame({"token": ["a"], "item": ["b"], "value": ["c"]})
    for name in ("../x", "a/b", "", ".x", "token"):
        with pytest.raises(UsageError, match="no name for a layer"):
            drop_layer(run, name)
    assert table.height
