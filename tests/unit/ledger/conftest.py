"""Stores to try the ledger on: a folder, and S3 as the local cloud serves it."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import boto3
import pytest

from include.ledger.store import Credentials, Store, StoreAccess

ROOT = Path(__file__).resolve().parents[3]
REGION = "eu-west-1"
BUCKET = "ledger-tests"


@pytest.fixture(scope="session")
def s3_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve S3 on a free port for the whole session, with one bucket in it."""
    if importlib.util.find_spec("include.localcloud.__main__") is not None:
        server = _local_cloud(tmp_path_factory.mktemp("cloud"))
    else:
        server = _moto()
    for url in server:
        boto3.client(
            "s3", endpoint_url=url, region_name=REGION, aws_access_key_id="test", aws_secret_access_key="test"
        ).create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        yield url


@pytest.fixture(scope="session")
def s3_access(s3_url: str) -> StoreAccess:
    return StoreAccess(
        region=REGION,
        endpoint_url=s3_url,
        credentials=lambda: Credentials(access_key="test", secret_key="test"),
    )


@pytest.fixture(params=["folder", "s3"])
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Store]:
    """Open the same empty place again and again, as every process does for itself."""
    if request.param == "folder":
        return lambda: Store(f"file://{tmp_path}/a ledger".replace(" ", "%20"))
    access = request.getfixturevalue("s3_access")
    location = f"s3://{BUCKET}/prefix/{uuid4().hex}"
    return lambda: Store(location, access)


@pytest.fixture
def store(open_store: Callable[[], Store]) -> Store:
    return open_store()


def _local_cloud(state: Path) -> Iterator[str]:
    command = [sys.executable, "-m", "include.localcloud", "--port", "0", "--state", str(state)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment) as process:
        try:
            assert process.stdout is not None
            for line in process.stdout:
                if line.startswith("ready "):
                    yield line.split()[1]
                    break
            else:
                pytest.fail(f"the local cloud ended with {process.wait()} before it was ready")
        finally:
            process.terminate()


def _moto() -> Iterator[str]:
    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    application = DomainDispatcherApplication(create_backend_app)
    one_at_a_time = threading.Lock()  # moto looks at a condition and then acts on it

    def serve(environ, start_response):
        with one_at_a_time:
            return application(environ, start_response)

    server = make_server("127.0.0.1", 0, serve, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
