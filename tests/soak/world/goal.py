"""What a number of simulated rollouts can say about a goal: exact binomial limits, and where the goal lies in them."""

from dataclasses import dataclass
from enum import StrEnum
from math import ceil, inf, log

from include.stats.proportions import Counts, clopper_pearson
from tests.soak.world.trial import Share

ALPHA = 0.05  # of each one-sided limit


class Standing(StrEnum):
    """Where a goal lies in the limits of what was found."""

    SHOWN = "shown"  # the limit on the goal's side meets it
    OPEN = "open"  # the goal lies between the limits
    MISSED = "missed"  # even the limit that is kindest to the goal misses it


@dataclass(frozen=True, kw_only=True)
class Held:
    """What was found of one goal, with one-sided limits of it, each wrong in at most `ALPHA`."""

    what: str
    found: float
    low: float
    high: float
    standing: Standing
    words: str


@dataclass(frozen=True, kw_only=True)
class Goal:
    """What a share of the rollouts, or the median period of an abort, is to be: at least, or at most."""

    least: float = 0.0
    most: float = inf
    # Where the goals before it leave less: what is reached nevertheless, and tested.
    reached: float | None = None
    # So many rollouts are drawn that the goal can be shown, and nothing less will do.
    shown: bool = False

    def held(self, what: str, share: Share) -> Held:
        """Hold the goal against what became of the rollouts, by exact limits of a share (Clopper & Pearson 1934).

        A median of at most m periods is a share of at least one half that were aborted after m periods or fewer.
        """
        value = getattr(share, what)
        if what == "median":
            count, least, most = share.aborted_by(self.most), 0.5, 1.0
            told = f"median {value:g}, {count} of {share.runs} aborted by {self.most:g}"
        else:
            count = round(value * share.runs)
            least, most = self.least if self.reached is None else self.reached, min(1.0, self.most)
            told = f"{what} {count} of {share.runs}"
        low, high = clopper_pearson(Counts(errors=count, requests=share.runs), alpha=ALPHA)
        standing = Standing.OPEN
        if low >= least and high <= most:
            standing = Standing.SHOWN
        elif high < least or low > most:
            standing = Standing.MISSED
        bounds = [f"at least {least:.4g}"] * (least > 0) + [f"at most {most:.4g}"] * (most < 1)
        words = f"{told}, a share of {low:.4f} to {high:.4f}; {' and '.join(bounds)}: {standing}"
        if (
            standing is Standing.OPEN
            and least == 0
            and most > 0
            and share.runs < (needed := least_runs(most))
        ):
            words += f", as {share.runs} rollouts cannot show it even with none; it takes {needed}"
        return Held(what=what, found=value, low=low, high=high, standing=standing, words=words)

    def met(self, held: Held) -> bool:
        """Say whether what was found may stand: shown, or at least not missed where so few cannot show it."""
        return held.standing is Standing.SHOWN or (held.standing is Standing.OPEN and not self.shown)


def least_runs(most: float) -> int:
    """Return how many rollouts, none of which has it, show that a share is at most this: ln ALPHA / ln(1 - most)."""
    return ceil(log(ALPHA) / log(1 - most))
