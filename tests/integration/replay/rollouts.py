"""A rollout whose window is open, as a replay shard finds it: `rollouts.py URL LEDGER SHARD` runs one shard."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3

from include.aws.clients import Clients
from include.ledger.lease import OwnerRun
from include.ledger.store import Store
from include.rollout.names import rollout_id
from include.rollout.spec import parse
from include.steps.replay import replay_shard
from include.steps.rollout import Rollout


class Caller(Clients):
    """Clients of a runtime alone: there is no control plane whose clock could be asked."""

    def now(self) -> datetime:
        return datetime.now(UTC)


def rollout(url: str, folder: Path, lines: list[str] | None = None) -> Rollout:
    session = boto3.Session(aws_access_key_id="A", aws_secret_access_key="b", region_name="eu-west-1")
    return Rollout(
        id=rollout_id("shadow_rollout", "a run"),
        run=OwnerRun(dag_id="shadow_rollout", run_id="a run", airflow=""),
        store=Store(str(folder)),
        clients=Caller(session=session, endpoint_urls={"": url}),
        say=(lambda _: None) if lines is None else lines.append,
    )


def opened(url: str, folder: Path, replay: dict[str, Any], lines: list[str] | None = None) -> Rollout:
    """Return a rollout whose ledger has the spec that a shard reads."""
    found = rollout(url, folder, lines)
    document = {
        "endpoint": {"name": "churn"},
        "side_effect_free": True,
        "candidate": {"image": "x:2"},
        "replay": {"rate": 200, "timeout": 5, **replay},
    }
    spec = parse(document, "a test")
    found.write("spec", {"spec": spec.model_dump(mode="json")})
    return found


if __name__ == "__main__":
    print(json.dumps(replay_shard(rollout(sys.argv[1], Path(sys.argv[2])), int(sys.argv[3])), default=str))
