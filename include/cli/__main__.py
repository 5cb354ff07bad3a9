"""Check specs, plan rollouts, conclude one or take it back, replay requests, look at what rollouts left behind."""

from __future__ import annotations

import argparse
import gc
import os
import sys
from collections.abc import Callable, Sequence

from include.cli import backtest, conclude, plan, replay, rollback, status, validate
from include.rollout.errors import RolloutError

_COMMANDS: dict[
    str, tuple[Callable[[argparse.ArgumentParser], None], Callable[[argparse.Namespace], int], str]
] = {
    "validate": (validate.arguments, validate.run, "check spec files; needs no AWS"),
    "plan": (plan.arguments, plan.run, "say what a rollout would change and whether its window can decide"),
    "status": (status.arguments, status.run, "list rollouts, or show one"),
    "conclude": (conclude.arguments, conclude.run, "promote now, remove now or extend a running rollout"),
    "rollback": (rollback.arguments, rollback.run, "go back to the model before a promoted one, at once"),
    "replay": (replay.arguments, replay.run, "send recorded requests to an endpoint and see how it answers"),
    "backtest": (
        backtest.arguments,
        backtest.run,
        "judge stored rollouts again, by their own gates or by others",
    ),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; 0 when all is well, 1 when the answer is no, 2 when it could not be asked."""
    parser = argparse.ArgumentParser(prog="python -m include.cli", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    for name, (arguments, _, about) in _COMMANDS.items():
        arguments(commands.add_parser(name, help=about, description=about))
    chosen = parser.parse_args(argv)
    try:
        return _COMMANDS[chosen.command][1](chosen)
    except RolloutError as error:
        print(error, file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader (`| head`) has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


if __name__ == "__main__":
    code = main()
    gc.freeze()  # or the interpreter's last collections walk over everything that was loaded, for most of a second
    sys.exit(code)
