"""Every error of Penumbra, drawn as a tree before the first class.

    RolloutError
    ├── SpecError              the spec says something that cannot be meant
    ├── RefusedError           nothing was touched, and nothing will be
    │   ├── PlanError          the window cannot decide, or the endpoint cannot take a shadow
    │   └── LeaseHeldError     another rollout has the endpoint
    ├── ForeignChangeError     somebody else changed the endpoint
    ├── FenceError             a newer holder of the lease exists; this process must stop
    ├── TerminalError          the rollout is over; a new attempt needs a new run
    ├── CloudError             an AWS call said no, in a sentence that says what to do
    ├── DeploymentError        the endpoint did not reach the state that was asked for
    ├── EvidenceError          the evidence could not be read or cannot mean anything
    ├── ReplayError            the replay cannot go on
    │   └── TakenOverError     another attempt has the shard; this one must send nothing more
    └── LedgerError            the ledger cannot be read or written
        ├── MissingError       an object that must be there is not
        └── ConflictError      somebody wrote first

A failing gate is a value (a Finding), never an error. Every message is one sentence: what was
found, what is allowed, what to do.
"""

from __future__ import annotations


class RolloutError(Exception):
    """Anything Penumbra raises on purpose."""


class SpecError(RolloutError):
    """The spec says something that cannot be meant; `problems` names every mistake at once."""

    def __init__(self, source: str, problems: tuple[str, ...]) -> None:
        self.source = source
        self.problems = problems
        count = "one mistake" if len(problems) == 1 else f"{len(problems)} mistakes"
        super().__init__(f"{source} has {count}:\n" + "\n".join(f"  - {problem}" for problem in problems))


class RefusedError(RolloutError):
    """The rollout was refused before anything was touched."""


class PlanError(RefusedError):
    """The plan says that this rollout cannot end well; the ledger's `plan` has the numbers."""


class LeaseHeldError(RefusedError):
    """Another rollout holds the lease on the endpoint."""


class ForeignChangeError(RolloutError):
    """Somebody else changed the endpoint; it is left as they made it."""


class FenceError(RolloutError):
    """A newer fence exists: this process no longer has the right to change the endpoint."""


class TerminalError(RolloutError):
    """The rollout has ended; a new attempt needs a new DAG run."""


class CloudError(RolloutError):
    """An AWS call failed; `code` is AWS's own error code. A transient failure may go away by itself."""

    def __init__(self, message: str, code: str = "", *, transient: bool = False) -> None:
        self.code = code
        self.transient = transient
        super().__init__(message)


class DeploymentError(RolloutError):
    """The endpoint did not reach the state that was asked for."""


class EvidenceError(RolloutError):
    """The evidence could not be read, or cannot mean anything."""


class ReplayError(RolloutError):
    """The replay cannot go on."""


class TakenOverError(ReplayError):
    """Another attempt has the shard now: this one must send nothing more, and has not failed either."""


class LedgerError(RolloutError):
    """The ledger cannot be read or written."""


class MissingError(LedgerError):
    """An object that must be in the ledger is not there."""


class ConflictError(LedgerError):
    """Somebody else wrote the object first."""
