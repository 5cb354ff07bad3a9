"""Every operation of the control plane answers what botocore's model promises, member by member."""

import datetime
import time
from typing import Any

import pytest

from include.localcloud.cloud import LocalCloud

IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/penumbra/light:1"
ROLE = "arn:aws:iam::123456789012:role/serving"
TAGS = [{"Key": "team", "Value": "churn"}]


def variant(name: str, model: str) -> dict[str, Any]:
    return {
        "VariantName": name,
        "ModelName": model,
        "InstanceType": "ml.m5.large",
        "InitialInstanceCount": 1,
        "InitialVariantWeight": 1.0,
        "ContainerStartupHealthCheckTimeoutInSeconds": 60,
        "RoutingConfig": {"RoutingStrategy": "LEAST_OUTSTANDING_REQUESTS"},
    }


def settled(sagemaker: Any) -> None:
    deadline = time.monotonic() + 60
    changing = {"Creating", "Updating", "RollingBack"}
    while sagemaker.describe_endpoint(EndpointName="endpoint")["EndpointStatus"] in changing:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def use_hosting(sagemaker: Any) -> None:
    """Call every operation of models, endpoint configs, endpoints and tags, in every state of the endpoint."""
    container = {"Image": IMAGE, "Environment": {"LOCAL_ANSWER": "1"}}
    for name in ("model", "other"):
        sagemaker.create_model(ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer=container, Tags=TAGS)
    sagemaker.describe_model(ModelName="model")
    sagemaker.list_models(MaxResults=1)
    sagemaker.create_endpoint_config(EndpointConfigName="plain", ProductionVariants=[variant("a", "model")])
    sagemaker.create_endpoint_config(
        EndpointConfigName="shadowed",
        ProductionVariants=[variant("a", "model")],
        ShadowProductionVariants=[variant("b", "other")],
        DataCaptureConfig={
            "InitialSamplingPercentage": 100,
            "DestinationS3Uri": "s3://captures/here",
            "CaptureOptions": [{"CaptureMode": "InputAndOutput"}],
        },
        MetricsConfig={"EnableEnhancedMetrics": True, "MetricPublishFrequencyInSeconds": 10},
    )
    sagemaker.describe_endpoint_config(EndpointConfigName="shadowed")
    sagemaker.list_endpoint_configs()
    arn = sagemaker.create_endpoint(EndpointName="endpoint", EndpointConfigName="plain", Tags=TAGS)[
        "EndpointArn"
    ]
    settled(sagemaker)
    policy = {
        "BlueGreenUpdatePolicy": {
            "TrafficRoutingConfiguration": {
                "Type": "LINEAR",
                "WaitIntervalInSeconds": 1,
                "LinearStepSize": {"Type": "CAPACITY_PERCENT", "Value": 50},
            },
            "TerminationWaitInSeconds": 1,
        }
    }
    sagemaker.update_endpoint(EndpointName="endpoint", EndpointConfigName="shadowed", DeploymentConfig=policy)
    settled(sagemaker)
    sagemaker.update_endpoint_weights_and_capacities(
        EndpointName="endpoint",
        DesiredWeightsAndCapacities=[{"VariantName": "b", "DesiredWeight": 0.5, "DesiredInstanceCount": 2}],
    )
    settled(sagemaker)
    sagemaker.list_endpoints(StatusEquals="InService")
    sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "stage", "Value": "test"}])
    sagemaker.list_tags(ResourceArn=arn)
    sagemaker.delete_tags(ResourceArn=arn, TagKeys=["stage"])
    sagemaker.delete_endpoint(EndpointName="endpoint")
    sagemaker.get_waiter("endpoint_deleted").wait(EndpointName="endpoint", WaiterConfig={"Delay": 1})
    sagemaker.delete_endpoint_config(EndpointConfigName="plain")
    sagemaker.delete_model(ModelName="model")


def model_variant(name: str, model: str) -> dict[str, Any]:
    return {
        "ModelName": model,
        "VariantName": name,
        "InfrastructureConfig": {
            "InfrastructureType": "RealTimeInference",
            "RealTimeInferenceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
        },
    }


def use_experiments(sagemaker: Any) -> None:
    """Call every operation of inference experiments, in every status that lasts."""
    container = {"Image": IMAGE, "Environment": {"LOCAL_ANSWER": "1"}}
    for name in ("tried", "trusted"):
        sagemaker.create_model(ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer=container)
    now = datetime.datetime.now(datetime.UTC)
    mode = {
        "SourceModelVariantName": "a",
        "ShadowModelVariants": [{"ShadowModelVariantName": "b", "SamplingPercentage": 50}],
    }
    sagemaker.create_inference_experiment(
        Name="experiment",
        Type="ShadowMode",
        Description="d",
        RoleArn=ROLE,
        EndpointName="experimental",
        ModelVariants=[model_variant("a", "trusted"), model_variant("b", "tried")],
        DataStorageConfig={
            "Destination": "s3://captures/x",
            "ContentType": {"CsvContentTypes": ["text/csv"]},
        },
        ShadowModeConfig=mode,
        Schedule={
            "StartTime": now + datetime.timedelta(hours=1),
            "EndTime": now + datetime.timedelta(hours=9),
        },
        Tags=TAGS,
    )
    experiment_is(sagemaker, "Created")
    sagemaker.start_inference_experiment(Name="experiment")
    experiment_is(sagemaker, "Running")
    mode["ShadowModelVariants"][0]["SamplingPercentage"] = 100  # type: ignore[index]
    sagemaker.update_inference_experiment(Name="experiment", ShadowModeConfig=mode)
    experiment_is(sagemaker, "Running")
    sagemaker.list_inference_experiments(Type="ShadowMode", SortBy="Status", MaxResults=1)
    sagemaker.stop_inference_experiment(
        Name="experiment",
        ModelVariantActions={"a": "Remove", "b": "Promote"},
        DesiredModelVariants=[model_variant("b", "tried")],
        DesiredState="Completed",
        Reason="better",
    )
    experiment_is(sagemaker, "Completed")
    sagemaker.list_inference_experiments()
    sagemaker.delete_inference_experiment(Name="experiment")
    sagemaker.delete_endpoint(EndpointName="experimental")


def experiment_is(sagemaker: Any, status: str) -> None:
    deadline = time.monotonic() + 60
    while sagemaker.describe_inference_experiment(Name="experiment")["Status"] != status:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def use_registry(sagemaker: Any) -> None:
    """Call every operation of model package groups and model packages."""
    sagemaker.create_model_package_group(
        ModelPackageGroupName="group", ModelPackageGroupDescription="d", Tags=TAGS
    )
    sagemaker.describe_model_package_group(ModelPackageGroupName="group")
    sagemaker.list_model_package_groups()
    inference = {
        "Containers": [{"Image": IMAGE}],
        "SupportedContentTypes": ["text/csv"],
        "SupportedResponseMIMETypes": ["text/csv"],
        "SupportedRealtimeInferenceInstanceTypes": ["ml.m5.large"],
    }
    versioned = sagemaker.create_model_package(
        ModelPackageGroupName="group",
        ModelPackageDescription="a version",
        InferenceSpecification=inference,
        ClientToken="token",
        CustomerMetadataProperties={"a": "b"},
    )["ModelPackageArn"]
    alone = sagemaker.create_model_package(ModelPackageName="alone", InferenceSpecification=inference)
    for name in (versioned, alone["ModelPackageArn"]):
        sagemaker.describe_model_package(ModelPackageName=name)
    sagemaker.list_model_packages(ModelPackageGroupName="group")
    sagemaker.list_model_packages(ModelPackageType="Both")
    sagemaker.update_model_package(
        ModelPackageArn=versioned, ModelApprovalStatus="Approved", ApprovalDescription="ok"
    )
    sagemaker.describe_model_package(ModelPackageName=versioned)
    sagemaker.batch_describe_model_package(ModelPackageArnList=[versioned, versioned[:-1] + "9"])
    sagemaker.delete_model_package(ModelPackageName=versioned)
    sagemaker.delete_model_package_group(ModelPackageGroupName="group")


def use_cloudwatch(cloudwatch: Any) -> None:
    """Call every operation of CloudWatch that is there."""
    now = time.time()
    cloudwatch.put_metric_data(
        Namespace="N", MetricData=[{"MetricName": "m", "Timestamp": now, "Value": 1.0}]
    )
    span = {"StartTime": now - 300, "EndTime": now + 300}
    cloudwatch.list_metrics(Namespace="N")
    cloudwatch.get_metric_statistics(
        Namespace="N", MetricName="m", Period=60, Statistics=["Sum", "Average"], **span
    )
    stat = {"Metric": {"Namespace": "N", "MetricName": "m"}, "Period": 60, "Stat": "p99"}
    cloudwatch.get_metric_data(MetricDataQueries=[{"Id": "a", "MetricStat": stat}], **span)
    use_alarms(cloudwatch)


def use_alarms(cloudwatch: Any) -> None:
    """Call every operation of alarms, of both kinds and in every state."""
    rule = {
        "EvaluationPeriods": 2,
        "DatapointsToAlarm": 1,
        "Threshold": 0.5,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "ignore",
    }
    metric = {"Namespace": "N", "MetricName": "m"}
    cloudwatch.put_metric_alarm(
        AlarmName="plain",
        AlarmDescription="d",
        ExtendedStatistic="p99",
        Period=10,
        Dimensions=[{"Name": "a", "Value": "b"}],
        AlarmActions=["arn:aws:sns:us-east-1:123456789012:page"],
        Tags=TAGS,
        **metric,
        **rule,
    )
    stat = {"Metric": metric, "Period": 60, "Stat": "Sum"}
    cloudwatch.put_metric_alarm(
        AlarmName="math",
        Metrics=[
            {"Id": "twice", "Expression": "m1 * 2", "Label": "twice"},
            {"Id": "m1", "MetricStat": stat, "ReturnData": False},
        ],
        **rule,
    )
    for state in ("OK", "ALARM", "INSUFFICIENT_DATA"):
        cloudwatch.set_alarm_state(
            AlarmName="plain", StateValue=state, StateReason="r", StateReasonData='{"a": 1}'
        )
        cloudwatch.describe_alarms()
    cloudwatch.describe_alarms_for_metric(**metric, Dimensions=[{"Name": "a", "Value": "b"}])
    cloudwatch.describe_alarm_history()
    cloudwatch.disable_alarm_actions(AlarmNames=["plain"])
    cloudwatch.enable_alarm_actions(AlarmNames=["plain"])
    arn = cloudwatch.describe_alarms(AlarmNames=["plain"])["MetricAlarms"][0]["AlarmArn"]
    cloudwatch.tag_resource(ResourceARN=arn, Tags=[{"Key": "stage", "Value": "test"}])
    cloudwatch.untag_resource(ResourceARN=arn, TagKeys=["stage"])
    assert cloudwatch.list_tags_for_resource(ResourceARN=arn)["Tags"] == TAGS
    cloudwatch.delete_alarms(AlarmNames=["plain", "math"])
    with pytest.raises(cloudwatch.exceptions.ResourceNotFoundException):
        cloudwatch.list_tags_for_resource(ResourceARN=arn)
    with pytest.raises(cloudwatch.exceptions.ResourceNotFound):
        cloudwatch.delete_alarms(AlarmNames=["plain"])


def use_autoscaling(sagemaker: Any, scaling: Any) -> None:
    """Call every operation of automatic scaling, on a variant that really scales."""
    container = {"Image": IMAGE, "Environment": {"LOCAL_ANSWER": "1"}}
    sagemaker.create_model(ModelName="scaled", ExecutionRoleArn=ROLE, PrimaryContainer=container)
    sagemaker.create_endpoint_config(EndpointConfigName="scaled", ProductionVariants=[variant("a", "scaled")])
    sagemaker.create_endpoint(EndpointName="scaled", EndpointConfigName="scaled")
    sagemaker.get_waiter("endpoint_in_service").wait(EndpointName="scaled", WaiterConfig={"Delay": 1})
    resource = {
        "ServiceNamespace": "sagemaker",
        "ResourceId": "endpoint/scaled/variant/a",
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
    }
    scaling.register_scalable_target(**resource, MinCapacity=2, MaxCapacity=3)
    scaling.describe_scalable_targets(ServiceNamespace="sagemaker")
    custom = {
        "Namespace": "N",
        "MetricName": "m",
        "Dimensions": [{"Name": "a", "Value": "b"}],
        "Statistic": "Average",
    }
    predefined = {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"}
    for name, metric in (
        ("custom", {"CustomizedMetricSpecification": custom}),
        ("predefined", {"PredefinedMetricSpecification": predefined}),
    ):
        scaling.put_scaling_policy(
            PolicyName=name,
            PolicyType="TargetTrackingScaling",
            TargetTrackingScalingPolicyConfiguration={"TargetValue": 5.0, "ScaleInCooldown": 60, **metric},
            **resource,
        )
    scaling.describe_scaling_policies(ServiceNamespace="sagemaker", MaxResults=1)
    deadline = time.monotonic() + 60
    while (
        scaling.describe_scaling_activities(**resource)["ScalingActivities"][0]["StatusCode"] != "Successful"
    ):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    scaling.delete_scaling_policy(PolicyName="custom", **resource)
    scaling.deregister_scalable_target(**resource)
    with pytest.raises(scaling.exceptions.ObjectNotFoundException):
        scaling.deregister_scalable_target(**resource)


@pytest.fixture(scope="module")
def supported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    cloud = LocalCloud(tmp_path_factory.mktemp("table"))
    return {service.protocol.service_name: set(service.operations) for service in cloud.services}


def test_every_supported_operation_keeps_its_model(contract: Any, supported: dict[str, set[str]]) -> None:
    use_hosting(contract.client("sagemaker"))
    use_experiments(contract.client("sagemaker"))
    use_registry(contract.client("sagemaker"))
    use_cloudwatch(contract.client("cloudwatch"))
    use_autoscaling(contract.client("sagemaker"), contract.client("application-autoscaling"))
    assert contract.broken == []
    assert contract.seen == supported


def test_the_comparison_finds_what_is_broken(contract: Any, breaches: Any) -> None:
    sagemaker = contract.client("sagemaker")
    shape = sagemaker.meta.service_model.operation_model("DescribeEndpoint").output_shape
    value = {
        "EndpointName": "-",
        "EndpointArn": 1,
        "EndpointStatus": "Fine",
        "CreationTime": "now",
        "More": 1,
    }
    found = "; ".join(sorted(breaches(value, shape, "it", times=False)))
    for broken in (
        "it.More is not in the model",
        "it.LastModifiedTime is missing",
        "it.EndpointArn is 1, not a string",
        "it.EndpointStatus is 'Fine', not in the enum",
        "it.CreationTime is 'now', not a time",
        "it.EndpointName is '-', against the pattern",
    ):
        assert broken in found
