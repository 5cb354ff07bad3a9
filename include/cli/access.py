"""The options with which a command reaches AWS and the ledger."""

from __future__ import annotations

import argparse
import getpass
import os
from typing import Any

from include.aws.clients import Clients, connect_as
from include.ledger.objects import Kind, Ledger
from include.ledger.store import Store
from include.rollout.errors import LedgerError, MissingError
from include.rollout.names import is_rollout_id


def aws_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which account, region and endpoint."""
    parser.add_argument("--profile", help="profile of ~/.aws; default: the environment's credentials")
    parser.add_argument("--region", help="AWS region; default: the profile's or AWS_REGION")
    parser.add_argument(
        "--endpoint-url",
        default=os.environ.get("AWS_ENDPOINT_URL"),
        help="one URL for all services, as the local SageMaker has it; default: AWS_ENDPOINT_URL",
    )


def ledger_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the option that says where the ledger is."""
    parser.add_argument(
        "--ledger",
        default=os.environ.get("PENUMBRA_LEDGER"),
        help="s3://bucket/prefix or a folder; default: PENUMBRA_LEDGER",
    )


def count(text: str) -> int:
    """Read how many of something are asked for: one or more."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number from 1 on")
    return int(text)


def clients_of(chosen: argparse.Namespace) -> Clients:
    """Return the clients that the options name."""
    return connect_as(
        profile=chosen.profile,
        region=chosen.region or os.environ.get("AWS_REGION") or None,
        endpoint_url=chosen.endpoint_url,
    )


def person_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that say who asks for something, and why."""
    parser.add_argument("--why", required=True, help="the reason, kept in the ledger")
    parser.add_argument("--who", default=getpass.getuser(), help="the person; default: you")


def opening_of(store: Store, rollout: str, where: str) -> dict[str, Any]:
    """Return what was written when a rollout opened; MissingError where the ledger, at `where`, has none of that id."""
    opened = Ledger(store, rollout).read(Kind.OPEN) if is_rollout_id(rollout) else None
    if opened is None:
        raise MissingError(f"no rollout {rollout} is in {where}; list them with `status`.")
    return opened


def store_of(chosen: argparse.Namespace) -> Store:
    """Return the ledger's store that the options name."""
    if not chosen.ledger:
        raise LedgerError(
            "no ledger was named; give --ledger or set PENUMBRA_LEDGER to s3://bucket/prefix or a folder."
        )
    location: str = chosen.ledger
    return Store(location, clients_of(chosen).store_access() if location.startswith("s3://") else None)
