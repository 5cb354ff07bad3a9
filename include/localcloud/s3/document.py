"""The documents of S3's answers that more than a line makes."""

from collections.abc import Mapping, Sequence

from include.localcloud.s3 import xml
from include.localcloud.s3.index import Part, Stored, Upload

_OWNER = xml.parent("Owner", [xml.element("ID", "localcloud"), xml.element("DisplayName", "localcloud")])


def buckets(shown: Sequence[tuple[str, float]], prefix: str | None, token: str | None) -> bytes:
    """Return the answer to ListBuckets: names and dates, and a token if there are more."""
    listed = (
        xml.parent("Bucket", [xml.element("Name", name), xml.element("CreationDate", xml.time(created))])
        for name, created in shown
    )
    head = [_OWNER, xml.parent("Buckets", listed)]
    more = [xml.element("Prefix", prefix), xml.element("ContinuationToken", token)]
    return xml.document("ListAllMyBucketsResult", head + more)


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


def parts(bucket: str, key: str, upload_id: str, known: Sequence[Part], *, after: int, limit: int) -> bytes:
    """Return the answer to ListParts: at most `limit` of the parts whose numbers are above `after`."""
    shown = [part for part in known if part.number > after]
    truncated, shown = len(shown) > limit, shown[:limit]
    head = {
        "Bucket": bucket,
        "Key": key,
        "UploadId": upload_id,
        "PartNumberMarker": after,
        "NextPartNumberMarker": shown[-1].number if truncated and shown else None,
        "MaxParts": limit,
        "IsTruncated": truncated,
    }
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
        for part in shown
    ]
    return xml.document(
        "ListPartsResult", [xml.element(name, value) for name, value in head.items()] + listed
    )


def uploads(
    bucket: str, known: Sequence[Upload], encoding: str | None, *, after: tuple[str, str], limit: int
) -> bytes:
    """Return the answer to ListMultipartUploads: at most `limit` uploads beyond the key and upload id `after`.

    Without an upload id, what is left out is every upload of the key.
    """
    key, upload_id = after
    shown = [
        upload
        for upload in sorted(known, key=lambda upload: (upload.key, upload.id))
        if upload.key > key or (upload.key == key and upload_id and upload.id > upload_id)
    ]
    truncated, shown = len(shown) > limit, shown[:limit]
    last = shown[-1] if truncated and shown else None
    listed = [
        xml.parent(
            "Upload",
            [
                xml.element("Key", xml.name(upload.key, encoding)),
                xml.element("UploadId", upload.id),
                xml.element("Initiated", xml.time(upload.started)),
            ],
        )
        for upload in shown
    ]
    head = [
        xml.element("Bucket", bucket),
        xml.element("KeyMarker", xml.name(key, encoding)),
        xml.element("UploadIdMarker", upload_id),
        xml.element("NextKeyMarker", None if last is None else xml.name(last.key, encoding)),
        xml.element("NextUploadIdMarker", None if last is None else last.id),
        xml.element("MaxUploads", limit),
        xml.element("EncodingType", encoding),
        xml.element("IsTruncated", truncated),
    ]
    return xml.document("ListMultipartUploadsResult", head + listed)
