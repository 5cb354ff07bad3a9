"""A person's word while a rollout runs, and a person's yes or no before a promotion."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from include.aws.clients import Clients
from include.ledger.objects import Kind
from include.rollout.errors import RefusedError, TerminalError
from include.rollout.names import moment, timestamp
from include.rollout.verdict import Action, Conclusion, End, Verdict
from include.steps.conclude import conclude
from include.steps.decide import Course, approve, course, decide
from include.steps.deploy import deploy_shadow
from include.steps.judge import settle_verdict, take_reading
from include.steps.observe import Closed, observe
from include.steps.promote import promote
from include.steps.restore import roll_back, withdraw
from include.steps.settle import settle
from tests.integration.rollouts.conftest import Drive, note_window, serves

Make = Callable[..., Drive]
LONG = {"window": {"length": 300, "maximum": 600}}


def speak_when_open(run: Drive, action: Conclusion, seconds: int = 0) -> threading.Thread:
    """Conclude the rollout as soon as its window was looked at."""

    def speak() -> None:
        deadline = time.monotonic() + 60
        while not run.rollout.ledger.keys("tick/") and time.monotonic() < deadline:
            time.sleep(0.2)
        conclude(run.rollout, action, who="Ada", why="seen enough", seconds=seconds)

    thread = threading.Thread(target=speak, daemon=True)
    thread.start()
    return thread


def test_remove_now_ends_the_window_and_rolls_back_in_that_persons_name(drive: Make) -> None:
    run = drive(**LONG)
    run.begin()
    speak_when_open(run, Conclusion.REMOVE)
    run.watch()
    assert run.finish() is End.ROLLED_BACK
    decision = run.rollout.ledger.require("decision")
    assert (decision["who"], decision["why"]) == ("Ada", "seen enough")


def test_promote_now_overrides_an_inconclusive_verdict_where_the_spec_allows_it(drive: Make) -> None:
    run = drive(**LONG, promotion={"override": True})
    run.begin()
    speak_when_open(run, Conclusion.PROMOTE)
    assert run.watch() is Verdict.INCONCLUSIVE
    assert run.finish() is End.PROMOTED
    assert run.rollout.ledger.require("decision")["who"] == "Ada"


def test_nobody_promotes_what_was_not_measured(drive: Make) -> None:
    run = drive(promotion={"override": True})
    run.open()
    with pytest.raises(RefusedError, match="no period of both variants was measured yet"):
        conclude(run.rollout, Conclusion.PROMOTE, who="Ada", why="I like it")
    # As if it had been asked for before the window opened: it closes empty.
    ledger, now = run.rollout.ledger, run.rollout.now()
    said = {"action": "promote", "who": "Ada", "why": "I like it", "seconds": 0}
    ledger.append(Kind.CONCLUDE, said, at=now)
    moments = {each: timestamp(now) for each in ("opened", "begin", "end")}
    run.rollout.write(Kind.WINDOW, {**moments, "closed": Closed.CONCLUDED.value})
    assert take_reading(run.rollout, Closed.CONCLUDED) is Verdict.INCONCLUSIVE
    settle_verdict(run.rollout)
    assert decide(run.rollout) is Action.ROLL_BACK
    decision = ledger.require("decision")
    assert (decision["end"], decision["who"]) == (End.INCONCLUSIVE, "the gates")
    assert "Ada asked to promote, but no period of both variants was measured" in decision["why"]


def test_nobody_promotes_what_breaks_a_fixed_limit(drive: Make) -> None:
    limit = {"kind": "latency_threshold", "quantile": "p50", "limit_ms": 0.5}
    run = drive(promotion={"override": True}, gates={"rules": [{"kind": "completeness"}, limit]})
    run.open()
    seen = replace(note_window(run), whole={"shadow": {"p50": 1000.0}})
    rows = tuple(replace(row, invocations=5000.0) for row in seen.shadow)
    run.rollout.write("evidence/1", replace(seen, production=rows, shadow=rows).to_document())
    conclude(run.rollout, Conclusion.PROMOTE, who="Ada", why="I like it")
    assert take_reading(run.rollout, Closed.CONCLUDED) is Verdict.INCONCLUSIVE
    settle_verdict(run.rollout)
    assert decide(run.rollout) is Action.ROLL_BACK
    decision = run.rollout.ledger.require("decision")
    assert decision["end"] == End.ROLLED_BACK
    assert "gate latency_threshold:p50 fails" in decision["why"]


def test_nobody_overrides_a_fail(drive: Make) -> None:
    failing = {"candidate": {"environment": {"LOCAL_ERROR_SHARE": "0.5"}}}
    run = drive(**LONG, **failing, promotion={"override": True})
    run.begin()
    assert run.watch() is Verdict.ROLL_BACK
    with pytest.raises(TerminalError, match="closed already"):
        conclude(run.rollout, Conclusion.PROMOTE, who="Ada", why="I like it")
    assert run.finish() is End.ROLLED_BACK


def test_extending_moves_the_windows_end(drive: Make) -> None:
    run = drive(window={"length": 10, "maximum": 10})
    run.begin()
    conclude(run.rollout, Conclusion.EXTEND, who="Ada", why="a quiet night", seconds=10)
    run.watch()
    evidence = run.rollout.ledger.require("evidence/1")
    assert moment(evidence["end"]) - moment(evidence["begin"]) == timedelta(seconds=20)


def test_what_cannot_be_asked_is_refused_in_a_sentence(drive: Make) -> None:
    run = drive()
    with pytest.raises(RefusedError, match="not running yet"):
        conclude(run.rollout, Conclusion.REMOVE, who="Ada", why="because")
    run.open()
    with pytest.raises(RefusedError, match="promotion"):
        conclude(run.rollout, Conclusion.PROMOTE, who="Ada", why="because")
    with pytest.raises(RefusedError, match="who asked and why"):
        conclude(run.rollout, Conclusion.REMOVE, who="Ada", why="  ")
    for seconds in (0, 7, 40):
        with pytest.raises(RefusedError, match="multiple of its period"):
            conclude(run.rollout, Conclusion.EXTEND, who="Ada", why="because", seconds=seconds)
    run.step(settle)
    with pytest.raises(TerminalError):
        conclude(run.rollout, Conclusion.REMOVE, who="Ada", why="because")


def test_no_window_is_extended_beyond_what_cloudwatch_remembers(drive: Make) -> None:
    run = drive(window={"length": 20, "maximum": 9000})
    run.open()

    def extend(seconds: int) -> None:
        conclude(run.rollout, Conclusion.EXTEND, who="Ada", why="a quiet night", seconds=seconds)

    with pytest.raises(
        RefusedError, match=r"CloudWatch gives periods of 10 s back for 9900 s .* give 890 s at most"
    ):
        extend(900)
    extend(800)
    with pytest.raises(RefusedError, match="give 90 s at most"):
        extend(100)


@pytest.mark.parametrize("approved", [True, False])
def test_a_promotion_that_needs_approval_waits_for_a_person(
    clients: Clients, endpoint: str, drive: Make, approved: bool
) -> None:
    # What is asked here begins with a promotion: a period that a busy machine held up is no reason against it.
    rules = [{"kind": "completeness", "periods": 0.3, "gap": 4}, {"kind": "error_rate", "absolute": 0.02}]
    run = drive(promotion={"approval": True}, window={"length": 10, "maximum": 60}, gates={"rules": rules})
    run.begin()
    run.watch()
    settle_verdict(run.rollout)
    assert course(run.rollout) is Course.APPROVE
    run.step(withdraw)  # nobody pays for the shadow while a person thinks it over
    assert serves(clients, endpoint) == (f"{endpoint}-config", 0)
    with pytest.raises(TerminalError, match="needs a person's approval and nobody answered"):
        run.step(promote)  # as if the task that asks had only been marked a success
    with pytest.raises(TerminalError, match="nobody took that back"):
        run.step(roll_back)
    run.step(deploy_shadow)  # cleared by hand: the shadow that was taken away does not come back
    assert observe(run.rollout).closed is Closed.END
    assert serves(clients, endpoint) == (f"{endpoint}-config", 0)
    answer = approve(run.rollout, approved=approved, who="Ada", why="on Friday?")
    assert answer is approved
    if approved:
        run.step(promote)
    else:
        with pytest.raises(TerminalError, match="Ada refused"):
            run.step(promote)
        run.step(roll_back)
    end = run.step(settle)
    assert end is (End.PROMOTED if approved else End.INCONCLUSIVE)
    assert run.rollout.ledger.require("decision")["action"] == Action.PROMOTE
    serving, shadows = serves(clients, endpoint)
    assert (serving == f"{endpoint}-config") is not approved
    assert shadows == 0


def test_a_spec_may_keep_the_shadow_while_a_person_is_asked(
    clients: Clients, endpoint: str, drive: Make
) -> None:
    run = drive(promotion={"approval": True, "keep_shadow": True})
    run.begin()
    run.step(withdraw)
    assert serves(clients, endpoint)[1] == 1
    assert run.step(settle) is End.CRASHED
    assert serves(clients, endpoint) == (f"{endpoint}-config", 0)
