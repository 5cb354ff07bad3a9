"""An object store on a temporary folder, and a loop to run it on."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from include.localcloud.clock import Clock
from include.localcloud.s3.store import ObjectStore


@pytest.fixture
def run() -> Iterator[Callable[[Any], Any]]:
    with asyncio.Runner() as runner:
        yield runner.run


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ObjectStore]:
    store = ObjectStore(tmp_path / "s3", Clock())
    store.create_bucket("bkt", "us-east-1")
    yield store
    store.close()
