"""An A/A rollout measures the endpoint's noise, and the next rollout there is judged with it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from include.aws.clients import Clients
from include.rollout.errors import PlanError
from include.rollout.verdict import Action, End
from include.stats.calibration import PRIOR
from include.steps.noise import noise_of
from tests.integration.rollouts.conftest import Drive, document, make_endpoint, resources, serves

Make = Callable[..., Drive]


@pytest.fixture(scope="module")
def latent() -> dict[str, str]:
    """Return the environment of a container that takes its time, as any that is worth measuring does."""
    return {"LOCAL_SERVICE_TIME_MEDIAN_MS": "8"}


def test_what_equal_variants_differ_by_is_kept_for_the_endpoints_next_rollout(
    clients: Clients, drive: Make, source: str, latent: dict[str, str]
) -> None:
    name = make_endpoint(clients, environment=latent)
    aa = drive({**document(name, source), "mode": "aa", "candidate": {}} | _window(80))
    assert aa.all() is End.CALIBRATED
    ledger = aa.rollout.ledger
    assert noise_of(aa.rollout) == PRIOR
    decision, taught = ledger.require("decision"), ledger.require("calibration")["calibration"]
    assert (decision["action"], decision["end"]) == (Action.ROLL_BACK, "CALIBRATED")
    assert taught["periods"] == 8
    assert f"equal variants differed by {taught['mean']:+.1%} over 8 periods" in decision["why"]
    assert serves(clients, name) == (f"{name}-config", 0)
    assert resources(clients, aa.rollout.id) == []

    following = drive(document(name, source))
    following.open()
    noise = noise_of(following.rollout)
    assert "measured in 1 A/A rollout over 8 periods" in noise.source
    assert noise.jitter_sd != PRIOR.jitter_sd
    assert any(f"noise between equal variants: {noise.source}" in line for line in following.lines)


def test_a_window_too_short_to_learn_from_is_refused(
    clients: Clients, endpoint: str, drive: Make, source: str
) -> None:
    run = drive({**document(endpoint, source), "mode": "aa", "candidate": {}} | _window(70))
    with pytest.raises(
        PlanError, match=r"window\.length is 70 s; an A/A rollout learns nothing from fewer than 8 periods"
    ):
        run.open()


def test_a_margin_finer_than_the_noise_is_refused(
    clients: Clients, endpoint: str, drive: Make, source: str
) -> None:
    rules = [{"kind": "completeness"}, {"kind": "latency", "quantile": "p50", "margin": 0.03, "block": 10}]
    run = drive({**document(endpoint, source), "gates": {"rules": rules}})
    with pytest.raises(PlanError, match=r"has margin 0\.03, which is finer than the noise .* is 0\.038"):
        run.open()


def _window(length: int) -> dict[str, dict[str, int]]:
    return {
        "window": {"period": 10, "warm_up": 0, "length": length, "maximum": length, "lag": 2, "opening": 60}
    }
