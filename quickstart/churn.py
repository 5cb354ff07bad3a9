"""A made-up phone company's customers, who leave for reasons a model can learn.

The columns are those of the well-known public churn data set, after one-hot encoding: 69 numbers. No row of
it is used here; amounts and shares are chosen to look alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

STATES = [
    "AK",
    "AL",
    "AR",
    "AZ",
    "CA",
    "CO",
    "CT",
    "DC",
    "DE",
    "FL",
    "GA",
    "HI",
    "IA",
    "ID",
    "IL",
    "IN",
    "KS",
    "KY",
    "LA",
    "MA",
    "MD",
    "ME",
    "MI",
    "MN",
    "MO",
    "MS",
    "MT",
    "NC",
    "ND",
    "NE",
    "NH",
    "NJ",
    "NM",
    "NV",
    "NY",
    "OH",
    "OK",
    "OR",
    "PA",
    "RI",
    "SC",
    "SD",
    "TN",
    "TX",
    "UT",
    "VA",
    "VT",
    "WA",
    "WI",
    "WV",
    "WY",
]
AREA_CODES = ("408", "415", "510")
AMOUNTS = (
    "Account Length",
    "VMail Message",
    "Day Mins",
    "Day Calls",
    "Eve Mins",
    "Eve Calls",
    "Night Mins",
    "Night Calls",
    "Intl Mins",
    "Intl Calls",
    "CustServ Calls",
)
COLUMNS = (
    *AMOUNTS,
    *(f"State_{state}" for state in STATES),
    *(f"Area Code_{code}" for code in AREA_CODES),
    "Int'l Plan_no",
    "Int'l Plan_yes",
    "VMail Plan_no",
    "VMail Plan_yes",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Customers:
    """Rows of the 69 columns, and who of them left."""

    features: NDArray[np.float64]  # (n, 69), amounts with two decimals
    left: NDArray[np.int8]  # (n,), 0 or 1


def customers(count: int, *, seed: int) -> Customers:
    """Return the same customers for the same seed, about one in seven of whom left."""
    chance = np.random.default_rng(seed)

    def minutes(mean: float, sd: float) -> NDArray[np.float64]:
        return np.maximum(chance.normal(mean, sd, count), 0.0).round(1)

    abroad = chance.random(count) < 0.10
    voice_mail = chance.random(count) < 0.28
    day, evening, night, foreign = minutes(180, 54), minutes(201, 51), minutes(201, 51), minutes(10.2, 2.8)
    foreign_calls = chance.poisson(4.5, count)
    complaints = chance.poisson(1.56, count)
    amounts = np.column_stack(
        [
            np.clip(chance.normal(101, 40, count), 1, 243).round(),
            np.where(voice_mail, np.clip(chance.normal(29, 7, count), 4, 51).round(), 0),
            day,
            chance.poisson(100, count),
            evening,
            chance.poisson(100, count),
            night,
            chance.poisson(100, count),
            foreign,
            foreign_calls,
            complaints,
        ]
    )
    # Who leaves: heavy users without voice mail, callers of the service, and the foreign plan's light users.
    bill = 0.17 * day + 0.085 * evening + 0.045 * night
    score = (
        -2.75
        + 0.11 * np.clip(bill - 60, 0, None) * ~voice_mail
        + 1.15 * np.clip(complaints - 2, 0, None)
        + abroad * (0.6 + 1.8 * (foreign_calls < 3) + 0.5 * np.clip(foreign - 12, 0, None))
    )
    left = chance.random(count) < 1 / (1 + np.exp(-score))
    features = np.hstack(
        [
            amounts,
            _one_hot(chance.integers(len(STATES), size=count), len(STATES)),
            _one_hot(chance.choice(len(AREA_CODES), p=[0.25, 0.5, 0.25], size=count), len(AREA_CODES)),
            _one_hot(abroad.astype(np.int64), 2),
            _one_hot(voice_mail.astype(np.int64), 2),
        ]
    )
    return Customers(features=features, left=left.astype(np.int8))


def csv(features: NDArray[np.float64]) -> str:
    """Return the rows as CSV without header, whole numbers without a point, as a client would send them."""
    return "".join(",".join(f"{value:.10g}" for value in row) + "\n" for row in features)


def _one_hot(values: NDArray[np.int64], width: int) -> NDArray[np.float64]:
    return np.eye(width, dtype=np.float64)[values]
