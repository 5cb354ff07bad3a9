"""Beginning anew: a state folder emptied before the local cloud starts on it."""

import shutil
from pathlib import Path

from include.localcloud.state import claim

_MARKS = ("lock", "s3", "sagemaker")  # what every local cloud leaves in its folder


class ForeignFolderError(Exception):
    """The folder is no local cloud's."""


def reset(folder: Path) -> None:
    """Remove everything in the state folder; one that does not exist is as good.

    Raises StateInUseError while another local cloud serves from it, and ForeignFolderError, with nothing removed,
    when it is not a local cloud's: a mistyped --state must not cost anybody their files.
    """
    if not folder.exists() or not any(folder.iterdir()):
        return
    missing = [name for name in _MARKS if not (folder / name).exists()]
    if missing:
        raise ForeignFolderError(
            f"the state folder {folder} has no {' and no '.join(missing)}, so no local cloud wrote it; "
            "nothing was removed, choose another with --state"
        )
    lock = claim(folder)
    try:
        for entry in folder.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            elif entry.name != "lock":
                entry.unlink()
    finally:
        lock.close()
