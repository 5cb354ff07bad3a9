"""Great Expectations, imported quietly: the import takes seconds, so only what judges gates asks for it."""

from __future__ import annotations

import logging
import os

# Before the import: no telemetry, and none of the ~180 lines that registering its API logs at INFO. The level
# belongs to a logger of the standard library, so it also holds where structlog renders what gets through.
os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
if logging.getLogger("great_expectations").level < logging.WARNING:
    logging.getLogger("great_expectations").setLevel(logging.WARNING)

import great_expectations as gx
from great_expectations import expectations as stock
from great_expectations.core.metric_domain_types import MetricDomainTypes
from great_expectations.execution_engine import PandasExecutionEngine
from great_expectations.expectations.expectation import BatchExpectation
from great_expectations.expectations.metrics.metric_provider import metric_value
from great_expectations.expectations.metrics.table_metric_provider import TableMetricProvider

# One module of Great Expectations sets its own level on import; it logs a line for every context.
logging.getLogger("great_expectations.data_context.types.base").setLevel(logging.WARNING)

__all__ = [
    "BatchExpectation",
    "MetricDomainTypes",
    "PandasExecutionEngine",
    "TableMetricProvider",
    "gx",
    "metric_value",
    "stock",
]
