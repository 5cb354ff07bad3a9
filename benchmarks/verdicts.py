"""What becomes of rollouts in simulated worlds, beside the goals: the table of tests/soak/world as a dated result.

    python benchmarks/verdicts.py [--only NAME ...] [--seconds 170] [--write]

Every part is 200 rollouts of one world, judged by the real gates after an hour and, if that was inconclusive, after
another; it depends on its fixed seed alone. `--write` keeps each part in benchmarks/results/verdicts-<date>.json as
soon as it is there and goes on with the parts that are missing, none of which is begun after `--seconds`.
"""

from __future__ import annotations

import argparse
import datetime
import json
import math
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, fields
from datetime import UTC
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.soak.world.cells import CELLS, Cell  # noqa: E402
from tests.soak.world.goal import Goal  # noqa: E402
from tests.soak.world.trial import Share, pooled_shares  # noqa: E402

RESULTS = ROOT / "benchmarks" / "results"


def told(found: Share, goals: Mapping[str, Goal]) -> dict[str, Any]:
    """Return the shares in a form that JSON has, and for each goal what was found, its limits and where they stand."""
    wanted = {}
    for what, goal in goals.items():
        held = goal.held(what, found)
        wanted[what] = {
            "found": round(held.found, 4) if math.isfinite(held.found) else None,
            **({"least": goal.least} if goal.least > 0 else {}),
            **({"most": goal.most} if goal.most < math.inf else {}),
            "met": goal.least <= held.found <= goal.most,
            "stands": held.words,
        }
    return {**asdict(found), "median": found.median if math.isfinite(found.median) else None, "goals": wanted}


def share_of(document: Mapping[str, Any]) -> Share:
    """Return the shares that a kept part holds."""
    values = {f.name: document[f.name] for f in fields(Share)}
    aborts = {int(period): count for period, count in values["aborts"].items()}
    return Share(**{**values, "aborts": aborts})


def keep(path: Path, cell: Cell, number: int, found: Share) -> None:
    """Put one part beside the others, and the whole cell once all its parts are there."""
    kept = json.loads(path.read_text()) if path.exists() else {"date": path.stem[-10:], "cells": {}}
    entry = kept["cells"].setdefault(cell.name, {"seed": cell.seed, "parts": {}})
    entry["parts"][str(number)] = {k: v for k, v in told(found, {}).items() if k != "goals"}
    if len(entry["parts"]) == cell.parts:
        entry["all"] = told(pooled_shares([share_of(p) for p in entry["parts"].values()]), cell.goals)
    kept["cells"] = {each.name: kept["cells"][each.name] for each in CELLS if each.name in kept["cells"]}
    path.write_text(json.dumps(kept, indent=1) + "\n")


def main() -> None:
    """Run the parts that are asked for, print them and, if asked to, keep them."""
    arguments = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    arguments.add_argument("--only", nargs="*", metavar="NAME", help="cells whose names contain any of these")
    arguments.add_argument("--seconds", type=float, default=170)
    arguments.add_argument("--write", action="store_true")
    asked = arguments.parse_args()
    until = time.monotonic() + asked.seconds
    path = RESULTS / f"verdicts-{datetime.datetime.now(UTC).date().isoformat()}.json"
    for cell in CELLS:
        if asked.only and not any(part in cell.name for part in asked.only):
            continue
        known = json.loads(path.read_text())["cells"] if asked.write and path.exists() else {}
        for number in range(cell.parts):
            if str(number) in known.get(cell.name, {}).get("parts", {}):
                continue
            if time.monotonic() > until:
                return
            found = cell.part(number)
            print(f"{cell.name}, part {number + 1} of {cell.parts}: {found}", flush=True)
            if asked.write:
                keep(path, cell, number, found)


if __name__ == "__main__":
    main()
