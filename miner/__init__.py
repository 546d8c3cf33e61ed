"""Find the runs of a corpus that act as one unit of meaning, and make them single tokens.

>>> import miner
>>> run = miner.mine("texts/*.jsonl.gz", text_column="body")  # doctest: +SKIP
>>> run.segment("We met in order to talk.")  # doctest: +SKIP
['We', 'met', 'in order to', 'talk', '.']

What is in `__all__` is for others, and is loaded when it is first asked for.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

__all__ = [
    "Checks",
    "ConfigError",
    "CorpusError",
    "Decomposition",
    "EncoderError",
    "Explanation",
    "InputError",
    "Lexicon",
    "Manifest",
    "MineConfig",
    "MinerError",
    "MissingExtraError",
    "ModelError",
    "Picture",
    "Progress",
    "Result",
    "Run",
    "RunError",
    "Span",
    "Tokenizer",
    "TokenizerError",
    "Unit",
    "UsageError",
    "__version__",
    "adopt",
    "compare",
    "diff",
    "inspect",
    "load_tokenizer",
    "mine",
    "open_run",
    "restore",
    "rewrite",
    "synth",
    "tune",
]

_HOMES = {
    "miner.api.mining": ("mine", "open_run"),
    "miner.api.models": ("adopt", "tune"),
    "miner.api.pictures": ("Picture",),
    "miner.api.results": ("Result",),
    "miner.api.rewriting": ("restore", "rewrite"),
    "miner.api.run": ("Run",),
    "miner.api.tokenizers": ("Checks", "Tokenizer", "load_tokenizer"),
    "miner.api.tools": ("compare", "diff", "inspect", "synth"),
    "miner.api.units": ("Explanation", "Unit"),
    "miner.config": ("MineConfig",),
    "miner.errors": (
        "ConfigError", "CorpusError", "EncoderError", "InputError", "MinerError",
        "MissingExtraError", "ModelError", "RunError", "TokenizerError", "UsageError",
    ),
    "miner.lexicon": ("Decomposition", "Lexicon"),
    "miner.progress": ("Progress",),
    "miner.runs.manifest": ("Manifest",),
    "miner.runs.segmenting": ("Span",),
}  # fmt: skip
_MODULES = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Load a public name when it is first asked for."""
    if name not in _MODULES:
        raise AttributeError(f"module 'miner' has no attribute {name!r}")
    value = getattr(importlib.import_module(_MODULES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
