"""A connection's endpoint_url holds for every service that is asked."""

import json

import pytest

from include.aws.clients import SERVICES
from include.orchestration.connection import clients_of


def test_a_connections_endpoint_serves_every_service(monkeypatch: pytest.MonkeyPatch) -> None:
    here = "http://127.0.0.1:9"
    extra = {"region_name": "eu-west-1", "endpoint_url": here}
    connection = {"conn_type": "aws", "login": "a", "password": "b", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_HERE", json.dumps(connection))
    clients = clients_of("aws_here")
    assert clients.endpoint_urls == dict.fromkeys(SERVICES, here)
    assert clients.sns("eu-north-1").meta.endpoint_url == here
    assert clients.sns("eu-north-1").meta.region_name == "eu-north-1"
