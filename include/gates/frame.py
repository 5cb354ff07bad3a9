"""The table as a pandas frame, the form that expectations are validated on, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from include.gates.table import VARIANTS, Table
from include.rollout.evidence import Resampling, Threshold
from include.rollout.fleet import Fleet
from include.rollout.names import moment, timestamp
from include.rollout.pairs import Pairs


def frame_of(table: Table) -> tuple[Any, dict[str, Any]]:
    """Return (frame, window): one row per expected period, and what its columns cannot hold.

    Whole-window percentiles stand in columns "<variant>_whole_<quantile>" too, the same in every row, so that
    stock expectations can be held against them.
    """
    columns: dict[str, Any] = {name: table.columns[name] for name in sorted(table.columns)}
    for variant in VARIANTS:
        for quantile, value in sorted(table.whole.get(variant, {}).items()):
            columns[f"{variant}_whole_{quantile}"] = np.full(len(table), float(value))
    frame = pd.DataFrame(columns, index=pd.Index([timestamp(s) for s in table.starts], name="start"))
    window = {
        "sampling": table.sampling,
        "period": table.period,
        "whole": {variant: dict(values) for variant, values in table.whole.items()},
        "thresholds": [
            {"label": t.label, "production_us": t.production_us, "shadow_us": t.shadow_us}
            for t in table.thresholds
        ],
        "stable": table.stable,
        "stray": table.stray,
        "contradicted": table.contradicted,
        "pairs": None if table.pairs is None else table.pairs.to_document(),
        "fleets": {name: fleet.to_document() for name, fleet in table.fleets.items()},
        "resamplings": [change.to_document() for change in table.resamplings],
    }
    return frame, window


def table_of(frame: Any, window: Mapping[str, Any]) -> Table:
    """Return the table that `frame_of` was given."""
    whole = {
        variant: {q: value for q, value in values.items() if value is not None}
        for variant, values in window["whole"].items()
    }
    return Table(
        starts=tuple(moment(start) for start in frame.index),
        columns={
            name: frame[name].to_numpy(dtype=np.float64) for name in frame.columns if "_whole_" not in name
        },
        whole=whole,
        thresholds=tuple(Threshold(**t) for t in window["thresholds"]),
        pairs=None if window.get("pairs") is None else Pairs.from_document(window["pairs"]),
        fleets={name: Fleet(**fleet) for name, fleet in window["fleets"].items()},
        resamplings=tuple(Resampling.from_document(d) for d in window.get("resamplings", ())),
        **{name: window[name] for name in ("sampling", "period", "stable", "stray", "contradicted")},
    )
