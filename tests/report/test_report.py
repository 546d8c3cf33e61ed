"""A run to one page: it stands by itself, a corpus of markup stays text, the numbers are there."""

from __future__ import annotations

import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from manifests import make_manifest
from watched import DEMO, MinedDemo

from miner.config import MineConfig
from miner.errors import RunError
from miner.mining.savings import CURVE
from miner.mining.settling import Verdict
from miner.report.charts import draw_scatter, find_decades
from miner.report.drawing import redraw_report
from miner.report.map import MOST_LABELS, WIDTH, draw_map, name_color, place_labels
from miner.report.page import write_report
from miner.report.screen import is_invisible
from miner.report.sections import VERDICTS
from miner.report.text import KINDS, mark, show
from miner.report.units import CONTEXTS, list_shown
from miner.runs.decisions import Log, name_log
from miner.runs.manifest import Input
from miner.runs.store import Cost

VOID = {"meta", "br"}
NASTY = [
    "<script>alert(1)</script>",
    "</style></title></table><img src=x onerror=alert(1)>",
    "\" onmouseover='alert(1)' x=\"",
    "safe\u202egnp.exe\u202c",
    "a\x00b\tc\nd\x1b[31m",
    "http://evil.example/x.js",
    "javascript:alert(1)",
    "</svg></text><script>",
    "<a href='javascript:x'>",
    "]]><svg onload=alert(1)>",
    "&lt;b&gt; &amp;",
    "<!-- ]]> -->",
    "שלום עולם",
    "\ue000\ue001",
]


class Page(HTMLParser):
    """Tags, attributes and text of a page; complains of tags that do not nest."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.text = ""
        self.style = ""
        self.feed(source)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "style":
            self.style += data
        else:
            self.text += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")


def make_proposals(tokens: list[str]) -> pl.DataFrame:
    verdicts = ["kept", "outbid", "weak"]
    return pl.DataFrame(
        {
            "token": tokens,
            "kind": ["link"] * len(tokens),
            "count": [100 + n for n in range(len(tokens))],
            "unit_count": [50 + n for n in range(len(tokens))],
            "score": [1 - n / 100 for n in range(len(tokens))],
            "verdict": [verdicts[n % 3] for n in range(len(tokens))],
            "rival": [tokens[0] if n % 3 == 1 else None for n in range(len(tokens))],
            "npmi": [n / 100 for n in range(len(tokens))],
        }
    )


def make_vocabulary(tokens: list[str], **columns: list[Any]) -> pl.DataFrame:
    proposals = make_proposals(tokens).drop("verdict", "rival")
    extra = {"rank": list(range(1, len(tokens) + 1))} | columns
    return proposals.with_columns(pl.Series(name, column) for name, column in extra.items())


def make_curve() -> pl.DataFrame:
    rows = {
        "units": [0, 100, 1_000, 8_000],
        "saved": [0.0, 0.05, 0.1234, 0.1235],
        "low": [0.0, 0.04, 0.11, 0.112],
        "high": [0.0, 0.06, 0.135, 0.1361],
        "per_unit": [None, 50.0, 8.16, 0.01],
        "per_unit_low": [None, 40.0, 7.0, -0.02],
    }
    return pl.DataFrame(rows, schema=CURVE)


NOTHING = make_manifest(inputs=(), verdicts={}, kinds={}, stages=(), text_bytes=0)


def write_page(folder: Path, **changes: Any) -> str:
    path = folder / "report.html"
    tokens = ["жар тишина", "new york"]
    parts: dict[str, Any] = {
        "vocabulary": make_vocabulary(tokens),
        "proposals": make_proposals(tokens),
        "curve": make_curve(),
        "manifest": make_manifest(),
    }
    write_report(path, **parts | changes)
    assert [entry.name for entry in folder.iterdir()] == ["report.html"]
    return path.read_text(encoding="utf-8")


def write_nasty_page(folder: Path) -> str:
    inputs = [Input(f"texts/{text}", 1, text) for text in [*NASTY, "\ud800"]]
    manifest = make_manifest(
        config=MineConfig(corpus=[text for text in NASTY if "\0" not in text]),
        inputs=tuple(inputs),
        versions={text: text for text in NASTY},
        verdicts=dict.fromkeys(["kept", "outbid", *NASTY], 3),
        stages=tuple(Cost(text, 1.0, 1.0, 1, 1) for text in NASTY),
    )
    return write_page(
        folder,
        vocabulary=make_vocabulary(NASTY, kind=NASTY, family=[1] * len(NASTY)),
        proposals=make_proposals(NASTY),
        manifest=manifest,
        contexts=make_contexts(NASTY),
        places=make_places(len(NASTY)),
        decisions=dict.fromkeys(NASTY, 2),
    )


def make_contexts(texts: list[str]) -> pl.DataFrame:
    """Two places of each unit, the second with its text on all sides."""
    rows = [(rank, "before\n ", text, "\u00a0after") for rank, text in enumerate(texts, 1)]
    rows += [(rank, text, text, text) for rank, text in enumerate(texts, 1)]
    return pl.DataFrame(rows, schema=CONTEXTS, orient="row")


def make_places(units: int) -> pl.DataFrame:
    """Units in rows of four, far apart."""
    at = np.arange(units)
    return pl.DataFrame(
        {"rank": at + 1, "x": at % 4 / 2 - 1, "y": 1 - at // 4 / 2},
        schema={"rank": pl.UInt32, "x": pl.Float32, "y": pl.Float32},
    )


def test_corpus_stays_text(tmp_path: Path) -> None:
    source = write_nasty_page(tmp_path)
    page = Page(source)
    assert {"script", "img", "base", "link"}.isdisjoint(page.tags)
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]
    assert not [value for _, _, value in page.attributes if "javascript" in value]
    assert page.tags.count("svg") == 3
    assert page.tags.count("mark") == 2 * len(NASTY)
    assert page.text.count(NASTY[7]) >= 6  # unit, places, map, refusals, settings
    assert NASTY[0] in page.text
    assert NASTY[2] in page.text
    assert NASTY[6] in page.text
    assert page.tags.count("title") - page.tags.count("circle") == 1


def test_nothing_invisible(tmp_path: Path) -> None:
    source = write_nasty_page(tmp_path)
    hidden = {c for c in source if is_invisible(c)} - {"\n", "\u00a0"}  # a space before %
    assert not hidden
    for code in ("U+202E", "U+202C", "U+0000", "U+0009", "U+001B", "U+D800", "U+E000"):
        assert f'<span class="hidden">{code}</span>' in source


def test_attributes_hold_no_corpus(tmp_path: Path) -> None:
    """With and without a corpus of markup the same attributes are used, with plain values."""
    for _, name, value in Page(write_nasty_page(tmp_path)).attributes:
        assert "alert" not in value + name
        assert "evil" not in value + name


@pytest.mark.parametrize("make", [write_page, write_nasty_page])
def test_loads_nothing(tmp_path: Path, make: Any) -> None:
    page = Page(make(tmp_path))
    loaders = {"script", "link", "img", "iframe", "object", "embed", "base", "form", "use", "image"}
    assert loaders.isdisjoint(page.tags)
    for tag, name, value in page.attributes:
        assert "http" not in value.replace("http-equiv", "")
        if name in ("src", "href", "srcset", "data", "action", "poster", "xlink:href"):
            assert (tag, name) == ("a", "href")
            assert value.startswith("#")
    assert not re.search(r"url\(|@import|@font-face|https?:", page.style)
    assert ("meta", "content", "default-src 'none'; style-src 'unsafe-inline'") in page.attributes


def test_links_lead_somewhere(tmp_path: Path) -> None:
    page = Page(write_page(tmp_path))
    names = [value for _, name, value in page.attributes if name == "id"]
    targets = [value[1:] for _, name, value in page.attributes if name == "href"]
    assert len(names) == len(set(names))
    assert set(targets) <= set(names)


def test_numbers_appear(tmp_path: Path) -> None:
    text = Page(write_page(tmp_path)).text.replace("\u00a0", " ")
    for wanted in (
        "Units of meaning in novels.txt",
        "18.5 MB · 3,141,592 atoms · 27,182 documents",
        "2 of 2 candidates",
        "12.3 % shorter",
        "11.2 % to 13.6 %",
        "After about 1,000 units",
        "жар тишина",
        "41,234",
        "12,345 rows",
        "1.5 s",
        "300 MB",
        "max_length",
        "256",
        "2.1.0",
        "text that was held back",
    ):
        assert wanted in text, wanted


def test_knee_at_the_end(tmp_path: Path) -> None:
    text = Page(write_page(tmp_path, curve=make_curve()[:3])).text
    assert "The last of the 1,000 units still pay" in text
    assert "still paying" in text


def test_mined_text_is_admitted(tmp_path: Path) -> None:
    text = Page(write_page(tmp_path, manifest=make_manifest(measured_on="mined"))).text
    assert "held back" not in text
    assert "this flatters" in text


def test_families_and_rivals(tmp_path: Path) -> None:
    tokens = ["free market", "free markets", "open sea"]
    vocabulary = make_vocabulary(tokens, family=[7, 7, None])
    source = write_page(
        tmp_path,
        vocabulary=vocabulary,
        proposals=make_proposals(tokens),
        manifest=make_manifest(verdicts={"outbid": 1}),
    )
    assert "<bdi>free market</bdi><small>head of a family of 2</small>" in source
    assert "<bdi>free markets</bdi><small>family of <bdi>free market</bdi></small>" in source
    assert "<bdi>open sea</bdi></td>" in source
    assert "<td><bdi>free markets</bdi></td><td><bdi>free market</bdi></td>" in source  # outbid


def test_verdicts_are_counted_and_told(tmp_path: Path) -> None:
    assert set(VERDICTS) == set(Verdict)
    manifest = make_manifest(verdicts={"weak": 2, "outbid": 2, "kept": 3})
    counted = write_page(tmp_path, manifest=manifest, proposals=make_proposals(list("abcdefg")))
    found = re.findall(r'<td><bdi>(\w+)</bdi></td><td>([^<]+)</td>.*?class="bar">(\d+)', counted)
    assert found == [
        (name, VERDICTS[name], count)
        for name, count in [("kept", "3"), ("weak", "2"), ("outbid", "2")]
    ]


def test_empty_run(tmp_path: Path) -> None:
    empty = pl.DataFrame()
    page = Page(
        write_page(tmp_path, vocabulary=empty, proposals=empty, curve=empty, manifest=NOTHING)
    )
    assert "Nothing: no candidate was good enough." in page.text
    assert "Not measured" in page.text
    assert "svg" not in page.tags


def test_empty_tables_with_columns(tmp_path: Path) -> None:
    vocabulary, proposals = make_vocabulary(["a b"])[:0], make_proposals(["a b"])[:0]
    source = write_page(
        tmp_path,
        vocabulary=vocabulary,
        proposals=proposals,
        curve=make_curve()[:1],
        manifest=NOTHING,
    )
    assert "svg" not in Page(source).tags


def test_statistics_may_lack(tmp_path: Path) -> None:
    proposals = make_proposals(["a b", "c d"]).drop("npmi", "rival", "unit_count")
    vocabulary = make_vocabulary(["a b"]).drop("npmi", "unit_count")
    page = Page(write_page(tmp_path, proposals=proposals, vocabulary=vocabulary))
    assert page.tags.count("svg") == 1
    nothing = make_proposals(["a b"]).with_columns(npmi=pl.lit(None, pl.Float64))
    assert draw_scatter(nothing, seed=0) == ""


def test_the_score_is_told_as_it_was_made(tmp_path: Path) -> None:
    """Of words it is a share, of what the corpus judged by itself a mean of ranks."""
    proposals = make_proposals(["a b", "c d"])
    share = write_page(tmp_path, proposals=proposals)
    ranks = write_page(tmp_path, proposals=proposals.with_columns(likeness=pl.lit(0.5)))
    assert "the share of such runs" in share and "is no share" not in share
    assert "is no share" in ranks and "the share of such runs" not in ranks


def test_one_proposal_is_drawn(tmp_path: Path) -> None:
    """A scatter and a curve whose axes have no length still give numbers."""
    still = make_curve().with_columns(saved=0.0, low=0.0, high=0.0)
    source = write_page(tmp_path, proposals=make_proposals(["a b"]), curve=still)
    assert Page(source).tags.count("svg") == 2
    assert "nan" not in source


def test_scatter_samples_both_sides() -> None:
    random = np.random.default_rng(0)
    verdicts = ["kept"] * 1_500 + ["weak"] * 50_000
    proposals = pl.DataFrame(
        {"npmi": random.normal(0.3, 0.2, 51_500), "count": random.integers(1, 999, 51_500)}
    ).with_columns(verdict=pl.Series(verdicts))
    figure = draw_scatter(proposals, seed=1)
    assert figure == draw_scatter(proposals, seed=1) != draw_scatter(proposals, seed=2)
    kept, refused = (
        max(re.findall(rf'<path class="{name}" d="([^"]*)"', figure), key=len)
        for name in ("kept", "refused")
    )
    assert (kept.count("M"), refused.count("M")) == (1_000, 1_000)
    assert "nan" not in figure
    assert len(figure) < 80_000


def test_ticks_of_a_narrow_log_axis() -> None:
    assert find_decades(6.5, 7.5) == [6.5]
    assert find_decades(4.5, 25) == [5, 10, 20]


def test_places_stand_below_their_units(tmp_path: Path) -> None:
    contexts = make_contexts(["жар тишина", "new york"])
    source = write_page(tmp_path, contexts=contexts)
    assert '<tr class="noted"><td class="n">1</td><td><bdi>жар тишина</bdi></td>' in source
    assert (
        '<tr class="note"><td colspan="5"><bdi class="place">before <mark>жар тишина</mark> after'
        '</bdi><bdi class="place">жар тишина<mark>жар тишина</mark>жар тишина</bdi></td></tr>'
    ) in source
    text = Page(source).text
    assert "Below a unit is how the corpus has it." in text
    assert "spell" in Page(write_page(tmp_path, contexts=contexts, exact=False)).text
    assert "Below a unit" not in Page(write_page(tmp_path)).text


def test_the_same_place_is_shown_once(tmp_path: Path) -> None:
    contexts = pl.concat([make_contexts(["new york"]).tail(1)] * 3)
    assert Page(write_page(tmp_path, contexts=contexts)).tags.count("mark") == 1


def test_only_the_first_units_have_two_places(tmp_path: Path) -> None:
    tokens = [f"unit {number}" for number in range(30)]
    contexts = pl.concat([make_contexts(tokens), make_contexts(["a"])])
    page = Page(write_page(tmp_path, vocabulary=make_vocabulary(tokens), contexts=contexts))
    assert page.tags.count("mark") == 10 * 2 + 20


def test_the_best_of_each_kind_are_shown() -> None:
    tokens = [f"unit {number}" for number in range(180)]
    vocabulary = make_vocabulary(tokens, kind=["link", "link", "formula"] * 60)
    shown = list_shown(vocabulary)
    assert dict(shown["kind"].value_counts().iter_rows()) == {"link": 50, "formula": 50}
    assert shown["rank"].is_sorted()
    assert list_shown(pl.DataFrame()).height == 0


@given(st.text(), st.text(), st.text())
def test_marked_text_is_read_back(before: str, text: str, after: str) -> None:
    page = Page(mark(before, text, after))
    assert set(page.tags) <= {"bdi", "mark", "span"}
    assert page.tags.count("mark") == 1
    assert set(page.attributes) <= {("span", "class", "hidden"), ("bdi", "class", "place")}


def test_the_largest_families_are_listed(tmp_path: Path) -> None:
    tokens = [f"unit {number}" for number in range(100)]
    families = [7] * 20 + [number // 2 + 100 for number in range(80)]
    page = Page(write_page(tmp_path, vocabulary=make_vocabulary(tokens, family=families)))
    assert "100 units are in families; the largest 20 of 41" in page.text
    assert "unit 0unit 1, unit 2, " in page.text
    assert "unit 12 and 7 more" in page.text
    assert "Families" not in Page(write_page(tmp_path)).text


def test_decisions_are_counted(tmp_path: Path) -> None:
    page = Page(write_page(tmp_path, decisions={"accepted by Ann": 1234, "<b>": 1}))
    assert "accepted by Ann1,234" in page.text
    assert "Reviewers" in page.text
    differ = [("<b>x</b>", "verdict", {"Ann": "accept", "<i>": "reject"}, None)] * 51
    text = Page(write_page(tmp_path, decisions={"in conflict": 51}, conflicts=differ)).text
    assert "Where they differ (51)" in text and "and 1 more" in text
    assert "<b>x</b>" in text and "Ann says accept, <i> says reject" in text
    assert "the run's own" in text
    assert "Nothing yet" in Page(write_page(tmp_path, decisions={})).text
    assert "Reviewers" not in Page(write_page(tmp_path)).text


def test_the_map_draws_every_unit_that_has_a_place(tmp_path: Path) -> None:
    tokens = [f"unit {number}" for number in range(12)]
    kinds = ["link", "hyperlexeme", "symbol"] * 4
    figure = draw_map(make_vocabulary(tokens, kind=kinds), make_places(9))
    dots = re.findall(r'<path class="(k\d)" stroke-width="([\d.]+)" d="([^"]+)"', figure)
    assert sum(marks.count("M") for _, _, marks in dots) == 9
    assert {color for color, _, _ in dots} == {name_color(kind) for kind in kinds}
    widths = [float(width) for _, width, _ in dots]
    assert widths == sorted(widths, reverse=True) and widths[0] > widths[-1]
    for name in ("Links", "Hyperlexemes", "Symbols"):
        assert name in figure
    assert "<title>unit 0: rank 1, 100 times</title>" in figure
    source = write_page(tmp_path, vocabulary=make_vocabulary(tokens), places=make_places(9))
    assert '<a href="#map">' in source


def test_the_map_of_nothing() -> None:
    vocabulary = make_vocabulary(["a b", "c d"])
    assert draw_map(vocabulary, make_places(0)) == ""
    assert draw_map(vocabulary, make_places(2).with_columns(x=float("nan"))) == ""
    for same in (make_places(1), make_places(2).with_columns(x=0.0, y=0.0)):
        figure = draw_map(vocabulary, same.cast({"x": pl.Float32, "y": pl.Float32}))
        assert "nan" not in figure
        assert figure.count("M") == same.height + 1  # one in "Map of"


@given(
    st.lists(st.tuples(st.text(max_size=30), st.floats(0, WIDTH), st.floats(0, 400)), max_size=60)
)
def test_labels_do_not_touch(dots: list[tuple[str, float, float]]) -> None:
    tokens, points = [dot[0] for dot in dots], np.array([dot[1:] for dot in dots]).reshape(-1, 2)
    labels = list(place_labels(tokens, points, 400))
    assert len(labels) <= MOST_LABELS
    for place, one in enumerate(labels):
        assert 0 <= one.x <= WIDTH
        left, top, right, bottom = one.box
        assert left - 1e-6 <= one.x <= right + 1e-6 and top < one.y < bottom
        for other in labels[:place]:
            beside = left > other.box[2] or right < other.box[0]
            assert beside or top > other.box[3] or bottom < other.box[1]


def test_every_kind_has_a_colour_in_every_theme(tmp_path: Path) -> None:
    style = Page(write_page(tmp_path)).style
    for number in range(len(KINDS)):
        assert len(re.findall(rf"--k{number}:#[0-9a-f]{{6}}", style)) == 3  # light, dark, paper
    assert name_color("something else") == name_color("atom")


def test_page_is_small_and_the_same(tmp_path: Path) -> None:
    tokens = [f"{n}" + "\u202e<&\"'" * 2_000 for n in range(600)]
    kinds = ["link", "hyperlexeme", "formula", "symbol", "marker", "atom"] * 100
    parts: dict[str, Any] = {
        "vocabulary": make_vocabulary(tokens, kind=kinds, family=[n // 2 for n in range(600)]),
        "proposals": make_proposals(tokens),
        "contexts": make_contexts(tokens),
        "places": make_places(600),
    }
    page = write_page(tmp_path, **parts)
    assert page == write_page(tmp_path, **parts)
    assert len(page.encode()) < 1_500_000
    assert page.count("<h3>") >= 6


@given(st.text())
def test_shown_text_is_read_back(text: str) -> None:
    page = Page(show(text))
    assert set(page.tags) <= {"bdi", "span"}
    assert page.tags[0] == "bdi"
    assert {a for a in page.attributes} <= {("span", "class", "hidden")}
    if len(text) <= 10:
        assert page.text == "".join(f"U+{ord(c):04X}" if is_invisible(c) else c for c in text)


def test_long_text_is_cut() -> None:
    assert show("x" * 100) == "<bdi>" + "x" * 80 + "… (20 more)</bdi>"


def test_joiners_stay() -> None:
    assert show("👩🏽‍🚀") == "<bdi>👩🏽‍🚀</bdi>"
    assert show("क्‍ष") == "<bdi>क्‍ष</bdi>"


# The report of a run


@pytest.fixture
def copied(demo: MinedDemo, tmp_path: Path) -> Path:
    """A copy of the run of the demo corpus, to be changed."""
    return Path(shutil.copytree(demo.folder, tmp_path / "run"))


def test_the_report_of_the_demo_shows_its_text(demo: MinedDemo) -> None:
    source = (demo.folder / "report.html").read_text(encoding="utf-8")
    page = Page(source)
    assert len(source.encode()) < 1_500_000
    assert page.tags.count("svg") == 3
    places = re.findall(r'<bdi class="place">(.*?)</bdi>', source)
    assert len(places) > 150
    corpus = " ".join(DEMO.read_text(encoding="utf-8").split())
    for place in places:
        assert " ".join(Page(place).text.split()) in corpus
        marked = re.findall("<mark>(.*?)</mark>", place)
        assert len(marked) == 1


def test_a_report_is_written_again(copied: Path) -> None:
    before = (copied / "report.html").read_bytes()
    (copied / "report.html").unlink()
    assert redraw_report(copied) == copied / "report.html"
    assert (copied / "report.html").read_bytes() == before
    Log(name_log(copied, "anna")).set([("Δ41", ("Δ41",))], {"verdict": "accept"})
    redraw_report(copied)
    assert "accepted1" in Page((copied / "report.html").read_text(encoding="utf-8")).text


def test_a_run_of_an_earlier_version_has_a_report_too(copied: Path) -> None:
    for file in (
        "1_atoms/originals.zst",
        "1_atoms/originals.places.u32",
        "1_atoms/originals.blocks.i64",
        "6_vocabulary/map.parquet",
    ):
        (copied / file).unlink()
    page = Page(redraw_report(copied).read_text(encoding="utf-8"))
    assert "as its atoms spell it" in page.text
    assert page.tags.count("svg") == 2


@pytest.mark.parametrize(
    "name",
    [
        "manifest.json",
        "1_atoms/originals.zst",
        "2_candidates/keys.npy",
        "6_vocabulary/savings.parquet",
        "6_vocabulary/units.parquet",
        "6_vocabulary/map.parquet",
    ],
)
def test_a_damaged_run_has_no_new_report(copied: Path, name: str) -> None:
    before = (copied / "report.html").read_bytes()
    content = (copied / name).read_bytes()
    (copied / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(RunError, match=r"mine again|Copy"):
        redraw_report(copied)
    assert (copied / "report.html").read_bytes() == before
