"""Model archives that somebody else made."""

import io
import tarfile

import pytest

from include.localcloud.runtime.container import archive as module
from include.localcloud.runtime.container.archive import model_files, unpack


def _archive(path, *members):
    with tarfile.open(path, "w:gz") as tar:
        for name, kind, content in members:
            member = tarfile.TarInfo(name)
            member.type = kind
            if kind == tarfile.SYMTYPE:
                member.linkname = content
                tar.addfile(member)
            else:
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    return path


def test_the_models_are_the_plain_files_of_the_root(tmp_path):
    archive = _archive(
        tmp_path / "m.tar.gz",
        ("xgboost-model", tarfile.REGTYPE, b"m"),
        (".hidden", tarfile.REGTYPE, b"h"),
        ("code/inference.py", tarfile.REGTYPE, b"c"),
    )
    unpack(archive, tmp_path / "model")
    assert [path.name for path in model_files(tmp_path / "model")] == ["xgboost-model"]


@pytest.mark.parametrize(
    "member",
    [
        ("../outside", tarfile.REGTYPE, b"x"),
        ("link", tarfile.SYMTYPE, "/etc/passwd"),
        ("pipe", tarfile.FIFOTYPE, b""),
    ],
    ids=["parent", "link out", "device"],
)
def test_a_member_that_leads_out_is_refused(tmp_path, member):
    archive = _archive(tmp_path / "m.tar.gz", member)
    with pytest.raises(ValueError, match="cannot be unpacked"):
        unpack(archive, tmp_path / "in" / "model")
    assert not (tmp_path / "in" / "outside").exists()


def test_an_archive_that_unpacks_to_more_than_an_instance_holds_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_MOST_BYTES", 1000)
    members = [(f"part-{i}", tarfile.REGTYPE, b"0" * 400) for i in range(4)]
    with pytest.raises(ValueError, match="unpacks to more than 1000 bytes"):
        unpack(_archive(tmp_path / "m.tar.gz", *members), tmp_path / "model")


def test_a_file_that_is_no_archive_is_refused(tmp_path):
    (tmp_path / "m.tar.gz").write_bytes(b"no archive")
    with pytest.raises(ValueError, match=r"m\.tar\.gz cannot be unpacked"):
        unpack(tmp_path / "m.tar.gz", tmp_path / "model")
