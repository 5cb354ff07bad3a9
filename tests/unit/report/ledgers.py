"""Rollouts as the steps write them, in a folder: what the pages are tried on."""

import random
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

from include.ledger.objects import Kind, Ledger, finding_key, replay_key, tick_key
from include.ledger.reader import enrol
from include.rollout.evidence import Evidence, Period
from include.rollout.gate import Finding, Outcome
from include.rollout.names import rollout_id, timestamp
from include.rollout.rule import Severity

START = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
PERIOD = 10
BAR = 4.605170185988092  # log 100


class Story:
    """Writes one rollout's ledger, stage by stage, a few seconds apart."""

    def __init__(
        self, store, run_id, *, at=START, dag_id="shadow_rollout", endpoint="churn", spec="churn_healthy"
    ):
        self.run_id, self.dag_id, self.endpoint, self.spec = run_id, dag_id, endpoint, spec
        self.id = rollout_id(dag_id, run_id)
        self.ledger = Ledger(store, self.id)
        self.now = at
        self.random = random.Random(run_id)

    def write(self, key, document, after=1):
        self.now += timedelta(seconds=after)
        return self.ledger.write(key, document, at=self.now)

    def open(
        self,
        *,
        asked_by="admin",
        overrides=None,
        description="A newer churn model.",
        mode="candidate",
        approval=False,
    ):
        about = {
            "spec": self.spec,
            "asked_by": asked_by,
            "dag_id": self.dag_id,
            "run_id": self.run_id,
        }
        enrol(self.ledger, about, at=self.now)
        spec = {
            "description": description,
            "endpoint": {"name": self.endpoint, "variant": None},
            "connection": "aws_local",
            "strategy": "self_service",
            "mode": mode,
            "candidate": {
                "package_group": "churn",
                "package": None,
                "artifact": "s3://penumbra-local/churn/models/newer.tar.gz",
                "image": None,
                "environment": {"LOCAL_ERROR_SHARE": "0.02"},
                "instance_type": None,
                "instance_count": None,
            },
            "sampling": 1.0,
            "promotion": {"settings": "production", "approval": approval, "approval_timeout": 86400},
            "replay": {"source": "s3://penumbra-local/churn/replay.csv", "rate": 60.0, "shards": 1},
            "window": {
                "period": PERIOD,
                "warm_up": 10,
                "length": 80,
                "maximum": 110,
                "lag": 5,
                "opening": 120,
            },
            "gates": {
                "abort_alpha": 0.01,
                "rules": [
                    {"kind": "completeness", "severity": "critical"},
                    {"kind": "min_sample", "severity": "critical", "requests": 2000},
                    {"kind": "error_rate", "severity": "critical", "absolute": 0.005},
                    {"kind": "error_threshold", "severity": "critical", "limit": 0.01},
                    {"kind": "latency", "severity": "critical", "quantile": "p90", "margin": 0.2},
                    {
                        "kind": "latency_threshold",
                        "severity": "warning",
                        "quantile": "p99",
                        "limit_ms": 100,
                    },
                ],
            },
        }
        self.write(
            Kind.SPEC,
            {"name": self.spec, "spec": spec, "overrides": overrides or {}, "asked_by": asked_by},
        )
        return self

    def plan(self, refusal=None):
        self.write(
            Kind.PLAN,
            {
                "endpoint": self.endpoint,
                "changes": [
                    f"ShadowProductionVariants[0].ModelName: pen-{self.id}-candidate-churn instead of nothing"
                ],
                "promotion_changes": [
                    f"ProductionVariants[0].ModelName: pen-{self.id}-candidate-churn instead of churn-current"
                ],
                "instances": ["2 x ml.m5.large (production's old and new fleet side by side)"],
                "requests_per_second": 60.0,
                "traffic": "0.0 requests/s live over the last hour + 60 requests/s replayed; 100% copied to the shadow",
                "window": 80,
                "maximum": 110,
                "gates": [
                    {
                        "gate": "error_rate",
                        "needed": 50,
                        "sentence": "an equal candidate passes after about 50 s",
                    }
                ],
                "refusal": refusal,
            },
        )
        return self

    def baseline(self):
        self.write(
            Kind.BASELINE,
            {
                "endpoint": self.endpoint,
                "endpoint_arn": f"arn:aws:sagemaker:us-east-1:123456789012:endpoint/{self.endpoint}",
                "variant": "AllTraffic",
                "config_name": "churn-config",
                "config": {"ProductionVariants": [{"VariantName": "AllTraffic"}]},
                "instance_count": 1,
                "weight": 1.0,
                "model_name": "churn-current",
                "model": {},
                "container": {},
            },
        )
        return self

    def candidate(self):
        self.write(
            Kind.CANDIDATE,
            {
                "model": f"pen-{self.id}-candidate-churn",
                "package": "arn:aws:sagemaker:us-east-1:123456789012:model-package/churn/2",
                "registered": True,
                "created": True,
            },
            after=2,
        )
        return self

    def deploy(self):
        self.write("deployment/shadow.begun", {"stage": "SHADOW"})
        self.write("deployment/shadow", {"config": f"pen-{self.id}-shadow-churn"}, after=20)
        self.write(f"{replay_key(0)}.started", {"shard": 0, "rate": 60.0})
        return self

    def window(self):
        self.now += timedelta(seconds=12)
        begin = self.now.replace(second=0) + timedelta(seconds=60)
        self.opens, self.closes = begin, begin + timedelta(seconds=80)
        self.write(
            Kind.WINDOW,
            {
                "opened": timestamp(self.now),
                "begin": timestamp(self.opens),
                "end": timestamp(self.closes),
                "closed": None,
                "thresholds": [],
            },
        )
        return self

    def measure(self, periods, *, slower=1.0, error_share=0.0):
        """Make up what CloudWatch would have held, the same for every call with the same run id."""
        rows = {"production": [], "shadow": []}
        for at in range(periods):
            for role, factor, share in (("production", 1.0, 0.0002), ("shadow", slower, error_share)):
                requests = 600 + self.random.randrange(-25, 26)
                errors = sum(self.random.random() < share for _ in range(requests))
                p50 = 12_000 * factor * self.random.uniform(0.97, 1.03)
                rows[role].append(
                    Period(
                        start=self.opens + timedelta(seconds=PERIOD * at),
                        invocations=float(requests),
                        errors={"InvocationModelErrors": float(errors)} if errors else {},
                        latency={
                            "p50": p50,
                            "p90": p50 * self.random.uniform(1.28, 1.36),
                            "p99": p50 * self.random.uniform(1.6, 2.4),
                        },
                    )
                )
        self.rows = rows
        return self

    def look(self, periods, log_e):
        """Write one tick for each period, with the evidence that `log_e(n)` gives after n periods."""
        for number in range(1, periods + 1):
            self.now = self.opens + timedelta(seconds=PERIOD * number + 5)
            seen = {role: rows[:number] for role, rows in self.rows.items()}
            value = log_e(number)
            aborts = value >= BAR
            numbers = {}
            for role, rows in seen.items():
                requests = sum(row.invocations for row in rows)
                errors = sum(row.errors.get("InvocationModelErrors", 0.0) for row in rows)
                numbers[role] = {
                    "invocations": requests,
                    "errors": errors,
                    "error_rate": errors / requests,
                    "p50_ms": rows[-1].latency["p50"] / 1000,
                    "p90_ms": rows[-1].latency["p90"] / 1000,
                    "period": rows[-1].to_document(),
                }
            end = self.opens + timedelta(seconds=PERIOD * number)
            self.write(
                tick_key(end),
                {
                    "end": timestamp(end),
                    **numbers,
                    "log_e": value,
                    "bar": BAR,
                    "by_gate": {"error_rate": value + 0.3, "latency:p90": value - 1.2},
                    "abort": "the shadow's error rate is 1.9 pp above production's" if aborts else None,
                    "line": "a line",
                },
            )
        return self

    def judge(self, verdict, findings, *, closed="end", reading=1):
        evidence = Evidence(
            begin=self.opens,
            end=self.opens + timedelta(seconds=PERIOD * len(self.rows["shadow"])),
            period=PERIOD,
            sampling=1.0,
            production=tuple(self.rows["production"]),
            shadow=tuple(self.rows["shadow"]),
            whole={
                "production": {"p50": 12010.0, "p90": 15800.0, "p99": 23900.0},
                "shadow": {"p50": 12110.0, "p90": 15920.0, "p99": 24500.0},
            },
        )
        self.write(f"{Kind.EVIDENCE}/{reading}", evidence.to_document())
        self.write(f"{Kind.VALIDATION}/{reading}", {"result": {"success": True}})
        self.write(
            finding_key(str(reading)),
            {
                "reading": reading,
                "closed": closed,
                "verdict": verdict,
                "findings": [
                    {**asdict(f), "severity": f.severity.value, "outcome": f.outcome.value} for f in findings
                ],
                "evidence": "0f" * 32,
            },
        )
        return self

    def decide(self, verdict, action, why, *, closed="end", gate=None, who="the gates"):
        self.write(Kind.REPLAY_STOP, {"closed": closed})
        self.write(
            replay_key(0),
            {
                "shard": 0,
                "account": {
                    "schema": 1,
                    "scheduled": 6031,
                    "answered": 6020,
                    "failed": {"model_error": 9, "timeout": 1},
                    "shed": 1,
                },
                "bad_rows": 0,
            },
        )
        self.write(
            Kind.VERDICT,
            {
                "verdict": verdict,
                "reading": 1,
                "closed": closed,
                "gate": gate,
                "reason": why,
                "evidence": "0f" * 32,
            },
        )
        self.write(
            Kind.DECISION,
            {
                "verdict": verdict,
                "action": action,
                "who": who,
                "why": why,
                "evidence": "0f" * 32,
                "would_have": action,
            },
        )
        return self

    def end(self, end, reason, *, deleted=()):
        self.write(Kind.CLEANUP, {"deleted": list(deleted)})
        self.write(Kind.OUTCOME, {"end": end, "reason": reason}, after=3)
        return self

    def served(self):
        """Open, plan, deploy, and have both variants answer."""
        return self.open().plan().baseline().candidate().deploy().window()


def finding(gate, outcome, reason, **facts):
    return Finding(
        gate=gate,
        kind=gate.partition(":")[0],
        severity=facts.pop("severity", Severity.CRITICAL),
        outcome=outcome,
        reason=reason,
        **facts,
    )


def findings(failing=False):
    error = Outcome.FAIL if failing else Outcome.PASS
    read = Outcome.INCONCLUSIVE if failing else Outcome.PASS
    return [
        finding(
            "completeness",
            Outcome.PASS,
            "both variants were measured in 8 of 8 periods",
            unit="share of periods",
            effect=1.0,
            limit=0.9,
            n=4800,
            periods=8,
        ),
        finding(
            "min_sample",
            Outcome.PASS,
            "production answered 4,810 and the shadow 4,800 requests, at least the 2,000 needed",
            unit="requests",
            effect=4800.0,
            limit=2000.0,
            n=4800,
            periods=8,
        ),
        finding(
            "error_rate",
            error,
            "the shadow's error rate 1.9 % (91 of 4,800) is 1.88 pp above production's 0.02 % (1 of 4,810); at most 0.5 pp more is allowed"
            if failing
            else "the shadow's error rate 0.021 % (1 of 4,800) is 0 pp above production's 0.021 % (1 of 4,810); at most 0.5 pp more is allowed",
            unit="errors per request, shadow minus production",
            effect=0.0188 if failing else 0.0000002,
            low=0.0141 if failing else -0.0012,
            high=0.0243 if failing else 0.0013,
            limit=0.005,
            alpha=0.025,
            log_e=9.1 if failing else -3.2,
            n=4800,
            periods=8,
        ),
        finding(
            "latency:p90",
            read,
            "the shadow's p90 is 1.008 times production's, within the 1.2 allowed",
            unit="ratio of the periods' p90, shadow over production",
            effect=1.008,
            low=0.991,
            high=1.026,
            limit=1.2,
            alpha=0.025,
            log_e=-1.2,
            n=4800,
            periods=8,
            dropped=1,
        ),
        finding(
            "latency_threshold:p99",
            read,
            "the shadow's p99 over the whole window is 24.5 ms, within the 100 ms allowed (no interval)",
            severity=Severity.WARNING,
            unit="milliseconds",
            effect=24.5,
            limit=100.0,
            n=4800,
            periods=8,
        ),
    ]


def promoted(store, run_id="manual__2026-03-01T12:00:00+00:00", at=START):
    story = Story(store, run_id, at=at).served().measure(8).look(8, lambda n: -0.4 * n)
    story.judge("PROMOTE", findings()).decide("PROMOTE", "promote", "every gate that binds passed")
    story.write("deployment/baseline.begun", {"stage": "BASELINE"}, after=2)
    story.write("deployment/promoted.begun", {"stage": "PROMOTED"}, after=10)
    story.write(
        Kind.PROMOTION,
        {"config": f"pen-{story.id}-promoted-churn", "model": f"pen-{story.id}-candidate-churn"},
        after=10,
    )
    return story.end("PROMOTED", "every gate that binds passed", deleted=[f"pen-{story.id}-shadow-churn"])


def rolled_back(store, run_id="manual__2026-03-01T13:00:00+00:00", at=START + timedelta(hours=1)):
    why = "the shadow's error rate 1.9 % (91 of 4,800) is 1.88 pp above production's 0.02 % (1 of 4,810); at most 0.5 pp more is allowed, and the evidence against that limit reached 148 after 3 periods, where 100 is enough"
    story = Story(store, run_id, at=at, spec="churn_failing").served().measure(3, error_share=0.019)
    story.look(3, lambda n: 2.0 * n - 1).judge("ROLL_BACK", findings(failing=True), closed="abort")
    story.decide("ROLL_BACK", "roll_back", why, closed="abort", gate="error_rate")
    story.write(Kind.RESTORE, {"config": "churn-config"}, after=15)
    return story.end(
        "ROLLED_BACK",
        why,
        deleted=[f"pen-{story.id}-shadow-churn", f"pen-{story.id}-candidate-churn"],
    )


def running(store, run_id="manual__2026-03-01T14:00:00+00:00", at=START + timedelta(hours=2), periods=5):
    return Story(store, run_id, at=at).served().measure(8).look(periods, lambda n: -0.2 * n)


def crashed(store, run_id="manual__2026-03-01T15:00:00+00:00", at=START + timedelta(hours=3)):
    story = Story(store, run_id, at=at).open().plan().baseline()
    reason = (
        "model package churn/7 does not exist in us-east-1; register it first or correct candidate.package."
    )
    story.write("failure/register", {"task": "register", "reason": reason})
    return story.end("CRASHED", f"register failed: {reason}")


def refused(store, run_id="scheduled__2026-03-01T16:00:00+00:00", at=START + timedelta(hours=4)):
    story = Story(store, run_id, at=at).open(asked_by="a schedule")
    story.write(
        Kind.OUTCOME,
        {"end": "REFUSED", "reason": "endpoint churn does not exist in us-east-1; create it."},
    )
    return story


HOSTILE = """<script>window.pwned=1</script><img src=x onerror=pwned()>"'&{{7*7}}</script>"""


def hostile(store, run_id=f"manual__{HOSTILE}", at=START + timedelta(hours=5)):
    """Every text that comes from outside carries markup."""
    story = Story(store, run_id, at=at, endpoint=f"churn{HOSTILE}", spec=f"spec{HOSTILE}")
    story.open(asked_by=f"who{HOSTILE}", overrides={f"key{HOSTILE}": HOSTILE}, description=HOSTILE)
    story.plan(refusal=HOSTILE).baseline().candidate().deploy().window().measure(4).look(4, lambda n: 2.0 * n)
    bad = finding(f"gate{HOSTILE}", Outcome.FAIL, HOSTILE, unit=HOSTILE, effect=1.0, low=0.5, high=2.0)
    story.judge("ROLL_BACK", [bad, *findings()], closed="abort")
    story.write("conclude/0001", {"who": HOSTILE, "why": HOSTILE, "action": HOSTILE, "seconds": 0})
    story.write("failure/register", {"task": HOSTILE, "reason": HOSTILE})
    story.decide("ROLL_BACK", "roll_back", HOSTILE, closed="abort", gate=HOSTILE, who=HOSTILE)
    return story.end("ROLLED_BACK", HOSTILE, deleted=[HOSTILE])
