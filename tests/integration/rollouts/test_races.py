"""Whoever races for an endpoint: one rollout at a time changes it, and nobody's change is overwritten knowingly."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.rollouts.racing import race


@pytest.mark.parametrize("seed", range(5))
def test_two_rollouts_and_a_stranger_race_for_an_endpoint(cloud_url: str, tmp_path: Path, seed: int) -> None:
    race(cloud_url, tmp_path, seed)
