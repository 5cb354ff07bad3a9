"""Gates as Great Expectations expectations: one custom family for the statistics, stock ones beside it.

Imported only when gates are judged: importing great_expectations takes seconds. The tri-state outcome travels in the result's details; `success` is true for PASS alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, ClassVar

from pydantic import TypeAdapter

from include.gates.answers import ask
from include.gates.carrier import (
    BatchExpectation,
    MetricDomainTypes,
    PandasExecutionEngine,
    TableMetricProvider,
    gx,
    metric_value,
    stock,
)
from include.gates.document import canonical, plain
from include.gates.frame import frame_of, table_of
from include.gates.reading import Answer, Contradiction, Reading
from include.gates.rules import PAIRED, assess
from include.gates.table import INVOCATIONS, VARIANTS, Table
from include.rollout.expectation import ExpectationGate
from include.rollout.gate import (
    CompletenessGate,
    Finding,
    Gate,
    LatencyGate,
    LatencyThresholdGate,
    MinSampleGate,
    Outcome,
)
from include.stats.calibration import Noise

EVERY_GATE = "*"  # names the guards that must hold for any gate to pass
_GATES: TypeAdapter[Gate] = TypeAdapter(Gate)
_METRIC = "penumbra.finding"
_ARGUMENTS = ("gate", "window", "reading", "fraction", "contradiction", "log_e", "noise", "answer")


class GateFinding(TableMetricProvider):  # type: ignore[misc]  # Great Expectations ships no usable types
    """The finding of one gate on an evidence frame."""

    metric_name = _METRIC
    value_keys = _ARGUMENTS

    @metric_value(engine=PandasExecutionEngine)  # type: ignore[untyped-decorator]
    def _pandas(
        cls,  # noqa: N805 - Great Expectations makes a class method of it
        execution_engine: Any,
        metric_domain_kwargs: dict[str, Any],
        metric_value_kwargs: dict[str, Any],
        metrics: dict[str, Any],
        runtime_configuration: dict[str, Any],
    ) -> dict[str, Any]:
        frame, _, _ = execution_engine.get_compute_domain(metric_domain_kwargs, MetricDomainTypes.TABLE)
        gate = _GATES.validate_json(metric_value_kwargs["gate"])
        table = table_of(frame, json.loads(metric_value_kwargs["window"]))
        contradiction = json.loads(metric_value_kwargs["contradiction"])
        log_e = json.loads(metric_value_kwargs["log_e"])
        answer = json.loads(metric_value_kwargs["answer"])
        reading = Reading(
            number=metric_value_kwargs["reading"],
            fraction=metric_value_kwargs["fraction"],
            contradictions={gate.name: Contradiction(**contradiction)} if contradiction else {},
            log_es={} if log_e is None else {gate.name: log_e},
            answers={gate.name: Answer(**answer)} if answer else {},
        )
        noise = Noise(**json.loads(metric_value_kwargs["noise"]))
        return document_of(assess(gate, table, reading, noise))


class ExpectGateToHold(BatchExpectation):  # type: ignore[misc]  # see above
    """Expect one of Penumbra's gates to PASS on the evidence of both variants."""

    gate: str  # the gate of the spec, as JSON
    window: str  # what the frame's columns do not hold, as JSON
    reading: int  # 1 or 2; 0 when the window was cut short
    fraction: float  # of the longest window, when the gates are first read
    contradiction: str = "null"  # the running evidence against the gate's limit, as JSON
    log_e: str = "null"  # that evidence after the last period, as JSON
    noise: str  # what equal variants differ by, as JSON
    answer: str = "null"  # what an expectation on the predictions answered, as JSON

    metric_dependencies: ClassVar[tuple[str, ...]] = (_METRIC,)
    success_keys: ClassVar[tuple[str, ...]] = _ARGUMENTS
    args_keys: ClassVar[tuple[str, ...]] = _ARGUMENTS

    def _validate(
        self, metrics: dict[str, Any], runtime_configuration: Any = None, execution_engine: Any = None
    ) -> dict[str, Any]:
        finding = plain(metrics[_METRIC])
        passed = finding["outcome"] == Outcome.PASS.value
        return {"success": passed, "result": {"observed_value": finding["effect"], "details": finding}}


def validate(
    table: Table,
    gates: Sequence[Gate],
    *,
    reading: int,
    fraction: float,
    contradictions: Mapping[str, Contradiction],
    log_es: Mapping[str, float],
    noise: Noise,
) -> dict[str, Any]:
    """Run every gate, and the stock expectations that guard it, and return the result as plain JSON.

    The context lives in memory and dies with the call; a gate that raises is in the result as an exception.
    """
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    batch = (
        context.data_sources.add_pandas("evidence")
        .add_dataframe_asset("periods")
        .add_batch_definition_whole_dataframe("window")
    )
    suite = context.suites.add(gx.ExpectationSuite(name="gates"))
    frame, window = frame_of(table)
    asked = [gate for gate in gates if isinstance(gate, ExpectationGate)]
    answers, predictions = ask(asked, None if table.pairs is None else table.pairs.predictions)
    # An empty frame satisfies every row-level expectation, so the number of rows is expected too.
    rows = max(1, len(table))
    suite.add_expectation(
        stock.ExpectTableRowCountToBeBetween(
            min_value=rows, max_value=rows, meta={"gate": EVERY_GATE, "role": "guard"}
        )
    )
    for gate in gates:
        found = contradictions.get(gate.name)
        suite.add_expectation(
            ExpectGateToHold(
                gate=canonical(gate.model_dump(mode="json")),
                window=canonical({**window, "pairs": _shown(gate, window["pairs"])}),
                reading=reading,
                fraction=fraction,
                contradiction=canonical(_contradiction(found)),
                log_e=canonical(log_es.get(gate.name)),
                noise=canonical(asdict(noise)),
                answer=canonical(asdict(answers[gate.name]) if gate.name in answers else None),
                severity=gate.severity.value,
                meta={"gate": gate.name, "role": "statistic"},
            )
        )
        for guard in _guards(gate):
            guard.meta = {"gate": gate.name, "role": "guard"}
            guard.severity = gate.severity.value
            suite.add_expectation(guard)
    definition = context.validation_definitions.add(
        gx.ValidationDefinition(name="window", data=batch, suite=suite)
    )
    result = definition.run(batch_parameters={"dataframe": frame}, result_format="SUMMARY")
    document = plain(result.to_json_dict())
    if not isinstance(document, dict):  # pragma: no cover - to_json_dict returns a mapping
        raise TypeError("a validation result is not a mapping")
    return document if predictions is None else {**document, "predictions": predictions}


def _shown(gate: Gate, pairs: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return of the pairs what the gate reads: every expectation is stored with its arguments, and these are long."""
    times = pairs is not None and isinstance(gate, LatencyGate) and "paces" in pairs
    if pairs is None or not (times or isinstance(gate, PAIRED)):
        return None
    shown = pairs if times else {key: part for key, part in pairs.items() if key != "paces"}
    return shown if isinstance(gate, ExpectationGate) else {**shown, "predictions": None}


def _guards(gate: Gate) -> Iterator[Any]:
    """Yield the stock expectations that must hold as well before the gate's PASS counts."""
    match gate:
        case CompletenessGate():
            for variant in VARIANTS:
                yield stock.ExpectColumnValuesToNotBeNull(
                    column=f"{variant}_{INVOCATIONS}", mostly=gate.periods
                )
        case MinSampleGate():
            for variant in VARIANTS:
                yield stock.ExpectColumnSumToBeBetween(
                    column=f"{variant}_{INVOCATIONS}", min_value=gate.requests
                )
        case LatencyThresholdGate():
            yield stock.ExpectColumnMaxToBeBetween(
                column=f"shadow_whole_{gate.quantile}", min_value=0, max_value=1000 * gate.limit_ms
            )
        case _:
            pass


def document_of(finding: Finding) -> dict[str, Any]:
    """Return a finding as plain JSON, as it is stored in the result's details."""
    return {
        name: plain(getattr(finding, name))
        for name in (
            "gate", "kind", "severity", "outcome", "reason", "unit", "effect", "low", "high", "limit",
            "alpha", "log_e", "n", "periods", "dropped", "details",
        )
    }  # fmt: skip


def _contradiction(found: Contradiction | None) -> dict[str, float] | None:
    if found is None:
        return None
    return {"log_e": found.log_e, "bar": found.bar, "periods": found.periods, "shared": found.shared}
