"""Two sets of special tokens and settings to findings: do prompts still mean the same?"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from typing import Any

from miner.report.screen import tell_count
from miner.tokenizer.diffing.findings import (
    Finding,
    Severity,
    list_changes,
    show_change,
    show_value,
    take_examples,
)
from miner.tokenizer.diffing.sides import EXTRA_LISTS, ROLES, Side

FLAGS = ("special", "lstrip", "rstrip", "single_word", "normalized")
AROUND = {"add_bos_token", "add_eos_token", "split_special_tokens"}
CUTTING = {
    "add_prefix_space", "do_lower_case", "strip_accents", "tokenize_chinese_chars", "legacy",
    "tokenizer_class", "clean_up_tokenization_spaces", "spaces_between_special_tokens",
    "do_basic_tokenize", "never_split", "sp_model_kwargs", "use_default_system_prompt",
}  # fmt: skip
ELSEWHERE = {"chat_template", "added_tokens_decoder", *ROLES, *EXTRA_LISTS}  # told by themselves
TEMPLATE_LINES = 400  # of a chat template that are compared
TEMPLATE_SIGNS = 88  # of a line that are kept
NAMES: dict[Severity, str] = {"break": "special token", "warn": "added token"}
BREAKS_PROMPTS = "prompts and adapters that were made with the old one break"


def compare_roles(old: Side, new: Side) -> list[Finding]:
    """Return what became of added tokens, roles, the chat template and the other settings."""
    findings = [*_compare_added(old, new), *_compare_lengths(old, new)]
    if old.has_config and new.has_config:
        findings += [
            *_compare_roles(old, new),
            *_compare_extra(old, new),
            *_compare_template(old, new),
            *_compare_config(old, new),
        ]
    elif old.has_config or new.has_config:
        single = "NEW" if old.has_config else "OLD"
        findings.append(
            Finding(
                "none",
                "not compared",
                f"roles, chat template and config: {single} is a single file",
                "they stand in the files beside it, so nothing can be said about them",
                "Name the folders to compare them",
            )
        )
    return findings


def _compare_added(old: Side, new: Side) -> list[Finding]:
    """Added tokens: matched before the model cuts, and known to be special."""
    if old.kind != new.kind:
        return []
    findings = []
    lost = [token for token in old.added if token in new.places and token not in new.added]
    if lost:
        findings.append(
            Finding(
                "break",
                "no added token",
                f"{tell_count(len(lost), 'added token')} no longer added, though still a piece",
                "in text they are cut like any other letters, and they are not special any more",
                "Put them back into added_tokens",
                len(lost),
                take_examples(map(repr, lost)),
            )
        )
    fresh = [token for token in new.added if token in old.places and token not in old.added]
    if fresh:
        findings.append(
            Finding(
                "warn",
                "now an added token",
                f"{tell_count(len(fresh), 'old piece')} became added tokens",
                "they are matched before the model cuts, also inside words",
                "Leave ordinary pieces to the model",
                len(fresh),
                take_examples(map(repr, fresh)),
            )
        )
    return findings + _compare_flags(old, new)


def _compare_flags(old: Side, new: Side) -> list[Finding]:
    groups: dict[Severity, list[str]] = {"break": [], "warn": []}
    for content in old.added.keys() & new.added.keys():
        before, after = old.added[content], new.added[content]
        if any(before.get(flag) != after.get(flag) for flag in FLAGS):
            special = before.get("special") or after.get("special")
            groups["break" if special else "warn"].append(content)
    return [
        Finding(
            severity,
            "flags",
            f"{tell_count(len(contents), NAMES[severity])} with other flags",
            "they are matched at other places in a text, or treated as special where they were not",
            "Keep the flags of OLD",
            len(contents),
            take_examples(_list_flags(old, new, sorted(contents))),
        )
        for severity, contents in groups.items()
        if contents
    ]


def _list_flags(old: Side, new: Side, contents: Sequence[str]) -> Iterator[str]:
    for content in contents:
        before, after = old.added[content], new.added[content]
        flags = [
            f"{flag} {show_change(before.get(flag), after.get(flag))}"
            for flag in FLAGS
            if before.get(flag) != after.get(flag)
        ]
        yield f"{content!r}: {', '.join(flags)}"


def _compare_roles(old: Side, new: Side) -> list[Finding]:
    findings = []
    for role in ROLES:
        before, after = old.roles.get(role), new.roles.get(role)
        if before == after:
            continue
        gained = before is None
        severity: Severity = "break" if not gained else "notice" if role == "pad_token" else "warn"
        change = "given" if gained else "lost" if after is None else "changed"
        findings.append(
            Finding(
                severity,
                role,
                f"{role} {change}",
                f"another token stands for it than before: {BREAKS_PROMPTS}"
                if not gained
                else "there was none before: prompts that use it change",
                "Keep the roles of OLD" if not gained else "",
                examples=(show_change(before, after),),
            )
        )
    return findings


def _compare_extra(old: Side, new: Side) -> list[Finding]:
    gone, fresh = (
        sorted(old.extra_roles - new.extra_roles),
        sorted(new.extra_roles - old.extra_roles),
    )
    findings = []
    if gone:
        findings.append(
            Finding(
                "break",
                "special tokens",
                f"{tell_count(len(gone), 'special token')} no longer listed",
                BREAKS_PROMPTS,
                "Keep the special tokens of OLD",
                len(gone),
                take_examples(map(repr, gone)),
            )
        )
    if fresh:
        findings.append(
            Finding(
                "notice",
                "special tokens",
                f"{tell_count(len(fresh), 'special token')} newly listed",
                "they are left out where text is written without special tokens",
                "",
                len(fresh),
                take_examples(map(repr, fresh)),
            )
        )
    return findings


def _compare_template(old: Side, new: Side) -> list[Finding]:
    before, after = old.tokenizer.chat_template, new.tokenizer.chat_template
    if before == after:
        return []
    change = "given" if before is None else "lost" if after is None else "changed"
    gained = before is None
    return [
        Finding(
            "notice" if gained else "break",
            "chat template",
            f"chat template {change}",
            "there was none before"
            if gained
            else "chats are written in another form than the model was trained on: "
            + BREAKS_PROMPTS,
            "" if gained else "Keep the chat template of OLD",
            examples=take_examples(_diff_lines(before or "", after or "")),
        )
    ]


def _diff_lines(before: str, after: str) -> Iterator[str]:
    """Yield the lines of a unified diff without its head."""
    old, new = (_cut_template(text) for text in (before, after))
    for line in difflib.unified_diff(old, new, lineterm="", n=1):
        if not line.startswith(("---", "+++")):
            yield line if len(line) <= TEMPLATE_SIGNS else line[: TEMPLATE_SIGNS - 1] + "…"


def _cut_template(text: str) -> list[str]:
    """Return the lines of a template; long ones, as JSON holds them, are cut behind each tag."""
    lines: list[str] = []
    for line in text.split("\n")[:TEMPLATE_LINES]:
        lines += [line] if len(line) <= TEMPLATE_SIGNS else re.split(r"(?<=[%}]\})", line)
    return lines[:TEMPLATE_LINES]


def _compare_config(old: Side, new: Side) -> list[Finding]:
    groups: dict[str, list[str]] = {"around": [], "cuts": [], "harmless": []}
    for key in dict.fromkeys([*old.settings, *new.settings]):
        before, after = old.settings.get(key), new.settings.get(key)
        if key in ELSEWHERE or before == after:
            continue
        name = "around" if key in AROUND else "cuts" if key in CUTTING else "harmless"
        groups[name].append(f"{key}: {show_change(before, after)}")
    told: dict[str, tuple[Severity, str, str]] = {
        "around": (
            "break",
            "other special tokens stand around a text: " + BREAKS_PROMPTS,
            "Keep what OLD says",
        ),
        "cuts": (
            "warn",
            "`transformers` may cut or write text otherwise than before",
            "Keep what OLD says where text must be cut as before",
        ),
        "harmless": ("notice", "harmless: no id of a text changes", ""),
    }
    return [
        Finding(
            told[name][0],
            "config",
            f"tokenizer_config.json: {tell_count(len(keys), 'setting')} changed",
            told[name][1],
            told[name][2],
            len(keys),
            take_examples(keys),
        )
        for name, keys in groups.items()
        if keys
    ]


def _compare_lengths(old: Side, new: Side) -> list[Finding]:
    """Padding and truncation that a `tokenizer.json` holds."""
    findings = []
    for name in ("padding", "truncation"):
        before, after = (side.tokenizer.spec.get(name) for side in (old, new))
        if old.kind != new.kind or before == after:
            continue
        loses = name == "truncation" and after is not None
        findings.append(
            Finding(
                "warn" if loses else "notice",
                name,
                f"{name} changed",
                "what is longer than the file says is lost"
                if loses
                else "harmless: a text gets the same ids, filled up to another length or uncut",
                "Take the truncation out of the file" if loses else "",
                examples=(_show_both(before, after),),
            )
        )
    return findings


def _show_both(before: Any, after: Any) -> str:
    if isinstance(before, dict) and isinstance(after, dict):
        return ", ".join(list_changes(before, after, "")).lstrip(".")
    return f"{show_value(before)} -> {show_value(after)}"
