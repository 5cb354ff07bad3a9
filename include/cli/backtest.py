"""Judge stored rollouts again, by another policy or by their own."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

from rich.console import Console
from rich.progress import track
from rich.table import Table

from include.cli.access import aws_arguments, count, ledger_arguments, store_of
from include.cli.terminal import terminal
from include.ledger.reader import Reader
from include.rollout.errors import MissingError
from include.rollout.spec import parse
from include.steps.backtest import Rejudged, rejudge
from include.steps.specs import load


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.add_argument(
        "rollouts", nargs="*", help="ids of rollouts, as `status` lists them; default: the newest"
    )
    parser.add_argument("--most", type=count, default=20, help="how many of the newest to judge (20)")
    parser.add_argument(
        "--gates",
        metavar="SPEC",
        help="judge by the gates of this spec (a name under include/specs, or a path); default: each rollout's own, which "
        "must give the same verdict again",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    ledger_arguments(parser)
    aws_arguments(parser)


def run(chosen: argparse.Namespace) -> int:
    """Print each rollout's verdict then and now; 1 when a rollout's own policy does not give its findings again."""
    reader = Reader(store_of(chosen))
    policy = parse(load(chosen.gates), chosen.gates).gates if chosen.gates else None
    names = chosen.rollouts or [entry.rollout_id for entry in reader.newest(chosen.most)]
    console = Console(stderr=True)
    found: list[Rejudged] = []
    for name in track(
        names, description="judging", console=console, disable=not console.is_terminal, transient=True
    ):
        record = reader.rollout(name)
        if record is None:
            raise MissingError(f"no rollout {name} is in {chosen.ledger}; list them with `status`.")
        again = rejudge(record, policy)
        if again is not None:
            found.append(again)
    if chosen.json:
        print(json.dumps([asdict(each) for each in found], indent=2, default=str))
    else:
        _show(found, judged=len(found), asked=len(names), own=policy is None)
    return 1 if policy is None and not all(each.same_evidence and each.same_findings for each in found) else 0


def _show(found: list[Rejudged], *, judged: int, asked: int, own: bool) -> None:
    table = Table("rollout", "spec", "opened", "then", "now", "gate", "why")
    for each in found:
        now = f"[bold]{each.now}[/]" if each.changed else str(each.now)
        if own and not (each.same_evidence and each.same_findings):
            now = f"[red]{each.now}, not the same findings[/]"
        table.add_row(
            each.rollout,
            each.spec,
            f"{each.opened:%Y-%m-%d %H:%M}" if each.opened else "",
            str(each.then),
            now,
            each.gate,
            each.reason + (" (the window was cut short)" if each.cut_short and each.changed else ""),
        )
    console = terminal()
    console.print(table)
    changed = sum(each.changed for each in found)
    same = sum(each.same_evidence and each.same_findings for each in found)
    skipped = f"; {asked - judged} were never judged" if asked > judged else ""
    console.print(
        f"{same} of {judged} gave the same findings again{skipped}."
        if own
        else f"{changed} of {judged} would have had another verdict{skipped}.",
    )
