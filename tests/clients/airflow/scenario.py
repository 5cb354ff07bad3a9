"""Airflow's own SageMaker operator: creates an endpoint and updates it, its trigger waiting as in a triggerer.

Operator and trigger run as they are, only without a scheduler: what the operator defers to is taken apart and put
together again, as Airflow does on the way to the triggerer, and its event is handed back.
"""

import asyncio
import os

# A connection that says nothing, so that boto3 finds everything where it always looks.
os.environ["AIRFLOW_CONN_AWS_DEFAULT"] = "aws://"
os.environ["AIRFLOW__LOGGING__LOGGING_LEVEL"] = "WARNING"

import boto3
from airflow.providers.amazon.aws.operators.sagemaker import SageMakerEndpointOperator
from airflow.providers.common.compat.sdk import AirflowException, TaskDeferred
from airflow.sdk.module_loading import import_string

ROLE = "arn:aws:iam::123456789012:role/serving"


def variant(name: str, model: str) -> dict:
    return {
        "VariantName": name,
        "ModelName": model,
        "InstanceType": "ml.m5.large",
        "InitialInstanceCount": "1",  # a text, as templates make it: the operator casts it
        "InitialVariantWeight": 1.0,
    }


def config(endpoint: str, model: str, answer: str, image: str = "penumbra/light:1", **more: object) -> dict:
    """Return what the operator is to make: a model, an endpoint config of the same name, the endpoint on it."""
    container = {"Image": image, "Environment": {"LOCAL_ANSWER": answer}}
    return {
        "Model": {"ModelName": model, "PrimaryContainer": container, "ExecutionRoleArn": ROLE},
        "EndpointConfig": {
            "EndpointConfigName": model,
            "ProductionVariants": [variant("production", model)],
            **more,
        },
        "Endpoint": {"EndpointName": endpoint, "EndpointConfigName": model},
    }


async def fired(trigger: object) -> dict:
    """Return the payload of a trigger's event."""
    path, arguments = trigger.serialize()
    async for event in import_string(path)(**arguments).run():
        return event.payload
    raise AssertionError("the trigger ended without an event")


def done(what: dict, operation: str, **options: object) -> dict:
    """Return what the operator returns, after its trigger where it defers."""
    operator = SageMakerEndpointOperator(
        task_id="endpoint", config=what, operation=operation, check_interval=1, **options
    )
    try:
        return operator.execute({})
    except TaskDeferred as deferred:
        event = asyncio.run(fired(deferred.trigger))
        return getattr(operator, deferred.method_name)({}, event=event)


def answer() -> bytes:
    runtime = boto3.client("sagemaker-runtime")
    return runtime.invoke_endpoint(EndpointName="churn", ContentType="text/csv", Body=b"1,2")["Body"].read()


made = done(config("churn", "first", "0.1"), "create", deferrable=True)
assert made["Endpoint"]["EndpointStatus"] == "InService", made
assert answer() == b"0.1"

# an update to a config with a shadow, deferred; the operator casts counts of production variants only
beside = variant("shadow", "first") | {"InitialInstanceCount": 1}
made = done(config("churn", "second", "0.2", ShadowProductionVariants=[beside]), "update", deferrable=True)
assert made["Endpoint"]["EndpointConfigName"] == "second", made
assert [each["VariantName"] for each in made["Endpoint"]["ShadowProductionVariants"]] == ["shadow"], made
assert answer() == b"0.2"

# created where there is one already: the operator knows by the words of the refusal, and updates it
made = done(config("churn", "third", "0.3"), "create", deferrable=True)
assert made["Endpoint"]["EndpointConfigName"] == "third", made
assert answer() == b"0.3"

# and in the worker, waiting with the waiter of boto3
made = done(config("churn", "fourth", "0.4"), "update", deferrable=False, wait_for_completion=True)
assert made["Endpoint"]["EndpointStatus"] == "InService"
assert answer() == b"0.4"

# an endpoint that cannot come up fails the task
failure = ""
try:
    done(config("broken", "fifth", "0.5", image="unheard/of:1"), "create", deferrable=True)
except AirflowException as error:
    failure = str(error)
assert "failed" in failure, failure
sagemaker = boto3.client("sagemaker")
for endpoint in ("churn", "broken"):
    sagemaker.delete_endpoint(EndpointName=endpoint)
    sagemaker.get_waiter("endpoint_deleted").wait(EndpointName=endpoint, WaiterConfig={"Delay": 1})
print("Airflow's operator did all of it")
