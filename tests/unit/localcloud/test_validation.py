"""Whatever a service model demands of an operation's input is checked, and told in AWS's form.

The cases are enumerated from botocore's models: every member of every supported operation's input, each of its
constraints broken in turn, and each bound just kept.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.model import Shape

from docs.tables import operations
from include.localcloud.http import Request
from include.localcloud.protocol import AwsError, Protocol
from include.localcloud.runtime.invocation import check_name, read
from include.localcloud.runtime.refusal import InvocationError

SERVICES = ("sagemaker", "cloudwatch", "application-autoscaling")
NUMBERS = {"integer", "long", "double", "float"}
LONGEST = 20_000  # characters of a value that is tried
STRANGE = ("\x07", "\n", " ", "-", ":")  # one of these breaks every pattern that anything breaks


@dataclass(frozen=True)
class Place:
    """Where a shape is in an operation's input: the steps to it, and the path as AWS tells it."""

    shape: Shape
    steps: tuple[str, ...] = ()
    path: str = ""
    within: str = "Member must satisfy constraint: "  # of a plain member: how its list or map tells of it

    def holding(self, value: Any) -> Any:
        """Return an input that has the value at this place, and nothing beside."""
        for step in reversed(self.steps):
            match step:
                case "[]":
                    value = [value]
                case "{key}":
                    value = {value: "v"}
                case "{value}":
                    value = {"k": value}
                case name:
                    value = {name: value}
        return value


def places(place: Place, seen: frozenset[str] = frozenset()) -> Iterator[Place]:
    """Yield every place beneath this one; a shape within itself is not entered again."""
    yield place
    shape, steps, path = place.shape, place.steps, place.path
    if shape.name in seen:
        return
    seen |= {shape.name}
    if shape.type_name == "structure":
        for name, member in shape.members.items():
            at = f"{path}." if path else ""
            yield from places(Place(member, (*steps, name), f"{at}{name[0].lower()}{name[1:]}"), seen)
    elif shape.type_name == "list":
        yield from places(Place(shape.member, (*steps, "[]"), f"{path}.1.member"), seen)
    elif shape.type_name == "map":
        yield Place(shape.key, (*steps, "{key}"), path, "Map keys must satisfy constraint: ")
        said = "Map value must satisfy constraint: "
        plain = shape.value.type_name not in {"structure", "list", "map"}
        below = Place(shape.value, (*steps, "{value}"), path if plain else f"{path}.k.member", said)
        yield from places(below, seen)


def demands(shape: Shape) -> dict[str, str]:
    """Return AWS's sentence for each constraint of the shape."""
    metadata, noun = shape.metadata, "value" if shape.type_name in NUMBERS else "length"
    said = {}
    if metadata.get("enum"):
        said["enum"] = f"Member must satisfy enum value set: [{', '.join(metadata['enum'])}]"
    if "max" in metadata:
        said["max"] = f"Member must have {noun} less than or equal to {metadata['max']}"
    if "min" in metadata:
        said["min"] = f"Member must have {noun} greater than or equal to {metadata['min']}"
    if "pattern" in metadata and shape.type_name == "string":
        said["pattern"] = f"Member must satisfy regular expression pattern: {metadata['pattern']}"
    return said


def sized(shape: Shape, size: float) -> Any:
    """Return a value of that size, or None where there is none that can be sent."""
    if shape.type_name in NUMBERS:
        return int(size) if shape.type_name in {"integer", "long"} else size
    if size < 0 or size > LONGEST:
        return None
    if shape.type_name == "list":
        empty = {"structure": {}, "list": [], "map": {}}.get(shape.member.type_name, "1")
        return [empty] * int(size)
    if shape.type_name == "map":
        return {str(number): "1" for number in range(int(size))}
    return "a" * int(size)


def breaking(place: Place, constraint: str) -> list[Any]:
    """Return values that may break the constraint."""
    metadata = place.shape.metadata
    match constraint:
        case "enum":
            return ["no-such-value"]
        case "max":
            return [sized(place.shape, metadata["max"] + 1)]
        case "min":
            return [sized(place.shape, metadata["min"] - 1)]
    return list(STRANGE)


def faults(protocol: Protocol, operation: str, params: Any) -> str:
    """Return the text with which the input is refused, "" if it is not."""
    headers = {"x-amz-target": f"{protocol.service_model.metadata['targetPrefix']}.{operation}"}
    refusal = None
    try:
        protocol.parse(Request("POST", "/", "", headers, json.dumps(params).encode()))
    except AwsError as error:
        refusal = error
    if refusal is None:
        return ""
    assert refusal.code in {"ValidationException", "ValidationError"}, (operation, params, refusal)
    count = re.match(r"(\d+) validation errors? detected: ", refusal.message)
    assert count is not None
    assert refusal.message.count("failed to satisfy constraint: ") >= int(count[1])
    return refusal.message


def sentence(place: Place, text: str) -> str:
    """Return how a broken constraint ends: of a plain member, with all of its constraints."""
    plain = place.shape.type_name not in {"structure", "list", "map"}
    if plain and place.steps and place.steps[-1] in {"[]", "{key}", "{value}"}:
        path = place.path.removesuffix(".1.member")
        return f" at '{path}' failed to satisfy constraint: {place.within}[{', '.join(demands(place.shape).values())}]"
    return f" at '{place.path}' failed to satisfy constraint: {text}"


def cases(protocol: Protocol) -> Iterator[tuple[str, Place]]:
    for operation in operations()[protocol.service_name]:
        shape = protocol.service_model.operation_model(operation).input_shape
        for place in places(Place(shape)):
            if place.steps:
                yield operation, place


@pytest.mark.parametrize("service", SERVICES)
def test_every_constraint_of_every_input_is_checked_in_the_words_of_aws(service: str) -> None:
    protocol = Protocol(service)
    checked = 0
    for operation, place in cases(protocol):
        for constraint, text in demands(place.shape).items():
            tried = [value for value in breaking(place, constraint) if value is not None]
            found = [faults(protocol, operation, place.holding(value)) for value in tried]
            if not tried or (constraint == "pattern" and matches_anything(place.shape)):
                continue
            assert any(sentence(place, text) in each for each in found), (operation, place.path, text, found)
            checked += 1
    assert checked > {"sagemaker": 1000, "cloudwatch": 150, "application-autoscaling": 50}[service]


def matches_anything(shape: Shape) -> bool:
    return shape.metadata["pattern"] in {r"[\S\s]*", r"(?s).*", r"[\s\S]*"} or any(
        text in shape.metadata["pattern"] for text in (r"[\s\S]", r"[\S\s]")
    )


@pytest.mark.parametrize("service", SERVICES)
def test_a_bound_that_is_just_kept_is_no_fault(service: str) -> None:
    protocol = Protocol(service)
    for operation, place in cases(protocol):
        said = demands(place.shape)
        for bound in {"min", "max"} & said.keys():
            value = sized(place.shape, place.shape.metadata[bound])
            if value is None or {"pattern", "enum"} & said.keys():
                continue
            refused = faults(protocol, operation, place.holding(value))
            assert sentence(place, said[bound]) not in refused, (operation, place.path, refused)


@pytest.mark.parametrize("service", SERVICES)
def test_what_is_required_is_missed_by_its_name(service: str) -> None:
    protocol = Protocol(service)
    for operation, place in cases(protocol):
        if place.shape.type_name != "structure" or place.shape.is_tagged_union:
            continue
        refused = faults(protocol, operation, place.holding({}))
        for name in place.shape.required_members:
            wanted = f"Value null at '{place.path}.{name[0].lower()}{name[1:]}' failed to satisfy constraint: Member must not be null"
            assert wanted in refused, (operation, refused)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            {"ModelName": "m", "VpcConfig": {"SecurityGroupIds": ["sg 1", "b"], "Subnets": ["s"]}},
            "Value '[sg 1, b]' at 'vpcConfig.securityGroupIds' failed to satisfy constraint: Member must satisfy "
            "constraint: [Member must have length less than or equal to 32, Member must have length greater than or "
            "equal to 0, Member must satisfy regular expression pattern: [-0-9a-zA-Z]+]",
        ),
        (
            {"ModelName": "m", "PrimaryContainer": {"Environment": {"a b": "c"}}},
            "Value '{a b=c}' at 'primaryContainer.environment' failed to satisfy constraint: Map keys must satisfy "
            "constraint: [",
        ),
        (
            {"ModelName": "m", "Tags": [{"Key": "a|b", "Value": "täglich"}]},
            r"Value 'a|b' at 'tags.1.member.key' failed to satisfy constraint: Member must satisfy regular "
            r"expression pattern: ([\p{L}\p{Z}\p{N}_.:/=+\-@]*)",
        ),
    ],
)
def test_the_words_are_those_that_are_seen(body: Any, said: str) -> None:
    refused = faults(Protocol("sagemaker"), "CreateModel", body)
    assert said in refused
    assert refused.startswith("1 validation error detected: ")


def test_a_sensitive_value_is_not_repeated() -> None:
    content = {"ModelCardContent": "x" * 100_001, "ModelCardStatus": "Draft"}
    refused = faults(Protocol("sagemaker"), "CreateModelPackage", {"ModelCard": content})
    assert (
        "Value at 'modelCard.modelCardContent' failed to satisfy constraint: Member must have length"
        in refused
    )


@pytest.mark.parametrize("value", [2**31, -(2**31) - 1, 1.5, "1", True])
def test_a_number_that_is_none_of_the_model_s_is_a_serialization_error(value: Any) -> None:
    body = json.dumps({"MaxResults": value}).encode()
    with pytest.raises(AwsError, match=r"^SerializationException: 'maxResults' is "):
        Protocol("sagemaker").parse(Request("POST", "/", "", {"x-amz-target": "SageMaker.ListModels"}, body))


@pytest.mark.parametrize(
    ("header", "value", "said"),
    [
        ("inference-id", "a" * 65, f"Value '{'a' * 65}' at 'inferenceId' failed to satisfy constraint: Member must have length less than or equal to 64"),
        ("inference-id", " a", r"Value ' a' at 'inferenceId' failed to satisfy constraint: Member must satisfy regular expression pattern: \A\S[\p{Print}]*\z"),
        ("custom-attributes", "é", r"Value at 'customAttributes' failed to satisfy constraint: Member must satisfy regular expression pattern: \p{ASCII}*"),
        ("target-variant", "-", "Value '-' at 'targetVariant' failed to satisfy constraint: Member must satisfy regular"),
    ],
)  # fmt: skip
def test_the_headers_of_an_invocation_are_checked_alike(header: str, value: str, said: str) -> None:
    request = Request("POST", "/endpoints/e/invocations", "", {f"x-amzn-sagemaker-{header}": value}, b"1")
    with pytest.raises(InvocationError) as caught:
        read("e", request)
    assert str(caught.value).startswith(f"1 validation error detected: {said}")


def test_the_name_of_an_endpoint_that_cannot_be_is_told_apart_from_one_that_is_not_there() -> None:
    check_name("not-there")
    with pytest.raises(InvocationError, match="Value '-' at 'endpointName' failed to satisfy constraint"):
        check_name("-")
