"""Pairs made to order: counted as captures of both variants would be."""

from collections.abc import Callable
from datetime import timedelta

from include.gates.table import Table
from include.rollout.evidence import Evidence, Period
from include.rollout.moments import Moments
from include.rollout.pairs import Pairs, Records, Tally
from include.rollout.sketch import Sketch
from tests.unit.gates.conftest import BEGIN

PERIOD = 60


def counted(
    flips: list[int],
    pairs: list[int],
    *,
    segments: dict[str, dict[str, tuple[int, int]]] | None = None,
    repetition: float = 1,
    answers: tuple[int, int] | None = (1, 2),
    **facts: object,
) -> Pairs:
    """Return pairs with these counts a period, all of them matched; segments are value -> (pairs, flips)."""
    n, bad = sum(pairs), sum(flips)
    start = int(BEGIN.timestamp())
    records = Records(read=n, matched=n, named=n)
    return Pairs(
        **{
            "period": PERIOD,
            "production": records,
            "shadow": records,
            "all": Tally(n=n, same=n - bad, close=n - bad, flips=bad),
            "inputs_squared": round(n * repetition),
            "periods": {
                start + PERIOD * i: (m, x) for i, (m, x) in enumerate(zip(pairs, flips, strict=True))
            },
            "segments": {
                name: {v: Tally(n=m, flips=x) for v, (m, x) in values.items()}
                for name, values in (segments or {}).items()
            },
            "answers": answers,
            **facts,
        }
    )


def answered(
    outputs: list[float],
    others: list[float],
    *,
    rises: int = 0,
    falls: int = 0,
    repetition: float = 1,
    **facts: object,
) -> Pairs:
    """Return the pairs of these outputs of production and the shadow, all in one period."""
    n = len(outputs)
    shift = Moments.of(*(s - p for p, s in zip(outputs, others, strict=True)))
    return counted(
        [0],
        [n],
        repetition=repetition,
        **{
            "all": Tally(n=n, rises=rises, falls=falls, difference=shift),
            "shift": shift,
            "levels": {"production": Moments.of(*outputs), "shadow": Moments.of(*others)},
            "outputs": {"production": Sketch.of(outputs), "shadow": Sketch.of(others)},
            **facts,
        },
    )


def table_of(
    pairs: Pairs | None, *, periods: int = 1, sampling: float = 1.0, invocations: float | None = None
) -> Table:
    """Return a table of these pairs over so many periods; CloudWatch counts what production's captures hold."""
    requests = pairs.production.read / periods if pairs is not None else 0
    rows: Callable[[float], tuple[Period, ...]] = lambda share: tuple(  # noqa: E731
        Period(start=BEGIN + timedelta(seconds=PERIOD * i), invocations=requests * share)
        for i in range(periods)
    )
    scale = 1 if invocations is None or not requests else invocations / (requests * periods)
    return Table.of(
        Evidence(
            begin=BEGIN,
            end=BEGIN + timedelta(seconds=PERIOD * periods),
            period=PERIOD,
            sampling=sampling,
            production=rows(scale),
            shadow=rows(scale * sampling),
            pairs=pairs,
        )
    )
