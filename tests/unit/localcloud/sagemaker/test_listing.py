"""Lists: filters, orders and pages that stay whole while resources come and go."""

import datetime
from typing import Any

import pytest


@pytest.fixture
def listed(plane: Any) -> Any:
    for name in ("delta", "alpha", "charlie", "bravo"):
        plane.clock.at += 1
        plane.model(name)
    return plane


def names(plane: Any, **params: Any) -> list[str]:
    return [summary["ModelName"] for summary in plane.call("ListModels", **params)["Models"]]


def test_the_newest_come_first_unless_said(listed: Any) -> None:
    assert names(listed) == ["bravo", "charlie", "alpha", "delta"]
    assert names(listed, SortOrder="Ascending") == ["delta", "alpha", "charlie", "bravo"]
    assert names(listed, SortBy="Name", SortOrder="Ascending") == ["alpha", "bravo", "charlie", "delta"]


def test_names_and_times_filter(listed: Any) -> None:
    assert names(listed, NameContains="Ha") == ["charlie", "alpha"]
    third = datetime.datetime.fromtimestamp(listed.clock.at - 1, tz=datetime.UTC)
    assert names(listed, CreationTimeBefore=third) == ["alpha", "delta"]
    assert names(listed, CreationTimeAfter=third) == ["bravo"]


def test_a_page_goes_on_where_the_last_one_ended_even_after_a_deletion(listed: Any) -> None:
    first = listed.call("ListModels", MaxResults=2)
    assert [summary["ModelName"] for summary in first["Models"]] == ["bravo", "charlie"]
    listed.call("DeleteModel", ModelName="charlie")
    second = listed.call("ListModels", MaxResults=2, NextToken=first["NextToken"])
    assert [summary["ModelName"] for summary in second["Models"]] == ["alpha", "delta"]
    assert "NextToken" not in second


def test_a_token_that_is_none_is_refused(listed: Any, refused: Any) -> None:
    with pytest.raises(refused, match=r"pagination token"):
        listed.call("ListModels", NextToken="?")


def test_endpoints_are_filtered_and_sorted_by_status(plane: Any, variant: Any) -> None:
    plane.model("m")
    plane.config("c", variant())
    plane.call("CreateEndpoint", EndpointName="good", EndpointConfigName="c")
    plane.settle()
    plane.runtime.failure = "no"
    plane.call("CreateEndpoint", EndpointName="bad", EndpointConfigName="c")
    plane.settle()
    by_status = plane.call("ListEndpoints", SortBy="Status", SortOrder="Ascending")["Endpoints"]
    assert [summary["EndpointName"] for summary in by_status] == ["bad", "good"]
    (only,) = plane.call("ListEndpoints", StatusEquals="InService")["Endpoints"]
    assert only["EndpointName"] == "good"
