"""The index of tried candidates: asked by candidate, written once."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from include.ledger.candidates import Identity, Tried
from include.ledger.store import Store

NOW = datetime(2026, 3, 1, tzinfo=UTC)
MODEL = Identity(reference="s3://bucket/m.tar.gz", version="1")
FIRST, SECOND = "aaaaaaaaaaaa", "bbbbbbbbbbbb"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path))


def tried(store: Store, *, region: str = "eu-west-1", endpoint: str = "churn") -> Tried:
    return Tried(store, account="123456789012", region=region, endpoint=endpoint)


def test_a_candidate_is_found_with_every_rollout_that_tried_it(store: Store) -> None:
    assert tried(store).rollouts(MODEL) == ()
    for rollout in (SECOND, FIRST, FIRST):
        tried(store).enter(MODEL, rollout, at=NOW)
    assert tried(store).rollouts(MODEL) == (FIRST, SECOND)


@pytest.mark.parametrize(
    "other",
    [
        Identity(reference="s3://bucket/m.tar.gz", version="2"),
        Identity(reference="s3://bucket/m.tar.gz"),
        Identity(reference="s3://bucket/n.tar.gz", version="1"),
    ],
)
def test_other_content_or_another_place_is_another_candidate(store: Store, other: Identity) -> None:
    tried(store).enter(MODEL, FIRST, at=NOW)
    assert tried(store).rollouts(other) == ()
    assert tried(store).digest(other) != tried(store).digest(MODEL)


def test_another_endpoint_or_region_knows_nothing_of_it(store: Store) -> None:
    tried(store).enter(MODEL, FIRST, at=NOW)
    for other in (tried(store, endpoint="fraud"), tried(store, region="us-east-1")):
        assert other.rollouts(MODEL) == ()
        assert other.digest(MODEL) != tried(store).digest(MODEL)


def test_the_digest_is_the_same_always(store: Store) -> None:
    """It names runs in Airflow: another digest would try every candidate again."""
    assert tried(store).digest(MODEL) == "c78af66597cf891c"
