"""`python -m miner` is `miner`."""

from miner.cli import main

main()
