"""Tokenizers and held-out text to one table: which costs less, keeps more, and says more a token?

batches   texts as one line of characters      figures   counts to figures and intervals
places    where units stand in them            table     for a screen
tallies   what a tokenizer does, counted       page      for a browser
"""

from miner.tokenizer.comparing.comparison import Comparison, compare_tokenizers
from miner.tokenizer.comparing.figures import SHAPES
from miner.tokenizer.comparing.page import write_page
from miner.tokenizer.comparing.table import summarize_comparison

__all__ = ["SHAPES", "Comparison", "compare_tokenizers", "summarize_comparison", "write_page"]
