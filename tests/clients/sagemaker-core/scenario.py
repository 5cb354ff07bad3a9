"""sagemaker-core: resources that are created, waited for, invoked and deleted."""

from sagemaker_core.resources import Endpoint, EndpointConfig, Model
from sagemaker_core.shapes import ContainerDefinition, ProductionVariant

ROLE = "arn:aws:iam::123456789012:role/serving"


def variant(name: str, model: str) -> ProductionVariant:
    return ProductionVariant(
        variant_name=name,
        model_name=model,
        instance_type="ml.m5.large",
        initial_instance_count=1,
        initial_variant_weight=1.0,
    )


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
endpoint.delete()
endpoint.wait_for_delete(poll=1, timeout=60)
for resource in (*configs, *models):
    resource.delete()
assert list(Model.get_all()) == []
print("sagemaker-core did all of it")
