"""One attempt at a shard in a process of its own, so that it can be killed: `shard.py URL FOLDER LIMIT`."""

from __future__ import annotations

import itertools
import json
import signal
import sys

from include.ledger.store import Store
from include.replay.engine import replay
from include.replay.journal import Journal
from include.replay.pacer import Constant
from include.replay.request import Request
from include.replay.target import Target


def main(url: str, folder: str, entries: int) -> None:
    journal = Journal(Store(folder), "replay/0000.journal", reserve=300, hold=1.5)
    account = replay(
        target=Target(endpoint="churn", region="r", base_url=url),
        requests=itertools.repeat(Request(body=b"1"), entries),
        pacer=Constant(rate=200),
        duration=None,
        limit=None,
        late_after=1.0,
        inference_id=str,
        first_index=journal.first_index,
        permit=journal,
    )
    outcome = journal.close(account)
    print(
        json.dumps(
            {
                "attempt": journal.attempt,
                "scheduled": outcome.account.scheduled,
                "sent": outcome.account.sent,
                "shed": outcome.account.shed,
                "uncertain": outcome.uncertain,
            }
        )
    )


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
