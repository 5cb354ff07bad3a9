"""The catalogue of stock expectations that a spec may ask, made from the installed Great Expectations.

    python -m include.gates.catalogue

writes it beside the spec's own code, where specs are checked without an import that takes seconds.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from include.rollout.expectation import CATALOGUE

# A condition that no row meets would let anything pass.
_LEFT_OUT = {"row_condition", "condition_parser", "metadata", "library_metadata"}


def catalogue() -> dict[str, dict[str, Any]]:
    """Return the expectations on columns with each argument's JSON types and whether it must be given."""
    from include.gates.carrier import gx, stock

    base = gx.expectations.expectation

    kinds = (
        base.ColumnAggregateExpectation,
        base.ColumnMapExpectation,
        base.ColumnPairMapExpectation,
        base.MulticolumnMapExpectation,
    )
    found = {}
    for name in dir(stock):
        known: Any = getattr(stock, name)
        if not (isinstance(known, type) and issubclass(known, kinds)):
            continue
        model: Any = known
        kind = getattr(known, "expectation_type", "")
        if not kind or "like_pattern" in kind:  # SQL alone has them
            continue
        schema = model.schema()
        shared = {*base.BatchExpectation.__fields__, *_LEFT_OUT}
        found[kind] = {
            argument: {
                "types": sorted(_types(field, schema)),
                "required": argument in schema.get("required", ()),
            }
            for argument, field in schema["properties"].items()
            if argument not in shared
        }
    return found


def main() -> int:
    """Write the catalogue."""
    lines = (f"{json.dumps(kind)}: {json.dumps(about)}" for kind, about in sorted(catalogue().items()))
    CATALOGUE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    return 0


def _types(field: dict[str, Any], schema: dict[str, Any]) -> set[str]:
    """Return the JSON types that a field takes; an object that is a reference to a suite's parameter is none of them."""
    if "$ref" in field:
        return _types(schema["definitions"][field["$ref"].rpartition("/")[2]], schema)
    if "allOf" in field:
        return set().union(*(_types(part, schema) for part in field["allOf"]))
    parts = [part for key in ("anyOf", "oneOf") for part in field.get(key, ())]
    if parts:
        return set().union(*(_types(part, schema) for part in parts if part != {"type": "object"}))
    found = field.get("type")
    if found is None:
        return {"array", "boolean", "number", "object", "string"}
    return {"number" if found == "integer" else str(found)}


if __name__ == "__main__":
    sys.exit(main())
