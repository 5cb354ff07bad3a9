"""Unpacking an archive that somebody else made."""

import tarfile
from pathlib import Path

_MOST_BYTES = 30 << 30  # unpacked: the storage that an instance has when its endpoint asks for none


def unpack(archive: Path, directory: Path) -> None:
    """Extract every member inside `directory` and nothing outside it.

    Python's `data` filter (PEP 706) refuses absolute names, parents, devices and links that lead out.
    Raises ValueError when the archive is no tar file, a member is refused, or it grows beyond 30 GiB.
    """
    directory.mkdir(parents=True, exist_ok=True)
    total = 0

    def admitted(member: tarfile.TarInfo, path: str) -> tarfile.TarInfo | None:
        nonlocal total
        total += member.size
        if total > _MOST_BYTES:
            raise ValueError(
                f"the archive {archive.name} unpacks to more than {_MOST_BYTES} bytes, an instance's storage"
            )
        return tarfile.data_filter(member, path)

    try:
        with tarfile.open(archive, "r:*") as tar:
            tar.extractall(directory, filter=admitted)  # noqa: S202 - what the filter admits stays inside
    except (tarfile.TarError, EOFError, OSError) as error:
        raise ValueError(f"the archive {archive.name} cannot be unpacked: {error}") from error


def model_files(directory: Path) -> list[Path]:
    """Return the plain files in the archive's root by name, without dot files, as the real container looks."""
    return sorted(path for path in directory.iterdir() if path.is_file() and not path.name.startswith("."))
