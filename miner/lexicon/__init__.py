"""The lexicon of a run: unit <-> text <-> vector, both ways."""

from miner.lexicon.lexicon import Decomposition, Lexicon

__all__ = ["Decomposition", "Lexicon"]
