"""Where a rollout stands, in one sentence, at every stage of it."""

import pytest

from include.ledger.objects import Kind, begun_key, held_key
from include.ledger.reader import Reader
from include.report.headline import Tone, headline
from include.rollout.verdict import End
from tests.unit.report.ledgers import Story, findings


def stages(story):
    story.open()
    yield "The rollout is being opened"
    story.plan().baseline()
    yield "Endpoint churn is ours"
    story.candidate()
    yield "the shadow is being deployed"
    story.deploy()
    yield "waiting for requests on both variants"
    story.window()
    yield "Both variants answer; the warm-up ends at 2026-03-01 12:01:00 UTC"
    story.measure(8).look(2, lambda n: -1.0)
    yield "The window is open until 2026-03-01 12:02:20 UTC; after 2 looks the evidence for an abort is 0.368, where"
    story.write("conclude/0001", {"action": "extend", "who": "ada", "why": "more data", "seconds": 20})
    yield "open until 2026-03-01 12:02:40 UTC, extended by 20 s; after 2 looks"
    story.write(Kind.EXTENSION, {"seconds": 30})
    yield "open until 2026-03-01 12:03:10 UTC, extended by 50 s"
    story.write(Kind.REPLAY_STOP, {"closed": "end"})
    story.judge("PROMOTE", findings())
    yield "the gates are judging"
    story.decide("PROMOTE", "promote", "every gate that binds passed")
    yield "Decided by the gates: promoting the candidate on endpoint churn"
    story.write(held_key(), {"opens": "2026-03-02T09:00:00Z"})
    yield "waits for its window, which opens 2026-03-02 09:00:00 UTC"
    story.write(begun_key("PROMOTED"), {"stage": "PROMOTED"})
    yield "promoting the candidate on endpoint churn"
    story.write(Kind.PROMOTION, {"config": "c", "model": "m"})
    yield "is being cleaned up"


def test_a_running_rollout_says_at_every_stage_what_it_is_doing(store):
    story = Story(store, "manual__1")
    for expected in stages(story):
        said = headline(Reader(store).rollout(story.id))
        assert said.tone is Tone.LIVE
        assert expected in said.sentence


@pytest.mark.parametrize("end", list(End))
def test_every_end_has_a_tone_and_one_sentence_with_its_reason(store, end):
    story = Story(store, "manual__1").open().baseline().end(end.value, "the reason")
    said = headline(Reader(store).rollout(story.id))
    assert said.word == end.replace("_", " ")
    assert said.tone is not Tone.LIVE
    assert said.sentence.endswith(": the reason.")
    assert "endpoint churn" in said.sentence or end is End.CRASHED


def test_a_person_who_decided_is_named(store):
    story = Story(store, "manual__1").served().measure(8).look(8, lambda n: -1.0).judge("PROMOTE", findings())
    story.decide("PROMOTE", "promote", "we looked at it together", who="ada").end(
        "PROMOTED", "we looked at it together"
    )
    assert headline(Reader(store).rollout(story.id)).sentence == (
        "The candidate was promoted by ada and now serves endpoint churn: we looked at it together."
    )


def test_a_rollout_that_touched_nothing_says_so(store):
    story = Story(store, "manual__1").open()
    story.write(Kind.OUTCOME, {"end": "CRASHED", "reason": "it ended while it was being opened"})
    assert "never touched" in headline(Reader(store).rollout(story.id)).sentence


def test_a_decision_that_a_person_must_approve_says_that_it_waits(store):
    story = Story(store, "manual__1").open(approval=True).baseline()
    story.decide("PROMOTE", "promote", "every gate that binds passed")
    assert "a person is asked to approve" in headline(Reader(store).rollout(story.id)).sentence
    story.write(Kind.APPROVAL, {"approved": False, "who": "ada", "why": "not on a Friday"})
    assert "asked to approve" not in headline(Reader(store).rollout(story.id)).sentence
    story.end("INCONCLUSIVE", "ada did not approve the promotion: not on a Friday")
    assert headline(Reader(store).rollout(story.id)).sentence.startswith("The promotion was not approved")
