"""What all tests share: one Airflow, if any needs it; the long matrices run only when they are asked for."""

import pytest

# A plugin, because fixtures that two folders imported would be two Airflows.
pytest_plugins = ("tests.airflow.stand",)


def pytest_addoption(parser):
    parser.addoption("--soak", action="store_true", help="run the full matrices too (hours)")


def pytest_collection_modifyitems(config, items):
    if config.getoption("--soak"):
        return
    skip = pytest.mark.skip(
        reason="a full matrix; its short form runs always, this one with --soak (make soak)"
    )
    for item in items:
        if item.get_closest_marker("soak"):
            item.add_marker(skip)
