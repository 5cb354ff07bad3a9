"""Captures into pairs: ours beside json + pandas and local Spark, interleaved in one run, on the same files.

    python benchmarks/pairs.py [--pairs 1000000] [--rounds 3] [--folder DIR] [--ours] [--make]
                              [--simdjson PYTHON] [--spark PYTHON] [--write]

The captures are SageMaker's, of both variants: CSV inputs of 69 columns, a probability as the answer, an InferenceId
each, five minutes a file. Both sides do the same: parse, join on the id, count the flips of a decision, mean and 99 %
of the difference, and flips per segment of an input column; that their answers are equal is checked. Each measurement
is a process of its own, so that its peak memory is its own; ratios compare one run only. `--folder` keeps the captures
for another run, `--make` only makes them, `--ours` leaves pandas out. `--simdjson` names a Python that
has pysimdjson: it only parses every line and looks at nothing, which is less than half of the work. `--spark` names one
that has pyspark, and needs a Java; of Spark, whose work is done by Java, start-up is left out of the seconds, and CPU and
memory are those of Java. `--write` keeps the numbers as dated JSON in benchmarks/results/.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

BEGIN = datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.UTC)
FILES = 12
THRESHOLD = 0.5
COLUMN, EDGES = 3, (20.0, 40.0, 60.0, 80.0)
SIDES = ("production", "shadow")
INPUTS = 5000  # different ones, each with its number in the last column


def make(folder: Path, pairs: int) -> None:
    """Write the captures of both variants; the shadow's answers differ a little, its order a lot."""
    chance = random.Random(20260301)
    inputs = [",".join(f"{100 * chance.random():.3f}" for _ in range(68)) for _ in range(INPUTS)]
    for side in SIDES:
        place = folder / side / BEGIN.strftime("%Y/%m/%d/%H")
        place.mkdir(parents=True)
        for part in range(FILES):
            numbers = list(range(part * pairs // FILES, (part + 1) * pairs // FILES))
            if side == "shadow":
                chance.shuffle(numbers)
            with (place / f"{part:02d}-00-000.jsonl").open("w") as file:
                file.writelines(_line(inputs, side, number, pairs) for number in numbers)


def _line(inputs: list[str], side: str, number: int, pairs: int) -> str:
    # a fixed answer per request, moved a little by the shadow
    answer = (number * 2654435761 % 2**32) / 2**32
    if side == "shadow":
        answer = min(1.0, max(0.0, answer + ((number * 40503 % 65536) / 65536 - 0.5) * 0.02))
    when = BEGIN + datetime.timedelta(seconds=number * 3600 // pairs)
    return (
        '{"captureData":{"endpointInput":{"observedContentType":"text/csv","mode":"INPUT","data":"'
        f'{inputs[number % INPUTS]},{number}","encoding":"CSV"}},"endpointOutput":{{"observedContentType":'
        f'"text/csv; charset=utf-8","mode":"OUTPUT","data":"{answer:.9f}","encoding":"CSV"}}}},"eventMetadata":{{"eventId":"'
        f'{side[0]}{number:035d}","inferenceId":"pen-abcdefghijkl-0-{number}","inferenceTime":"{when:%Y-%m-%dT%H:%M:%SZ}"}},'
        '"eventVersion":"0"}\n'
    )


def ours(folder: Path) -> dict[str, Any]:
    """Collect the pairs as a rollout does."""
    from obstore.store import LocalStore

    from include.pairs.collect import collect
    from include.pairs.folder import Folder
    from include.rollout.comparison import PairsSection, Segment

    store = LocalStore(folder)
    found = collect(
        Folder(store=store, prefix="production"),
        Folder(store=store, prefix="shadow"),
        PairsSection(threshold=THRESHOLD, segments=(Segment(name="column", at=COLUMN, edges=EDGES),)),
        begin=BEGIN,
        end=BEGIN + datetime.timedelta(hours=1),
        period=60,
    )
    return {
        "pairs": found.all.n,
        "flips": found.all.flips,
        "mean": found.all.difference.mean,
        "p99": found.differences.quantile(0.99),
        "segments": sorted(tally.flips for tally in found.segments["column"].values()),
    }


def pandas(folder: Path) -> dict[str, Any]:
    """Do the same with json and pandas, keeping as little of each record as is needed."""
    import pandas as pd

    def rows(side: str) -> Iterator[tuple[str, float, float]]:
        for path in sorted((folder / side).rglob("*.jsonl")):
            with path.open() as file:
                for line in file:
                    record = json.loads(line)
                    data = record["captureData"]
                    yield (
                        record["eventMetadata"]["inferenceId"],
                        float(data["endpointOutput"]["data"]),
                        float(data["endpointInput"]["data"].split(",", COLUMN + 1)[COLUMN]),
                    )

    production, shadow = (pd.DataFrame(rows(side), columns=["id", "answer", "column"]) for side in SIDES)
    joined = production.merge(shadow[["id", "answer"]], on="id", suffixes=("", "_shadow"))
    difference = joined["answer_shadow"] - joined["answer"]
    flips = (joined["answer"] >= THRESHOLD) != (joined["answer_shadow"] >= THRESHOLD)
    segment = pd.cut(joined["column"], [-float("inf"), *EDGES, float("inf")], right=False)
    return {
        "pairs": len(joined),
        "flips": int(flips.sum()),
        "mean": float(difference.mean()),
        "p99": float(difference.quantile(0.99)),
        "segments": sorted(int(n) for n in flips.groupby(segment, observed=True).sum()),
    }


def simdjson(folder: Path) -> dict[str, Any]:
    """Parse every line and do nothing with it."""
    import simdjson  # type: ignore[import-not-found]

    parser, lines = simdjson.Parser(), 0
    for path in sorted(folder.rglob("*.jsonl")):
        with path.open("rb") as file:
            for line in file:
                parser.parse(line)
                lines += 1
    return {"pairs": lines // 2}


def spark(folder: Path) -> dict[str, Any]:
    """Do the same with local Spark on all cores, the fields it reads stated, so that it need not look for them."""
    from pyspark.sql import functions as f  # type: ignore[import-not-found]

    side = "struct<data:string>"
    schema = f"captureData struct<endpointInput:{side},endpointOutput:{side}>, eventMetadata struct<inferenceId:string>"

    def rows(side: str) -> Any:
        read = _session().read.schema(schema).option("recursiveFileLookup", "true").json(str(folder / side))
        answer = f.col("captureData.endpointOutput.data").cast("double")
        column = f.split_part(f.col("captureData.endpointInput.data"), f.lit(","), f.lit(COLUMN + 1))
        return read.select(
            f.col("eventMetadata.inferenceId").alias("id"),
            answer.alias("answer"),
            column.cast("double").alias("at"),
        )

    joined = rows("production").alias("p").join(rows("shadow").select("id", "answer").alias("s"), "id")
    difference = f.col("s.answer") - f.col("p.answer")
    flip = (f.col("p.answer") >= THRESHOLD) != (f.col("s.answer") >= THRESHOLD)
    segment = sum(((f.col("at") >= edge).cast("int") for edge in EDGES), start=f.lit(0))
    compared = joined.select(
        difference.alias("difference"), flip.cast("int").alias("flip"), segment.alias("segment")
    )
    compared.cache()  # two things are asked of it
    n, flips, mean, p99 = compared.agg(
        f.count("*"), f.sum("flip"), f.avg("difference"), f.percentile("difference", f.lit(0.99))
    ).first()
    segments = sorted(row[1] for row in compared.groupBy("segment").agg(f.sum("flip")).collect())
    return {"pairs": n, "flips": flips, "mean": mean, "p99": p99, "segments": segments}


@cache
def _session() -> Any:
    from pyspark.sql import SparkSession

    return (
        SparkSession.builder.master("local[*]")
        .config("spark.driver.memory", "4g")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.sql.shuffle.partitions", os.cpu_count())
        .getOrCreate()
    )


def measured(tool: str, folder: Path, python: str = sys.executable) -> dict[str, Any]:
    """Run one tool in a process of its own and return what it found and took."""
    done = subprocess.run(
        [python, __file__, "--tool", tool, "--folder", str(folder)],
        check=True,
        capture_output=True,
        text=True,
    )
    entry: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return entry


def run(tool: str, folder: Path) -> None:
    """Do one tool's work and print what it found and took, as JSON."""
    if tool == "spark":
        _session()
    began = time.perf_counter()
    found = {"ours": ours, "pandas": pandas, "simdjson": simdjson, "spark": spark}[tool](folder)
    seconds = time.perf_counter() - began
    if tool == "spark":
        # stopped and waited for, it counts as one of our children
        _session().stop()
        gateway = _session().sparkContext._gateway
        gateway.shutdown()
        gateway.proc.stdin.close()
        gateway.proc.wait(timeout=60)
    usage = resource.getrusage(resource.RUSAGE_CHILDREN if tool == "spark" else resource.RUSAGE_SELF)
    took = {
        "seconds": seconds,
        "cpu": usage.ru_utime + usage.ru_stime,
        "peak_mb": usage.ru_maxrss / 1024,
    }
    print(json.dumps({"tool": tool, "found": found, **took}))


def compare(arguments: argparse.Namespace, folder: Path) -> None:
    """Measure the tools in turn, check that they agree, print medians and ratios, and keep them."""
    load = os.getloadavg()[0]
    size = sum(path.stat().st_size for path in folder.rglob("*.jsonl"))
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, load {load:.1f} at the start; "
        f"{2 * arguments.pairs:,} records, {size / 1e9:.2f} GB"
    )
    tools = {"ours": sys.executable}
    if not arguments.ours:
        tools["pandas"] = sys.executable
    if arguments.simdjson:
        tools["simdjson"] = arguments.simdjson
    if arguments.spark:
        tools["spark"] = arguments.spark
    entries = [
        measured(tool, folder, python) for _ in range(arguments.rounds) for tool, python in tools.items()
    ]
    for entry in entries:
        print(
            f"{entry['tool']:8} {entry['seconds']:7.2f} s {entry['cpu']:7.2f} s CPU {entry['peak_mb']:7.0f} MB"
        )
    first = entries[0]["found"]
    assert first["pairs"] == arguments.pairs
    for entry in entries:
        found = entry["found"]
        if entry["tool"] == "simdjson":
            continue
        assert (found["flips"], found["segments"]) == (first["flips"], first["segments"]), entry
        assert abs(found["mean"] - first["mean"]) < 1e-9, entry
        assert abs(found["p99"] / first["p99"] - 1) < 0.01, entry
    medians = {
        tool: {
            name: statistics.median(entry[name] for entry in entries if entry["tool"] == tool)
            for name in ("seconds", "cpu", "peak_mb")
        }
        for tool in tools
    }
    for tool, median in medians.items():
        ratios = ", ".join(f"{name} {value / medians['ours'][name]:.2f}x" for name, value in median.items())
        print(f"{tool:8} median {median['seconds']:.2f} s, {median['peak_mb']:.0f} MB ({ratios} of ours)")
    if arguments.write:
        today = datetime.datetime.now(datetime.UTC).date().isoformat()
        path = ROOT / "benchmarks" / "results" / f"pairs-{arguments.pairs}-{today}.json"
        path.parent.mkdir(exist_ok=True)
        machine = {
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "load_before": round(load, 2),
        }
        kept = {
            "date": today,
            "machine": machine,
            "pairs": arguments.pairs,
            "bytes": size,
            "medians": medians,
            "entries": entries,
        }
        path.write_text(json.dumps(kept, indent=1) + "\n")
        print(f"kept in {path.relative_to(ROOT)}")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="captures into pairs")
    parser.add_argument("--pairs", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--ours", action="store_true")
    parser.add_argument("--make", action="store_true")
    parser.add_argument("--simdjson", metavar="PYTHON")
    parser.add_argument("--spark", metavar="PYTHON")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--tool", choices=("ours", "pandas", "simdjson", "spark"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.tool:
        run(arguments.tool, arguments.folder)
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        if not (folder / "shadow").exists():
            make(folder, arguments.pairs)
        if not arguments.make:
            compare(arguments, folder)


if __name__ == "__main__":
    main()
