"""Asking expectations of the predictions: the spec's gates as Great Expectations' own objects, and what they answered."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from include.gates.carrier import gx, stock
from include.gates.document import plain, raised
from include.gates.reading import Answer
from include.rollout.expectation import ExpectationGate
from include.rollout.predictions import Predictions

PROJECT = Path(__file__).resolve().parents[2]
_SHOWN = 80  # characters of an observed value


def ask(
    gates: Sequence[ExpectationGate], predictions: Predictions | None
) -> tuple[dict[str, Answer], dict[str, Any] | None]:
    """Return each gate's answer by its name, and the validation result whole, as plain JSON; None if nothing was asked.

    An expectation that cannot be made, or raises, is answered with its message.
    """
    answers: dict[str, Answer] = {}
    if not gates or predictions is None or not predictions.rows:
        return answers, None
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    batch = (
        context.data_sources.add_pandas("predictions")
        .add_dataframe_asset("pairs")
        .add_batch_definition_whole_dataframe("window")
    )
    suite = context.suites.add(gx.ExpectationSuite(name="predictions"))
    for gate in gates:
        try:
            made = expectation_of(gate)
            made.meta, made.severity = {"gate": gate.name, "role": "asked"}, gate.severity.value
            suite.add_expectation(made)
        except Exception as error:  # a class of the user's may raise anything
            answers[gate.name] = Answer(success=False, raised=_message(error))
    frame = pd.DataFrame(predictions.columns())
    # Not by a validation definition: that stores its result, and fails over numpy's numbers in some expectations'.
    result = batch.get_batch(batch_parameters={"dataframe": frame}).validate(suite, result_format="SUMMARY")
    document: dict[str, Any] = plain(result.to_json_dict())
    for entry in document["results"]:
        answers[entry["expectation_config"]["meta"]["gate"]] = _answer(entry)
    return answers, document


def expectation_of(gate: ExpectationGate) -> Any:
    """Return the gate's expectation, made; raise ValueError in one sentence for one that cannot be."""
    found = _stock(gate.type) if gate.is_stock else _own(gate.type)
    try:
        return found(**gate.kwargs)
    except Exception as error:
        raise ValueError(f"{gate.type} does not take {dict(gate.kwargs)}: {_message(error)}") from None


def problems(gates: Sequence[Any]) -> list[str]:
    """Say which expectations cannot be made: classes that are not there, and arguments that they do not take."""
    found = []
    for gate in gates:
        if isinstance(gate, ExpectationGate):
            try:
                expectation_of(gate)
            except ValueError as error:
                found.append(f"gate {gate.name}: {error}")
    return found


def _stock(name: str) -> Any:
    for known in vars(stock).values():
        if isinstance(known, type) and getattr(known, "expectation_type", None) == name:
            return known
    raise ValueError(
        f"{name} is no stock expectation of the installed Great Expectations; check the spelling"
    )


def _own(name: str) -> Any:
    """Return a class of the project's own; nothing outside of it is imported for a spec."""
    module, _, attribute = name.rpartition(".")
    file = PROJECT.joinpath(*module.split(".")).with_suffix(".py")
    if not file.is_file():
        raise ValueError(f"{name} names no file {file.relative_to(PROJECT)} of this project; check the path")
    try:
        found = getattr(importlib.import_module(module), attribute, None)
    except Exception as error:
        raise ValueError(f"{name} could not be imported: {_message(error)}") from None
    if not (isinstance(found, type) and issubclass(found, gx.expectations.Expectation)):
        raise ValueError(f"{name} is no class of an expectation; derive it from one of Great Expectations'")
    return found


def _answer(entry: Mapping[str, Any]) -> Answer:
    message = raised(entry)
    if message is not None:
        return Answer(success=False, raised=message)
    result = entry.get("result") or {}
    observed = result.get("observed_value")
    if observed is None and result.get("unexpected_count") is not None:
        observed = f"{result['unexpected_count']} of {result['element_count']} unexpected"
    return Answer(
        success=entry.get("success") is True, observed=None if observed is None else str(observed)[:_SHOWN]
    )


def _message(error: BaseException) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
