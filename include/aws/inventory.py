"""What there is of a name, and who uses it: asked before something is deleted for good."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from include.aws.clients import Clients
from include.aws.endpoints import describe, describe_config
from include.aws.faults import calling

_SKEW = timedelta(minutes=1)  # nothing can use what was made a minute later


def configs(clients: Clients, part: str) -> dict[str, datetime]:
    """Return when each endpoint config whose name holds `part` was made, by name."""
    with calling(f"Listing the endpoint configs named {part}"):
        pages = clients.sagemaker.get_paginator("list_endpoint_configs").paginate(NameContains=part)
        return dict(_made(pages, "EndpointConfigs", "EndpointConfigName"))


def models(clients: Clients, part: str) -> dict[str, datetime]:
    """Return when each model whose name holds `part` was made, by name."""
    with calling(f"Listing the models named {part}"):
        pages = clients.sagemaker.get_paginator("list_models").paginate(NameContains=part)
        return dict(_made(pages, "Models", "ModelName"))


def config_is_used(clients: Clients, config: str, *, made: datetime) -> bool:
    """Say whether any endpoint is on the config, or goes to it; endpoints unchanged since it was made are not asked."""
    with calling(f"Looking for endpoints on {config}"):
        pages = clients.sagemaker.get_paginator("list_endpoints").paginate(LastModifiedTimeAfter=made - _SKEW)
        names = [str(found["EndpointName"]) for page in pages for found in page["Endpoints"]]
    states = (describe(clients, name) for name in names)
    return any(config in (state.config, state.pending) for state in states if state is not None)


def model_is_used(clients: Clients, model: str, *, made: datetime) -> bool:
    """Say whether any endpoint config names the model, whether an endpoint is on it or not."""
    with calling(f"Looking for endpoint configs of {model}"):
        pages = clients.sagemaker.get_paginator("list_endpoint_configs").paginate(
            CreationTimeAfter=made - _SKEW
        )
        names = [name for name, _ in _made(pages, "EndpointConfigs", "EndpointConfigName")]
    return any(names_model(describe_config(clients, name) or {}, model) for name in names)


def names_model(config: Mapping[str, Any], model: str) -> bool:
    """Say whether one of an endpoint config's variants is of the model."""
    variants = (*config.get("ProductionVariants", ()), *config.get("ShadowProductionVariants", ()))
    return any(variant.get("ModelName") == model for variant in variants)


def _made(pages: Any, key: str, name: str) -> Iterator[tuple[str, datetime]]:
    for page in pages:
        for found in page[key]:
            yield str(found[name]), found["CreationTime"]
