"""The full table takes half an hour: it runs with --soak, or when this folder is named."""

from pathlib import Path

import pytest

HERE = Path(__file__).parent


def pytest_collection_modifyitems(config, items):
    named = [Path(config.invocation_params.dir, str(a).split("::")[0]).resolve() for a in config.args]
    asked = any(path == HERE or path in HERE.parents[:1] or HERE in path.parents for path in named)
    if config.getoption("--soak") or asked:
        return
    skip = pytest.mark.skip(reason="the full table; its short form runs always, this one by name or --soak")
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(skip)
