import json

import pytest

from quickstart import settings
from quickstart.layout import PROJECT
from quickstart.settings import Pool, SettingsError


def load(tmp_path, text):
    file = tmp_path / "airflow_settings.yaml"
    file.write_text(text)
    return settings.load(file)


def test_the_project_s_own_file_defines_the_local_cloud_and_the_replay_pool():
    own = settings.load(PROJECT / "airflow_settings.yaml")
    connection = json.loads(own.environment()["AIRFLOW_CONN_AWS_LOCAL"])
    assert connection["conn_type"] == "aws"
    assert connection["extra"]["endpoint_url"] == "http://127.0.0.1:4566"
    assert [pool.name for pool in own.pools] == ["replay"]


def test_a_moved_local_cloud_is_put_into_aws_connections_that_name_an_endpoint_and_into_no_other(tmp_path):
    read = load(
        tmp_path,
        """
        airflow:
          connections:
            - {conn_id: here, conn_type: aws, conn_extra: {endpoint_url: "http://127.0.0.1:4566", region_name: eu-west-1}}
            - {conn_id: real, conn_type: aws, conn_extra: '{"region_name": "eu-west-1"}'}
            - {conn_id: web, conn_type: http, conn_host: example.org, conn_port: 80, conn_extra: {endpoint_url: "x"}}
        """,
    )
    env = read.environment(cloud_url="http://127.0.0.1:9")
    assert json.loads(env["AIRFLOW_CONN_HERE"])["extra"] == {
        "endpoint_url": "http://127.0.0.1:9",
        "region_name": "eu-west-1",
    }
    assert json.loads(env["AIRFLOW_CONN_REAL"])["extra"] == {"region_name": "eu-west-1"}
    assert json.loads(env["AIRFLOW_CONN_WEB"]) == {
        "conn_type": "http",
        "host": "example.org",
        "port": 80,
        "extra": {"endpoint_url": "x"},
    }


def test_variables_pools_and_uris_are_read_and_the_empty_entries_of_the_template_skipped(tmp_path):
    read = load(
        tmp_path,
        """
        airflow:
          connections:
            - {conn_id: , conn_type: , conn_host: }
            - {conn_id: uri, conn_uri: "aws://"}
          pools:
            - {pool_name: , pool_slot: , pool_description: }
            - {pool_name: p, pool_slot: 3, pool_description: three, pool_include_deferred: true}
          variables:
            - {variable_name: , variable_value: }
            - {variable_name: answer, variable_value: 42}
        """,
    )
    assert read.environment() == {"AIRFLOW_CONN_URI": "aws://", "AIRFLOW_VAR_ANSWER": "42"}
    assert read.pools == (Pool(name="p", slots=3, description="three", include_deferred=True),)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        pytest.param("airflow: {pool: []}", "'pool'", id="an unknown section"),
        pytest.param("airflow: {pools: [{pool_slot: 3}]}", "without pool_name", id="an entry without a name"),
        pytest.param(
            "airflow: {pools: [{pool_name: p, pool_slot: 0}]}", "pool_slot 0", id="a pool without slots"
        ),
        pytest.param(
            "airflow: {connections: [{conn_id: c}]}", "needs conn_type", id="a connection without type"
        ),
    ],
)
def test_a_mistake_is_named(tmp_path, text, named):
    with pytest.raises(SettingsError, match=named):
        load(tmp_path, text)
