"""What A/A rollouts counted reaches the agreement gates, and no other."""

from include.gates.calibration import informed
from include.rollout.gate import AgreementGate, CompletenessGate, GatePolicy
from include.stats.calibration import calibrate

LOG_RATIOS = [0.01, -0.02, 0.0, 0.03, -0.01, 0.02, 0.0, -0.03, 0.01, 0.0]


def calibration(flips, pairs):
    found = calibrate(LOG_RATIOS, [1e-4] * len(LOG_RATIOS), rollout_id="a" * 12, flips=flips, pairs=pairs)
    assert found is not None
    return found.to_document()


def agreement(policy):
    return next(gate for gate in policy.rules if isinstance(gate, AgreementGate))


def test_flips_of_all_calibrations_are_summed():
    policy = GatePolicy(rules=(CompletenessGate(), AgreementGate()))
    found = agreement(informed(policy, [calibration(3, 1000), calibration(5, 500), calibration(0, 0)]))
    assert (found.noise_flips, found.noise_pairs) == (8, 1500)
    assert found.limit == AgreementGate().limit


def test_what_a_spec_states_itself_stands():
    policy = GatePolicy(
        rules=(
            CompletenessGate(),
            AgreementGate(noise_flips=1, noise_pairs=10),
        )
    )
    assert informed(policy, [calibration(3, 1000)]) == policy


def test_without_paired_calibrations_nothing_changes():
    policy = GatePolicy(
        rules=(
            CompletenessGate(),
            AgreementGate(),
        )
    )
    assert informed(policy, [calibration(0, 0)]) is policy
    assert informed(policy, []) is policy
