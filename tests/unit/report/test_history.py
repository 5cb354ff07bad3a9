"""What happened, in order: who did what, when, and why."""

from include.ledger.objects import Kind
from include.ledger.reader import Reader
from include.report.history import history
from tests.unit.report.ledgers import Story, findings


def told(store, story):
    return [(event.who, event.what, event.why) for event in history(Reader(store).rollout(story.id))]


def test_people_are_named_with_what_they_asked_for_and_why(store):
    story = Story(store, "manual__1").served().measure(4).look(2, lambda n: -1.0)
    story.write("conclude/0001", {"action": "extend", "who": "ada", "why": "more data", "seconds": 120})
    story.write("conclude/0002", {"action": "remove", "who": "bob", "why": "it is Friday", "seconds": 0})
    story.write(Kind.APPROVAL, {"approved": True, "who": "eve", "why": ""})
    events = told(store, story)
    assert ("ada", "asked to extend by 2 min", "more data") in events
    assert ("bob", "asked to remove", "it is Friday") in events
    assert ("eve", "approved the promotion", "") in events


def test_events_of_one_instant_are_told_cause_first(store):
    story = Story(store, "manual__1").served().measure(4)
    story.judge("PROMOTE", findings())
    story.write(Kind.OUTCOME, {"end": "PROMOTED", "reason": "r"}, after=0)
    story.write("deployment/promoted.begun", {"stage": "PROMOTED"}, after=0)
    story.write("deployment/promoted.held", {"opens": "2026-03-02T09:00:00Z"}, after=0)
    story.write("deployment/baseline", {"config": "c"}, after=0)
    story.write("deployment/baseline.begun", {"stage": "BASELINE"}, after=0)
    story.write(Kind.DECISION, {"action": "promote", "who": "the gates", "why": "r"}, after=0)
    assert [what for _, what, _ in told(store, story)][-7:] == [
        "judged PROMOTE in reading 1",
        "decided to promote",
        "began to deploy the endpoint as it was before",
        "deployed the endpoint as it was before",
        "waits for a promotion window, until 2026-03-02 09:00:00 UTC",
        "began to deploy the candidate in production's place",
        "ended PROMOTED",
    ]


def test_a_window_that_never_opened_says_why(store):
    story = Story(store, "manual__1").open()
    closed = {"opened": "x", "begin": "x", "end": "x", "closed": "no_traffic"}
    story.write(Kind.WINDOW, closed)
    assert told(store, story)[-1] == ("the rollout", "closed the window before it opened", "no traffic")


def test_a_window_that_the_budget_closed_says_so(store):
    story = Story(store, "manual__1").served().measure(4)
    story.judge("INCONCLUSIVE", findings(), closed="budget")
    assert "the window closed because the budget was spent" in [why for *_, why in told(store, story)]


def test_an_edit_of_a_managed_test_is_told_with_who_changed_what(store):
    story = Story(store, "manual__1").served()
    early, late = "2026-03-01T14:00:00Z", "2026-03-01T18:00:00Z"
    begun = {"sampling": 0.5, "end": early, "was": None, "who": "the rollout", "why": "", "refused": None}
    story.write("test/0001", begun)
    wish = {"action": "edit", "who": "ada", "why": "a quiet night", "seconds": 0}
    story.write("conclude/0001", {**wish, "sampling": 1.0, "end": late})
    both = {"sampling": 0.5, "end": early}
    done = {**begun, "sampling": 1.0, "end": late, "was": both, "who": "ada", "why": "a quiet night"}
    story.write("test/0002", done)
    story.write("test/0003", {**done, "was": both, "who": "SageMaker", "refused": "it is too late"})
    events = told(store, story)
    assert (
        "the rollout",
        "began the managed test with 50 % copied, until 2026-03-01 14:00:00 UTC",
        "",
    ) in events
    asked = "asked to edit the sampling to 100 % and the test's end to 2026-03-01 18:00:00 UTC"
    assert ("ada", asked, "a quiet night") in events
    changed = (
        "changed the sampling from 50 % to 100 % and "
        "the test's end from 2026-03-01 14:00:00 UTC to 2026-03-01 18:00:00 UTC"
    )
    assert ("ada", changed, "a quiet night") in events
    assert ("SageMaker", "refused to edit the managed test", "it is too late") in events
