"""The documentation says what is there: whatever a person can name in the code has its place in a page."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

from docs import tables
from include.cli.__main__ import main
from include.ledger.objects import Kind
from include.rollout.spec import Mode, parse
from include.rollout.verdict import End
from quickstart.ports import Ports

PROJECT = Path(__file__).resolve().parents[3]
PAGES = sorted([*PROJECT.glob("*.md"), *(PROJECT / "docs").rglob("*.md")])
MACHINE = re.compile(r"(?<![\w.*<>-])/(?:home|root|work|Users|tmp|usr|opt|var|etc)/|\b[A-Z]:\\")
LINK = re.compile(r"(?<!`)\[[^\]]*\]\(([^)\s]+)\)")


@cache
def text(page: str) -> str:
    return (PROJECT / page).read_text(encoding="utf-8")


def name(page: Path) -> str:
    return page.relative_to(PROJECT).as_posix()


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text(page), re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_the_tables_of_a_page_are_those_of_the_code(page: Path) -> None:
    written = page.read_text(encoding="utf-8")
    assert tables.filled(written) == written, "bring the pages up to date: python -m docs.tables"


def test_every_table_has_a_page() -> None:
    shown = {found for page in PAGES for found in re.findall(r"<!-- table: (\w+) -->", page.read_text())}
    assert set(tables.TABLES) - shown == set()


@pytest.mark.parametrize("kind", tables.gate_kinds())
def test_every_kind_of_gate_has_a_section(kind: str) -> None:
    assert f"\n## {kind}\n" in text("docs/gates.md")


@pytest.mark.parametrize("kind", list(Kind))
def test_every_object_of_the_ledger_is_in_the_catalogue(kind: Kind) -> None:
    assert re.search(rf"`{re.escape(kind.value)}(/<[^`]*)?`", text("docs/ledger.md"))


def test_every_end_of_a_rollout_is_in_the_readme() -> None:
    reached = [end for end in End if end is not End.CALIBRATED or "aa" in set(Mode)]
    assert [end for end in reached if f"| `{end}` |" not in text("README.md")] == []


def test_every_task_of_the_rollout_is_told_and_drawn() -> None:
    graph = text("dags/shadow_rollout.py")
    tasks = set(re.findall(r'task_id="(\w+)"', graph)) | set(re.findall(r"\(tasks\.(\w+)", graph))
    assert len(tasks) >= 9
    assert {task for task in tasks if f"`{task}`" not in text("README.md")} == set()
    drawn = ElementTree.parse(PROJECT / "docs/images/rollout.svg").getroot().itertext()
    assert tasks - {words.strip() for words in drawn} == set()


def test_every_make_target_is_told() -> None:
    targets = re.findall(r"^([a-z]+):.*## ", text("Makefile"), re.MULTILINE)
    assert len(targets) >= 8
    assert [target for target in targets if f"| `make {target}` |" not in text("docs/operations.md")] == []


def test_every_command_of_the_command_line_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    commands = re.findall(r"^    (\w+) ", capsys.readouterr().out, re.MULTILINE)
    assert len(commands) >= 3
    assert [command for command in commands if f"include.cli {command}" not in text("README.md")] == []


def test_every_variable_of_a_local_container_is_told() -> None:
    source = "".join(file.read_text() for file in (PROJECT / "include/localcloud").rglob("*.py"))
    variables = set(re.findall(r'"(LOCAL_[A-Z_]+)"', source))
    assert len(variables) >= 5
    assert {found for found in variables if f"| `{found}` |" not in text("docs/local-sagemaker.md")} == set()


def test_the_default_ports_are_told() -> None:
    assert [f.default for f in fields(Ports) if str(f.default) not in text("docs/operations.md")] == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    broken = []
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_no_page_names_a_place_on_somebodys_machine(page: Path) -> None:
    assert MACHINE.findall(page.read_text(encoding="utf-8")) == []


def test_the_check_for_machine_paths_finds_one() -> None:
    assert MACHINE.search("look into /home/someone/penumbra")
    assert not MACHINE.search("<ledger>/index/ and include/specs/ and arn:aws:s3:::bucket/var/x")


@pytest.mark.parametrize(
    ("page", "example"),
    [
        (page, example)
        for page in map(name, PAGES)
        for example in blocks(page, "yaml")
        if "endpoint:" in example
    ],
)
def test_every_example_of_a_spec_is_valid(page: str, example: str) -> None:
    assert parse(yaml.safe_load(example), page).side_effect_free


def test_the_policy_allows_every_call_that_is_made() -> None:
    (policy,) = (json.loads(block) for block in blocks("docs/security.md", "json"))
    allowed = {
        action
        for statement in policy["Statement"]
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
    }
    source = "".join(file.read_text() for file in (PROJECT / "include/aws").glob("*.py"))
    prefixes = {
        "sagemaker": "sagemaker",
        "sagemaker_once": "sagemaker",
        "cloudwatch": "cloudwatch",
        "scaling": "application-autoscaling",
    }
    called = re.findall(
        r"\.(sagemaker|sagemaker_once|cloudwatch|scaling)\s*\.(?:get_paginator\(\"(\w+)\"|(\w+)\()", source
    )
    actions = {
        f"{prefixes[client]}:{''.join(part.capitalize() for part in (paged or plain).split('_'))}"
        for client, paged, plain in called
    }
    assert len(actions) >= 15
    assert actions - allowed == set()
