"""The demonstration's exit: 0 only if every rollout ended as it must, early where it must."""

from dataclasses import replace

import pytest
from rich.console import Console

from quickstart import demo
from quickstart.layout import Layout


def results():
    """Return how the acts end when all is well."""
    return [
        demo.Result(
            act=act, rollout="a" * 12, end=act.end, closed=act.closed, gate="", reason="", variants={}, seconds=1.0,
            phases=[], report=None,
        )
        for act in demo.ACTS
    ]  # fmt: skip


@pytest.fixture
def shown(tmp_path, monkeypatch):
    """Run the demonstration with these results in place of rollouts, and give its exit status."""

    def run(found):
        played = demo.Demo(Layout(home=tmp_path / "run"), Console(quiet=True))
        (tmp_path / "run").mkdir()
        monkeypatch.setattr(played, "_start", lambda: None)
        monkeypatch.setattr(played, "_perform", lambda _, act: found[demo.ACTS.index(act)])
        return played.run()

    return run


def test_three_rollouts_that_end_as_they_must_are_a_success(shown):
    assert [act.end for act in demo.ACTS] == ["PROMOTED", "ROLLED_BACK", "ROLLED_BACK"]
    assert shown(results()) == 0


@pytest.mark.parametrize("act", range(len(demo.ACTS)))
@pytest.mark.parametrize("change", [{"end": "INCONCLUSIVE"}, {"closed": "concluded"}, {"end": "run failed"}])
def test_any_other_end_is_none(shown, act, change):
    found = results()
    found[act] = replace(found[act], **change)
    assert shown(found) == 1
