"""`python -m miner` is `miner`."""

from miner.commands.main import main

main()
