"""Conclude a running rollout from the command line."""

from __future__ import annotations

import argparse

from include.cli.access import (
    aws_arguments,
    clients_of,
    ledger_arguments,
    opening_of,
    person_arguments,
    store_of,
)
from include.ledger.lease import OwnerRun
from include.rollout.experiment import Edit
from include.rollout.verdict import Conclusion
from include.steps.conclude import conclude
from include.steps.rollout import Rollout


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.add_argument("rollout", help="the rollout's id, as `status` lists it")
    parser.add_argument(
        "action",
        choices=[action.value for action in Conclusion],
        help="promote: end the window now and promote, unless a gate contradicts it (needs promotion.override in the "
        "spec); remove: end it now and roll back; extend: look for longer; edit: of a managed test, change the sampling or the "
        "end while it runs",
    )
    person_arguments(parser)
    parser.add_argument(
        "--seconds", type=int, default=0, help="of extend: by how much; a multiple of the window's period"
    )
    parser.add_argument(
        "--sampling", type=float, help="of edit: the share of the requests to copy from now on, 0.01 to 1"
    )
    parser.add_argument(
        "--end", help="of edit: when the managed test is to end by itself, such as 2026-03-01T12:00:00Z"
    )
    ledger_arguments(parser)
    aws_arguments(parser)


def run(chosen: argparse.Namespace) -> int:
    """Record the person's word; the rollout acts on it at its next look."""
    store = store_of(chosen)
    opened = opening_of(store, chosen.rollout, chosen.ledger)
    rollout = Rollout(
        id=chosen.rollout,
        run=OwnerRun(dag_id=opened["dag_id"], run_id=opened["run_id"], airflow=""),
        store=store,
        clients=clients_of(chosen),
        say=print,
    )
    conclude(
        rollout,
        Conclusion(chosen.action),
        who=chosen.who,
        why=chosen.why,
        seconds=chosen.seconds,
        edit=Edit.of(chosen.sampling, chosen.end),
    )
    return 0
