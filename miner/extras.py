"""Libraries beyond the core: which extra brings them, and what does one type who lacks it?

The core is what `miner mine` needs with an encoder of its own. Whatever imports more asks here
first, before any work begins, so that nobody meets a ModuleNotFoundError at the end of it.
"""

from __future__ import annotations

import importlib.util

from miner.errors import MissingExtraError

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
