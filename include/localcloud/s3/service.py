"""S3 over HTTP: each operation from its request to its response."""

import logging
import urllib.parse
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from include.localcloud.faults import Faults
from include.localcloud.http import Request, Response
from include.localcloud.protocol import AwsError
from include.localcloud.s3 import checksum, chunked, document, operation, xml
from include.localcloud.s3.address import Address, addressed
from include.localcloud.s3.condition import WriteCondition, copy_source_refused, read_status
from include.localcloud.s3.error import S3Error
from include.localcloud.s3.exchange import FULL_OBJECT, byte_range, content, described, kept_headers
from include.localcloud.s3.index import Stored
from include.localcloud.s3.parameter import check_version, integer, limited, start_of, token_of, whole
from include.localcloud.s3.store import ObjectStore

log = logging.getLogger(__name__)

_MOST_BUCKETS = 10_000  # in one answer
_XML = {"Content-Type": "application/xml"}


@dataclass(frozen=True, slots=True)
class _Call:
    request: Request
    address: Address
    query: Mapping[str, str]
    region: str


class S3Service:
    """Answers S3 requests from an ObjectStore; `before_listing` runs before anything is listed."""

    def __init__(
        self, store: ObjectStore, before_listing: Callable[[], Awaitable[None]], faults: Faults | None = None
    ) -> None:
        self._store = store
        self._faults = faults or Faults()
        self._before_listing = before_listing

    async def handle(self, request: Request, region: str) -> Response:
        """Return the response; every S3Error becomes its XML document."""
        call = _Call(
            request,
            addressed(request),
            dict(urllib.parse.parse_qsl(request.query, keep_blank_values=True)),
            region,
        )
        name = operation.supported(request.method, call.address, call.query, request.headers)
        try:
            if name is None:
                missing = operation.named(request.method, call.address, call.query)
                text = f"The local cloud does not support the S3 operation {missing}."
                raise S3Error("NotImplemented", text, 400)
            self._faults.raise_for(name)
            check_version(call.query.get("versionId"))
            response: Response = await getattr(self, name)(call)
        except (chunked.MalformedChunkError, xml.MalformedXMLError) as error:
            code = "MalformedXML" if isinstance(error, xml.MalformedXMLError) else "IncompleteBody"
            return _refusal(request, S3Error(code, str(error), 400))
        except checksum.BadDigestError as error:
            text = f"The {error} you specified did not match the calculated checksum."
            return _refusal(request, S3Error("BadDigest", text, 400))
        except AwsError as error:
            return _refusal(request, S3Error(error.code, error.message, error.status))
        except S3Error as error:
            return _refusal(request, error)
        return response

    # the service and its buckets

    async def ListBuckets(self, call: _Call) -> Response:
        query = call.query
        token = query.get("continuation-token")
        after = "" if token is None else start_of(token)
        found = [
            (name, created)
            for name, created, region in self._store.buckets()
            if name > after
            and name.startswith(query.get("prefix", ""))
            and query.get("bucket-region") in {None, region}
        ]
        limit = integer(query, "max-buckets", _MOST_BUCKETS)
        if not 1 <= limit <= _MOST_BUCKETS:
            raise S3Error("InvalidArgument", f"max-buckets must be between 1 and {_MOST_BUCKETS}", 400)
        return Response(
            200,
            _XML,
            document.buckets(
                found[:limit],
                query.get("prefix"),
                token_of(found[limit - 1][0]) if len(found) > limit else None,
            ),
        )

    async def CreateBucket(self, call: _Call) -> Response:
        region = call.region
        if call.request.body:
            constraint = xml.parse(call.request.body).findtext("LocationConstraint")
            region = constraint or region
        self._store.create_bucket(call.address.bucket, region)
        log.info("CreateBucket %s", call.address.bucket)
        return Response(200, {"Location": f"/{call.address.bucket}"})

    async def HeadBucket(self, call: _Call) -> Response:
        return Response(200, {"x-amz-bucket-region": self._store.region(call.address.bucket)})

    async def DeleteBucket(self, call: _Call) -> Response:
        self._store.delete_bucket(call.address.bucket)
        log.info("DeleteBucket %s", call.address.bucket)
        return Response(204)

    async def GetBucketLocation(self, call: _Call) -> Response:
        region = self._store.region(call.address.bucket)
        return Response(
            200, _XML, xml.document("LocationConstraint", [] if region == "us-east-1" else [region])
        )

    async def GetBucketVersioning(self, call: _Call) -> Response:
        self._store.region(call.address.bucket)
        return Response(200, _XML, xml.document("VersioningConfiguration", []))  # never enabled

    # listings

    async def ListObjectsV2(self, call: _Call) -> Response:
        token = call.query.get("continuation-token")
        after = call.query.get("start-after", "")
        return await self._list(
            call,
            start="" if token is None else start_of(token),
            after=after if token is None else "",
            v2=[
                xml.element("ContinuationToken", token),
                xml.element("StartAfter", call.query.get("start-after")),
            ],
        )

    async def ListObjects(self, call: _Call) -> Response:
        return await self._list(call, start="", after=call.query.get("marker", ""), v2=None)

    async def _list(self, call: _Call, *, start: str, after: str, v2: list[str] | None) -> Response:
        await self._before_listing()
        query = call.query
        encoding = query.get("encoding-type")
        limit = limited(query, "max-keys")
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        page = self._store.listing(
            call.address.bucket, prefix=prefix, delimiter=delimiter, start=start, after=after, limit=limit
        )
        truncated = page.next_start is not None and limit > 0
        fields = [
            xml.element("Name", call.address.bucket),
            xml.element("Prefix", xml.name(prefix, encoding)),
            xml.element("Delimiter", xml.name(delimiter, encoding) if delimiter else None),
            xml.element("MaxKeys", limit),
            xml.element("EncodingType", encoding),
            xml.element("IsTruncated", truncated),
        ]
        if v2 is not None:
            fields += [*v2, xml.element("KeyCount", len(page.objects) + len(page.prefixes))]
            if truncated and page.next_start is not None:
                fields.append(xml.element("NextContinuationToken", token_of(page.next_start)))
        else:
            fields.append(xml.element("Marker", xml.name(after, encoding)))
            if truncated:
                last = max([stored.key for stored in page.objects[-1:]] + list(page.prefixes[-1:]))
                fields.append(xml.element("NextMarker", xml.name(last, encoding)))
        fields += [document.contents(stored, encoding) for stored in page.objects]
        fields += [
            xml.parent("CommonPrefixes", [xml.element("Prefix", xml.name(common, encoding))])
            for common in page.prefixes
        ]
        return Response(200, _XML, xml.document("ListBucketResult", fields))

    # objects

    async def PutObject(self, call: _Call) -> Response:
        if "x-amz-write-offset-bytes" in call.request.headers:
            text = "The local cloud does not append to objects, which AWS does in directory buckets only."
            raise S3Error("NotImplemented", text, 400)
        body, headers = content(call.request)
        stored = await self._store.put(
            call.address.bucket, call.address.key, body, kept_headers(headers), WriteCondition.of(headers)
        )
        sums = checksum.claimed(stored.headers)
        return Response(200, {"ETag": f'"{stored.etag}"', **sums, **(FULL_OBJECT if sums else {})})

    async def GetObject(self, call: _Call) -> Response:
        stored = self._store.head(call.address.bucket, call.address.key)
        headers = described(stored, call.request.headers, call.query)
        status = read_status(call.request.headers, stored.etag, stored.modified)
        if status == 304:
            return Response(304, {"ETag": headers["ETag"], "Last-Modified": headers["Last-Modified"]})
        if status == 412:
            raise S3Error(
                "PreconditionFailed", "At least one of the pre-conditions you specified did not hold", 412
            )
        span = byte_range(call.request.headers.get("range"), stored.size)
        if span is None:
            return Response(200, headers, await self._store.body(stored))
        start, length = span
        for name in [name for name in headers if name.startswith(checksum.PREFIX)]:
            del headers[name]  # they are the whole object's
        headers["Content-Range"] = f"bytes {start}-{start + length - 1}/{stored.size}"
        return Response(206, headers, await self._store.body(stored, start, length))

    async def HeadObject(self, call: _Call) -> Response:
        stored = self._store.head(call.address.bucket, call.address.key)
        headers = described(stored, call.request.headers, call.query)
        status = read_status(call.request.headers, stored.etag, stored.modified)
        if status != 200:
            return Response(status, {"ETag": headers["ETag"]})
        span = byte_range(call.request.headers.get("range"), stored.size)
        if span is not None:
            start, length = span
            headers["Content-Range"] = f"bytes {start}-{start + length - 1}/{stored.size}"
            return Response(206, {**headers, "Content-Length": str(length)})
        return Response(200, {**headers, "Content-Length": str(stored.size)})

    async def DeleteObject(self, call: _Call) -> Response:
        self._store.delete(call.address.bucket, call.address.key, WriteCondition.of(call.request.headers))
        return Response(204)

    async def DeleteObjects(self, call: _Call) -> Response:
        body, _ = content(call.request)
        root = xml.parse(body)
        nodes = list(root.iter("Object"))
        if not 1 <= len(nodes) <= 1000:
            raise S3Error(
                "MalformedXML", f"The document names {len(nodes)} keys; 1 to 1000 are allowed.", 400
            )
        self._store.region(call.address.bucket)
        quiet = root.findtext("Quiet") == "true"
        outcomes = []
        for node in nodes:
            key = node.findtext("Key") or ""
            try:
                check_version(node.findtext("VersionId"))
                condition = WriteCondition(if_match=node.findtext("ETag"))
                self._store.delete(call.address.bucket, key, condition)
            except S3Error as error:
                said = {"Key": key, "Code": error.code, "Message": error.message}
                outcomes.append(xml.parent("Error", (xml.element(*each) for each in said.items())))
                continue
            if not quiet:
                outcomes.append(xml.parent("Deleted", [xml.element("Key", key)]))
        return Response(200, _XML, xml.document("DeleteResult", outcomes))

    async def CopyObject(self, call: _Call) -> Response:
        source, body = await self._copied(call)
        headers = call.request.headers
        replaces = headers.get("x-amz-metadata-directive", "COPY") == "REPLACE"
        kept = (
            {**checksum.claimed(source.headers), **kept_headers(headers)}
            if replaces
            else dict(source.headers)
        )
        stored = await self._store.put(
            call.address.bucket, call.address.key, body, kept, WriteCondition.of(headers)
        )
        return Response(
            200, _XML, xml.document("CopyObjectResult", document.copy_result(stored.etag, stored.modified))
        )

    async def _copied(self, call: _Call) -> tuple[Stored, bytes]:
        headers = call.request.headers
        name = urllib.parse.unquote(headers["x-amz-copy-source"].partition("?")[0]).removeprefix("/")
        bucket, _, key = name.partition("/")
        source = self._store.head(bucket, key)
        if copy_source_refused(headers, source.etag, source.modified):
            raise S3Error(
                "PreconditionFailed", "At least one of the pre-conditions you specified did not hold", 412
            )
        span = byte_range(headers.get("x-amz-copy-source-range"), source.size) or (0, source.size)
        return source, await self._store.body(source, *span)

    # multipart uploads

    async def CreateMultipartUpload(self, call: _Call) -> Response:
        bucket, key = call.address.bucket, call.address.key
        upload_id = self._store.uploads.start(bucket, key, kept_headers(call.request.headers))
        fields = {"Bucket": bucket, "Key": key, "UploadId": upload_id}
        return Response(200, _XML, document.fields("InitiateMultipartUploadResult", fields))

    async def UploadPart(self, call: _Call) -> Response:
        body, headers = content(call.request)
        number = integer(call.query, "partNumber", 0)
        part = await self._store.uploads.put_part(
            call.address.bucket, call.address.key, call.query["uploadId"], number, body
        )
        return Response(200, {"ETag": f'"{part.etag}"', **checksum.claimed(headers)})

    async def UploadPartCopy(self, call: _Call) -> Response:
        _, body = await self._copied(call)
        number = integer(call.query, "partNumber", 0)
        part = await self._store.uploads.put_part(
            call.address.bucket, call.address.key, call.query["uploadId"], number, body
        )
        return Response(
            200, _XML, xml.document("CopyPartResult", document.copy_result(part.etag, part.modified))
        )

    async def CompleteMultipartUpload(self, call: _Call) -> Response:
        bucket, key = call.address.bucket, call.address.key
        chosen = [
            (whole("PartNumber", node.findtext("PartNumber")), (node.findtext("ETag") or "").strip('"'))
            for node in xml.parse(call.request.body).iter("Part")
        ]
        condition = WriteCondition.of(call.request.headers)
        stored = await self._store.uploads.complete(bucket, key, call.query["uploadId"], chosen, condition)
        fields = {"Location": f"/{bucket}/{key}", "Bucket": bucket, "Key": key, "ETag": f'"{stored.etag}"'}
        return Response(200, _XML, document.fields("CompleteMultipartUploadResult", fields))

    async def AbortMultipartUpload(self, call: _Call) -> Response:
        self._store.uploads.abort(call.address.bucket, call.address.key, call.query["uploadId"])
        return Response(204)

    async def ListParts(self, call: _Call) -> Response:
        bucket, key, upload_id = call.address.bucket, call.address.key, call.query["uploadId"]
        parts = self._store.uploads.parts(bucket, key, upload_id)
        after, limit = integer(call.query, "part-number-marker", 0), limited(call.query, "max-parts")
        return Response(200, _XML, document.parts(bucket, key, upload_id, parts, after=after, limit=limit))

    async def ListMultipartUploads(self, call: _Call) -> Response:
        query, encoding = call.query, call.query.get("encoding-type")
        if "delimiter" in query:
            text = "The local cloud does not support a delimiter in ListMultipartUploads; use a prefix."
            raise S3Error("NotImplemented", text, 400)
        found = [
            upload
            for upload in self._store.uploads.all(call.address.bucket)
            if upload.key.startswith(query.get("prefix", ""))
        ]
        after = (query.get("key-marker", ""), query.get("upload-id-marker", ""))
        limit = limited(query, "max-uploads")
        return Response(
            200, _XML, document.uploads(call.address.bucket, found, encoding, after=after, limit=limit)
        )


def _refusal(request: Request, error: S3Error) -> Response:
    request_id = uuid.uuid4().hex[:16].upper()
    headers = {**_XML, "x-amz-request-id": request_id}
    if request.method == "HEAD":
        return Response(error.status, headers)
    return Response(error.status, headers, xml.error(error.code, error.message, request.path, request_id))
