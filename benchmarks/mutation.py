"""Changed rules to red tests: which changes of the rules does no test notice?

One change at a time in a copy of the repository: a constant halved or doubled, a comparison made
strict or turned, a sign, an `and`. The tests of the rules run on each; what stays green is printed.

    python -m benchmarks.mutation --changes 60 --seed 0
"""

from __future__ import annotations

import argparse
import ast
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
MODULES = ("settling", "proposals", "unithood", "compounds", "teaching", "ranker", "segmentation")
TESTS = ("tests/mining",)
LIMIT = 600  # seconds of a run; a change that makes no end is noticed
SWAPS: dict[type, str] = {
    ast.Lt: "<=", ast.LtE: "<", ast.Gt: ">=", ast.GtE: ">", ast.Eq: "!=", ast.NotEq: "==",
    ast.Add: "-", ast.Sub: "+", ast.Mult: "/", ast.Div: "*", ast.BitAnd: "|", ast.And: "or",
    ast.Or: "and",
}  # fmt: skip


@dataclass(frozen=True)
class Change:
    """`old` at a place of a module becomes `new`."""

    module: str
    line: int
    start: int
    end: int
    new: str

    def apply(self, source: str) -> str:
        """Return the source with the change."""
        raw = source.encode()
        lines = raw.splitlines(keepends=True)
        here = lines[self.line - 1]
        lines[self.line - 1] = here[: self.start] + self.new.encode() + here[self.end :]
        return b"".join(lines).decode()


def list_changes(module: str, source: str) -> Iterator[Change]:
    """Yield the changes of one module."""
    lines = source.encode().splitlines()
    tree = ast.parse(source)
    constants = [
        part
        for node in tree.body
        if isinstance(node, ast.Assign)
        for part in ast.walk(node.value)
        if isinstance(part, ast.Constant) and type(part.value) in (int, float)
    ]
    for part in constants:
        for new in {part.value * 2, type(part.value)(part.value / 2)} - {part.value}:
            yield Change(module, part.lineno, part.col_offset, part.end_col_offset or 0, repr(new))
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and len(node.ops) == 1:
            left, right, kind = node.left, node.comparators[0], type(node.ops[0])
        elif isinstance(node, ast.BinOp):
            left, right, kind = node.left, node.right, type(node.op)
        elif isinstance(node, ast.BoolOp):
            left, right, kind = node.values[0], node.values[1], type(node.op)
        else:
            continue
        if kind not in SWAPS or left.end_lineno != right.lineno:
            continue
        start, end = left.end_col_offset or 0, right.col_offset
        if set(lines[right.lineno - 1][start:end]).isdisjoint(b"()"):
            yield Change(module, right.lineno, start, end, f" {SWAPS[kind]} ")


def survives(change: Change, copy: Path) -> bool:
    """Say whether the tests are green with a change."""
    place = copy / f"miner/mining/{change.module}.py"
    before = place.read_text(encoding="utf-8")
    place.write_text(change.apply(before), encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *TESTS]
    about = os.environ | {"PYTHONPATH": str(copy), "NUMBA_CACHE_DIR": str(copy / "compiled")}
    try:
        run = subprocess.run(command, cwd=copy, env=about, capture_output=True, timeout=LIMIT)
        return run.returncode == 0
    except subprocess.TimeoutExpired:
        return False
    finally:
        place.write_text(before, encoding="utf-8")


def tell(change: Change, sources: dict[str, str], green: bool) -> bool:
    """Print a change and whether the tests stayed green, and return that."""
    line = sources[change.module].splitlines()[change.line - 1].strip()
    told = "GREEN" if green else "red"
    print(f"{told} {change.module}:{change.line} {change.new.strip()} in `{line}`", flush=True)
    return green


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--changes", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    sources = {name: (ROOT / f"miner/mining/{name}.py").read_text("utf-8") for name in MODULES}
    every = [change for name, text in sources.items() for change in list_changes(name, text)]
    chosen = random.Random(options.seed).sample(every, min(options.changes, len(every)))
    with tempfile.TemporaryDirectory() as folder:
        copies = [Path(folder, str(job), "miner") for job in range(options.jobs)]
        for copy in copies:
            ignored = shutil.ignore_patterns(".venv", ".git", "outputs", "*_cache", "__pycache__")
            shutil.copytree(ROOT, copy, ignore=ignored)

        def work(job: int) -> int:
            mine = chosen[job :: options.jobs]
            return sum(tell(change, sources, survives(change, copies[job])) for change in mine)

        with ThreadPoolExecutor(options.jobs) as pool:
            green = sum(pool.map(work, range(options.jobs)))
    print(f"{len(chosen) - green} of {len(chosen)} changes were noticed, of {len(every)} there are")


if __name__ == "__main__":
    main()
