"""The full form of the crowd: a hundred thousand requests through ten updates."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.localcloud.conftest import Hosting, Program
from tests.integration.localcloud.crowd import updated_under_way


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    program = Program(tmp_path / "state")
    yield program
    assert program.stop() == 0


@pytest.mark.soak
@pytest.mark.timeout(1200)
def test_ten_updates_beside_a_shadow_of_all_requests_lose_none_of_a_hundred_thousand(
    program: Program,
) -> None:
    crowd = updated_under_way(program, Hosting, callers=16, least=100_000)
    print(f"{crowd.sent} requests: {dict(crowd.seen)}")
    assert crowd.sent >= 100_000
    assert crowd.seen == {"right": crowd.sent}
