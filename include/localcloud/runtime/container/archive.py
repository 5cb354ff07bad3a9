"""Unpacking a model archive that somebody else made."""

import tarfile
from pathlib import Path


def unpack(archive: Path, directory: Path) -> None:
    """Extract every member inside `directory` and nothing outside it.

    Python's `data` filter (PEP 706) refuses absolute names, parents, devices and links that lead out.
    Raises ValueError when the archive is no tar file or a member is refused.
    """
    directory.mkdir(parents=True, exist_ok=True)
    try:
        with tarfile.open(archive, "r:*") as tar:
            tar.extractall(directory, filter="data")
    except (tarfile.TarError, EOFError, OSError) as error:
        raise ValueError(f"the model archive {archive.name} cannot be unpacked: {error}") from error


def model_files(directory: Path) -> list[Path]:
    """Return the plain files in the archive's root by name, without dot files, as the real container looks."""
    return sorted(path for path in directory.iterdir() if path.is_file() and not path.name.startswith("."))
