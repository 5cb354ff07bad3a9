"""One way to write a value as JSON, so that equal evidence has equal bytes and one digest."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from datetime import UTC, date, datetime
from enum import Enum
from typing import Any

from include.rollout.errors import LedgerError


def canonical(document: Mapping[str, Any]) -> bytes:
    """Write equal documents as equal bytes: UTF-8 JSON, keys sorted, no spaces, finite numbers only.

    Datetimes must know their zone and become ISO 8601 in UTC with a Z; enums become their values and
    tuples lists. Anything else that is not JSON is refused with its path in the document (LedgerError):
    a NaN or a `numpy.bool` in evidence is a defect at its source, not something to store as null.
    """
    text = json.dumps(
        plain(document), allow_nan=False, ensure_ascii=False, separators=(",", ":"), sort_keys=True
    )
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise LedgerError(
            f"A document holds half a character ({error.reason}); only whole Unicode text can be stored."
        ) from None


def digest(document: Mapping[str, Any]) -> str:
    """Name a document by the SHA-256 of its canonical bytes, in hexadecimal."""
    return hashlib.sha256(canonical(document)).hexdigest()


def plain(value: Any, path: str = "") -> Any:
    """Return `value` as dicts, lists, strings, numbers, booleans and None; refuse the rest by its path."""
    if isinstance(value, Enum):
        return plain(value.value, path)
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        if math.isfinite(value):
            return float(value)  # a numpy.float64 is a float, but writes itself differently
        raise _refused(path, f"the number {value}", "finite numbers (say why a number is missing with null)")
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise _refused(path, f"the time {value} without a zone", "times that know their zone")
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise _refused(path, f"the key {key!r}", "text as keys")
        return {str(key): plain(item, f"{path}.{key}" if path else str(key)) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, f"{path}[{index}]") for index, item in enumerate(value)]
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    raise _refused(path, f"a {kind}", "text, numbers, booleans, times, lists and mappings")


def _refused(path: str, found: str, allowed: str) -> LedgerError:
    return LedgerError(f"A document holds {found} at {path or 'its top'}; the ledger stores {allowed} only.")
