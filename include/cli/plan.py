"""Say what a rollout would do, without doing any of it."""

from __future__ import annotations

import argparse
import json
from typing import Any

from include.cli.access import aws_arguments, clients_of, ledger_arguments, store_of
from include.rollout.errors import SpecError
from include.rollout.names import rollout_id
from include.rollout.spec import merge, parse
from include.stats.calibration import PRIOR, Noise
from include.steps.endpoint import read_baseline
from include.steps.noise import known_noise
from include.steps.plan import make_plan
from include.steps.specs import check_expectations, load


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.add_argument("spec", help="name of a file under include/specs, or a path")
    parser.add_argument("--overrides", default="{}", help="JSON laid over the spec, as in the trigger form")
    parser.add_argument("--json", action="store_true", help="print the plan as JSON")
    ledger_arguments(parser)
    aws_arguments(parser)


def run(chosen: argparse.Namespace) -> int:
    """Print the plan; 1 when the rollout would be refused. With a ledger, the noise that was measured counts."""
    spec = parse(merge(load(chosen.spec), _overrides(chosen.overrides)), chosen.spec)
    check_expectations(spec, chosen.spec)
    clients = clients_of(chosen)
    rollout = rollout_id("plan", chosen.spec)
    baseline = read_baseline(clients, spec, rollout)
    noise = PRIOR
    if chosen.ledger:
        noise = Noise(**known_noise(store_of(chosen), clients, baseline.endpoint)["noise"])
    plan = make_plan(clients, spec, baseline, rollout, noise=noise)
    print(json.dumps(plan.to_document(), indent=2) if chosen.json else "\n".join(plan.lines()))
    return 1 if plan.refusal else 0


def _overrides(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        raise SpecError("--overrides", (f"it is not JSON: {error}",)) from None
    if not isinstance(found, dict):
        raise SpecError("--overrides", (f"it is {text}; it must be a JSON object",))
    return found
