"""Where a command writes what people read."""

from __future__ import annotations

from rich.console import Console

_PIPED = 160  # columns where there is no terminal to ask, or a table would be folded into slivers


def terminal() -> Console:
    """Return standard output as wide as the terminal, or wide enough for a table where it is piped."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _PIPED
    return console
