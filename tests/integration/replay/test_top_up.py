"""A replay that tops live traffic up sends what is lacking, and does not take its own requests for live ones."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3
import pytest

from include.ledger.store import Store
from include.replay.account import Account
from include.rollout.baseline import Baseline
from include.rollout.errors import CloudError
from include.steps.replay import LiveTraffic, live_share, replay_shard
from include.steps.rollout import Rollout
from tests.integration.replay.conftest import Serve
from tests.integration.replay.rollouts import Caller, opened

RATE = 200.0


class Metrics:
    """CloudWatch as far as it is asked here: callers of a steady rate, and nothing of the replay itself."""

    def __init__(self, live: float) -> None:
        self.live = live
        self.fails = False

    def get_paginator(self, _: str) -> Metrics:
        return self

    def paginate(
        self, *, MetricDataQueries: list[Any], StartTime: datetime, EndTime: datetime, **_: Any
    ) -> Iterator[Any]:
        if self.fails:
            raise CloudError("CloudWatch does not answer")
        total = self.live * (EndTime - StartTime).total_seconds()
        results = [
            {"Id": query["Id"], "Timestamps": [StartTime], "Values": [total]} for query in MetricDataQueries
        ]
        yield {"MetricDataResults": results}


class Watched(Caller):
    metrics: Metrics

    @cached_property
    def cloudwatch(self) -> Any:
        return self.metrics


def topping_up(url: str, folder: Path, live: Metrics, lines: list[str]) -> Rollout:
    source = folder / "rows.csv"
    source.write_text("1,2\n" * 50)
    rollout = opened(
        url, folder / "ledger", {"source": str(source), "rate": RATE, "top_up": True, "duration": 4}, lines
    )
    baseline = Baseline(
        endpoint="churn",
        endpoint_arn="arn",
        variant="AllTraffic",
        config_name="c",
        config={},
        instance_count=1,
        weight=1.0,
        model_name="m",
        model={},
        container={},
    )
    rollout.write("baseline", baseline.to_document())
    session = boto3.Session(aws_access_key_id="A", aws_secret_access_key="b", region_name="eu-west-1")
    clients = Watched(session=session, endpoint_urls={"": url})
    object.__setattr__(clients, "metrics", live)
    return Rollout(
        id=rollout.id, run=rollout.run, store=Store(str(folder / "ledger")), clients=clients, say=lines.append
    )


@pytest.mark.parametrize(("live", "share"), [(0.0, 1.0), (50.0, 0.75), (200.0, 0.0), (900.0, 0.0)])
def test_replay_and_live_traffic_together_make_the_rate(live: float, share: float) -> None:
    assert live_share(RATE, live) == share


@pytest.mark.parametrize(("live", "least", "most"), [(0.0, 1.0, 1.0), (150.0, 0.15, 0.35), (200.0, 0.0, 0.0)])
def test_only_what_live_traffic_lacks_is_sent_and_the_rest_is_counted_as_spared(
    serve: Serve, tmp_path: Path, live: float, least: float, most: float
) -> None:
    server, lines = serve(), []
    document = replay_shard(topping_up(server.url, tmp_path, Metrics(live), lines), 0)
    account = Account.from_document(document["account"])
    planned = account.scheduled + account.spared
    assert planned == pytest.approx(4 * RATE, rel=0.2)
    assert least <= account.scheduled / planned <= most
    assert account.sent == len(server.seen)
    assert any("of the replay is sent" in line for line in lines) == (live > 0)


def test_while_metrics_cannot_be_read_everything_is_sent_and_it_is_said(serve: Serve, tmp_path: Path) -> None:
    server, metrics, lines = serve(), Metrics(200.0), []
    metrics.fails = True
    document = replay_shard(topping_up(server.url, tmp_path, metrics, lines), 0)
    assert document["account"]["spared"] == 0
    assert any("could not be measured (CloudWatch does not answer); 100%" in line for line in lines)


def test_the_replays_own_requests_are_no_live_traffic(serve: Serve, tmp_path: Path) -> None:
    metrics, lines = Metrics(120.0), []
    rollout = topping_up(serve().url, tmp_path, metrics, lines)
    section = rollout.spec.replay
    assert section is not None
    two_shards = section.model_copy(update={"shards": 2})
    asked: list[float] = []

    def own(begin: datetime, end: datetime) -> int:
        asked.append((end - begin).total_seconds())
        return round(35 * asked[-1])  # of each shard, so 70 of the 120 are ours

    live = LiveTraffic(rollout=rollout, section=two_shards, own=own, say=lines.append)
    live.measure()
    assert asked == [5 * rollout.spec.window.period]
    assert live.share == live_share(RATE, 50.0) == 0.75
    assert lines == ["live traffic is 50.0 requests/s, so 75% of the replay is sent"]
