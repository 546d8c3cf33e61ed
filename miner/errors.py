"""Errors that the user can mend: what is wrong, where, and the cure, in one line.

MinerError
|-- UsageError        wrong use of a command or an option             exit 2
|   `-- MissingExtraError   a library that an extra brings is not installed
`-- InputError        something that came in is not as it should be   exit 3
    |-- CorpusError       a corpus file, an archive, a column
    |-- ConfigError       a config file or a seed list
    |-- EncoderError      an encoder that is not there or not whole
    |-- RunError          a run folder that is not as expected
    |-- TokenizerError    a tokenizer's file, or a text that it cannot cut
    `-- ModelError        a model's folder or its weights

A `UsageError` is a `ValueError` too: it is what a wrong argument of a public function raises.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable

LONGEST_PLACE = 300  # characters of `where` in a message; a text may stand where a path should


class MinerError(Exception):
    """An error with a cure: `str(error)` is one line for the user.

    `problem`, what is wrong; `where`, the file or folder, None for none; `cure`, what mends it,
    None where nobody knows; `exit_code`, that of the command. Both name options as the command
    does; `str(error)` names the arguments of Python, `as_command` the options.

    >>> error = MinerError("it is there", where="outputs/x", cure="Choose another --out")
    >>> str(error), error.as_command()
    ('outputs/x: it is there. Choose another out', 'outputs/x: it is there. Choose another --out')
    """

    exit_code = 3

    def __init__(self, problem: str, *, where: str | None = None, cure: str | None = None) -> None:
        self.problem = problem
        self.where = where
        self.cure = cure
        super().__init__(str(self))

    def __str__(self) -> str:
        return self._write(_name_arguments)

    def as_command(self) -> str:
        """Return the line that the command prints."""
        return self._write(str)

    def _write(self, name: Callable[[str], str]) -> str:
        where = self.where
        if where and len(where) > LONGEST_PLACE:
            where = f"{where[:LONGEST_PLACE]}..."
        problem = name(self.problem)
        line = f"{where}: {problem}" if where else problem
        return escape_hidden(f"{line}. {name(self.cure)}" if self.cure else line)


# What moves the cursor of a terminal, colours it, or turns the order of a line about
_HIDDEN = re.compile("[\0-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]")


def escape_hidden(line: str) -> str:
    """Return a line in which no character does anything but stand there.

    >>> print(escape_hidden("a" + chr(27) + "[31m, жар"))
    a\\x1b[31m, жар
    """
    return _HIDDEN.sub(lambda found: ascii(found[0])[1:-1], line)


# A command to be run stays as it is, to the end of the line; so does what is quoted.
_OPTION = re.compile(r"(\bminer [a-z]+ .*|'[^']*'|`[^`]*`)|(?<![\w-])--([a-z][a-z-]*)", re.DOTALL)


def _name_arguments(text: str) -> str:
    """Return a text with the arguments of Python in the place of the command's options.

    >>> _name_arguments("Give a larger --vocab-size, or run miner mine --out x")
    'Give a larger vocab_size, or run miner mine --out x'
    """
    return _OPTION.sub(lambda found: found[1] or found[2].replace("-", "_"), text)


class UsageError(MinerError, ValueError):
    """A command, an option or an argument was used in a way that has no meaning.

    >>> isinstance(UsageError("seed is -1"), ValueError)
    True
    """

    exit_code = 2


class MissingExtraError(UsageError):
    """What was asked for needs a library of an extra, `pip install 'miner[...]'`."""


class InputError(MinerError):
    """Something that came in is not as it should be."""


class CorpusError(InputError):
    """A corpus file, an archive or a column cannot be read."""


class ConfigError(InputError):
    """A config file or a seed list says something that has no meaning."""


class EncoderError(InputError):
    """A sentence encoder is missing, incomplete or does not fit the device."""


class RunError(InputError):
    """A run folder holds something else than was expected."""


class TokenizerError(InputError):
    """A tokenizer cannot be read or made, or cannot cut a text."""


class ModelError(InputError):
    """A model's folder is not whole, not safe to open, or does not fit its tokenizer."""


def say_reason(error: OSError) -> str:
    """Return what the system says, as part of a sentence.

    >>> say_reason(FileNotFoundError(2, "No such file or directory"))
    'no such file or directory'
    """
    return (error.strerror or str(error)).lower()


# Libraries beyond the core, which is what `miner mine` needs with an encoder of its own. Whatever
# imports more asks first, so that nobody meets a ModuleNotFoundError at the end of long work.

# The modules that must be there, by the extra of pyproject.toml that brings them.
EXTRAS: dict[str, tuple[str, ...]] = {
    "encoders": ("huggingface_hub", "sentence_transformers", "torch", "transformers"),
    "models": ("scipy", "torch", "transformers"),
    "review": ("anywidget", "ipykernel", "jupyterlab", "traitlets"),
    "russian": ("pymorphy3",),
    "sentencepiece": ("google.protobuf", "sentencepiece"),
    "tune": ("peft", "scipy", "torch", "transformers"),
}


def need_extra(extra: str, purpose: str) -> None:
    """MissingExtraError where a library of `extra` is not installed; `purpose` is what needs it.

    Looks whether it is there, and imports nothing.
    """
    missing = [name for name in EXTRAS[extra] if not _is_installed(name)]
    if missing:
        names = " and ".join(filter(None, [", ".join(missing[:-1]), missing[-1]]))
        raise MissingExtraError(
            f"{purpose} needs {names}, not installed here", cure=f"pip install 'miner[{extra}]'"
        )


def _is_installed(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ImportError:  # of a module inside a package that is not there
        return False
