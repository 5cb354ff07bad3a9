"""The beta mixture in closed form: what mixtures over a few alternatives are held against."""

import numpy as np
from scipy.special import betaincc, betaln, logsumexp


def binomial_log_e(
    successes: float,
    failures: float,
    theta0: float,
    *,
    prior: tuple[float, float] = (1.0, 1.0),
) -> float:
    """Return the log of the one-sided beta-mixture e-process against "success probability <= theta0".

    With A successes and B failures and the uniform prior (1, 1), E = B(A+1, B+1) (1 - I_theta0(A+1, B+1)) / ((1 - theta0)
    theta0^A (1 - theta0)^B): the likelihood ratio mixed over (theta0, 1) (Robbins 1970). `prior` holds the two parameters
    of the beta distribution, cut off below theta0.
    """
    a0, b0 = prior
    null = successes * np.log(theta0) + failures * np.log1p(-theta0)
    return float(_log_tail(successes + a0, failures + b0, theta0) - _log_tail(a0, b0, theta0) - null)


def _log_tail(a: float, b: float, theta0: float) -> float:
    """Return the log of the integral of t^(a-1) (1-t)^(b-1) from theta0 to 1."""
    share = float(betaincc(a, b, theta0))
    if share > 1e-280:
        return float(betaln(a, b) + np.log(share))
    # Far below theta0 the share underflows, but the integral is theta0^a (1-theta0)^b / b times
    # 2F1(a+b, 1; b+1; 1-theta0) (DLMF 8.17.8), whose terms are positive and fall at least geometrically here.
    terms = np.arange(0.0, 20_000.0)
    steps = np.log((a + b + terms) / (b + 1 + terms)) + np.log1p(-theta0)
    series = logsumexp(np.concatenate(([0.0], np.cumsum(steps))))
    return float(a * np.log(theta0) + b * np.log1p(-theta0) - np.log(b) + series)
