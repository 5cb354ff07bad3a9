"""The baseline: the endpoint's complete state before the rollout, as it must be again after a roll-back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """What DescribeEndpoint, DescribeEndpointConfig, DescribeModel and Application Auto Scaling said.

    `config` and `model` hold the arguments with which CreateEndpointConfig and CreateModel would make them again;
    `container` is production's single container with a model package resolved to image, model data and environment.
    """

    endpoint: str
    endpoint_arn: str
    variant: str
    config_name: str
    config: Mapping[str, Any]
    instance_count: int
    weight: float
    model_name: str
    model: Mapping[str, Any]
    container: Mapping[str, Any]
    capture: Mapping[str, Any] = field(default_factory=dict)
    last_deployment: Mapping[str, Any] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    scaling: tuple[Mapping[str, Any], ...] = ()
    created: bool = False  # there was no endpoint: this is what the rollout creates it as

    @property
    def production(self) -> Mapping[str, Any]:
        """Return the production variant as the config has it."""
        variants: list[Mapping[str, Any]] = self.config["ProductionVariants"]
        return next(v for v in variants if v["VariantName"] == self.variant)

    def to_document(self) -> dict[str, Any]:
        """Return a JSON-safe form that `from_document` reads back."""
        return asdict(self)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Read what `to_document` wrote; keys of the enclosing ledger object are ignored."""
        known = {name: document[name] for name in cls.__slots__ if name in document}
        return cls(**{**known, "scaling": tuple(known.get("scaling", ()))})
