"""What all tests share: one Airflow, if any needs it; the long matrices run only when they are asked for."""

import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# A plugin, because fixtures that two folders imported would be two Airflows.
pytest_plugins = ("tests.airflow.stand",)

# How long an example takes depends on what runs beside it.
settings.register_profile("lanes", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("lanes")


def pytest_addoption(parser):
    parser.addoption("--soak", action="store_true", help="run the full matrices too (hours)")
    parser.addoption(
        "--slice",
        default="1/1",
        metavar="I/N",
        help="with --soak: only the I-th of N equal parts of each matrix",
    )


@pytest.fixture(scope="session")
def sliced(pytestconfig: pytest.Config) -> Callable[[Sequence[Any]], list[Any]]:
    """Cut the asked part out of a matrix; the N parts are disjoint, mixed, and the same in every run."""
    part, parts = (int(number) for number in pytestconfig.getoption("--slice").split("/"))
    if not 1 <= part <= parts:
        raise pytest.UsageError(f"--slice is {part}/{parts}; allowed are 1/{parts} to {parts}/{parts}")

    def cut(matrix: Sequence[Any]) -> list[Any]:
        mixed = random.Random(0).sample(matrix, len(matrix))
        return mixed[part - 1 :: parts]

    return cut


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    from tests.lanes import Lanes  # not before lanes are asked for: tests run without xdist too

    return Lanes(config, log)


def pytest_collection_modifyitems(config, items):
    if config.getoption("--soak"):
        return
    skip = pytest.mark.skip(
        reason="a full matrix; its short form runs always, this one with --soak (make soak)"
    )
    for item in items:
        if item.get_closest_marker("soak"):
            item.add_marker(skip)
