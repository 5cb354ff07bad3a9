"""The documents of S3's answers that more than a line makes."""

from collections.abc import Iterable, Mapping

from include.localcloud.s3 import xml
from include.localcloud.s3.index import Part, Stored, Upload


def contents(stored: Stored, encoding: str | None) -> str:
    """Return an object as a listing shows it."""
    return xml.parent(
        "Contents",
        [
            xml.element("Key", xml.name(stored.key, encoding)),
            xml.element("LastModified", xml.time(stored.modified)),
            xml.element("ETag", f'"{stored.etag}"'),
            xml.element("Size", stored.size),
            xml.element("StorageClass", "STANDARD"),
        ],
    )


def copy_result(etag: str, modified: float) -> list[str]:
    """Return what a copy answers about the new object or part."""
    return [xml.element("LastModified", xml.time(modified)), xml.element("ETag", f'"{etag}"')]


def fields(root: str, values: Mapping[str, object]) -> bytes:
    """Return a document of plain fields."""
    return xml.document(root, (xml.element(name, value) for name, value in values.items()))


def parts(bucket: str, key: str, upload_id: str, known: Iterable[Part]) -> bytes:
    """Return the answer to ListParts; it is never truncated."""
    head = {"Bucket": bucket, "Key": key, "UploadId": upload_id, "IsTruncated": False}
    listed = [
        xml.parent(
            "Part",
            [
                xml.element("PartNumber", part.number),
                xml.element("LastModified", xml.time(part.modified)),
                xml.element("ETag", f'"{part.etag}"'),
                xml.element("Size", part.size),
            ],
        )
        for part in known
    ]
    return xml.document(
        "ListPartsResult", [xml.element(name, value) for name, value in head.items()] + listed
    )


def uploads(bucket: str, known: Iterable[Upload], encoding: str | None) -> bytes:
    """Return the answer to ListMultipartUploads; it is never truncated."""
    listed = [
        xml.parent(
            "Upload",
            [
                xml.element("Key", xml.name(upload.key, encoding)),
                xml.element("UploadId", upload.id),
                xml.element("Initiated", xml.time(upload.started)),
            ],
        )
        for upload in known
    ]
    head = [xml.element("Bucket", bucket), xml.element("IsTruncated", False)]
    return xml.document("ListMultipartUploadsResult", head + listed)
