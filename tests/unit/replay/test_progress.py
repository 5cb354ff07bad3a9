"""What a person reads of a replay."""

from __future__ import annotations

import numpy as np

from include.replay.account import Account, FailureKind
from include.replay.progress import Progress, Unlimited, summary
from include.replay.tally import ANSWERED, KINDS, ROW, SHED, account_of

ROWS = [
    (0, 100.0, 100.001, 100.011, 200, ANSWERED),
    (1, 101.0, 101.001, 101.021, 424, KINDS.index(FailureKind.MODEL_ERROR)),
    (2, 102.0, 104.0, 104.0, 0, SHED),
]
ACCOUNT = account_of(np.array(ROWS, dtype=ROW), period=10)


def test_a_progress_line_says_what_became_of_everything() -> None:
    line = str(Progress(elapsed=12.4, account=ACCOUNT, pending=(3, 4), next_index=5))
    assert line == (
        "12 s: 3 scheduled = 1 answered + 1 failed + 1 shed; 2 in flight; p99 21.0 ms from schedule"
    )
    assert "no answer yet" in str(Progress(elapsed=0.0, account=Account(), pending=(), next_index=0))


def test_a_summary_shows_counts_statuses_and_times() -> None:
    assert summary(ACCOUNT).splitlines() == [
        "3 scheduled = 1 answered + 1 failed + 1 shed in 4.0 s (0.8/s)",
        "failed: 1 model_error; statuses: 1 x 200, 1 x 424; 0 more in the warm-up",
        "latency from schedule (ms): p50 11.00, p90 21.00, p99 21.00, max 21.00",
        "service from sending (ms): p50 10.00, p90 20.00, p99 20.00, max 20.00",
        "our own lateness (ms): p50 1.00, p90 1.00, p99 1.00, max 1.00",
    ]
    assert summary(Account()) == "nothing was scheduled"


def test_leave_without_limit_needs_no_renewal() -> None:
    permit = Unlimited()
    permit.keep(Progress(elapsed=0.0, account=Account(), pending=(), next_index=0))
    assert permit.until > 1e300
    assert permit.horizon > 1 << 60
