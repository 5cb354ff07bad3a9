"""Spec files: rollouts as reviewed YAML under include/specs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from include.rollout.errors import SpecError
from include.rollout.expectation import ExpectationGate
from include.rollout.spec import RolloutSpec

FOLDER = Path(__file__).resolve().parent.parent / "specs"


def load(name: str) -> dict[str, Any]:
    """Return the content of a spec file, by its name under include/specs or by its path.

    Raises SpecError, with the line where there is one, for a file that is missing or is not YAML.
    """
    path = Path(name) if "/" in name or name.endswith((".yaml", ".yml")) else FOLDER / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in FOLDER.glob("*.yaml"))) or "none"
        raise SpecError(name, (f"there is no file {path}; the specs in include/specs are: {known}",))
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise SpecError(name, (f"it is not YAML: {' '.join(str(error).split())}",)) from None
    if not isinstance(document, dict):
        raise SpecError(name, (f"the top level is {type(document).__name__}; it must be a mapping",))
    return document


def check_expectations(spec: RolloutSpec, source: str) -> None:
    """Raise SpecError for expectations that cannot be made of their class and arguments.

    The spec itself knows the names of stock expectations and of their arguments; this makes each one, and imports Great
    Expectations for it, which takes seconds, only where there is one.
    """
    asked = [gate for gate in spec.gates.rules if isinstance(gate, ExpectationGate)]
    if not asked:
        return
    from include.gates.answers import problems

    found = problems(asked)
    if found:
        raise SpecError(source, tuple(found))
