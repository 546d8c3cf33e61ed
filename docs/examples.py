"""Docstrings to the site: lines with `>>>` are an example, wherever they stand."""

from __future__ import annotations

from typing import Any

from griffe import Extension, Object


def name_examples(text: str) -> str:
    """Return a docstring whose examples stand in a section of that name.

    >>> print(name_examples("Add.\\n\\n>>> 1 + 1\\n2"))
    Add.
    <BLANKLINE>
    Examples:
        >>> 1 + 1
        2
    """
    if "\nExamples:" in text or ">>> " not in text:
        return text
    before, mark, shown = text.partition("\n>>> ")
    if not mark:
        return text
    lines = "\n".join(f"    {line}".rstrip() for line in f">>> {shown}".splitlines())
    return f"{before.rstrip()}\n\nExamples:\n{lines}"


class Examples(Extension):
    """Gives examples their section while the source is read."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Change the docstring of a module, a class or a function."""
        if obj.docstring is not None:
            obj.docstring.value = name_examples(obj.docstring.value)
