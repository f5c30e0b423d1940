"""Record batches (format 2), for requests by hand."""

import struct
import time

_TABLE = []
for _n in range(256):
    for _ in range(8):
        _n = _n >> 1 ^ (0x82F63B78 if _n & 1 else 0)
    _TABLE.append(_n)


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 255]
    return crc ^ 0xFFFFFFFF


def _varint(n):
    n = n << 1 ^ n >> 63
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    out.append(n)
    return bytes(out)


def _sized(data):
    return _varint(-1) if data is None else _varint(len(data)) + data


def _record(n, key, value, headers):
    body = b"\0" + _varint(0) + _varint(n) + _sized(key) + _sized(value) + _varint(len(headers))
    for name, text in headers:
        body += _sized(name) + _sized(text)
    return _sized(body)


def batch(records, producer=(-1, -1), sequence=-1, transactional=False):
    """records: (key, value) or (key, value, [(header, text)]), all bytes; written now."""
    timestamp = int(time.time() * 1000)
    body = struct.pack(
        ">hiqqqhii",
        0x10 if transactional else 0, len(records) - 1, timestamp, timestamp,
        producer[0], producer[1], sequence, len(records),
    )  # fmt: skip
    for n, (key, value, *headers) in enumerate(records):
        body += _record(n, key, value, headers[0] if headers else [])
    head = struct.pack(">ibI", -1, 2, crc32c(body))
    return struct.pack(">qi", 0, len(head) + len(body)) + head + body
