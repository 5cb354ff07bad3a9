"""The tables of the documentation that are made from the code, so that they cannot fall behind it.

    python -m docs.tables

rewrites what stands between `<!-- table: name -->` and `<!-- end -->` in the pages here.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from include.localcloud import decisions
from include.localcloud.cloud import LocalCloud
from include.localcloud.s3.operation import OPERATIONS
from include.rollout.pattern import ALLOWED
from include.rollout.spec import json_schema

FOLDER = Path(__file__).resolve().parent
_TYPES = {
    "integer": "whole number",
    "number": "number",
    "string": "text",
    "boolean": "`true`, `false`",
    "array": "list",
}
_PLACE = re.compile(r"<!-- table: ([a-z_]+) -->\n.*?<!-- end -->", re.DOTALL)

# Fields whose name and type say it all have no description in the spec; a page for people says it anyway.
_WORDS = {
    "strategy": "how the shadow is put on the endpoint; `self_service`: by endpoint configs of our own; `managed`: by "
    "SageMaker's own shadow test",
    "mode": "`candidate` judges and acts; `dry_run` judges, records what it would have done, and restores; `aa` shadows "
    "production with itself, to measure the noise",
    "capture.destination": "where SageMaker files what it captures",
    "capture.percentage": "share of the requests that is captured, in per cent",
    "replay.content_type": "content type of every request",
    "replay.seed": "the same seed gives the same arrival times",
    "candidate.instance_type": "instance type of the shadow",
    "endpoint": "see [below](#endpoint)",
    "candidate": "see [below](#candidate)",
    "window": "see [below](#window)",
    "gates": "see [below](#gates)",
    "promotion": "see [below](#promotion)",
}
_GATE_WORDS = {
    "kind": "which gate this is",
    "quantile": "which percentile",
}


def main() -> int:
    """Bring every page up to date and say which changed."""
    for page in sorted(FOLDER.rglob("*.md")):
        before = page.read_text(encoding="utf-8")
        after = filled(before)
        if after != before:
            page.write_text(after, encoding="utf-8")
            print(f"docs/{page.relative_to(FOLDER)} is up to date again")
    return 0


def filled(text: str) -> str:
    """Return the page with each of its tables as the code has it now; KeyError for a name without a table."""
    return _PLACE.sub(lambda found: f"<!-- table: {found[1]} -->\n{TABLES[found[1]]()}\n<!-- end -->", text)


def section(name: str) -> str:
    """Return the fields of one section of the spec; "" is the top level."""
    schema = json_schema()
    below = schema["properties"][name] if name else schema
    return _fields(_resolved(below, schema), schema, name, _WORDS)


def gate(kind: str) -> str:
    """Return the fields of one kind of gate, without those that every gate has."""
    found = _gates()[kind]
    own = {name: field for name, field in found["properties"].items() if name not in _shared()}
    return _fields({**found, "properties": own}, json_schema(), "", _GATE_WORDS)


def gate_fields() -> str:
    """Return the fields that every gate has."""
    found = next(iter(_gates().values()))["properties"]
    kind = {"enum": list(_gates())}
    fields = {"kind": kind, **{name: found[name] for name in _shared() if name != "kind"}}
    return _fields({"properties": fields, "required": ["kind"]}, json_schema(), "", _GATE_WORDS)


def gate_kinds() -> tuple[str, ...]:
    """Return every kind of gate that a spec may name."""
    return tuple(_gates())


def operations() -> dict[str, tuple[str, ...]]:
    """Return the operations that the local cloud answers itself, by service."""
    with tempfile.TemporaryDirectory() as folder:
        cloud = LocalCloud(Path(folder))
        found = {
            service.protocol.service_name: tuple(sorted(service.operations)) for service in cloud.services
        }
    return {**found, "sagemaker-runtime": ("InvokeEndpoint",), "s3": tuple(sorted(OPERATIONS))}


def _operations() -> str:
    rows = [
        f"| {service} | {', '.join(f'`{name}`' for name in names)} |"
        for service, names in operations().items()
    ]
    return "\n".join(["| service | operations |", "| --- | --- |", *rows])


def _sentences(found: tuple[str, ...]) -> str:
    return "\n".join(f"- {sentence}" for sentence in found)


def _gates() -> dict[str, dict[str, Any]]:
    schema = json_schema()
    mapping = schema["$defs"]["GatePolicy"]["properties"]["rules"]["items"]["discriminator"]["mapping"]
    return {kind: schema["$defs"][ref.rpartition("/")[2]] for kind, ref in mapping.items()}


def _shared() -> tuple[str, ...]:
    first, *others = _gates().values()
    return tuple(name for name in first["properties"] if all(name in other["properties"] for other in others))


def _fields(
    found: Mapping[str, Any], schema: Mapping[str, Any], prefix: str, words: Mapping[str, str]
) -> str:
    lines = ["| field | default | allowed | meaning |", "| --- | --- | --- | --- |"]
    for name, field in found["properties"].items():
        whole = {**_resolved(field, schema), **{k: v for k, v in field.items() if k != "anyOf"}}
        path = f"{prefix}.{name}" if prefix else name
        meaning = words.get(path) or words.get(name) or field.get("description") or whole.get("description")
        if not meaning:
            raise ValueError(
                f"{path} has no description in the spec; give it one, the documentation shows it"
            )
        allowed = " or ".join("; ".join(_allowed(option)) for option in _options(field) or (whole,))
        default = "**must be given**" if name in found.get("required", ()) else _default(field, whole)
        cells = (f"`{name}`", default, allowed, str(meaning))
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


def _resolved(field: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the field's own shape, through a reference or out of "this or nothing"."""
    for option in field.get("anyOf", ()):
        if option.get("type") != "null":
            return _resolved(option, schema)
    if "$ref" in field:
        return dict(schema["$defs"][field["$ref"].rpartition("/")[2]])
    return dict(field)


def _options(field: Mapping[str, Any]) -> tuple[dict[str, Any], ...]:
    """Return what a field may be where it may be one of several things; nothing where it may be one."""
    found = tuple(option for option in field.get("anyOf", ()) if option.get("type") != "null")
    return found if len(found) > 1 else ()


def _default(field: Mapping[str, Any], whole: Mapping[str, Any]) -> str:
    value = field.get("default")
    if isinstance(value, list):
        return "see below"
    if value is None or value == "":
        whole_section = "properties" in whole and "default" not in field
        return "its own defaults" if whole_section else "–"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _allowed(field: Mapping[str, Any]) -> Iterator[str]:
    """Say what a value may be, in the words of the JSON Schema."""
    if "const" in field:
        yield f"`{str(field['const']).lower() if isinstance(field['const'], bool) else field['const']}`"
        return
    if "enum" in field:
        yield ", ".join(f"`{value}`" for value in field["enum"])
        return
    kind = field.get("type", "")
    yield (
        "section"
        if "properties" in field
        else _by_name(field)
        if kind == "object"
        else _TYPES.get(kind, kind)
    )
    for key, words in (
        ("minimum", "at least"),
        ("exclusiveMinimum", "above"),
        ("maximum", "at most"),
        ("exclusiveMaximum", "below"),
    ):
        if key in field:
            yield f"{words} {field[key]:g}" if field[key] < 1e6 else f"{words} {field[key]}"
    if "pattern" in field:
        yield ALLOWED.get(field["pattern"], f"`{field['pattern']}`")


def _by_name(field: Mapping[str, Any]) -> str:
    """Say what a mapping holds; a reference is to any JSON value."""
    below = field.get("additionalProperties", {})
    return "values by name" if "$ref" in below else f"{_TYPES[below['type']]} by name"


TABLES: Mapping[str, Callable[[], str]] = {
    "spec": lambda: section(""),
    **{
        name: (lambda name=name: section(name))  # type: ignore[misc]  # bound now, on purpose
        for name, field in json_schema()["properties"].items()
        if "properties" in _resolved(field, json_schema())
    },
    "gate_fields": gate_fields,
    **{f"gate_{kind}": (lambda kind=kind: gate(kind)) for kind in _gates()},  # type: ignore[misc]
    "operations": _operations,
    "undocumented": lambda: _sentences(decisions.UNDOCUMENTED),
    "differences": lambda: _sentences(decisions.DIFFERENCES),
}


if __name__ == "__main__":
    sys.exit(main())
