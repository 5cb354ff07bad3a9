"""Requests serialised by botocore arrive typed; what we render, botocore's own parser reads back."""

import datetime
import gzip
import json
from typing import Any

import pytest
from botocore.awsrequest import HeadersDict
from botocore.parsers import create_parser
from botocore.serialize import create_serializer

from include.localcloud.http import Request, Response
from include.localcloud.protocol import AwsError, Protocol

SAGEMAKER = Protocol("sagemaker")
CLOUDWATCH = Protocol("cloudwatch")


def sent(protocol: Protocol, operation: str, params: dict[str, Any], wire: str) -> Request:
    model = protocol.service_model.operation_model(operation)
    serialized = create_serializer(wire, include_validation=False).serialize_to_request(params, model)
    headers = {name.lower(): value for name, value in serialized["headers"].items()}
    return Request("POST", serialized["url_path"], "", headers, serialized["body"])


def received(protocol: Protocol, operation: str, response: Response, wire: str) -> dict[str, Any]:
    shape = protocol.service_model.operation_model(operation).output_shape
    parsed: dict[str, Any] = create_parser(wire).parse(
        {"status_code": response.status, "headers": HeadersDict(response.headers), "body": response.body},
        shape,
    )
    return parsed


def sagemaker(operation: str, body: Any) -> Request:
    headers = {"x-amz-target": f"SageMaker.{operation}", "content-type": "application/x-amz-json-1.1"}
    return Request("POST", "/", "", headers, json.dumps(body).encode())


@pytest.mark.parametrize("wire", ["json", "smithy-rpc-v2-cbor"])
def test_metric_data_arrives_typed_over_both_wires(wire: str) -> None:
    at = datetime.datetime(2026, 3, 1, 12, 0, tzinfo=datetime.UTC)
    request = sent(
        CLOUDWATCH,
        "PutMetricData",
        {"Namespace": "N", "MetricData": [{"MetricName": "m", "Timestamp": at, "Value": 1}]},
        wire,
    )
    assert CLOUDWATCH.recognises(request)
    assert not SAGEMAKER.recognises(request)
    operation, params = CLOUDWATCH.parse(request)
    assert operation == "PutMetricData"
    assert params == {"Namespace": "N", "MetricData": [{"MetricName": "m", "Timestamp": at, "Value": 1.0}]}


@pytest.mark.parametrize("wire", ["json", "smithy-rpc-v2-cbor"])
def test_results_and_errors_are_read_back_by_botocore(wire: str) -> None:
    request = sent(CLOUDWATCH, "GetMetricData", {}, wire)
    at = datetime.datetime(2026, 3, 1, 12, 0, tzinfo=datetime.UTC)
    result = {
        "MetricDataResults": [{"Id": "a", "Timestamps": [at.timestamp()], "Values": [2]}],
        "Messages": None,
    }
    parsed = received(CLOUDWATCH, "GetMetricData", CLOUDWATCH.render(request, "GetMetricData", result), wire)
    assert parsed["MetricDataResults"] == [{"Id": "a", "Timestamps": [at], "Values": [2.0]}]
    error = CLOUDWATCH.render_error(request, AwsError("InvalidParameterValue", "no"))
    parsed = received(CLOUDWATCH, "GetMetricData", error, wire)
    assert parsed["Error"]["Code"] == "InvalidParameterValue"
    assert parsed["Error"]["Message"] == "no"


def test_every_broken_constraint_is_named_at_once_in_the_words_of_aws() -> None:
    body = {
        "EndpointConfigName": "-bad",
        "ProductionVariants": [{"VariantName": "v", "InstanceType": "ml.none", "InitialVariantWeight": -1}],
    }
    with pytest.raises(AwsError) as caught:
        SAGEMAKER.parse(sagemaker("CreateEndpointConfig", body))
    message = caught.value.message
    assert caught.value.code == "ValidationException"
    assert message.startswith("3 validation errors detected: Value '-bad' at 'endpointConfigName' failed")
    assert (
        "at 'productionVariants.1.member.instanceType' failed to satisfy constraint: Member must satisfy enum"
        in message
    )
    assert "'productionVariants.1.member.initialVariantWeight'" in message


def test_a_missing_member_is_null_and_an_unknown_one_is_ignored() -> None:
    with pytest.raises(AwsError, match="Value null at 'endpointName' failed"):
        SAGEMAKER.parse(sagemaker("DescribeEndpoint", {}))
    assert SAGEMAKER.parse(sagemaker("DescribeEndpoint", {"EndpointName": "e", "Foo": 1, "Bar": None})) == (
        "DescribeEndpoint",
        {"EndpointName": "e"},
    )


def test_wrong_types_and_unreadable_bodies_are_serialization_errors() -> None:
    with pytest.raises(AwsError, match="SerializationException"):
        SAGEMAKER.parse(sagemaker("DescribeEndpoint", {"EndpointName": 3}))
    with pytest.raises(AwsError, match="SerializationException"):
        SAGEMAKER.parse(Request("POST", "/", "", {"x-amz-target": "SageMaker.DescribeEndpoint"}, b"{"))


def test_an_operation_that_the_model_lacks_is_named() -> None:
    with pytest.raises(AwsError, match="no operation 'Nonsense'"):
        SAGEMAKER.parse(sagemaker("Nonsense", {}))


def test_compressed_bodies_are_inflated() -> None:
    request = sent(CLOUDWATCH, "ListMetrics", {"Namespace": "N"}, "smithy-rpc-v2-cbor")
    packed = Request(
        "POST", request.path, "", {**request.headers, "content-encoding": "gzip"}, gzip.compress(request.body)
    )
    assert CLOUDWATCH.parse(packed) == ("ListMetrics", {"Namespace": "N"})


def test_a_result_that_the_model_lacks_is_a_defect_of_ours() -> None:
    with pytest.raises(TypeError, match="has no member"):
        SAGEMAKER.render(sagemaker("DescribeEndpoint", {}), "DescribeEndpoint", {"Nonsense": 1})
