"""What the package offers to Python: a corpus to a run, a run to everything that is made of it.

The names that others may use are those of `miner.__all__`; this room is behind them.
"""
