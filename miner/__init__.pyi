"""The public names with their types; `__init__.py` loads each when it is first asked for."""

from miner.api.mining import mine, open_run
from miner.api.models import adopt, tune
from miner.api.pictures import Picture
from miner.api.results import Result
from miner.api.rewriting import restore, rewrite
from miner.api.run import Run
from miner.api.tokenizers import Checks, Tokenizer, load_tokenizer
from miner.api.tools import compare, diff, inspect, synth
from miner.api.units import Explanation, Unit
from miner.config import MineConfig
from miner.errors import (
    ConfigError,
    CorpusError,
    EncoderError,
    InputError,
    MinerError,
    MissingExtraError,
    ModelError,
    RunError,
    TokenizerError,
    UsageError,
)
from miner.lexicon import Decomposition, Lexicon
from miner.progress import Progress
from miner.runs.manifest import Manifest
from miner.runs.segmenting import Span

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

__version__: str
