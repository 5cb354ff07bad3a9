"""Unmodified AWS clients against the local cloud, each in a venv of its own made from its own lock.

    .venv/bin/python -m tests.clients.run [airflow | awscli | sagemaker | sagemaker-core …]

A client is told where the local cloud is by AWS_ENDPOINT_URL and by nothing else. Its scenario is a program beside
its lock that ends with 0 when everything went as on AWS.
"""

import hashlib
import os
import signal
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
VENVS = PROJECT / ".run" / "clients"
UV = PROJECT / ".tools" / "bin" / "uv"
INSTALL_SECONDS, SCENARIO_SECONDS = 1200, 300
# What a person's own settings could change about a client.
OTHERS_SETTINGS = ("AIRFLOW_", "AWS_", "SAGEMAKER_", "PYTHON", "PIP_REQUIRE", "VIRTUAL_ENV")
# uv reads no pip configuration: it is handed on where packages are and whom to trust.
PIP_TO_UV = {
    "PIP_INDEX_URL": "UV_DEFAULT_INDEX",
    "PIP_EXTRA_INDEX_URL": "UV_INDEX",
    "PIP_FIND_LINKS": "UV_FIND_LINKS",
    "PIP_CERT": "SSL_CERT_FILE",
}


def known() -> list[str]:
    """Return the clients: every folder here with a lock."""
    return sorted(lock.parent.name for lock in HERE.glob("*/requirements.lock"))


def installed(client: str) -> Path:
    """Return the Python of the client's venv, which holds exactly what its lock pins."""
    lock = HERE / client / "requirements.lock"
    folder = VENVS / client
    python, stamp = folder / "bin" / "python", folder / ".installed"
    wanted = f"{hashlib.sha256(lock.read_bytes()).hexdigest()} {sys.version.split()[0]}"
    if stamp.exists() and stamp.read_text() == wanted:
        return python
    print(f"installing {client} into {folder.relative_to(PROJECT)} …", flush=True)
    venv.create(folder, clear=True, with_pip=not UV.exists())
    options = ["--require-hashes", "--only-binary", ":all:", "--no-deps", "--quiet", "-r", str(lock)]
    environment = dict(os.environ)
    if UV.exists():
        command = [str(UV), "pip", "install", "--python", str(python), *options]
        environment |= {theirs: os.environ[ours] for ours, theirs in PIP_TO_UV.items() if ours in os.environ}
        environment["UV_INDEX_STRATEGY"] = (
            "unsafe-best-match"  # hashes are checked, so the place does not matter
        )
    else:
        command = [str(python), "-m", "pip", "install", *options]
    subprocess.run(command, check=True, env=environment, timeout=INSTALL_SECONDS)
    stamp.write_text(wanted)
    return python


def environment(url: str, home: Path, python: Path) -> dict[str, str]:
    """Return what a client sees: where the local cloud is, credentials that mean nothing, nobody's own settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OTHERS_SETTINGS)}
    kept = {name: value for name, value in kept.items() if not name.lower().endswith("_proxy")}
    return kept | {
        "AWS_ENDPOINT_URL": url,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_CONFIG_FILE": str(home / "none"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "HOME": str(home),
        "PATH": f"{python.parent}:{os.environ['PATH']}",
    }


def run(client: str) -> bool:
    """Tell whether the client's scenario passes on a local cloud of its own."""
    python = installed(client)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        with (home / "cloud.log").open("w") as log:
            cloud = subprocess.Popen(
                [sys.executable, "-m", "include.localcloud", "--port", "0", "--state", str(home / "state")],
                cwd=PROJECT,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        try:
            assert cloud.stdout is not None
            url = cloud.stdout.readline().removeprefix("ready ").strip()
            if not url:
                raise RuntimeError(f"the local cloud did not start: {(home / 'cloud.log').read_text()}")
            scenario = subprocess.run(
                [str(python), str(HERE / client / "scenario.py")],
                cwd=home,
                env=environment(url, home, python),
                timeout=SCENARIO_SECONDS,
                check=False,
            )
        finally:
            cloud.send_signal(signal.SIGTERM)
            cloud.wait(60)
        if scenario.returncode:
            print((home / "cloud.log").read_text()[-4000:], file=sys.stderr)
    return scenario.returncode == 0


def main() -> int:
    """Run the named clients, or all; return 0 when all passed."""
    wanted = sys.argv[1:] or known()
    if unknown := set(wanted) - set(known()):
        print(
            f"there is no client {', '.join(sorted(unknown))}; there are {', '.join(known())}",
            file=sys.stderr,
        )
        return 2
    passed = 0
    for client in wanted:
        well = run(client)
        passed += well
        print(f"{client}: {'passed' if well else 'FAILED'}", flush=True)
    print(f"{passed} passed, {len(wanted) - passed} failed")
    return 0 if passed == len(wanted) else 1


if __name__ == "__main__":
    sys.exit(main())
