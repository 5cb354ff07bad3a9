"""The noise that a rollout is judged with: what A/A rollouts of the endpoint taught, fixed when it is opened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from include.aws.clients import Clients
from include.gates.calibration import calibration_of, informed
from include.ledger.calibrations import Calibrations
from include.ledger.objects import Kind
from include.ledger.store import Store
from include.rollout.comparison import agreement_terms
from include.rollout.evidence import Evidence
from include.rollout.gate import GatePolicy
from include.rollout.names import moment
from include.rollout.pairs import Pairs
from include.rollout.spec import RolloutSpec
from include.stats.calibration import PRIOR, Calibration, Noise, pooled
from include.steps.rollout import Rollout

_TERMS = "terms"  # beside a calibration's numbers: under which terms its flips were counted
_POOLED = 20  # the last so many A/A rollouts count: instances, models and traffic change over the months


def known_noise(store: Store, clients: Clients, endpoint: str) -> dict[str, Any]:
    """Return the noise of an endpoint as a ledger knows it now, with the calibrations that it comes from."""
    found = _calibrations(store, clients, endpoint).newest(_POOLED)
    noise = pooled([Calibration.from_document(document) for document in found])
    return {"noise": asdict(noise), "calibrations": found}


def fix_noise(rollout: Rollout) -> Noise:
    """Write down, once, the noise that this rollout is judged with: what is learnt meanwhile changes no verdict."""
    rollout.write(Kind.NOISE, known_noise(rollout.store, rollout.clients, rollout.baseline.endpoint))
    return noise_of(rollout)


def noise_of(rollout: Rollout) -> Noise:
    """Return the noise that was fixed when the rollout was opened; the prior for one of an older version."""
    fixed = rollout.ledger.read(Kind.NOISE)
    return PRIOR if fixed is None else Noise(**fixed["noise"])


def policy_of(rollout: Rollout) -> GatePolicy:
    """Return the spec's gates, those of agreement with the flips of the noise that was fixed."""
    return with_flips(rollout.spec.gates, rollout.spec, rollout.ledger.read(Kind.NOISE))


def with_flips(gates: GatePolicy, spec: RolloutSpec, fixed: Mapping[str, Any] | None) -> GatePolicy:
    """Return `gates`, those of agreement with the flips of the noise that was `fixed` for a rollout of `spec`.

    Only flips that were counted under the spec's terms are its noise: by stricter ones all may flip, and what is
    taken for noise is allowed on top of the limit.
    """
    terms = agreement_terms(spec.pairs)
    return informed(
        gates, [each for each in (fixed or {}).get("calibrations", ()) if each.get(_TERMS) == terms]
    )


def learn(rollout: Rollout) -> Calibration | None:
    """Keep what an A/A rollout taught, once, for the endpoint's later rollouts; None where it measured too little.

    The last reading's evidence is what it learns from. A killed attempt leaves nothing that a second one would not
    write the same.
    """
    known = rollout.ledger.read(Kind.CALIBRATION)
    if known is None:
        readings = rollout.ledger.keys(f"{Kind.EVIDENCE}/")
        if not readings:
            return None
        evidence = Evidence.from_document(rollout.ledger.require(readings[-1]))
        flips, pairs = _flips(evidence.pairs)
        calibration = calibration_of(evidence, rollout_id=rollout.id, flips=flips, pairs=pairs)
        if calibration is None:
            return None
        taught = {**calibration.to_document(), _TERMS: agreement_terms(rollout.spec.pairs)}
        known = rollout.write(Kind.CALIBRATION, {"calibration": taught})
    _calibrations(rollout.store, rollout.clients, rollout.baseline.endpoint).add(
        rollout.id, known["calibration"], at=moment(known["written_at"])
    )
    return Calibration.from_document(known["calibration"])


def _flips(pairs: Pairs | None) -> tuple[int, int]:
    """Return how many of how many pairs flipped, counting inputs that were sent again and again as few."""
    if pairs is None:
        return 0, 0
    return round(pairs.all.flips / pairs.repetition), round(pairs.all.n / pairs.repetition)


def _calibrations(store: Store, clients: Clients, endpoint: str) -> Calibrations:
    return Calibrations(store, account=clients.account, region=clients.region, endpoint=endpoint)
