"""The house: who may import whom, where the heavy libraries live, and what no file may hold."""

from __future__ import annotations

import ast
import graphlib
import re
import statistics
import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HOUSE = ROOT / "miner"

# The corridor may open every room; a room may open those named here and no other.
GROUND = {"errors", "progress", "stopping"}
ROOMS: dict[str, set[str]] = {
    "errors": set(),
    "progress": {"errors"},
    "stopping": set(),
    "config": GROUND,
    "corpus": GROUND,
    "text": {*GROUND, "corpus"},
    "vectors": GROUND,
    "mining": {*GROUND, "corpus", "text", "vectors"},
    "runs": {*GROUND, "config", "corpus", "mining", "text", "vectors"},
    "report": {*GROUND, "mining", "runs"},
    "fields": {*GROUND, "mining", "runs", "text", "vectors"},
    # wings: they read what the house wrote, and no room of the house opens them
    "tokenizer": {*GROUND, "corpus", "mining", "report", "runs", "text"},
    "review": {*GROUND, "fields", "mining", "report", "runs", "text", "vectors"},
    "rewriting": {*GROUND, "corpus", "fields", "runs", "text"},
    # it tells ids of a tokenizer, by the list that the tokenizer wing wrote
    "lexicon": {*GROUND, "fields", "mining", "report", "runs", "text", "tokenizer", "vectors"},
    # it counts tokens, by the loader of the other wing
    "inspection": {*GROUND, "corpus", "report", "runs", "text", "tokenizer"},
    "synthesis": {*GROUND, "runs"},
    # it extends a tokenizer and its model together, by the doors of the other wing
    "model": {*GROUND, "corpus", "report", "runs", "tokenizer"},
}
WINGS = {"inspection", "lexicon", "model", "review", "rewriting", "synthesis", "tokenizer"}
DOORS = {
    "pipeline": set(ROOMS) - WINGS,
    "api": {*ROOMS, "pipeline"} - {"mining", "text", "vectors"},
    "commands": {*GROUND, "api", "config"},
    "__main__": {"commands", "stopping"},
    "__init__": set(),
}
MOST_ROOMS, MOST_ARROWS = 25, 110

# Libraries that only some rooms, or files of them, may import; those of WAITS only in functions.
HOMES = {
    "torch": {"vectors.encoder", "model"},
    "sentence_transformers": {"vectors.encoder"},
    "transformers": {"vectors.encoder", "model"},
    "peft": {"model"},
    "huggingface_hub": {"vectors.encoder"},
    "scipy": {"model"},
    "faiss": {"vectors.neighbors"},
    "click": {"commands"},
    "tqdm": {"progress"},
    "filelock": {"runs.files"},
    "orjson": {"corpus"},
    "wcwidth": {"report.screen"},
    "tokenizers": {"vectors.encoder", "vectors.corpus_encoder", "tokenizer"},
    "sentencepiece": {"tokenizer"},
    "google": {"tokenizer"},
}
WAITS = {
    "torch", "sentence_transformers", "transformers", "huggingface_hub", "faiss", "scipy",
    "tokenizers", "sentencepiece", "google", "peft", "pymorphy3", "jupyterlab",
}  # fmt: skip
DANGEROUS = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}


@cache
def trees() -> dict[Path, ast.Module]:
    return {path: ast.parse(path.read_text(encoding="utf-8")) for path in HOUSE.rglob("*.py")}


def name_room(path: Path) -> str:
    """`corpus` for every file of the folder `corpus`, else the name of the file."""
    parts = path.relative_to(HOUSE).with_suffix("").parts
    return parts[0]


def name_module(path: Path) -> str:
    parts = ("miner", *path.relative_to(HOUSE).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def modules() -> set[str]:
    return set(map(name_module, trees()))


def imported(node: ast.AST) -> list[str]:
    """The modules that a statement imports; of `from miner import x` it is `miner.x`, if one."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        assert node.level == 0, "imports are absolute"
        whole = [f"{node.module}.{alias.name}" for alias in node.names]
        return [name for name in whole if name in modules()] or [node.module or ""]
    return []


@cache
def imports() -> list[tuple[Path, ast.AST, str, bool]]:
    """(file, statement, imported module, whether it waits inside a function or for the types)."""
    return [
        (path, node, module, node not in tree.body)
        for path, tree in trees().items()
        for node in ast.walk(tree)
        for module in imported(node)
    ]


def test_every_module_is_in_the_plan() -> None:
    assert {name_room(path) for path in trees()} == {*ROOMS, *DOORS}


def test_rooms_open_only_the_doors_they_may() -> None:
    plan = ROOMS | DOORS
    for path, _, module, _ in imports():
        here, there = name_room(path), module.split(".")
        if there[0] == "miner" and len(there) > 1 and there[1] != here:
            assert there[1] in plan[here], f"{here} imports {module}"


def test_rooms_and_doors_between_them_are_few() -> None:
    """As a picture of the imports shows them: what only hands names on is no room."""
    arrows = {
        (name_room(path), module.split(".")[1])
        for path, _, module, _ in imports()
        if module.startswith("miner.") and module.split(".")[1] != name_room(path)
    }
    assert len(ROOMS) + len(DOORS) <= MOST_ROOMS
    assert len(arrows) <= MOST_ARROWS


def test_no_import_goes_in_a_circle() -> None:
    graph: dict[str, set[str]] = {}
    for path, _, module, _ in imports():
        if module.startswith("miner."):
            graph.setdefault(name_module(path), set()).add(module)
    ordered = list(graphlib.TopologicalSorter(graph).static_order())  # CycleError names a circle
    assert ordered.index("miner.errors") < ordered.index("miner.pipeline")


def test_the_command_line_calls_the_library_only_when_it_runs() -> None:
    for path, _, module, waits in imports():
        if name_room(path) == "commands" and module.startswith("miner.api"):
            assert waits, f"{path.name} imports {module} at once"
        if module == "miner.commands.main":
            assert name_room(path) == "__main__"
        if module == "miner.pipeline":
            assert name_room(path) == "api"


def test_heavy_libraries_live_in_one_place_and_wait() -> None:
    for path, _, module, waits in imports():
        library = module.split(".")[0]
        here = name_module(path).split(".")[1:] or ["__init__"]
        homes = HOMES.get(library, {name_room(path)})
        assert {".".join(here[:1]), ".".join(here[:2])} & homes, f"{path.name}: {module}"
        assert waits or library not in WAITS, f"{path.name} imports {module} at once"


def test_no_room_uses_what_another_keeps_to_itself() -> None:
    for path, node, module, _ in imports():
        if isinstance(node, ast.ImportFrom) and module.startswith("miner"):
            private = [name.name for name in node.names if re.match("_[a-z]", name.name)]
            assert not private, f"{path.name} imports {private} of {module}"


def test_no_error_is_swallowed() -> None:
    """`except Exception` only where the error goes on, as it is or with what it means here."""
    for path, tree in trees().items():
        for node in ast.walk(tree):
            if not isinstance(node, ast.ExceptHandler):
                continue
            names = {
                name.id
                for name in ast.walk(node.type or ast.Name("Exception"))
                if isinstance(name, ast.Name)
            }
            last = node.body[-1]
            goes_on = isinstance(last, ast.Raise) and (last.exc is None or last.cause is not None)
            assert goes_on or names.isdisjoint({"Exception", "BaseException"}), (
                f"{path.name}, line {node.lineno}"
            )


def test_nothing_runs_code_that_came_with_a_file() -> None:
    for path, _, module, _ in imports():
        assert module.split(".")[0] not in DANGEROUS, f"{path.name} imports {module}"
        system = module == "ctypes" and path.name == "workplace.py"  # a rename that swaps
        starts = module.split(".")[0] in ("subprocess", "ctypes")
        assert system or not starts, f"{path.name} imports {module}"
    for path, tree in trees().items():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            called = ast.unparse(node.func)
            assert called not in ("eval", "exec", "__import__", "os.system", "torch.load"), (
                path.name
            )
            for keyword in node.keywords:
                if keyword.arg in ("trust_remote_code", "allow_pickle", "shell"):
                    assert ast.unparse(keyword.value) == "False", f"{path.name}: {keyword.arg}"


def test_only_the_front_door_prints() -> None:
    for path, tree in trees().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("print", "click.echo"):
                assert name_room(path) == "commands", f"{path.name}, line {node.lineno}"


def test_every_file_has_a_name_that_says_something() -> None:
    vague = {"utils", "util", "common", "helpers", "helper", "manager", "base", "misc", "core"}
    for path in HOUSE.rglob("*"):
        assert path.stem not in vague, path


def test_every_module_says_what_question_it_answers() -> None:
    for path, tree in trees().items():
        assert (ast.get_docstring(tree) or "").split("\n")[0].endswith((".", "?")), path.name


def test_functions_are_short() -> None:
    lengths = [
        (node.end_lineno or node.lineno) - node.lineno + 1
        for tree in trees().values()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
    ]
    assert statistics.median(lengths) <= 12
    assert statistics.quantiles(lengths, n=10)[-1] <= 40


def tracked_files() -> list[Path]:
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_no_file_names_a_place_of_one_machine() -> None:
    homes = "|".join(("work", "root", "home", "Users", "tmp/bash"))
    place = re.compile(rf"""(?:^|[\s"'`(=:])/(?:{homes})[/_]""", re.MULTILINE)
    host = re.compile(
        r"--(?:extra-)?index-url|--find-links|://[^/\s]*(?:proxy|registry|artifactory|nexus|mirror)"
    )
    for path in tracked_files():
        text = path.read_bytes().decode("utf-8", "replace")
        if path != Path(__file__):
            for found in (place.search(text), host.search(text)):
                assert found is None, f"{path.relative_to(ROOT)}: {found and found[0]!r}"
