"""Recorded rollouts in a folder, and the pages they make."""

import pytest

from include.ledger.reader import Reader
from include.ledger.store import Store


@pytest.fixture
def store(tmp_path):
    return Store(str(tmp_path / "ledger"))


@pytest.fixture
def recorded(store):
    """Return a function that writes a story and reads it back as the console would."""
    return lambda story: Reader(store).rollout(story(store).id)
