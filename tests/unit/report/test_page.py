"""The page of one rollout and the list: what they say is what the ledger holds."""

import base64
import gzip
import hashlib
import json
import re
from dataclasses import replace
from types import MappingProxyType

import pytest
from bs4 import BeautifulSoup

from include.ledger.objects import Kind
from include.ledger.reader import Reader, Record
from include.report import assets
from include.report.listing import line_of, list_page
from include.report.page import cursor, news, rollout_page
from include.report.rendering import Links, message_page
from tests.unit.report import ledgers

LINKS = Links(home="../", static="../static", ticks="x/ticks", dag_run="/dags/d/runs/r")
STORIES = (ledgers.promoted, ledgers.rolled_back, ledgers.running, ledgers.crashed, ledgers.refused)


def parsed(html):
    return BeautifulSoup(html, "lxml")


def text(node):
    return " ".join(node.get_text(" ").split())


def cells(table):
    return [[text(cell) for cell in row.find_all(["th", "td"])] for row in table.select("tbody tr")]


def table(page, caption):
    return next(t for t in page.find_all("table") if caption in text(t.caption))


def test_a_promoted_rollout_says_so_first_in_one_sentence(recorded):
    page = parsed(rollout_page(recorded(ledgers.promoted), live=False))
    assert text(page.h1) == "churn PROMOTED"
    assert (
        text(page.select_one(".sentence"))
        == "The candidate was promoted and now serves endpoint churn: every gate that binds passed."
    )


def test_a_rolled_back_rollout_carries_the_gates_own_numbers_in_its_sentence(recorded):
    record = recorded(ledgers.rolled_back)
    sentence = text(parsed(rollout_page(record, live=False)).select_one(".sentence"))
    assert sentence.startswith(
        "Rolled back; endpoint churn serves what it served before: the shadow's error rate 1.9 %"
    )
    assert record.get(Kind.OUTCOME)["reason"] in sentence


def test_the_gates_table_shows_effect_interval_limit_requests_periods_severity_and_reason(recorded):
    page = parsed(rollout_page(recorded(ledgers.rolled_back), live=False))
    rows = cells(table(page, "Reading 1: ROLL_BACK"))
    at = next(i for i, row in enumerate(rows) if row[0] == "error_rate")
    assert rows[at][1:] == [
        "FAIL",
        "+1.88 pp",
        "+1.41 pp … +2.43 pp",
        "+0.5 pp",
        "8,955",
        "4,800",
        "8",
        "critical",
    ]
    assert rows[at + 1][0].startswith("the shadow's error rate 1.9 % (91 of 4,800)")
    latency = next(row for row in rows if row[0] == "latency:p90")
    assert latency[2:5] == ["1.008x", "0.991x … 1.026x", "1.200x"]
    assert latency[7] == "8 (1 dropped)"


def test_the_statistics_are_sums_of_the_periods_of_both_variants(recorded):
    record = recorded(ledgers.promoted)
    rows = {
        row[0]: row[1:] for row in cells(table(parsed(rollout_page(record, live=False)), "Both variants"))
    }
    periods = record.get(f"{Kind.EVIDENCE}/1")
    totals = [sum(p["invocations"] for p in periods[role]) for role in ("production", "shadow")]
    assert rows["Requests"][:2] == [f"{total:,.0f}" for total in totals]
    p90 = [p["latency"]["p90"] / 1000 for p in periods["shadow"]]
    assert rows["p90, mean of the periods"][1] == f"{sum(p90) / 8:.3g} ms"
    assert rows["p90, least and greatest"][1] == f"{min(p90):.3g} ms to {max(p90):.3g} ms"
    assert rows["p99 of all requests of the window"][:2] == ["23.9 ms", "24.5 ms"]


def test_the_charts_draw_every_period_and_the_table_beside_them_says_the_same(recorded):
    record = recorded(ledgers.promoted)
    page = parsed(rollout_page(record, live=False))
    series = json.loads(page.select_one("#series").string)
    stored = record.get(f"{Kind.EVIDENCE}/1")
    assert [row["start"] for row in series["rows"]] == [p["start"] for p in stored["shadow"]]
    assert [row["shadow"]["p99"] for row in series["rows"]] == [
        p["latency"]["p99"] / 1000 for p in stored["shadow"]
    ]
    assert [point["log_e"] for point in series["evidence"]] == [t["log_e"] for t in record.ticks]
    shown = cells(table(page, "period by period"))
    assert [row[1] for row in shown] == [f"{p['invocations']:,.0f}" for p in stored["production"]]
    assert {plot["data-chart"] for plot in page.select("[data-chart]")} == {
        "requests", "error_rate", "p50", "p90", "p99", "evidence"
    }  # fmt: skip
    assert series["lines"] == {"error_rate": 0.01, "latency": {"p99": 100.0}, "ratio": {"p90": 1.2}}


def test_the_first_crossing_is_named(recorded):
    page = parsed(rollout_page(recorded(ledgers.rolled_back), live=False))
    assert "The evidence reached 100, which ends the window, at 2026-03-01 13:01:30 UTC ." in text(page)


def test_the_history_tells_who_did_what_when_and_why(recorded):
    page = parsed(rollout_page(recorded(ledgers.rolled_back), live=False))
    rows = cells(table(page, "What happened, in order"))
    assert [row[0] for row in rows] == sorted(row[0] for row in rows)
    assert rows[0] == ["2026-03-01 13:00:00 UTC", "admin", "asked for the rollout churn_failing", ""]
    decided = next(row for row in rows if row[2] == "decided to roll back")
    assert decided[1] == "the gates"
    assert "at most 0.5 pp more is allowed" in decided[3]
    assert rows[-1][2] == "ended ROLLED_BACK"


def test_the_replays_account_names_every_request(recorded):
    page = parsed(rollout_page(recorded(ledgers.promoted), live=False))
    assert cells(table(page, "Every scheduled request")) == [
        ["0", "60", "6,031", "6,020", "10 (9 model error, 1 timeout)", "1", "0"]
    ]


def test_the_replays_uncertain_and_spared_requests_are_named_where_there_are_any(recorded):
    record = recorded(ledgers.promoted)
    said = "Shard 0: 1,200 requests were spared, because live traffic stood in for them; 31 requests are uncertain"
    assert "uncertain" not in text(parsed(rollout_page(record, live=False)))
    stored = record.objects["replay/0000"]
    told = {**stored, "account": {**stored["account"], "spared": 1200}, "uncertain": [[10, 40], [77, 78]]}
    changed = replace(record, objects={**record.objects, "replay/0000": told})
    assert said in text(parsed(rollout_page(changed, live=False)))


def test_a_running_rollout_says_what_it_does_and_where_its_evidence_stands(recorded):
    page = parsed(rollout_page(recorded(ledgers.running), live=True, links=LINKS))
    assert text(page.h1) == "churn RUNNING"
    assert "after 5 looks the evidence for an abort is 0.368, where 100 is enough" in text(page)
    assert page.select_one("#live")["data-ticks"] == "x/ticks"


def test_a_crashed_rollout_names_the_task_and_its_reason(recorded):
    page = parsed(rollout_page(recorded(ledgers.crashed), live=False))
    assert text(page.h1) == "churn CRASHED"
    assert "register failed: model package churn/7 does not exist" in text(page.select_one(".failure"))


@pytest.mark.parametrize("story", STORIES)
def test_a_page_is_well_formed_for_people_who_do_not_see_it(recorded, story):
    record = recorded(story)
    for html in (rollout_page(record, live=False), rollout_page(record, live=True, links=LINKS)):
        page = parsed(html)
        assert page.html["lang"] == "en"
        assert len(page.find_all("h1")) == 1
        assert page.find("main") is not None
        for found in page.find_all("table"):
            assert found.caption is not None
            assert found.find("th", scope="col") is not None
        for region in page.select(".scroll"):
            assert region["tabindex"] == "0"
            assert region["aria-label"]
        for plot in page.select(".plot"):
            assert plot["role"] == "img"
            assert "table" in plot["aria-label"]
        ids = [node["id"] for node in page.select("[id]")]
        assert len(ids) == len(set(ids))


@pytest.mark.parametrize("live", [True, False])
def test_hostile_text_stays_text(recorded, live):
    record = recorded(ledgers.hostile)
    page = parsed(rollout_page(record, live=live, links=LINKS if live else None))
    assert page.find("img") is None
    assert all(not name.startswith("on") for node in page.find_all(True) for name in node.attrs)
    for script in page.find_all("script"):
        assert "src" in script.attrs or script.get("type") in {"application/json", "text/plain"} or script.string in {
            assets.source("charts.js"),
            assets.source("boot.js"),
        }  # fmt: skip
    assert page.get_text().count(ledgers.HOSTILE) > 10
    for part in news(record, "")["sections"].values():
        assert parsed(part).find(["img", "script"]) is None


def test_the_stored_report_is_one_file_whose_policy_lets_only_its_own_scripts_run(recorded):
    html = rollout_page(recorded(ledgers.promoted), live=False)
    page = parsed(html)
    policy = page.find("meta", attrs={"http-equiv": "Content-Security-Policy"})["content"]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy
    allowed = set(re.findall(r"'sha256-([^']+)'", policy))
    own = [s.string for s in page.find_all("script") if "type" not in s.attrs] + [page.style.string]
    for content in own:
        assert base64.b64encode(hashlib.sha256(content.encode()).digest()).decode() in allowed
    packed = page.select_one("#packed-plotly").string
    plotly = gzip.decompress(base64.b64decode(packed))
    assert base64.b64encode(hashlib.sha256(plotly).digest()).decode() in allowed
    assert not re.findall(r"(?:src|href)=\"(?!#|data:,)", html)
    assert len(html) < 2_200_000


def test_the_same_record_makes_the_same_bytes(recorded):
    record = recorded(ledgers.promoted)
    assert rollout_page(record, live=False) == rollout_page(record, live=False)


def test_the_consoles_page_has_no_inline_script_or_style(recorded):
    page = parsed(rollout_page(recorded(ledgers.running), live=True, links=LINKS))
    assert page.find("style") is None
    assert all("src" in s.attrs or s["type"] == "application/json" for s in page.find_all("script"))
    assert not page.select("[style]")


def test_a_ledger_that_lacks_fields_still_makes_a_page(recorded):
    whole = recorded(ledgers.promoted)
    for key in whole.objects:
        bare = {**whole.objects, key: MappingProxyType({"schema": 1})}
        rollout_page(Record(rollout_id=whole.rollout_id, objects=MappingProxyType(bare)), live=False)
        gone = {name: value for name, value in whole.objects.items() if name != key}
        rollout_page(Record(rollout_id=whole.rollout_id, objects=MappingProxyType(gone)), live=False)


def test_a_live_page_without_links_is_refused(recorded):
    with pytest.raises(ValueError, match="links"):
        rollout_page(recorded(ledgers.running), live=True)


def test_the_list_parts_running_from_finished_and_links_each_rollout(store, recorded):
    records = {record.rollout_id: record for record in map(recorded, STORIES)}
    lines = [line_of(entry, records[entry.rollout_id]) for entry in Reader(store).newest()]
    page = parsed(list_page(lines, links=Links(home="./", static="static")))
    running = cells(table(page, "running"))
    finished = cells(table(page, "ended"))
    assert [row[0] for row in running] == ["RUNNING"]
    assert [row[0] for row in finished] == ["REFUSED", "CRASHED", "ROLLED BACK", "PROMOTED"]
    assert {a["href"] for a in page.select("tbody a")} == {f"./rollouts/{name}" for name in records}
    assert finished[3][4] == "2 min 59 s"


def test_an_empty_list_says_what_to_do():
    page = parsed(list_page([], links=Links(home="./", static="static")))
    assert "trigger the DAG shadow_rollout" in text(page)


def test_a_message_is_one_escaped_sentence():
    page = parsed(
        message_page("Not found", f"There is no {ledgers.HOSTILE}.", links=Links(home="./", static="s"))
    )
    assert text(page.select_one(".sentence")) == f"There is no {ledgers.HOSTILE}."
    assert page.find("img") is None


def test_a_page_that_is_open_gets_only_the_ticks_that_it_lacks(store):
    story = ledgers.running(store, periods=2)
    before = Reader(store).rollout(story.id)
    assert news(before, cursor(before)) is None
    story.look(5, lambda n: -0.2 * n)
    after = Reader(store).rollout(story.id)
    told = news(after, cursor(before))
    assert len(told["rows"]) == len(told["evidence"]) == 3
    assert [point["end"] for point in told["evidence"]] == [tick["end"] for tick in after.ticks[2:]]
    assert told["over"] is False
    assert "after 5 looks" in told["sections"]["verdict"]
    assert news(after, told["cursor"]) is None


def test_a_page_that_is_open_gets_every_period_anew_once_the_window_was_read(store):
    story = ledgers.running(store, periods=8)
    seen = cursor(Reader(store).rollout(story.id))
    story.judge("PROMOTE", ledgers.findings())
    told = news(Reader(store).rollout(story.id), seen)
    assert len(told["rows"]) == 8
    assert told["evidence"] == []
    assert "Reading 1: PROMOTE" in told["sections"]["gates"]


@pytest.mark.parametrize("odd", ["", "x", "7", "7.", ".", "<script>"])
def test_a_cursor_that_is_none_of_ours_gets_everything(recorded, odd):
    assert len(news(recorded(ledgers.running), odd)["evidence"]) in {0, 5}
