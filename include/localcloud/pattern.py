r"""The patterns of service models, which are Java's regular expressions, as Python's.

Python lacks Java's classes of characters (`\p{L}`) and its pairs of surrogates for what is beyond U+FFFF.
"""

import functools
import itertools
import re
import unicodedata

_NAMED = {
    "Print": r"\x20-\x7E",
    "ASCII": r"\x00-\x7F",
    "Alnum": "0-9A-Za-z",
    "Alpha": "A-Za-z",
    "Digit": "0-9",
}
_CLASS = re.compile(r"\\p\{(\w+)\}")
_BRACKETS = re.compile(r"\[(?:\\.|[^\]\\])*\]|\\p\{\w+\}")
_BEYOND = (r"\uD800\uDC00-\uDBFF\uDFFF", "\U00010000-\U0010ffff")
# Every letter, mark, number, sign and space of Unicode 15 is before the first of these or between the other two.
_ASSIGNED = (range(0x323B0), range(0xE0000, 0xE01F0))


@functools.cache
def compiled(pattern: str) -> re.Pattern[str]:
    r"""Return the pattern to be matched against the whole text; raise re.error for one that is none.

    `$` with a count after it, as some models have it, is a plain `$`.
    """
    text = re.sub(r"\$\{\d+(?:,\d*)?\}", "$", pattern).replace(*_BEYOND).replace(r"\z", r"\Z")
    return re.compile(_BRACKETS.sub(lambda found: _bracketed(found[0]), text))


def _bracketed(text: str) -> str:
    inner = _CLASS.sub(lambda found: _ranges(found[1]), text)
    return inner if text.startswith("[") else f"[{inner}]"


@functools.cache
def _ranges(name: str) -> str:
    """Return the characters of a class as they stand between brackets."""
    if name in _NAMED:
        return _NAMED[name]
    found = _categories().get(name)
    if not found:
        raise re.error(f"no class of characters is called {name}")
    return found


@functools.cache
def _categories() -> dict[str, str]:
    """Return, by the first letter of Unicode's general categories, their characters as ranges."""
    found: dict[str, list[str]] = {}
    for span in _ASSIGNED:
        for category, run in itertools.groupby(span, lambda code: unicodedata.category(chr(code))[0]):
            codes = list(run)
            found.setdefault(category, []).append(f"\\U{codes[0]:08x}-\\U{codes[-1]:08x}")
    return {category: "".join(ranges) for category, ranges in found.items()}
