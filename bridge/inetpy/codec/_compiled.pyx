# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, freethreading_compatible=False
"""The compiled codec: a fast path for the commonest terms and functions of `terms` and `etf`.

The pure code in `terms` and `etf` is the definition. For a rare term, and for every error, this
module raises `Fallback` inside and calls the pure code. tests/unit/test_compiled.py and the
property tests in tests/beam compare the two. `implementation` chooses between them.
"""

from cython cimport collection_type
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_Next, PyDict_SetItem, PyDict_Size
from cpython.float cimport PyFloat_AS_DOUBLE, PyFloat_FromDouble
from cpython.list cimport PyList_GET_ITEM, PyList_GET_SIZE, PyList_New, PyList_SET_ITEM
from cpython.memoryview cimport PyMemoryView_GET_BUFFER
from cpython.object cimport PyObject
from cpython.ref cimport Py_INCREF
from cpython.tuple cimport PyTuple_GET_ITEM, PyTuple_GET_SIZE, PyTuple_New, PyTuple_SET_ITEM
from libc.math cimport isfinite
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy

from collections.abc import Sequence

cdef extern from "Python.h":
    const char *PyUnicode_AsUTF8AndSize(object text, Py_ssize_t *size) except NULL
    int64_t PyLong_AsLongLongAndOverflow(object number, int *overflow) except? -1
    int PyGC_Disable()
    int PyGC_Enable()
    int _PyBytes_Resize(PyObject **bytes, Py_ssize_t size) except -1
    PyObject *PyBytes_New "PyBytes_FromStringAndSize"(const char *text, Py_ssize_t size) except NULL
    char *RAW_BYTES "PyBytes_AS_STRING"(PyObject *bytes)
    void drop "Py_DECREF"(PyObject *thing)


# --- terms: see terms.py -----------------------------------------------------


cdef class Atom:
    """An Erlang atom. Never equal to a `str`, so atom and binary keys stay apart.

    `name` is the text of the atom. In a pattern: `case (Atom("ok"), value)`. In a condition the
    atoms `false`, `undefined` and `nil` are false, and all other atoms are true.
    """

    __match_args__ = ("name",)
    cdef readonly str name
    cdef bytes raw  # its external form, once it has been written

    def __init__(self, str name not None):
        self.name = name

    def __bool__(self):
        return bool(_natives.get(self.name, True))

    def __reduce__(self):
        return Atom, (self.name,)

    def __eq__(self, other):
        return self is other or (type(other) is Atom and self.name == (<Atom>other).name)

    def __hash__(self):
        return ~hash(self.name)

    def __repr__(self):
        return f"Atom({self.name!r})"

    def __str__(self):
        return self.name


cdef class Raw:
    __match_args__ = ("raw",)
    cdef readonly bytes raw

    def __init__(self, bytes raw not None):
        self.raw = raw

    def __reduce__(self):
        return type(self), (self.raw,)

    def __eq__(self, other):
        return type(other) is type(self) and self.raw == (<Raw>other).raw

    def __hash__(self):
        return ~hash(self.raw)

    def __repr__(self):
        return f"{type(self).__name__}({self.raw!r})"

    @property
    def node(self):
        """The name of its node."""
        return _pure(self).node

    @property
    def parts(self):
        return _pure(self).parts


cdef class Pid(Raw):
    """A process identifier (NEW_PID_EXT). `raw` is its external form."""


cdef class Port(Raw):
    """A port identifier (NEW_PORT_EXT, or V4_PORT_EXT for large numbers). `raw` is its external form."""


cdef class Ref(Raw):
    """A reference (NEWER_REFERENCE_EXT); an alias is one too. `raw` is its external form."""


cdef dict _natives


def connect_terms(natives):
    """Called by `terms` once, with its table."""
    global _natives
    _natives = natives


cdef _pure(Raw term):
    """The same term as an object of the pure class, which can read its parts."""
    from . import terms

    return terms.PURE[type(term).__name__](term.raw)


@collection_type("sequence")
cdef class Charlist:
    """A list of small integers as the emulator sends it (STRING_EXT).

    `data` holds the integers as bytes. A charlist equals the list of the same integers, and is
    hashable. It never equals `bytes`, because a binary is a different term.
    """

    __match_args__ = ("data",)
    cdef readonly bytes data

    def __init__(self, bytes data not None):
        self.data = data

    def __reduce__(self):
        return Charlist, (self.data,)

    def __len__(self):
        return PyBytes_GET_SIZE(self.data)

    def __getitem__(self, index):
        return self.data[index]

    def __iter__(self):
        return iter(self.data)

    def __contains__(self, value):
        return Sequence.__contains__(self, value)

    def __reversed__(self):
        return reversed(self.data)

    def index(self, *arguments):
        return Sequence.index(self, *arguments)

    def count(self, value):
        return Sequence.count(self, value)

    def __eq__(self, other):
        if type(other) is Charlist:
            return self.data == (<Charlist>other).data
        return isinstance(other, list) and list(self.data) == other

    def __hash__(self):
        return ~hash(self.data)

    def __repr__(self):
        return f"Charlist({self.data!r})"

    def __str__(self):
        return self.data.decode("latin-1")


Sequence.register(Charlist)


# --- the codec: see etf.py -----------------------------------------------------

cdef object _default_limits, _pure_decode, _pure_encode, _pure_encode_body
cdef object _pure_atom, _build_list, _build_map, _etf_error
cdef dict _leaves, _simple


# The limits of the last call: most calls have the same.
cdef object _limits
cdef int _deepest
cdef Py_ssize_t _most


cdef class Fallback(Exception):
    """The pure code must decode or encode this term."""


def connect(limits, decode, encode, encode_body, atom, build_list, build_map, leaves, simple, etf_error):
    """Called by `etf` once, with its own functions."""
    global _default_limits, _pure_decode, _pure_encode, _pure_encode_body
    global _pure_atom, _build_list, _build_map, _leaves, _simple, _etf_error
    _default_limits, _pure_decode, _pure_encode, _pure_encode_body = limits, decode, encode, encode_body
    _pure_atom, _build_list, _build_map, _leaves, _simple = atom, build_list, build_map, leaves, simple
    _etf_error = etf_error


cdef enum:
    DEPTH = 100  # this module recurses, and the C stack is small: the pure code takes deeper terms
    SLOTS = 2048  # of the cache of atoms
    LARGE = 1 << 16  # bytes of a term that is decoded with the garbage collector off
    MAX_COLLISIONS = 64  # as in etf: `_build_map` checks the keys of larger maps
    SHARED = 1 << 14  # from so many bytes on, a binary in a view is a view too: LARGE of fast
    FIRST = 2048  # bytes of the buffer on the stack; longer forms allocate


# --- decoding ------------------------------------------------------------------

cdef struct Cursor:
    const uint8_t *data
    Py_ssize_t pos
    Py_ssize_t end
    Py_ssize_t start
    PyObject *view  # of data[start:end], or NULL
    bint native
    int depth
    int deepest
    Py_ssize_t room  # elements that the limits still allow
    Py_ssize_t owed  # parts that are still missing in the containers around, at least a byte each


# A direct-mapped cache: the same few atoms are decoded again and again.
cdef PyObject *_seen_raw[SLOTS]
cdef PyObject *_seen_atom[SLOTS]
cdef list _seen_owners = [None] * (2 * SLOTS)  # keeps them alive


cdef inline uint32_t _u32(const uint8_t *at) noexcept:
    return (<uint32_t>at[0] << 24) | (<uint32_t>at[1] << 16) | (<uint32_t>at[2] << 8) | at[3]


def decode(data, limits=None, *, native=False):
    global _limits, _deepest, _most
    cdef Cursor cursor
    cdef bytes whole
    cdef int collecting = 0
    term = None
    if limits is None:
        limits = _default_limits
    if (whole := _open(&cursor, data)) is not None:
        if limits is not _limits:
            _limits, _deepest, _most = limits, min(DEPTH, limits.depth), limits.elements
        cursor.native = native
        cursor.deepest = _deepest
        cursor.room = _most
        if cursor.end > cursor.pos and cursor.data[cursor.pos - 1] == 131:
            # A term has no cycles. Collections while a large term grows would only cost time.
            if cursor.end > LARGE:
                collecting = PyGC_Disable()
            try:
                term = _read(&cursor, whole)
            except Fallback:
                cursor.pos = -1
            finally:
                if collecting:
                    PyGC_Enable()
            if cursor.pos == cursor.end:
                return term
    return _pure_decode(data, limits, native=native)


def decode_frames(bytes data not None, Py_ssize_t pos, Py_ssize_t large, limits):
    global _limits, _deepest, _most
    cdef Cursor cursor
    cdef Py_ssize_t size, start, end = PyBytes_GET_SIZE(data)
    cdef list terms = []
    if limits is not _limits:
        _limits, _deepest, _most = limits, min(DEPTH, limits.depth), limits.elements
    cursor.data = <const uint8_t *>PyBytes_AS_STRING(data)
    cursor.view = NULL
    cursor.native = False
    cursor.deepest = _deepest
    while end - pos >= 4:
        size = _u32(cursor.data + pos)
        start = pos + 4
        if size >= large or size > end - start:
            break
        cursor.start, cursor.pos, cursor.end = start, start + 1, start + size
        cursor.depth = 0
        cursor.owed = 0
        cursor.room = _most
        term = None
        if 0 < size <= LARGE and cursor.data[start] == 131:
            try:
                term = _read(&cursor, data)
            except Fallback:
                cursor.pos = -1
        if term is None or cursor.pos != cursor.end:
            try:
                term = _pure_decode(data[start : start + size], limits)
            except _etf_error:
                break
        if type(term) is not tuple:
            break
        terms.append(term)
        pos = start + size
    return terms, pos


cdef bytes _open(Cursor *c, object data):
    """The bytes of `data`, or under it if it is a view; sets the cursor. None: the pure code must do it."""
    cdef Py_buffer *buffer
    cdef bytes whole
    if type(data) is bytes:
        whole = <bytes>data
        c.view = NULL
        c.start = 0
        c.end = PyBytes_GET_SIZE(whole)
    elif type(data) is memoryview:
        owner = data.obj  # fails when the view has been released
        buffer = PyMemoryView_GET_BUFFER(data)
        if type(owner) is not bytes or buffer.ndim != 1 or buffer.itemsize != 1 or buffer.strides[0] != 1:
            return None
        whole = <bytes>owner
        c.view = <PyObject *>data
        c.start = <char *>buffer.buf - PyBytes_AS_STRING(whole)
        c.end = c.start + buffer.len
    else:
        return None
    c.data = <const uint8_t *>PyBytes_AS_STRING(whole)
    c.pos = c.start + 1
    c.depth = 0
    c.owed = 0
    return whole


cdef object _read(Cursor *c, bytes whole):
    cdef Py_ssize_t start = c.pos
    cdef Py_ssize_t left = c.end - start
    cdef const uint8_t *at = c.data + start
    cdef Py_ssize_t count, index
    cdef uint64_t magnitude
    cdef double number
    cdef uint8_t *bits
    cdef Charlist text
    cdef Atom atom
    cdef int tag
    if left <= 0:
        raise Fallback
    tag = at[0]
    if tag == 119 or tag == 100 or tag == 115 or tag == 118:
        atom = _read_atom(c, whole)
        return _natives.get(atom.name, atom) if c.native else atom
    if left < 5:
        # no other tags fit in so few bytes
        if tag == 97 and left >= 2:
            c.pos += 2
            return at[1]
        if tag == 106:
            c.pos += 1
            return []
        if tag == 104 and left >= 2:
            return _read_tuple(c, whole, at[1], 2)
        if tag != 107 or left < 3:
            raise Fallback
    if tag == 97:
        c.pos += 2
        return at[1]
    if tag == 104:
        return _read_tuple(c, whole, at[1], 2)
    if tag == 109:
        count = _u32(at + 1)
        if count > left - 5:
            raise Fallback
        c.pos += 5 + count
        if count >= SHARED and c.view != NULL:
            return (<object>c.view)[c.pos - count - c.start : c.pos - c.start]
        return PyBytes_FromStringAndSize(<const char *>at + 5, count)
    if tag == 106:
        c.pos += 1
        return []
    if tag == 98:
        c.pos += 5
        return <int>_u32(at + 1)
    if tag == 108:
        return _read_list(c, whole)
    if tag == 116:
        return _read_map(c, whole)
    if tag == 107:
        count = (at[1] << 8) | at[2]
        if count > left - 3:
            raise Fallback
        c.pos += 3 + count
        if count == 0:
            return []
        text = Charlist.__new__(Charlist)
        text.data = PyBytes_FromStringAndSize(<const char *>at + 3, count)
        return text
    if tag == 90:
        return _read_identifier(c, whole, Ref.__new__(Ref), 3, 4 + 4 * ((at[1] << 8) | at[2]))
    if tag == 88:
        return _read_identifier(c, whole, Pid.__new__(Pid), 1, 12)
    if tag == 70 and left >= 9:
        bits = <uint8_t *>&number
        for index in range(8):
            bits[7 - index] = at[1 + index]
        if not isfinite(number):
            raise Fallback
        c.pos += 9
        return PyFloat_FromDouble(number)
    if tag == 110 and at[1] <= 8 and left >= 3 + at[1]:
        count = at[1]
        magnitude = 0
        for index in range(count):
            magnitude |= <uint64_t>at[3 + index] << (8 * index)
        c.pos += 3 + count
        value = magnitude
        return -value if at[2] else value
    if tag == 105:
        return _read_tuple(c, whole, _u32(at + 1), 5)
    leaf = _leaves.get(tag)
    if leaf is None:
        raise Fallback
    try:
        value, end = leaf(whole, start)
    except Exception:
        raise Fallback from None
    if end > c.end:
        raise Fallback
    c.pos = end
    return value


cdef Atom _read_atom(Cursor *c, bytes whole):
    cdef const uint8_t *at = c.data + c.pos
    cdef Py_ssize_t left = c.end - c.pos
    cdef Py_ssize_t size, index
    cdef uint32_t code = 2166136261
    cdef PyObject *raw
    if left < 3:
        size = 2 + at[1] if left == 2 and (at[0] == 119 or at[0] == 115) else left + 1
    elif at[0] == 119 or at[0] == 115:
        size = 2 + at[1]
    else:
        size = 3 + ((at[1] << 8) | at[2])
    if size > left:
        raise Fallback
    for index in range(size):
        code = (code ^ at[index]) * 16777619
    code = (code ^ (code >> 15)) % SLOTS
    raw = _seen_raw[code]
    if raw != NULL and PyBytes_GET_SIZE(<object>raw) == size and memcmp(RAW_BYTES(raw), at, size) == 0:
        c.pos += size
        return <Atom>_seen_atom[code]
    try:
        atom = _pure_atom(whole, c.pos, c.pos + size)
    except Exception:
        raise Fallback from None
    form = PyBytes_FromStringAndSize(<const char *>at, size)
    _seen_owners[2 * code] = form
    _seen_owners[2 * code + 1] = atom
    _seen_raw[code] = <PyObject *>form
    _seen_atom[code] = <PyObject *>atom
    c.pos += size
    return <Atom>atom


cdef object _read_identifier(Cursor *c, bytes whole, Raw identifier, Py_ssize_t head, Py_ssize_t size):
    """An identifier. If its node is a short atom in UTF-8, its form is canonical and is kept as it is.

    Before OTP 26 nodes write their own names in Latin-1.
    """
    cdef Py_ssize_t start = c.pos
    cdef const uint8_t *at = c.data + start
    if head == 3 and not 8 <= size <= 24:
        raise Fallback
    if start + head + 3 <= c.end and at[head] == 100 and _rewrite_identifier(c, identifier, head, size):
        return identifier
    if start + head >= c.end or at[head] != 119:
        value, end = _leaf(whole, start, at[0])
        if end > c.end:
            raise Fallback
        c.pos = end
        return value
    c.pos += head
    _read_atom(c, whole)
    c.pos += size
    if c.pos > c.end:
        raise Fallback
    identifier.raw = PyBytes_FromStringAndSize(<const char *>at, c.pos - start)
    return identifier


cdef bint _rewrite_identifier(Cursor *c, Raw identifier, Py_ssize_t head, Py_ssize_t size):
    """The canonical form of an identifier whose node is an atom in Latin-1. False if its name is not ASCII, or
    something is wrong with it.
    """
    cdef const uint8_t *at = c.data + c.pos
    cdef const uint8_t *name = at + head + 3
    cdef Py_ssize_t length = (at[head + 1] << 8) | at[head + 2]
    cdef Py_ssize_t index
    cdef char *form
    if length > 255 or c.pos + head + 3 + length + size > c.end:
        return False
    for index in range(length):
        if name[index] >= 128:
            return False
    identifier.raw = PyBytes_FromStringAndSize(NULL, head + 2 + length + size)
    form = PyBytes_AS_STRING(identifier.raw)
    memcpy(form, at, head)
    form[head] = 119
    form[head + 1] = <char>length
    memcpy(form + head + 2, name, length + size)
    c.pos += head + 3 + length + size
    return True


cdef tuple _leaf(bytes whole, Py_ssize_t start, int tag):
    try:
        return _leaves[tag](whole, start)
    except Exception:
        raise Fallback from None


cdef inline int _open_container(Cursor *c, Py_ssize_t head, Py_ssize_t parts) except -1:
    """Skips the head of a container, and checks the number of its parts against bytes and limits."""
    c.pos += head
    if parts > c.end - c.pos - c.owed:
        raise Fallback
    c.depth += 1
    c.room -= parts
    if c.depth > c.deepest or c.room < 0:
        raise Fallback
    c.owed += parts
    return 0


cdef tuple _read_tuple(Cursor *c, bytes whole, Py_ssize_t count, Py_ssize_t head):
    cdef Py_ssize_t index
    _open_container(c, head, count)
    items = PyTuple_New(count)
    for index in range(count):
        c.owed -= 1
        item = _read(c, whole)
        Py_INCREF(item)
        PyTuple_SET_ITEM(items, index, item)
    c.depth -= 1
    return items


cdef list _read_items(Cursor *c, bytes whole, Py_ssize_t count):
    cdef Py_ssize_t index
    cdef const uint8_t *at
    items = PyList_New(count)
    for index in range(count):
        c.owed -= 1
        at = c.data + c.pos
        if c.end - c.pos > 5 and at[0] == 98:  # inlined: long lists of integers are common
            item = <int>_u32(at + 1)
            c.pos += 5
        else:
            item = _read(c, whole)
        Py_INCREF(item)
        PyList_SET_ITEM(items, index, item)
    return items


cdef object _read_list(Cursor *c, bytes whole):
    cdef Py_ssize_t count = _u32(c.data + c.pos + 1)
    cdef list items
    _open_container(c, 5, count + 1)
    items = _read_items(c, whole, count)
    while c.end - c.pos > 5 and c.data[c.pos] == 108:  # the tail is a list: append to this one
        count = _u32(c.data + c.pos + 1)
        c.depth -= 1
        _open_container(c, 5, count)
        items += _read_items(c, whole, count)
    c.owed -= 1
    if c.pos < c.end and c.data[c.pos] == 106:
        c.pos += 1
        c.depth -= 1
        return items
    tail = _read(c, whole)
    c.depth -= 1
    if type(tail) is Charlist:
        c.room -= PyBytes_GET_SIZE((<Charlist>tail).data)
        if c.room < 0:
            raise Fallback
    items.append(tail)
    return _build_list(items)


cdef object _read_map(Cursor *c, bytes whole):
    cdef Py_ssize_t start = c.pos
    cdef Py_ssize_t count = _u32(c.data + c.pos + 1)
    cdef Py_ssize_t index
    _open_container(c, 5, 2 * count)
    if count > MAX_COLLISIONS:
        items = _read_items(c, whole, 2 * count)
        c.depth -= 1
        try:
            return _build_map(items, start)
        except Exception:
            raise Fallback from None
    found = {}
    for index in range(count):
        c.owed -= 2
        key = _read(c, whole)
        value = _read(c, whole)
        try:
            PyDict_SetItem(found, key, value)
        except (TypeError, RecursionError):  # a key is not hashable, or is nested too deeply
            raise Fallback from None
    if PyDict_Size(found) != count:  # a dict has merged keys, such as 1 and 1.0
        raise Fallback
    c.depth -= 1
    return found


# --- encoding ------------------------------------------------------------------

cdef struct Writer:
    uint8_t *data
    Py_ssize_t size
    Py_ssize_t room
    PyObject *grown  # the bytes object with `data`; NULL while `first` is used
    int depth
    uint8_t first[FIRST]


cdef inline uint8_t *_claim(Writer *w, Py_ssize_t count) except NULL:
    """Reserves `count` bytes; the place to write them."""
    cdef uint8_t *at
    if w.size + count > w.room:
        _grow(w, w.size + count)
    at = w.data + w.size
    w.size += count
    return at


cdef int _grow(Writer *w, Py_ssize_t needed) except -1:
    cdef Py_ssize_t room = max(2 * w.room, needed)
    if w.grown == NULL:
        w.grown = PyBytes_New(NULL, room)
        memcpy(RAW_BYTES(w.grown), w.first, w.size)
    else:
        _PyBytes_Resize(&w.grown, room)
    w.data = <uint8_t *>RAW_BYTES(w.grown)
    w.room = room
    return 0


cdef inline int _copy(Writer *w, bytes data) except -1:
    cdef Py_ssize_t count = PyBytes_GET_SIZE(data)
    memcpy(_claim(w, count), PyBytes_AS_STRING(data), count)
    return 0


cdef inline int _head(Writer *w, uint8_t tag, Py_ssize_t value) except -1:
    """Writes a tag and a number of four bytes."""
    cdef uint8_t *at = _claim(w, 5)
    at[0] = tag
    at[1] = (value >> 24) & 255
    at[2] = (value >> 16) & 255
    at[3] = (value >> 8) & 255
    at[4] = value & 255
    return 0


def encode(term, *, compressed=0, deterministic=False):
    if not compressed and not deterministic:
        try:
            return _encode(term, True)
        except Fallback:
            pass
    return _pure_encode(term, compressed=compressed, deterministic=deterministic)


def encode_body(term, deterministic=False):
    if not deterministic:
        try:
            return _encode(term, False)
        except Fallback:
            pass
    return _pure_encode_body(term, deterministic)


cdef object _encode(object term, bint version):
    cdef Writer writer
    cdef object done
    writer.data = writer.first
    writer.size = 0
    writer.room = FIRST
    writer.grown = NULL
    writer.depth = 0
    if version:
        writer.first[0] = 131
        writer.size = 1
    try:
        _write(&writer, term)
    except BaseException:
        if writer.grown != NULL:
            drop(writer.grown)
        raise
    if writer.grown == NULL:
        return PyBytes_FromStringAndSize(<char *>writer.first, writer.size)
    if writer.size != writer.room:
        _PyBytes_Resize(&writer.grown, writer.size)
    done = <object>writer.grown
    drop(writer.grown)
    return done


cdef int _write(Writer *w, object term) except -1:
    cdef type kind = type(term)
    cdef uint8_t *at
    cdef Py_ssize_t count, index, place
    cdef bytes data
    cdef PyObject *key
    cdef PyObject *value
    if kind is int:
        return _write_int(w, term)
    if kind is Atom:
        return _write_atom(w, <Atom>term)
    if kind is tuple:
        count = PyTuple_GET_SIZE(term)
        if count < 256:
            at = _claim(w, 2)
            at[0] = 104
            at[1] = count
        else:
            _head(w, 105, count)
        _nest(w)
        for index in range(count):
            _write(w, <object>PyTuple_GET_ITEM(term, index))
        w.depth -= 1
        return 0
    if kind is bytes:
        return _write_binary(w, PyBytes_AS_STRING(term), PyBytes_GET_SIZE(term))
    if kind is list:
        return _write_list(w, <list>term)
    if kind is Ref or kind is Pid or kind is Port:
        return _copy(w, (<Raw>term).raw)
    if kind is Charlist:
        data = (<Charlist>term).data
        count = PyBytes_GET_SIZE(data)
        if 0 < count <= 65535:
            at = _claim(w, 3 + count)
            at[0] = 107
            at[1] = count >> 8
            at[2] = count & 255
            memcpy(at + 3, PyBytes_AS_STRING(data), count)
            return 0
        return _copy(w, _simple[kind](term))
    if kind is dict:
        _head(w, 116, PyDict_Size(term))
        _nest(w)
        place = 0
        while PyDict_Next(term, &place, &key, &value):
            _write(w, <object>key)
            _write(w, <object>value)
        w.depth -= 1
        return 0
    if kind is float:
        return _write_float(w, PyFloat_AS_DOUBLE(term))
    if kind is str:
        return _write_text(w, <str>term)
    simple = _simple.get(kind)
    if simple is None:
        raise Fallback
    try:
        data = simple(term)
    except Exception:
        raise Fallback from None
    return _copy(w, data)


cdef inline int _nest(Writer *w) except -1:
    w.depth += 1
    if w.depth > DEPTH:
        raise Fallback
    return 0


cdef int _write_int(Writer *w, object term) except -1:
    cdef int overflow = 0
    cdef int64_t number = PyLong_AsLongLongAndOverflow(term, &overflow)
    cdef uint8_t *at
    if overflow or number < -2147483648 or number > 2147483647:
        return _copy(w, _simple[int](term))
    if 0 <= number <= 255:
        at = _claim(w, 2)
        at[0] = 97
        at[1] = number
    else:
        _head(w, 98, number)
    return 0


cdef int _write_atom(Writer *w, Atom atom) except -1:
    if atom.raw is None:
        try:
            atom.raw = _simple[Atom](atom)
        except Exception:
            raise Fallback from None
    return _copy(w, atom.raw)


cdef int _write_binary(Writer *w, const char *data, Py_ssize_t count) except -1:
    if count > 0xFFFFFFFF:
        raise Fallback
    if w.size + 5 + count > w.room:
        _grow(w, w.size + 5 + count)  # once, for head and data
    _head(w, 109, count)
    memcpy(_claim(w, count), data, count)
    return 0


cdef int _write_text(Writer *w, str text) except -1:
    cdef Py_ssize_t count
    cdef const char *data
    try:
        data = PyUnicode_AsUTF8AndSize(text, &count)
    except UnicodeEncodeError:
        raise Fallback from None
    return _write_binary(w, data, count)


cdef int _write_float(Writer *w, double number) except -1:
    cdef uint8_t *at
    cdef uint8_t *bits = <uint8_t *>&number
    cdef int index
    if not isfinite(number):
        raise Fallback
    at = _claim(w, 9)
    at[0] = 70
    for index in range(8):
        at[1 + index] = bits[7 - index]
    return 0


cdef int _write_list(Writer *w, list items) except -1:
    cdef Py_ssize_t count = PyList_GET_SIZE(items)
    cdef Py_ssize_t index
    if count == 0:
        _claim(w, 1)[0] = 106
        return 0
    if count <= 65535 and _write_string(w, items, count):
        return 0
    _head(w, 108, count)
    _nest(w)
    for index in range(count):
        _write(w, <object>PyList_GET_ITEM(items, index))
    w.depth -= 1
    _claim(w, 1)[0] = 106
    return 0


cdef bint _write_string(Writer *w, list items, Py_ssize_t count) except -1:
    """Writes a list of bytes as STRING_EXT. For any other list writes nothing and returns False."""
    cdef Py_ssize_t index
    cdef Py_ssize_t before = w.size
    cdef uint8_t *at
    cdef int overflow = 0
    cdef int64_t number
    if type(<object>PyList_GET_ITEM(items, 0)) is not int:
        return False
    at = _claim(w, 3 + count)
    at[0] = 107
    at[1] = count >> 8
    at[2] = count & 255
    for index in range(count):
        item = <object>PyList_GET_ITEM(items, index)
        if type(item) is int:
            number = PyLong_AsLongLongAndOverflow(item, &overflow)
            if 0 <= number <= 255 and not overflow:
                at[3 + index] = number
                continue
        w.size = before
        return False
    return True
