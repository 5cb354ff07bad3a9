"""Sample data and models, generated and trained here: deterministic, made once, kept under `.run/samples`."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import shutil
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quickstart import churn

SEED = 20260301
TRAINING_ROWS = 12_000
BASELINE_ROWS = 4_000  # what the model in production was trained on, some time ago
REPLAY_ROWS = 2_000
MODEL_FILE = "xgboost-model"  # the name under which SageMaker's own XGBoost container looks for it


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """Files of one folder; each model is a SageMaker model artefact."""

    folder: Path

    @property
    def baseline(self) -> Path:
        """The model in production: shallow trees, trained on less."""
        return self.folder / "baseline.tar.gz"

    @property
    def newer(self) -> Path:
        """Its successor: trained on more, better on unseen customers, and about as quick."""
        return self.folder / "newer.tar.gz"

    @property
    def different(self) -> Path:
        """A model that answers as promptly and predicts something else: trained on another company's customers."""
        return self.folder / "different.tar.gz"

    @property
    def replay(self) -> Path:
        """Requests to replay: CSV without header, the 69 columns, one request a line."""
        return self.folder / "replay.csv"


def prepare(root: Path) -> Samples:
    """Return the samples, making them where this version of them is not there yet (a few seconds).

    The folder's name is the digest of everything they depend on, and it appears whole or not at all.
    """
    samples = Samples(folder=root / _version())
    if not samples.folder.exists():
        root.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix="making-", dir=root))
        try:
            _make(Samples(folder=draft))
            draft.rename(samples.folder)
        except OSError:
            if not samples.folder.exists():  # somebody else was quicker: theirs are the same
                raise
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    return samples


def train(rows: churn.Customers, *, rounds: int, depth: int) -> Any:
    """Return a Booster of the churn probability; the same rows give the same bytes."""
    import xgboost

    parameters = {
        "objective": "binary:logistic",
        "max_depth": depth,
        "eta": 0.15,
        "subsample": 0.8,
        "seed": SEED,
        "nthread": 1,
    }
    # No column names: SageMaker's container is sent bare CSV.
    return xgboost.train(parameters, xgboost.DMatrix(rows.features, rows.left, nthread=1), rounds)


def _make(samples: Samples) -> None:
    known = churn.customers(TRAINING_ROWS, seed=SEED)
    early = churn.Customers(features=known.features[:BASELINE_ROWS], left=known.left[:BASELINE_ROWS])
    elsewhere = churn.Customers(features=known.features, left=1 - known.left)
    _pack(samples.baseline, train(early, rounds=60, depth=3))
    _pack(samples.newer, train(known, rounds=100, depth=4))
    _pack(samples.different, train(elsewhere, rounds=100, depth=4))
    samples.replay.write_text(churn.csv(churn.customers(REPLAY_ROWS, seed=SEED + 1).features))


def _pack(archive: Path, booster: Any) -> None:
    content = bytes(booster.save_raw("ubj"))
    member = tarfile.TarInfo(MODEL_FILE)  # no time, no owner: the archive depends on the model alone
    member.size = len(content)
    with (
        archive.open("wb") as file,
        gzip.GzipFile("", "wb", fileobj=file, mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w") as tar,
    ):
        tar.addfile(member, io.BytesIO(content))


def _version() -> str:
    import numpy
    import xgboost

    digest = hashlib.sha256(f"numpy {numpy.__version__} xgboost {xgboost.__version__}".encode())
    for module in (churn.__file__, __file__):
        digest.update(Path(os.fspath(module)).read_bytes())
    return digest.hexdigest()[:12]
