"""Answers known again by their heads, so that not every one of thousands of like answers is parsed."""

from __future__ import annotations

import re

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)(?=\r\n)", re.IGNORECASE)
_CODED = re.compile(rb"\r\ntransfer-encoding[ \t]*:", re.IGNORECASE)
_ID = re.compile(rb"\r\nx-amzn-requestid: *([0-9A-Za-z-]+)(?=\r\n)", re.IGNORECASE)
_LENGTHS = 64  # of answers that are known at one time
_EVERY = 8  # of how many unknown answers one is learnt, which takes 2 µs


class Heads:
    """Knows a whole answer that can differ from a parsed one only where no parser looks.

    That is: it is as long, and its head is the same, byte for byte, but for the request's id, which is
    as long and again of letters, digits and hyphens. Since the head says how long the body is, the
    answer ends where the read ends, and what a parser would say of it is known. Anything else (cut
    off, chunked, more than one, another date) is for the parser.
    """

    def __init__(self) -> None:
        self._known: dict[int, tuple[int, bytes, bytes, int, int]] = {}
        self._unknown = 0

    def status(self, read: bytes) -> int:
        """Return the status of the one whole answer that these bytes are; 0 if that is not known."""
        known = self._known.get(len(read))
        if known is None:
            return 0
        status, before, after, start, end = known
        if (
            read.startswith(before)
            and read.startswith(after, end)
            and (start == end or read[start:end].replace(b"-", b"").isalnum())
        ):
            return status
        return 0

    def learn(self, read: bytes, status: int) -> None:
        """Take note of an answer with this status that ended its read and left the connection open."""
        self._unknown += 1
        if self._unknown % _EVERY != 1:
            return
        end = read.find(b"\r\n\r\n") + 2
        length = _LENGTH.findall(read, 0, end)
        if (
            not read.startswith(b"HTTP/1.1 %d " % status)  # an interim answer before it has no part in this
            or len(length) != 1
            or int(length[0]) != len(read) - end - 2
            or _CODED.search(read, 0, end)
        ):
            return
        if len(self._known) >= _LENGTHS:
            self._known.clear()
        name = _ID.search(read, 0, end)
        start, stop = name.span(1) if name is not None else (0, 0)
        self._known[len(read)] = status, read[:start], read[stop : end + 2], start, stop
