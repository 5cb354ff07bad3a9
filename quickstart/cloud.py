"""The local cloud, started and watched from outside: `python -m include.localcloud`."""

from __future__ import annotations

import json
import sys
import time
import urllib.error
import urllib.request
from typing import Any

from quickstart.environment import project_environment
from quickstart.layout import Layout
from quickstart.ports import Ports
from quickstart.roster import Roster

ENTRY = "local-cloud"
SERVICE = "penumbra-localcloud"  # how its health report names itself
REGION = "us-east-1"
CREDENTIALS = {"aws_access_key_id": "local", "aws_secret_access_key": "no-secret-at-all"}


class LocalCloud:
    """One local SageMaker with its own state; what it serves survives a restart."""

    def __init__(self, layout: Layout, ports: Ports, roster: Roster) -> None:
        self.url = f"http://127.0.0.1:{ports.cloud}"
        self._port = ports.cloud
        self._layout = layout
        self._roster = roster

    def start(self, *, timeout: float = 60.0) -> None:
        """Start it and wait until it answers; ProcessDiedError with the end of its log where it ended."""
        self._roster.stop(ENTRY, patience=0)
        self._layout.cloud.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "include.localcloud"]
        command += ["--port", str(self._port), "--state", str(self._layout.cloud)]
        environment = project_environment(self._layout)
        self._roster.start(ENTRY, command, env=environment, cwd=self._layout.project)
        deadline = time.monotonic() + timeout
        while not self.healthy():
            self._roster.check([ENTRY])
            if time.monotonic() > deadline:
                raise TimeoutError(f"The local cloud does not answer on {self.url} after {timeout:.0f} s.")
            time.sleep(0.1)

    def healthy(self) -> bool:
        """Say whether a local cloud answers there."""
        try:
            return bool(self.ask("/_local/health").get("service") == SERVICE)
        except (OSError, ValueError):
            return False

    def ask(self, path: str, body: Any = None, *, method: str | None = None) -> dict[str, Any]:
        """Send a request to the local cloud's own API (`/_local/…`: health, state, faults)."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, method=method)
        request.add_header("Content-Type", "application/json")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=10) as answer:
            content = answer.read()
        return dict(json.loads(content)) if content else {}

    def client(self, service: str) -> Any:
        """Return a boto3 client of this service at the local cloud, with credentials that open nothing else."""
        import boto3
        from botocore.config import Config

        return boto3.client(
            service,
            region_name=REGION,
            endpoint_url=self.url,
            config=Config(proxies={}, retries={"total_max_attempts": 3}),
            **CREDENTIALS,
        )

    def kill(self) -> None:
        """SIGKILL it with everything it started, as a crash would."""
        self._roster.kill(ENTRY)

    def stop(self) -> None:
        """End it; its state stays on disk."""
        self._roster.stop(ENTRY)
