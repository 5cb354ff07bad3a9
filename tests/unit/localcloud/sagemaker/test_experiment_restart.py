"""Inference experiments survive a restart of the local cloud, whatever they were doing."""

from typing import Any

import pytest

from tests.unit.localcloud.sagemaker.lab import DAY, HOUR, Lab, asked


class Revival:
    """Ends a control plane where it is, and begins another on its state."""

    def __init__(self, plane: Any) -> None:
        self.plane = plane

    def __call__(self, seconds: float = 0.0) -> Lab:
        self.plane.run(self.plane.sagemaker.close())
        clock = type(self.plane.clock)()
        clock.at = self.plane.clock.at + seconds
        self.again = type(self.plane)(self.plane.folder, clock)
        self.again.run(self.again.sagemaker.resume())
        self.again.quiet()
        return Lab(self.again)


@pytest.fixture
def revived(lab: Lab) -> Any:
    revival = Revival(lab.plane)
    yield revival
    revival.again.close()


def test_a_restart_finds_a_running_one_and_ends_it_in_time(lab: Lab, revived: Any) -> None:
    before = lab.create(Schedule=lab.schedule(0, 2 * HOUR))
    again = revived(HOUR)
    assert again.shown() == before
    assert again.serving()["candidate"] == ("n", 1, 0.5, True)
    again.plane.advance(HOUR)
    assert again.shown()["Status"] == "Completed"
    assert again.plane.endpoint()["EndpointConfigName"] == "one"


def test_one_whose_end_passed_while_nothing_ran_ends_after_the_restart(lab: Lab, revived: Any) -> None:
    lab.create(Schedule=lab.schedule(0, 2 * HOUR))
    again = revived(5 * HOUR)
    assert again.shown()["Status"] == "Completed"
    assert again.plane.endpoint()["EndpointConfigName"] == "one"


@pytest.mark.parametrize("operation", ["CreateInferenceExperiment", "StopInferenceExperiment"])
def test_a_restart_in_the_midst_of_a_change_carries_it_on(lab: Lab, revived: Any, operation: str) -> None:
    if operation == "StopInferenceExperiment":
        lab.create()
    lab.plane.runtime.gate.clear()
    params = (
        asked()
        if operation == "CreateInferenceExperiment"
        else {
            "Name": "x",
            "ModelVariantActions": {"candidate": "Promote"},
            "DesiredState": "Completed",
        }
    )
    lab.plane.call(operation, **params)
    again = revived()
    if operation == "CreateInferenceExperiment":
        assert again.shown()["Status"] == "Running"
        assert set(again.serving()) == {"production", "candidate"}
        again.plane.advance(7 * DAY)
        assert again.plane.endpoint()["EndpointConfigName"] == "one"
    else:
        assert again.shown()["Status"] == "Completed"
        assert again.serving() == {"candidate": ("n", 1, 1.0, False)}
