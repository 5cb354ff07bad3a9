"""Go back to the model before a promoted one, at once."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime

from include.cli.access import (
    aws_arguments,
    clients_of,
    ledger_arguments,
    opening_of,
    person_arguments,
    store_of,
)
from include.ledger.lease import OwnerRun
from include.rollout.names import timestamp
from include.steps.rollback import take_back
from include.steps.rollout import Rollout


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.add_argument("rollout", help="the promoted rollout's id, as `status` lists it")
    person_arguments(parser)
    ledger_arguments(parser)
    aws_arguments(parser)


def run(chosen: argparse.Namespace) -> int:
    """Roll back and wait until the endpoint serves what it served before."""
    store = store_of(chosen)
    opening_of(store, chosen.rollout, chosen.ledger)
    rollout = Rollout(
        id=chosen.rollout,
        # This process owns the lease, not the run that ended: no Airflow can say whether it is over.
        run=OwnerRun(
            dag_id="rollback",
            run_id=f"{chosen.who} {timestamp(datetime.now(UTC))}",
            airflow="the command line",
        ),
        store=store,
        clients=clients_of(chosen),
        say=print,
    )
    take_back(rollout, who=chosen.who, why=chosen.why)
    return 0
