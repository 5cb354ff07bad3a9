"""List rollouts, or show one, from the ledger."""

from __future__ import annotations

import argparse
import json
from typing import Any

from rich.table import Table

from include.cli.access import aws_arguments, count, ledger_arguments, store_of
from include.cli.terminal import terminal
from include.ledger.objects import Kind
from include.ledger.reader import Reader
from include.rollout.errors import MissingError


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.add_argument("rollout", nargs="?", help="a rollout's id; default: list the newest")
    parser.add_argument("--most", type=count, default=20, help="how many to list (20)")
    ledger_arguments(parser)
    aws_arguments(parser)


def run(chosen: argparse.Namespace) -> int:
    """Print the list, or one rollout's record."""
    reader = Reader(store_of(chosen))
    if chosen.rollout:
        record = reader.rollout(chosen.rollout)
        if record is None:
            raise MissingError(f"no rollout {chosen.rollout} is in {chosen.ledger}; list them with `status`.")
        report = record.get(Kind.REPORT)
        shown: dict[str, Any] = (
            dict(report) if report else {key: dict(value) for key, value in record.objects.items()}
        )
        if report and (after := record.all(Kind.ROLLBACK)):
            shown["rollbacks"] = [dict(document) for document in after.values()]
        print(json.dumps(shown, indent=2, default=str))
        return 0
    newest = reader.newest(chosen.most)
    if not newest:
        print(f"no rollout is recorded in {chosen.ledger} yet")
        return 0
    table = Table("rollout", "spec", "opened", "end", "why")
    for entry in newest:
        outcome = entry.outcome or {}
        table.add_row(
            entry.rollout_id,
            str(entry.about.get("spec", "")),
            f"{entry.opened:%Y-%m-%d %H:%M}",
            str(outcome.get("end", "running")),
            str(outcome.get("reason", "")),
        )
    terminal().print(table)
    return 0
