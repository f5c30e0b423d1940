"""Kafka's messages as gateway/wire/schema/*.schema has them: parse, encode, decode, walk.

A second reading of the same text, which shares no code with weir's own codec. A message is a
dict by the schema's names: null is None, a string is str (what is not UTF-8 as surrogates), bytes,
records and uuids are bytes, a struct is a dict, an array a list. What a dict lacks has its default.
"""

import functools
import glob
import os
import re
import struct

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
FOLDER = os.path.join(ROOT, "gateway", "wire", "schema")
NUMBERS = {
    "int8": ">b", "int16": ">h", "uint16": ">H", "int32": ">i", "uint32": ">I", "int64": ">q",
    "float64": ">d",
}  # fmt: skip
PLAIN = {*NUMBERS, "bool", "string", "bytes", "records", "uuid"}
FOREVER = 1 << 15
API_VERSIONS = 18  # its replies never have the flexible header (KIP-511)


class Malformed(Exception):
    """Bytes that are not that message."""


def _range(text):
    """(first, last) of 3, 3-5 or 3+."""
    if text == "none":
        return (FOREVER, FOREVER)
    first, dash, last = text.partition("-")
    if dash:
        return (int(first), int(last))
    return (int(text[:-1]), FOREVER) if text.endswith("+") else (int(text), int(text))


class Field:
    """One field. type is that of an element when it is an array."""

    def __init__(self, words):
        self.name, kind, versions, *rest = words
        self.array = kind.startswith("[]")
        self.type = kind[2:] if self.array else kind
        self.versions = _range(versions)
        self.null = (FOREVER, FOREVER)
        self.tag = self.meaning = self.argument = self.default_text = None
        self.fields = []  # of a struct, in the order of the wire
        rest = iter(rest)
        for word in rest:
            if word == "nullable":
                self.null = _range(next(rest))
            elif word == "tag":
                self.tag = int(next(rest))
            elif word == "default":
                self.default_text = next(rest)
            elif word.startswith("@"):
                self.meaning, self.argument = re.fullmatch(r"@(\w+)(?:\((\w+)\))?", word).groups()
            elif word != "ignorable":
                raise ValueError(f"{self.name}: '{word}'")

    def is_in(self, version):
        return self.versions[0] <= version <= self.versions[1]

    def may_be_null(self, version):
        return self.null[0] <= version <= self.null[1]

    def default(self, version):
        text = self.default_text
        if text == "null":
            return None
        if self.array:
            return []
        if self.type == "struct":
            return {f.name: f.default(version) for f in self.fields if f.is_in(version)}
        if self.type == "bool":
            return text == "true"
        if self.type in NUMBERS:
            return (float if self.type == "float64" else int)(text or 0)
        return {"string": text or "", "uuid": bytes(16)}.get(self.type, b"")


class Message:
    """A request, a response, or what travels inside bytes."""

    def __init__(self, name, versions, flexible):
        self.name, self.versions, self.flexible_since = name, versions, flexible
        self.fields = []
        self.commons = {}

    def flexible(self, version):
        return version >= self.flexible_since

    def encode(self, version, value):
        out = bytearray()
        _encode(self.fields, version, self.flexible(version), value, out, self.name)
        return bytes(out)

    def decode(self, version, data):
        r = Reader(data, version, self.flexible(version))
        value = r.struct(self.fields)
        if r.at != len(data):
            raise Malformed(f"{self.name} {version}: {len(data) - r.at} bytes too many")
        return value


class Api:
    def __init__(self, name, key, versions, flexible):
        self.name, self.key, self.versions = name, key, versions
        self.request = Message(name + ".request", versions, flexible)
        self.response = Message(name + ".response", versions, flexible)

    def each_version(self):
        return range(self.versions[0], self.versions[1] + 1)

    def ask(self, version, value, correlation, client_id="raw"):
        """A whole frame: length, header, body."""
        name = client_id.encode()
        head = struct.pack(">hhih", self.key, version, correlation, len(name)) + name
        if self.request.flexible(version):
            head += b"\0"
        body = self.request.encode(version, value)
        return struct.pack(">i", len(head) + len(body)) + head + body

    def answer(self, version, frame):
        """The body of a reply that came without its length."""
        at = 4
        if self.response.flexible(version) and self.key != API_VERSIONS:
            if frame[4:5] != b"\0":
                raise Malformed(f"{self.name} {version}: tags in the header of a reply")
            at = 5
        return self.response.decode(version, frame[at:])


# Bytes to values


class Reader:
    def __init__(self, data, version, flexible):
        self.data, self.at, self.version, self.flexible = data, 0, version, flexible

    def raw(self, n):
        end = self.at + n
        if end > len(self.data):
            raise Malformed("ends early")
        self.at = end
        return self.data[end - n : end]

    def uvarint(self):
        value = shift = 0
        while True:
            byte = self.raw(1)[0]
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7
            if shift > 28:
                raise Malformed("varint over 32 bits")

    def length(self, short, field):
        if self.flexible:
            n = self.uvarint() - 1
        else:
            n = struct.unpack(">h" if short else ">i", self.raw(2 if short else 4))[0]
        if n < -1 or (n == -1 and not field.may_be_null(self.version)):
            raise Malformed(f"{field.name}: length {n}")
        return n

    def one(self, f):
        kind = f.type
        form = NUMBERS.get(kind)
        if form:
            return struct.unpack(form, self.raw(struct.calcsize(form)))[0]
        if kind == "bool":
            return self.raw(1) != b"\0"
        if kind == "uuid":
            return self.raw(16)
        if kind == "struct":
            if not f.array and f.null[0] != FOREVER and self.raw(1) > b"\x7f":
                return None
            return self.struct(f.fields)
        n = self.length(kind == "string", f)
        if n < 0:
            return None
        data = self.raw(n)
        return data.decode("utf-8", "surrogateescape") if kind == "string" else data

    def field(self, f):
        if not f.array:
            return self.one(f)
        n = self.length(False, f)
        if n > len(self.data) - self.at:
            raise Malformed(f"{f.name}: {n} elements")
        return None if n < 0 else [self.one(f) for _ in range(n)]

    def struct(self, fields):
        value, tags = {}, {}
        for f in fields:
            if f.is_in(self.version):
                if f.tag is None:
                    value[f.name] = self.field(f)
                else:
                    tags[f.tag] = f
                    value[f.name] = f.default(self.version)
        if self.flexible:
            for _ in range(self.uvarint()):
                tag, size = self.uvarint(), self.uvarint()
                end = self.at + size
                if tag not in tags:
                    raise Malformed(f"tag {tag} is not in the schema")
                value[tags[tag].name] = self.field(tags[tag])
                if self.at != end:
                    raise Malformed(f"tag {tag} does not fill its {size} bytes")
        return value


# Values to bytes


def _uvarint(n, out):
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    out.append(n)


def _length(n, short, flexible, out):
    if flexible:
        _uvarint(n + 1, out)
    else:
        out += struct.pack(">h" if short else ">i", n)


def _encode(fields, version, flexible, value, out, where):
    """A struct. What its dict holds beyond the version's fields is left out."""
    tagged = []
    for f in fields:
        if not f.is_in(version):
            continue
        v = value[f.name] if f.name in value else f.default(version)
        if f.tag is None:
            _encode_field(f, version, flexible, v, out, where)
        elif v != f.default(version):
            tagged.append((f.tag, f, v))
    if not flexible:
        return
    _uvarint(len(tagged), out)
    for tag, f, v in sorted(tagged, key=lambda t: t[0]):
        inner = bytearray()
        _encode_field(f, version, flexible, v, inner, where)
        _uvarint(tag, out)
        _uvarint(len(inner), out)
        out += inner


def _encode_field(f, version, flexible, v, out, where):
    if not f.array:
        _encode_one(f, version, flexible, v, out, where)
    elif v is None:
        _null(f, version, where)
        _length(-1, False, flexible, out)
    else:
        _length(len(v), False, flexible, out)
        for element in v:
            _encode_one(f, version, flexible, element, out, where)


def _encode_one(f, version, flexible, v, out, where):
    kind = f.type
    form = NUMBERS.get(kind)
    if form:
        out += struct.pack(form, v)
    elif kind == "bool":
        out.append(1 if v else 0)
    elif kind == "uuid":
        if len(v) != 16:
            raise ValueError(f"{where}: {f.name}: {len(v)} bytes in a uuid")
        out += v
    elif kind == "struct":
        if not f.array and f.null[0] != FOREVER:
            out.append(255 if v is None else 1)
        if v is None:
            _null(f, version, where)
        else:
            _encode(f.fields, version, flexible, v, out, where)
    elif v is None:
        _null(f, version, where)
        _length(-1, kind == "string", flexible, out)
    else:
        data = v.encode("utf-8", "surrogateescape") if isinstance(v, str) else v
        _length(len(data), kind == "string", flexible, out)
        out += data


def _null(f, version, where):
    if not f.may_be_null(version):
        raise ValueError(f"{where}: {f.name} cannot be null in version {version}")


# The text


class Schema:
    """All APIs by name and by key, and the messages inside bytes by name."""

    def __init__(self, texts):
        self.apis, self.messages = {}, {}
        for text in texts:
            self._parse(text)
        self.by_key = {api.key: api for api in self.apis.values()}

    def __getitem__(self, name):
        return self.apis[name]

    def _parse(self, text):
        api = message = None
        levels = []  # (indentation, the list that fields at it are added to)
        for line in text.splitlines():
            words = line.partition("#")[0].split()
            if not words:
                continue
            indent = len(line) - len(line.lstrip())
            if words[0] == "api":
                _, name, key, _, versions, _, flexible = words
                api = Api(name, int(key), _range(versions), _range(flexible)[0])
                self.apis[name] = api
            elif words[0] == "message":
                _, name, _, versions, _, flexible = words
                message = Message(name, _range(versions), _range(flexible)[0])
                self.messages[name] = message
                levels = [(0, message.fields)]
            elif words == ["request"] or words == ["response"]:
                message = getattr(api, words[0])
                levels = [(0, message.fields)]
            else:
                self._parse_field(message, levels, indent, words)

    @staticmethod
    def _parse_field(message, levels, indent, words):
        while len(levels) > 1 and indent <= levels[-1][0]:
            levels.pop()
        if words[0] == "struct" and len(words) == 2:
            fields = message.commons[words[1]] = []
        else:
            f = Field(words)
            levels[-1][1].append(f)
            if f.type not in PLAIN and f.type != "struct":
                f.fields, f.type = message.commons[f.type], "struct"
            fields = f.fields
        levels.append((indent, fields))


@functools.lru_cache(None)
def load(folder=FOLDER):
    texts = []
    for path in sorted(glob.glob(os.path.join(folder, "*.schema"))):
        with open(path, encoding="utf-8") as f:
            texts.append(f.read())
    return Schema(texts)


# Looking at values


def walk(fields, version, value, path=""):
    """(field, path, its value, the struct that holds it) of each value that is no struct; arrays
    element by element."""
    for f in fields:
        if not f.is_in(version) or f.name not in value:
            continue
        v = value[f.name]
        at = f"{path}.{f.name}" if path else f.name
        for i, one in enumerate(v if f.array and v is not None else [v]):
            here = f"{at}[{i}]" if f.array and v is not None else at
            if f.type == "struct" and one is not None:
                yield from walk(f.fields, version, one, here)
            else:
                yield f, here, one, value


def leaves(fields, version, path=()):
    """(path of names, field) of each field that is no struct, in that version."""
    for f in fields:
        if f.is_in(version):
            if f.type == "struct":
                yield from leaves(f.fields, version, path + (f.name,))
            else:
                yield path + (f.name,), f
