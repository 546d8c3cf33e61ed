"""Figures of a corpus to a screen of text: what is it, and what is it enough for?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from miner.inspection.classes import tell_value
from miner.report.screen import spell, tell_count, tell_size, wrap

WIDTH, MARGIN = 100, 12
SHOWN = 8  # files, scripts, languages
LEAST = 0.0005  # a share that is told
LONG = 2_000  # characters of a document on average, from which it is more than a line or a page
KINDS_OF_LETTERS = ("picture signs", "unspaced signs", "private use")
PLURALS = {"prototype": "a prototype", "LoRA": "LoRA", "full corpus": "a full corpus"}


def describe_inspection(record: dict[str, Any]) -> str:
    """Return what a person reads of a corpus, invisible characters spelled out."""
    parts = _tell_bytes(record) if record["binary"] else _tell_text(record)
    lines = [_entry("corpus", tell_files(record)), *parts, _entry("enough for", tell_steps(record))]
    if record["skipped"]:
        lines.append(_entry("skipped", tell_skipped(record)))
    return "\n".join([*filter(None, lines), "", f"Next: {spell(record['next'], None)}"])


def _tell_text(record: dict[str, Any]) -> list[str]:
    return [
        _entry("size", tell_size_line(record)),
        _entry("pages", tell_pages(record)),
        _entry("tokens", tell_tokens(record)),
        _entry("class", tell_class(record)),
        _entry("profile", tell_profile_line(record)),
        _entry("characters", tell_characters(record)),
        _entry("scripts", tell_shares(record["scripts"])),
        _entry("languages", tell_languages(record)),
        _entry("lengths", tell_lengths_line(record)),
        _entry("repeats", tell_repeats(record)),
        _entry("encoding", tell_encoding(record)),
        _entry("packing", tell_packing(record)),
    ]


def _tell_bytes(record: dict[str, Any]) -> list[str]:
    return [
        _entry("class", tell_class(record)),
        _entry("profile", tell_profile_line(record)),
        *(_entry("" if place else "bytes", line) for place, line in enumerate(list_bytes(record))),
        _entry("packing", tell_packing(record)),
    ]


def _entry(name: str, text: str) -> str:
    """Return a text behind its name, wrapped; nothing where there is none."""
    if not text:
        return ""
    return wrap(text, WIDTH, (f"{name}:" if name else "").ljust(MARGIN))


def tell_files(record: dict[str, Any]) -> str:
    files, size = record["files"], record["size"]
    paths = ["standard input" if path == "-" else spell(path) for path in record["paths"]]
    names = ", ".join(paths[:SHOWN])
    more = f" and {len(paths) - SHOWN:,} more" if len(paths) > SHOWN else ""
    forms = ", ".join(
        name if len(files) == 1 else f"{name} {met:,}" for name, met in record["forms"].items()
    )
    inside = "content" if record["binary"] else "text"
    return (
        f"{names}{more}; {tell_count(len(files), 'file')} ({forms}), "
        f"{tell_size(size['disk_bytes'])} on disk, {tell_size(size['text_bytes'])} of {inside}"
    )


def tell_size_line(record: dict[str, Any]) -> str:
    size = record["size"]
    empty = f" ({size['empty_documents']:,} empty)" if size["empty_documents"] else ""
    return (
        f"{tell_count(size['documents'], 'document')}{empty}, {tell_count(size['lines'], 'line')}, "
        f"{tell_count(size['words'], 'word')}, {tell_count(size['characters'], 'character')}"
    )


def tell_pages(record: dict[str, Any]) -> str:
    size = record["size"]
    low, high = size["pages"]
    basis = "at 500 to 600 words a page"
    if size["words_for_pages"] > size["words"]:
        basis += (
            f"; letters of scripts without spaces come to about {size['words_for_pages']:,} words"
        )
    return f"{_tell_page(low)} to {_tell_page(high)} A4 pages, {basis}"


def _tell_page(pages: float) -> str:
    return f"{pages:,.0f}" if pages >= 10 else f"{pages:.1f}"


def tell_tokens(record: dict[str, Any]) -> str:
    tokens = record["tokens"]
    if tokens is None:
        return ""
    name = spell(tokens["tokenizer"])
    if not tokens["sampled"]:
        told = f"{tokens['tokens']:,} under {name}, all of them counted"
    else:
        told = (
            f"about {_round(tokens['tokens'])} under {name} (95%: {_round(tokens['low'])} to "
            f"{_round(tokens['high'])}, from a sample of {tell_size(tokens['sample_bytes'])})"
        )
    return (
        f"{told}; {tokens['bytes_per_token']:.2f} bytes per token, {tokens['tokens_per_word']:.2f} "
        "tokens per word"
    )


def _round(number: int) -> str:
    """Return a number in four figures.

    >>> _round(123456), _round(99)
    ('123,500', '99')
    """
    return f"{int(float(f'{number:.4g}')):,}"


def name_class(record: dict[str, Any]) -> str:
    verdict = record["class"]
    number = verdict["number"]
    return f"{number}, {verdict['name']}" if number else verdict["name"]


def tell_class(record: dict[str, Any]) -> str:
    verdict = record["class"]
    also = "; ".join(f"{other['number']}, {other['name']}" for other in verdict["also"])
    more = f". Also signs of {also}" if also else ""
    return f"{name_class(record)} ({verdict['certainty']}): {verdict['why']}{more}"


def tell_profile_line(record: dict[str, Any]) -> str:
    profile = record["profile"]
    chosen = profile["chosen_by"] == "user"
    by = "your choice; the corpus by itself: " if chosen else ""
    told = f"{profile['name']}: {by}{profile['why']}"
    if profile["by_sample"] != profile["name"] and not chosen:
        told += (
            f". That is the beginning; pieces from all of it look like {profile['by_sample']}: "
            f"mine by --profile {profile['by_sample']}, or kinds of text apart"
        )
    return told


def tell_shares(shares: Mapping[str, float], *, rest: bool = True) -> str:
    """Return shares, most first; of those too small to see how many they are."""
    told = sorted(shares.items(), key=lambda pair: -pair[1])
    seen = [f"{name} {tell_value(share)}" for name, share in told if share >= LEAST]
    left = sum(LEAST > share > 0 for _, share in told) + max(0, len(seen) - SHOWN)
    more = f", {left} more" if left and rest else ""
    return (", ".join(seen[:SHOWN]) + more) if seen else ""


def tell_characters(record: dict[str, Any]) -> str:
    """Return shares of characters; kinds of letters behind the letters."""
    shares = dict(record["characters"])
    kinds = tell_shares({name: shares.pop(name) for name in KINDS_OF_LETTERS if name in shares})
    told = tell_shares(shares, rest=False)
    letters, _, others = told.partition(", ")
    if not kinds or not letters.startswith("letters"):
        return told
    return f"{letters} ({kinds})" + (f", {others}" if others else "")


def tell_languages(record: dict[str, Any]) -> str:
    """Return the languages, what is unknown last."""
    told = [
        f"{tongue['name']} {tell_value(tongue['share'])}"
        + ("" if tongue["name"] == "unknown" else f" ({tongue['certainty']})")
        for tongue in sorted(record["languages"], key=lambda tongue: tongue["name"] == "unknown")
    ]
    if len(told) > SHOWN + 1:
        told[SHOWN:-1] = [f"{len(told) - SHOWN - 1} more"]
    return ", ".join(told)


def tell_lengths_line(record: dict[str, Any]) -> str:
    lengths, longest = record["lengths"], record["lengths"]["longest"]
    if not longest["characters"]:
        return ""
    forms = {file["path"]: file["form"] for file in record["files"]}
    place = "line" if forms[longest["path"]].startswith("lines") else "document"
    return (
        f"{lengths['mean']:,.0f} characters in a document on average, half up to "
        f"{lengths['median']:,}, 99% up to {lengths['p99']:,}; the longest has "
        f"{longest['characters']:,} ({place} {longest['document']:,} of {spell(longest['path'])})"
    )


def tell_repeats(record: dict[str, Any]) -> str:
    found = record["duplicates"]
    if not found["documents"]:
        return "no document is there twice" + _tell_sampled(found)
    return (
        f"{found['share_of_documents']:.1%} of the documents that are not empty are copies of an "
        f"earlier one, {found['share_of_bytes']:.1%} of their bytes; {found['distinct']:,} differ"
        + _tell_sampled(found)
    )


def _tell_sampled(found: dict[str, Any]) -> str:
    return f" (from {found['looked_at']:,} drawn by hash)" if found["sampled"] else ""


def tell_encoding(record: dict[str, Any]) -> str:
    return "; ".join(list_encoding(record["encoding"]))


def list_encoding(found: dict[str, Any]) -> list[str]:
    """Return what is wrong or unusual in the bytes, each in a few words."""
    told = ["all of it is UTF-8"]
    if found["bad_bytes"]:
        first = found["first_bad"]
        place = f"{spell(first['path'])}, line {first['line']:,}, byte {first['byte']:,}"
        bad = tell_count(found["bad_bytes"], "byte")
        told = [f"{bad} that are not UTF-8, the first in {place}"]
    if found["guess"]:
        told.append(f"perhaps {found['guess']['name']}: {found['guess']['why']}")
    if found["lost_characters"]:
        lost = tell_count(found["lost_characters"], "character")
        told.append(f"{lost} U+FFFD: lost in an earlier conversion")
    if found["files_no_text"] and not found["guess"]:
        told.append(f"no text, or one in another encoding: {_name_first(found['files_no_text'])}")
    if found["byte_order_marks"]:
        told.append(f"a byte order mark in {_name_first(found['byte_order_marks'])}")
    told.append(_tell_line_ends(found["line_ends"]))
    for name, points in (("control", found["controls"]), ("invisible", found["invisible"])):
        if points:
            listed = ", ".join(f"{p['code']} {p['count']:,}" for p in points[:5])
            more = f" and {len(points) - 5} more" if len(points) > 5 else ""
            told.append(f"{name} characters: {listed}{more}")
    return [line for line in told if line]


def _name_first(files: list[str]) -> str:
    more = "" if len(files) == 1 else f" and {len(files) - 1:,} more"
    return f"{spell(files[0])}{more}"


def _tell_line_ends(ends: dict[str, int]) -> str:
    names = {"lf": "LF", "crlf": "CRLF", "cr": "CR"}
    met = [f"{names[name]} {number:,}" for name, number in ends.items() if number]
    if len(met) > 1:
        return f"mixed line ends: {', '.join(met)}"
    return "" if not met or ends["lf"] else f"line ends: {met[0]}"


def tell_packing(record: dict[str, Any]) -> str:
    found = record["repetition"]
    if not found["ratio"]:
        return ""
    part = "all of it" if record["sample"]["whole"] else "a sample"
    kind = (
        ""
        if record["binary"]
        else (
            ": hardly any repetition"
            if found["ratio"] < 1.8
            else ": much repetition"
            if found["ratio"] > 6
            else ""
        )
    )
    return f"zstd makes {part} {found['ratio']:.1f} times shorter{kind}"


def tell_steps(record: dict[str, Any]) -> str:
    """Return the steps that a corpus reaches, and what it lacks for the next."""
    rungs = record["sizing"]
    reached = [PLURALS[rung["step"]] for rung in rungs if rung["reached"]]
    told = ", ".join(reached) if reached else "nothing yet"
    missing = next((rung for rung in rungs if not rung["reached"]), None)
    if missing:
        told += f"; for {PLURALS[missing['step']]} {tell_missing(missing, record)}"
    if missing and (record["lengths"] or {}).get("mean", 0) > LONG:
        told += "; the lines are long, cut into sentences there would be more of them"
    found = record["duplicates"]
    if found and found["documents"] > 0 and reached:
        fewer = [r["step"] for r in rungs if r["reached"] and found["distinct"] < r["from_lines"]]
        if fewer:
            told += f"; counted once, lines are too few for {PLURALS[fewer[0]]}"
    return told


def tell_missing(rung: dict[str, Any], record: dict[str, Any]) -> str:
    """Return what is missing to a step."""
    size = f" or {tell_size(rung['missing_bytes'])}" if rung["missing_bytes"] else ""
    if record["binary"]:
        lacking = rung["missing_bytes"] or 100 * rung["missing_lines"]
        return f"{tell_size(lacking)} are missing (100 bytes stand for a line)"
    return f"{tell_count(rung['missing_lines'], 'line')}{size} are missing"


def tell_skipped(record: dict[str, Any]) -> str:
    entries = record["skipped"]
    first = entries[0]
    place = ", ".join(spell(part) for part in (first["path"], first["place"]) if part)
    left = record["skipped_in_all"] - 1
    more = f", and {left:,} more" if left else ""
    return f"{place}: {spell(first['problem'])}{more}"


def list_bytes(record: dict[str, Any]) -> list[str]:
    """Return what is known of bytes and tensors, a line each."""
    found = record["binary"]
    values = tell_count(found["values_in_use"], "value")
    lines = [
        f"{found['entropy_per_byte']:.2f} of 8 bits in a byte, {values} in use, "
        f"{found['zeros']:.1%} zeros"
    ]
    begins = {name for name in found["begins_like"].values() if name != "unknown"}
    if begins:
        lines.append(f"begins like: {', '.join(sorted(begins))}")
    for form in found["forms"]:
        places = " ".join(f"{bits:.2f}" for bits in form["entropy_by_place"])
        lines.append(
            f"{spell(form['dtype'])}: {tell_count(form['tensors'], 'tensor')}, "
            f"{tell_count(form['elements'], 'element')}, {tell_size(form['bytes'])}; "
            f"bits by place of the byte: {places}"
        )
    lines += _list_tensors(found["shapes"][:SHOWN])
    return lines


def _list_tensors(shapes: Iterable[dict[str, Any]]) -> list[str]:
    return [
        f"{spell(t['name'])} {t['dtype']} {' x '.join(map(str, t['shape'])) or 'scalar'}"
        for t in shapes
    ]
