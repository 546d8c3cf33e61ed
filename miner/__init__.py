"""miner: find the runs of a corpus that act as one unit of meaning, and make them single tokens."""

__version__ = "0.1.0"
