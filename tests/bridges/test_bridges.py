"""The pages of docs/bridges: the code of each does what it shows, with the library itself."""

from __future__ import annotations

import re
import shutil
import sys
import types
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

import joblib
import numpy as np
import pytest
from watched import DEMO, ROOT, MinedDemo

import miner
from miner.text.recut import normalize

PAGES = ROOT / "docs" / "bridges"
NEEDS = {  # of each page, the libraries that may not be there
    "bertopic": ("bertopic", "sentence_transformers", "sklearn"),
    "datasets": ("datasets",),
    "gensim": ("gensim",),
    "keybert": ("keybert", "sentence_transformers", "sklearn"),
    "model2vec": ("model2vec", "skeletoken", "torch", "transformers"),
    "scikit-learn": ("sklearn",),
    "spacy": ("spacy",),
}
VARIES = {"bertopic"}  # what it prints is an example, which another machine may draw otherwise
LINES = DEMO.read_text(encoding="utf-8").splitlines()


class Execute(Protocol):
    """Runs the code of a page, and returns the names that it binds."""

    def __call__(self, page: str) -> Any: ...


def read_blocks(page: str, language: str) -> list[str]:
    text = (PAGES / f"{page}.md").read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def desk(demo: MinedDemo, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the pages name: the demo corpus, and its run."""
    folder = tmp_path_factory.mktemp("desk")
    shutil.copytree(demo.folder, folder / "outputs" / "demo")
    (folder / "corpora").mkdir()
    shutil.copy(DEMO, folder / "corpora")
    return folder


@pytest.fixture
def execute(
    desk: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Execute:
    def run_page(page: str) -> Any:
        for module in NEEDS[page]:
            pytest.importorskip(module)
        if page == "datasets":  # what it keeps is for this test
            config = pytest.importorskip("datasets.config")
            monkeypatch.setattr(config, "HF_DATASETS_CACHE", desk / "cache")
        (code,), (shown,) = read_blocks(page, "python"), read_blocks(page, "text")
        module = types.ModuleType(f"page_{page.replace('-', '_')}")
        monkeypatch.setitem(sys.modules, module.__name__, module)  # other processes ask for it
        monkeypatch.chdir(desk)
        place = desk / f"{module.__name__}.py"
        place.write_text(code, encoding="utf-8")  # spaCy reads the source of what it registers
        capsys.readouterr()
        exec(compile(code, place, "exec"), module.__dict__)  # noqa: S102
        printed = capsys.readouterr().out
        assert printed.strip(), "a page shows what comes of it"
        assert page in VARIES or printed == shown
        return module

    return run_page


def test_the_table_names_every_page_and_no_other() -> None:
    linked = re.findall(r"\]\(([\w-]+)\.md\)", (PAGES / "index.md").read_text(encoding="utf-8"))
    assert sorted(linked) == sorted(NEEDS)
    assert sorted(path.stem for path in PAGES.glob("*.md")) == sorted([*NEEDS, "index"])


def test_scikit_learn_counts_units(execute: Execute) -> None:
    page = execute("scikit-learn")
    assert page.counts.shape == (len(LINES), len(page.names))
    column = page.vectorizer.vocabulary_["day after day"]
    unit = page.run["day after day"]
    assert int(page.counts[:, column].sum()) >= unit.unit_count > 0
    pieces = [set(line) for line in page.run.segment_batch(page.texts, canonical=True)]
    assert [row for row, found in enumerate(pieces) if "day after day" in found] == sorted(
        page.counts[:, column].nonzero()[0].tolist()
    )


def test_scikit_learn_takes_batches_for_the_same_counts(execute: Execute) -> None:
    from sklearn.feature_extraction.text import CountVectorizer

    page = execute("scikit-learn")
    vectorizer = CountVectorizer(analyzer=list, min_df=5)
    counts = vectorizer.fit_transform(page.run.segment_batch(page.texts, canonical=True))
    assert vectorizer.get_feature_names_out().tolist() == page.names.tolist()
    assert (counts != page.counts).nnz == 0


def test_scikit_learn_weighs_clones_and_keeps_the_analyzer(
    execute: Execute, tmp_path: Path
) -> None:
    from sklearn.base import clone
    from sklearn.feature_extraction.text import TfidfVectorizer

    page = execute("scikit-learn")
    tfidf = TfidfVectorizer(analyzer=partial(page.run.segment, canonical=True), min_df=5)
    weights = tfidf.fit_transform(page.texts)
    assert weights.shape == page.counts.shape
    lengths = np.sqrt(weights.multiply(weights).sum(axis=1)).A1
    filled = page.counts.sum(axis=1).A1 > 0
    np.testing.assert_allclose(lengths, filled.astype(float), atol=1e-9)
    again = clone(tfidf).fit_transform(page.texts)
    assert (again != weights).nnz == 0
    joblib.dump(tfidf, tmp_path / "tfidf.joblib")
    kept = joblib.load(tmp_path / "tfidf.joblib").transform(page.texts[:50])
    assert abs(kept - weights[:50]).max() < 1e-12


@pytest.mark.slow
def test_scikit_learn_sends_the_analyzer_to_other_processes(execute: Execute) -> None:
    page = execute("scikit-learn")
    analyze = page.vectorizer.build_analyzer()
    with joblib.parallel_config("loky", n_jobs=2):
        found = joblib.Parallel()(joblib.delayed(analyze)(text) for text in page.texts[:20])
    assert found == page.run.segment_batch(page.texts[:20], canonical=True)


@pytest.mark.slow
def test_bertopic_names_topics_by_units(execute: Execute) -> None:
    page = execute("bertopic")
    assert len(page.topics) == len(LINES) and len(set(page.topics)) == 40
    units = [name for name in page.names if " " in name]
    assert len(units) > 20
    assert all(page.run[name].token == name for name in units)
    assert any("ж" in name for name in page.names), "texts that are not English are there too"


@pytest.mark.slow
def test_keybert_chooses_among_units_and_words(execute: Execute) -> None:
    page = execute("keybert")
    pieces = page.run.segment(page.text, canonical=True)
    everything = page.model.extract_keywords(page.text, vectorizer=page.vectorizer, top_n=50)
    assert {word for word, _ in everything} == set(pieces)
    assert {"сельского хозяйства", "изо дня в день"} <= {word for word, _ in page.keywords}


def test_gensim_gets_every_token_and_units_as_one(execute: Execute) -> None:
    page = execute("gensim")
    joined = page.run.segment_batch(page.sentences)
    assert [" ".join(tokens) for tokens in joined] == [" ".join(line) for line in page.sentences]
    profile = page.run._finished.atoms.profile
    assert page.joined == [[normalize(token, profile) for token in tokens] for tokens in joined]
    whole = {token for tokens in page.joined for token in tokens if " " in token}
    assert len(whole) > 300 and all(page.run[token].token == token for token in whole)
    for line, tokens in zip(page.sentences, joined, strict=True):
        text = f" {' '.join(line)} "
        whole_units = [
            span.text
            for span in page.run.spans(text)
            if span.rank and " " in span.text and text[span.start - 1] == text[span.end] == " "
        ]
        assert [token for token in tokens if " " in token] == whole_units
    assert {"day after day", "изо дня в день"} <= set(page.model.wv.index_to_key)


ODD = [
    "👩‍🚀 Судьба сельского хозяйства радует, ИЗО ДНЯ В ДЕНЬ — 🇫🇷!",
    "e\u0301te\u0301 day after day e\u0301, day  after day\u00a0and Day After\nDay",
    "❤️🫧 Δ41 → Δ∞ ⟁⟁ «изо дня в день»…",
    "U\u0308ber the neighbour’s and the neighbours day after daylight",
    "",
    "  ",
    "\U0001f700 🜂 in\u00adorder",
]


def test_spacy_makes_units_tokens_that_stand_where_the_run_has_them(execute: Execute) -> None:
    page = execute("spacy")
    texts = [*ODD, *LINES[:200]]
    merged = 0
    for text, doc in zip(texts, page.nlp.pipe(texts), strict=True):
        assert "".join(token.text_with_ws for token in doc) == doc.text == text
        places = [(token.idx, token.idx + len(token.text)) for token in doc]
        assert all(before[1] <= after[0] for before, after in pairwise(places))
        spans = {(span.start, span.end): span for span in page.run.spans(text) if span.rank}
        found = {place: token for place, token in zip(places, doc, strict=True) if token._.rank}
        for place, token in found.items():
            assert token.text == text[slice(*place)] == spans[place].text
            assert token._.rank == spans[place].rank
            unit = page.run[token._.rank]
            assert page.run[token.text].rank == unit.rank
        starts, ends = zip(*places, strict=True) if places else ((), ())
        left_out = [span for place, span in spans.items() if place not in found]
        assert all(span.start not in starts or span.end not in ends for span in left_out)
        merged += sum(" " in token.text for token in found.values())
    assert merged > 100


def test_spacy_finds_a_unit_by_a_matcher(execute: Execute) -> None:
    page = execute("spacy")
    from spacy.matcher import Matcher

    matcher = Matcher(page.nlp.vocab)
    matcher.add("one", [[{"LOWER": "day after day"}]])
    matcher.add("any", [[{"_": {"rank": {">": 0}}}]])
    doc = page.nlp("Day after day, a day after the day.")
    found = matcher(doc, as_spans=True)
    assert [span.text for span in found if span.label_ == "one"] == ["Day after day"]
    units = [span.text for span in page.run.spans(doc.text) if span.rank]
    assert [span.text for span in found if span.label_ == "any"] == units


@pytest.fixture
def model(desk: Path) -> Path:
    """A small model of the kind that is distilled, with a tokenizer of the demo corpus."""
    tokenizers, transformers = map(pytest.importorskip, ("tokenizers", "transformers"))
    torch = pytest.importorskip("torch")
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    cut = tokenizers.Tokenizer(tokenizers.models.WordPiece(unk_token="[UNK]"))  # noqa: S106
    cut.normalizer = tokenizers.normalizers.BertNormalizer()
    cut.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    trainer = tokenizers.trainers.WordPieceTrainer(vocab_size=1_000, special_tokens=special)
    cut.train_from_iterator(LINES, trainer)
    cut.post_processor = tokenizers.processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    names = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token"), special, strict=True))
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "intermediate_size": 64}
    config = transformers.BertConfig(vocab_size=1_000, num_attention_heads=2, **sizes)
    folder = desk / "bert"
    transformers.BertModel(config).save_pretrained(folder)
    transformers.PreTrainedTokenizerFast(tokenizer_object=cut, **names).save_pretrained(folder)
    return folder


@pytest.mark.usefixtures("model")
@pytest.mark.filterwarnings("ignore")
def test_model2vec_gives_each_unit_a_vector(execute: Execute) -> None:
    page = execute("model2vec")
    vocabulary = page.static.tokenizer.get_vocab()
    several = [unit for unit in page.units if " " in unit]
    folded = [page.static.tokenizer.normalizer.normalize_str(unit) for unit in several]
    assert len(several) > 500
    assert sum(unit in vocabulary for unit in folded) == len(set(folded) & set(vocabulary))
    assert sum(unit in vocabulary for unit in folded) / len(folded) > 0.99
    rows = [vocabulary[unit] for unit in ("day after day", "изо дня в день")]
    for unit, row in zip(("day after day", "изо дня в день"), rows, strict=True):
        vector, wanted = page.static.encode(unit), page.static.embedding[row].astype(float)
        cosine = vector @ wanted / np.linalg.norm(vector) / np.linalg.norm(wanted)
        assert cosine == pytest.approx(1, abs=1e-3)


def test_datasets_map_gives_the_same_in_several_processes(execute: Execute) -> None:
    page = execute("datasets")
    assert page.pieces["pieces"][:] == page.run.segment_batch(LINES)
    alone = page.texts.map(page.segment, batched=True, fn_kwargs={"run": page.run})
    assert alone["pieces"][:] == page.pieces["pieces"][:]


def test_datasets_map_is_made_anew_where_the_units_are_others(execute: Execute) -> None:
    page = execute("datasets")

    def map_with(run: miner.Run) -> Any:
        few = page.texts.select(range(50))
        return few.map(page.segment, batched=True, fn_kwargs={"run": run})

    first = map_with(page.run)
    assert map_with(miner.open_run("outputs/demo"))._fingerprint == first._fingerprint
    page.run.decide(reject=["last night"], reviewer="test")
    try:
        changed = map_with(page.run)
        assert changed._fingerprint != first._fingerprint
        assert changed["pieces"][0][-3:] == ["last", "night", "."]
    finally:
        page.run.decide(clear=["last night"], reviewer="test")
    assert map_with(page.run)._fingerprint == first._fingerprint
