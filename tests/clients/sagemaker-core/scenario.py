"""sagemaker-core: resources that are created, waited for, invoked and deleted, and an inference experiment on one."""

import boto3
from sagemaker_core.resources import Endpoint, EndpointConfig, InferenceExperiment, Model
from sagemaker_core.shapes import (
    ContainerDefinition,
    ModelInfrastructureConfig,
    ModelVariantConfig,
    ProductionVariant,
    RealTimeInferenceConfig,
    ShadowModeConfig,
    ShadowModelVariantConfig,
)

ROLE = "arn:aws:iam::123456789012:role/serving"


def variant(name: str, model: str) -> ProductionVariant:
    return ProductionVariant(
        variant_name=name,
        model_name=model,
        instance_type="ml.m5.large",
        initial_instance_count=1,
        initial_variant_weight=1.0,
    )


def tried(name: str, model: str) -> ModelVariantConfig:
    instances = RealTimeInferenceConfig(instance_type="ml.m5.large", instance_count=1)
    infrastructure = ModelInfrastructureConfig(
        infrastructure_type="RealTimeInference", real_time_inference_config=instances
    )
    return ModelVariantConfig(model_name=model, variant_name=name, infrastructure_config=infrastructure)


def sampled(percentage: int) -> ShadowModeConfig:
    shadow = ShadowModelVariantConfig(shadow_model_variant_name="shadow", sampling_percentage=percentage)
    return ShadowModeConfig(source_model_variant_name="production", shadow_model_variants=[shadow])


models = []
for name, answer in (("old", "0.25"), ("new", "0.75")):
    container = ContainerDefinition(image="penumbra/light:1", environment={"LOCAL_ANSWER": answer})
    models.append(Model.create(model_name=name, primary_container=container, execution_role_arn=ROLE))
configs = [
    EndpointConfig.create(
        endpoint_config_name="shadowed",
        production_variants=[variant("production", "old")],
        shadow_production_variants=[variant("shadow", "new")],
    ),
    EndpointConfig.create(
        endpoint_config_name="promoted", production_variants=[variant("production", "new")]
    ),
]
endpoint = Endpoint.create(endpoint_name="churn", endpoint_config_name="shadowed")
endpoint.wait_for_status("InService", poll=1, timeout=60)
assert [each.variant_name for each in endpoint.shadow_production_variants] == ["shadow"]


def answer() -> bytes:
    body = endpoint.invoke(body="1,2", content_type="text/csv").body
    return body.read()


assert answer() == b"0.25"
endpoint.endpoint_config_name = "promoted"
endpoint.update()
endpoint.wait_for_status("InService", poll=1, timeout=60)
found = Endpoint.get(endpoint_name="churn")
assert found.endpoint_config_name == "promoted", found.endpoint_config_name
assert answer() == b"0.75"
assert [each.get_name() for each in Endpoint.get_all()] == ["churn"]

# a managed shadow test: the old model beside the new one, with another share of the requests while it runs
experiment = InferenceExperiment.create(
    name="trial",
    type="ShadowMode",
    role_arn=ROLE,
    endpoint_name="churn",
    model_variants=[tried("production", "new"), tried("shadow", "old")],
    shadow_mode_config=sampled(50),
)
experiment.wait_for_status("Running", poll=1, timeout=60)
assert {each.variant_name: each.status for each in experiment.model_variants} == {
    "production": "InService",
    "shadow": "InService",
}
assert answer() == b"0.75"
experiment.update(description="more of it", shadow_mode_config=sampled(100))
experiment.wait_for_status("Running", poll=1, timeout=60)
endpoint.refresh()
assert [each.current_weight for each in endpoint.shadow_production_variants] == [1.0]
# its own stop() takes no actions, which the service wants: this one call is boto3's
boto3.client("sagemaker").stop_inference_experiment(
    Name="trial",
    ModelVariantActions={"production": "Remove", "shadow": "Promote"},
    DesiredState="Completed",
    Reason="the old one was better",
)
experiment.wait_for_status("Completed", poll=1, timeout=60)
assert experiment.status_reason == "the old one was better"
assert answer() == b"0.25"
assert [each.get_name() for each in InferenceExperiment.get_all()] == ["trial"]
experiment.delete()
assert list(InferenceExperiment.get_all()) == []
generated = [each for each in EndpointConfig.get_all() if each.get_name().startswith("trial-")]
assert len(generated) == 2, generated
endpoint.delete()
endpoint.wait_for_delete(poll=1, timeout=60)
for resource in (*configs, *generated, *models):
    resource.delete()
assert list(Model.get_all()) == []
print("sagemaker-core did all of it")
