"""Check spec files, for a person and for CI."""

from __future__ import annotations

import argparse
import json

from include.rollout.errors import SpecError
from include.rollout.spec import json_schema, parse
from include.steps.specs import FOLDER, check_expectations, load


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.add_argument(
        "spec", nargs="*", help="name of a file under include/specs, or a path; default: all of include/specs"
    )
    parser.add_argument("--schema", action="store_true", help="print the JSON Schema of a spec and stop")


def run(chosen: argparse.Namespace) -> int:
    """Name every mistake of every file; 1 if there is any."""
    if chosen.schema:
        print(json.dumps(json_schema(), indent=2))
        return 0
    names = chosen.spec or sorted(path.stem for path in FOLDER.glob("*.yaml"))
    wrong = 0
    for name in names:
        try:
            spec = parse(load(name), name)
            check_expectations(spec, name)
        except SpecError as error:
            wrong += 1
            print(error)
        else:
            print(f"{name}: valid")
            if spec.promotion.warning is not None:
                print(f"{name}: WARNING: {spec.promotion.warning}")
    return 1 if wrong else 0
