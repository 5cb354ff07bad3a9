"""Tell the people whom the spec names that a person is asked, and how the rollout ended."""

from __future__ import annotations

from include.aws import notices
from include.ledger.objects import Kind, notice_key
from include.rollout.errors import CloudError
from include.rollout.names import page_url
from include.rollout.verdict import End
from include.steps.rollout import Rollout


def tell_question(rollout: Rollout) -> None:
    """Tell that a person is asked whether to promote, and until when there is time."""
    verdict, hours = rollout.ledger.require(Kind.VERDICT), rollout.spec.promotion.approval_timeout / 3600
    endpoint = rollout.spec.endpoint.name
    _tell(
        rollout,
        "question",
        f"Promote the candidate on {endpoint}?",
        f"The verdict on the candidate for endpoint {endpoint} is {verdict['verdict']}: {verdict['reason']}\n"
        f"It is promoted only if a person agrees in Airflow (Required Actions) within {hours:.3g} hours.",
    )


def tell_end(rollout: Rollout, end: End) -> None:
    """Tell how the rollout ended, and why."""
    endpoint, outcome = rollout.spec.endpoint.name, rollout.ledger.require(Kind.OUTCOME)
    description = f"{rollout.spec.description}\n" if rollout.spec.description else ""
    _tell(
        rollout,
        "end",
        f"{end.value}: candidate on {endpoint}",
        f"{description}The rollout on endpoint {endpoint} ended {end.value}: {outcome['reason']}",
    )


def _tell(rollout: Rollout, about: str, subject: str, message: str) -> None:
    """Publish a notice and write down that it was; at least once, since no topic takes a message only once.

    That nobody could be told is noted and stops nothing: the endpoint and the record are right all the same.
    """
    section, key = rollout.spec.notify, notice_key(about)
    if section is None or rollout.ledger.read(key) is not None:
        return
    run = rollout.run
    whence = f"\nRollout {rollout.id}, run {run.run_id} of DAG {run.dag_id}."
    page = f"\n{page_url(run.airflow, rollout.id)}" if run.airflow.startswith("http") else ""
    failed = None
    try:
        notices.publish(rollout.clients, section.topic, subject, message + whence + page)
    except CloudError as error:
        failed = str(error)
        rollout.headline("notify")(f"nobody was told: {failed}")
    rollout.write(key, {"topic": section.topic, "subject": subject, "failed": failed})
