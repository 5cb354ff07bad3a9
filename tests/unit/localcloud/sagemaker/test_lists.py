"""Every List operation of the control plane, enumerated from botocore's model: orders, pages, filters, tokens."""

import base64
import datetime
import itertools
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from docs.tables import operations
from include.localcloud.protocol import Protocol
from tests.unit.localcloud.sagemaker.lab import asked

MODEL = Protocol("sagemaker").service_model
LISTS = [name for name in operations()["sagemaker"] if name.startswith("List")]
SORTED = [name for name in LISTS if "SortBy" in MODEL.operation_model(name).input_shape.members]
ORDERS = ("Ascending", "Descending")
# as the service model documents SortOrder, which says nothing of inference experiments, and of packages what
# AWS's own project templates belie
DEFAULT = dict.fromkeys(SORTED, "Descending") | {"ListModelPackageGroups": "Ascending"}
NAMES = ("delta", "alpha", "Charlie", "bravo")  # in the order of their creation
FIELDS = {  # what SortBy calls Name and Status
    "ListEndpointConfigs": ("EndpointConfigName", ""),
    "ListEndpoints": ("EndpointName", "EndpointStatus"),
    "ListInferenceExperiments": ("Name", "Status"),
    "ListModelPackageGroups": ("ModelPackageGroupName", ""),
    "ListModelPackages": ("ModelPackageName", ""),
    "ListModels": ("ModelName", ""),
}


def choices(operation: str, member: str) -> list[str]:
    return list(MODEL.operation_model(operation).input_shape.members[member].enum)


def orders() -> list[tuple[str, str, str]]:
    return [
        (operation, by, order)
        for operation in SORTED
        for by, order in itertools.product(choices(operation, "SortBy"), ORDERS)
    ]


@pytest.fixture
def stocked(held: Any, variant: Any) -> Any:
    """Four of everything, a minute after one another; endpoints and experiments in two statuses."""
    plane = held
    plane.model("m")
    plane.model("n")
    plane.call("DeleteModel", ModelName="n")
    image = {"Containers": [{"Image": "683313688378.dkr.ecr.us-east-1.amazonaws.com/penumbra/light:1"}]}
    for at, name in enumerate(NAMES):
        plane.clock.advance(60)
        plane.model(name)
        plane.config(name, variant())
        plane.runtime.failure = "no" if at % 2 else None
        plane.call("CreateEndpoint", EndpointName=name, EndpointConfigName=name)
        plane.quiet()
        plane.call("CreateModelPackageGroup", ModelPackageGroupName=name)
        plane.call("CreateModelPackage", ModelPackageName=name, InferenceSpecification=image)
        soon = datetime.datetime.fromtimestamp(plane.clock.at + 3600, datetime.UTC)
        schedule = {"StartTime": soon, "EndTime": soon + datetime.timedelta(hours=2)}
        wanted = asked(Name=name, EndpointName=f"{name}-tried", Schedule=schedule)
        for model in wanted["ModelVariants"]:
            model["ModelName"] = "m"
        plane.call("CreateInferenceExperiment", **wanted)
        plane.quiet()
        if at % 2:
            plane.call("StopInferenceExperiment", Name=name, ModelVariantActions={"candidate": "Remove"})
            plane.quiet()
    plane.call("DeleteModel", ModelName="m")
    return plane


def items(operation: str, answer: dict[str, Any]) -> list[dict[str, Any]]:
    shape = MODEL.operation_model(operation).output_shape
    (key,) = [name for name, member in shape.members.items() if member.type_name == "list"]
    return list(answer[key])


def walked(plane: Any, operation: str, **params: Any) -> list[dict[str, Any]]:
    """Return everything that pages of one hold, each of which must be full."""
    found, token = [], {}
    while True:
        answer = plane.call(operation, MaxResults=1, **params, **token)
        page = items(operation, answer)
        assert len(page) == 1
        found += page
        if "NextToken" not in answer:
            return found
        token = {"NextToken": answer["NextToken"]}


def names(operation: str, found: list[dict[str, Any]]) -> list[str]:
    return [item[FIELDS[operation][0]] for item in found]


@pytest.mark.parametrize(("operation", "by", "order"), orders())
def test_pages_of_one_walk_everything_once_and_in_order(
    stocked: Any, operation: str, by: str, order: str
) -> None:
    found = walked(stocked, operation, SortBy=by, SortOrder=order)
    name, status = FIELDS[operation]
    field = {"Name": name, "Status": status}.get(by, by)
    assert sorted(names(operation, found)) == sorted(NAMES)
    keys = [(item[field], item[name]) for item in found]
    assert keys == sorted(keys, reverse=order == "Descending")
    assert found == items(operation, stocked.call(operation, SortBy=by, SortOrder=order))


@pytest.mark.parametrize("operation", SORTED)
def test_the_default_is_the_order_of_creation(stocked: Any, operation: str) -> None:
    wanted = list(NAMES) if DEFAULT[operation] == "Ascending" else list(NAMES[::-1])
    assert names(operation, walked(stocked, operation)) == wanted


def narrowed(stocked: Any, operation: str, member: str) -> tuple[Any, list[str]] | None:
    """Return a value for a filter and the names that it leaves, None for a member that filters nothing."""
    third = datetime.datetime.fromtimestamp(stocked.clock.at - 60, datetime.UTC)
    endpoints = operation == "ListEndpoints"
    return {
        "NameContains": ("HA", ["alpha", "Charlie"]),
        "CreationTimeBefore": (third, ["delta", "alpha"]),
        "CreationTimeAfter": (third, ["bravo"]),
        "LastModifiedTimeBefore": (third, ["delta", "alpha"]),
        "LastModifiedTimeAfter": (third, ["bravo"]),
        "StatusEquals": ("Failed" if endpoints else "Cancelled", ["alpha", "bravo"]),
        "Type": ("ShadowMode", list(NAMES)),
        "ModelApprovalStatus": ("Approved", []),
        "ModelPackageType": ("Versioned", []),
        "CrossAccountFilterOption": ("CrossAccount", []),
    }.get(member)


@pytest.mark.parametrize("operation", SORTED)
def test_every_filter_of_the_model_leaves_what_it_says_and_pages_know_it(
    stocked: Any, operation: str
) -> None:
    known = {"SortBy", "SortOrder", "MaxResults", "NextToken", "ModelPackageGroupName"}
    members = MODEL.operation_model(operation).input_shape.members.keys() - known
    assert members
    for member in members:
        wanted = narrowed(stocked, operation, member)
        assert wanted is not None, f"{operation} has a filter {member} that nobody tried"
        value, left = wanted
        whole = items(
            operation,
            stocked.call(operation, SortBy="CreationTime", SortOrder="Ascending", **{member: value}),
        )
        assert names(operation, whole) == left, member
        if left:
            found = walked(
                stocked, operation, SortBy="CreationTime", SortOrder="Ascending", **{member: value}
            )
            assert found == whole


@pytest.mark.parametrize("operation", LISTS)
@settings(
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    deadline=None,
    derandomize=True,
)
@example(text="?")
@example(text=base64.urlsafe_b64encode(b"5").decode())
@example(text=base64.urlsafe_b64encode(b'["CreationTime", "Descending", "x", "y"]').decode())
@example(text=base64.urlsafe_b64encode(b'["CreationTime", "Ascending", {}, "y"]').decode())
@example(text=base64.urlsafe_b64encode(b'["CreationTime", "Descending", 1.0]').decode())
@given(text=st.one_of(
    st.text(min_size=1, max_size=40, alphabet=st.characters(categories=["L", "N", "P"])),
    st.recursive(st.none() | st.booleans() | st.floats() | st.text(), lambda each: st.lists(each, max_size=4)).map(
        lambda value: base64.urlsafe_b64encode(json.dumps(value).encode()).decode()
    ),
))  # fmt: skip
def test_a_token_that_no_page_gave_is_a_validation_exception(
    plane: Any, refused: Any, operation: str, text: str
) -> None:
    params = {"NextToken": text}
    if operation == "ListTags":
        if "Tags" not in plane.__dict__:
            plane.Tags = plane.call("CreateModelPackageGroup", ModelPackageGroupName="g")[
                "ModelPackageGroupArn"
            ]
        params["ResourceArn"] = plane.Tags
    with pytest.raises(
        refused, match=r"^ValidationException: .*pagination token is not valid|validation error"
    ):
        plane.call(operation, **params)


@pytest.mark.parametrize("operation", SORTED)
def test_a_token_of_another_order_is_refused(stocked: Any, refused: Any, operation: str) -> None:
    token = stocked.call(operation, MaxResults=1, SortBy="Name", SortOrder="Ascending")["NextToken"]
    for other in (
        {"SortBy": "CreationTime", "SortOrder": "Ascending"},
        {"SortBy": "Name", "SortOrder": "Descending"},
    ):
        with pytest.raises(refused, match="ValidationException: The pagination token is not valid"):
            stocked.call(operation, NextToken=token, **other)
