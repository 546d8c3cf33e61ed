"""`python -m miner` is `miner`; a signal in the first second is told too."""

import os
import sys

from miner.stopping import catch_signals


def run() -> None:
    """Run the command line; until it is there, a signal ends the process with one line."""
    catch_signals(_leave)
    from miner.commands.main import main

    main()


def _leave(number: int, frame: object) -> None:
    del number, frame
    sys.stderr.write("stopped before anything was done\n")
    sys.stderr.flush()
    os._exit(130)


if __name__ == "__main__":
    run()
