# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, freethreading_compatible=False
"""The compiled core: the commonest terms, and the commonest parts of the codec.

It is a short cut and no second definition. What it does not know, or finds wrong, it leaves to
the pure code in `terms` and `etf`, which says what is right; tests/unit/test_compiled.py and the
property tests of tests/beam hold the two equal. `core` chooses.
"""

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


# --- terms: see terms.py ---------------------------------------------------


cdef class Atom:
    cdef readonly str name
    cdef bytes raw  # its external form, once it has been written

    def __init__(self, str name not None):
        self.name = name

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
        return _pure(self).node

    @property
    def parts(self):
        return _pure(self).parts


cdef class Pid(Raw):
    pass


cdef class Port(Raw):
    pass


cdef class Ref(Raw):
    pass


cdef _pure(Raw term):
    """The same term of the pure class, which knows its parts."""
    from . import terms

    return terms.PURE[type(term).__name__](term.raw)


cdef class Charlist:
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
cdef object _pure_atom, _build_list
cdef dict _leaves, _simple


cdef class Leave(Exception):
    """This is for the pure code."""


def connect(limits, decode, encode, encode_body, atom, build_list, leaves, simple):
    """Called by `etf` once, with its own functions."""
    global _default_limits, _pure_decode, _pure_encode, _pure_encode_body
    global _pure_atom, _build_list, _leaves, _simple
    _default_limits, _pure_decode, _pure_encode, _pure_encode_body = limits, decode, encode, encode_body
    _pure_atom, _build_list, _leaves, _simple = atom, build_list, leaves, simple


cdef enum:
    DEPTH = 100  # recursion is quick, and C's stack is small: deeper terms are for the pure code
    SLOTS = 2048  # of the memory of atoms
    LARGE = 1 << 16  # bytes of a term
    SHARED = 1 << 14  # bytes of a binary that is a view of a view: LARGE of framing
    FIRST = 2048  # bytes to write to before any are allocated


# --- decoding ------------------------------------------------------------------

cdef struct Cursor:
    const uint8_t *data
    Py_ssize_t pos
    Py_ssize_t end
    Py_ssize_t start
    PyObject *view  # of data[start:end], or NULL
    int depth


# Atoms come in few kinds and many copies: the last one of each slot is remembered.
cdef PyObject *_seen_raw[SLOTS]
cdef PyObject *_seen_atom[SLOTS]
cdef list _seen_owners = [None] * (2 * SLOTS)  # keeps them alive


cdef inline uint32_t _u32(const uint8_t *at) noexcept:
    return (<uint32_t>at[0] << 24) | (<uint32_t>at[1] << 16) | (<uint32_t>at[2] << 8) | at[3]


def decode(data, limits=None):
    """etf.decode"""
    cdef Cursor cursor
    cdef bytes whole
    cdef int collecting = 0
    term = None
    if (limits is None or limits.depth >= DEPTH) and (whole := _open(&cursor, data)) is not None:
        if cursor.end > cursor.pos and cursor.data[cursor.pos - 1] == 131:
            # A term has no cycles: looking for them again and again while it grows is in vain.
            if cursor.end > LARGE:
                collecting = PyGC_Disable()
            try:
                term = _read(&cursor, whole)
            except Leave:
                cursor.pos = -1
            finally:
                if collecting:
                    PyGC_Enable()
            if cursor.pos == cursor.end:
                return term
    return _pure_decode(data, _default_limits if limits is None else limits)


cdef bytes _open(Cursor *c, object data):
    """The bytes that `data` is, or is a view of, and a cursor there. None: for the pure code."""
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
    cdef int tag
    if left <= 0:
        raise Leave
    tag = at[0]
    if tag == 119 or tag == 100 or tag == 115 or tag == 118:
        return _read_atom(c, whole)
    if left < 5:
        # only these fit in so few bytes
        if tag == 97 and left >= 2:
            c.pos += 2
            return at[1]
        if tag == 106:
            c.pos += 1
            return []
        if tag == 104 and left >= 2:
            return _read_tuple(c, whole, at[1], 2)
        if tag != 107 or left < 3:
            raise Leave
    if tag == 97:
        c.pos += 2
        return at[1]
    if tag == 104:
        return _read_tuple(c, whole, at[1], 2)
    if tag == 109:
        count = _u32(at + 1)
        if count > left - 5:
            raise Leave
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
            raise Leave
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
            raise Leave
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
        raise Leave
    try:
        value, end = leaf(whole, start)
    except Exception:
        raise Leave from None
    if end > c.end:
        raise Leave
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
        raise Leave
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
        raise Leave from None
    form = PyBytes_FromStringAndSize(<const char *>at, size)
    _seen_owners[2 * code] = form
    _seen_owners[2 * code + 1] = atom
    _seen_raw[code] = <PyObject *>form
    _seen_atom[code] = <PyObject *>atom
    c.pos += size
    return <Atom>atom


cdef object _read_identifier(Cursor *c, bytes whole, Raw identifier, Py_ssize_t head, Py_ssize_t size):
    """One whose external form is canonical: its node is a short atom in UTF-8."""
    cdef Py_ssize_t start = c.pos
    cdef const uint8_t *at = c.data + start
    if head == 3 and not 8 <= size <= 24:
        raise Leave
    if start + head >= c.end or at[head] != 119:
        value, end = _leaf(whole, start, at[0])
        if end > c.end:
            raise Leave
        c.pos = end
        return value
    c.pos += head
    _read_atom(c, whole)
    c.pos += size
    if c.pos > c.end:
        raise Leave
    identifier.raw = PyBytes_FromStringAndSize(<const char *>at, c.pos - start)
    return identifier


cdef tuple _leaf(bytes whole, Py_ssize_t start, int tag):
    try:
        return _leaves[tag](whole, start)
    except Exception:
        raise Leave from None


cdef inline int _go_in(Cursor *c, Py_ssize_t head, Py_ssize_t parts) except -1:
    """Past the head of a container, whose parts are of a byte and more each."""
    c.pos += head
    if parts > c.end - c.pos:
        raise Leave
    c.depth += 1
    if c.depth > DEPTH:
        raise Leave
    return 0


cdef tuple _read_tuple(Cursor *c, bytes whole, Py_ssize_t count, Py_ssize_t head):
    cdef Py_ssize_t index
    _go_in(c, head, count)
    items = PyTuple_New(count)
    for index in range(count):
        item = _read(c, whole)
        Py_INCREF(item)
        PyTuple_SET_ITEM(items, index, item)
    c.depth -= 1
    return items


cdef object _read_list(Cursor *c, bytes whole):
    cdef Py_ssize_t count = _u32(c.data + c.pos + 1)
    cdef Py_ssize_t index
    cdef const uint8_t *at
    _go_in(c, 5, count + 1)
    items = PyList_New(count)
    for index in range(count):
        at = c.data + c.pos
        if c.end - c.pos > 5 and at[0] == 98:  # numbers come in long lists
            item = <int>_u32(at + 1)
            c.pos += 5
        else:
            item = _read(c, whole)
        Py_INCREF(item)
        PyList_SET_ITEM(items, index, item)
    if c.pos < c.end and c.data[c.pos] == 106:
        c.pos += 1
    else:
        items.append(_read(c, whole))
        items = _build_list(items)
    c.depth -= 1
    return items


cdef object _read_map(Cursor *c, bytes whole):
    cdef Py_ssize_t count = _u32(c.data + c.pos + 1)
    cdef Py_ssize_t index
    _go_in(c, 5, 2 * count)
    found = {}
    for index in range(count):
        key = _read(c, whole)
        value = _read(c, whole)
        try:
            PyDict_SetItem(found, key, value)
        except TypeError:  # a key that cannot be hashed
            raise Leave from None
    if PyDict_Size(found) != count:  # keys that a dict confuses
        raise Leave
    c.depth -= 1
    return found


# --- encoding ------------------------------------------------------------------

cdef struct Writer:
    uint8_t *data
    Py_ssize_t size
    Py_ssize_t room
    PyObject *grown  # the bytes object that `data` is in, or NULL: `first` then
    int depth
    uint8_t first[FIRST]


cdef inline uint8_t *_claim(Writer *w, Py_ssize_t count) except NULL:
    """Where `count` bytes are to be written."""
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
    """A tag and a number of four bytes."""
    cdef uint8_t *at = _claim(w, 5)
    at[0] = tag
    at[1] = (value >> 24) & 255
    at[2] = (value >> 16) & 255
    at[3] = (value >> 8) & 255
    at[4] = value & 255
    return 0


def encode(term, *, compressed=0, deterministic=False):
    """etf.encode"""
    if not compressed and not deterministic:
        try:
            return _encode(term, True)
        except Leave:
            pass
    return _pure_encode(term, compressed=compressed, deterministic=deterministic)


def encode_body(term, deterministic=False):
    """etf.encode_body"""
    if not deterministic:
        try:
            return _encode(term, False)
        except Leave:
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
        _enter(w)
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
        _enter(w)
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
        raise Leave
    try:
        data = simple(term)
    except Exception:
        raise Leave from None
    return _copy(w, data)


cdef inline int _enter(Writer *w) except -1:
    w.depth += 1
    if w.depth > DEPTH:
        raise Leave
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
            raise Leave from None
    return _copy(w, atom.raw)


cdef int _write_binary(Writer *w, const char *data, Py_ssize_t count) except -1:
    if count > 0xFFFFFFFF:
        raise Leave
    if w.size + 5 + count > w.room:
        _grow(w, w.size + 5 + count)  # once, for both
    _head(w, 109, count)
    memcpy(_claim(w, count), data, count)
    return 0


cdef int _write_text(Writer *w, str text) except -1:
    cdef Py_ssize_t count
    cdef const char *data
    try:
        data = PyUnicode_AsUTF8AndSize(text, &count)
    except UnicodeEncodeError:
        raise Leave from None
    return _write_binary(w, data, count)


cdef int _write_float(Writer *w, double number) except -1:
    cdef uint8_t *at
    cdef uint8_t *bits = <uint8_t *>&number
    cdef int index
    if not isfinite(number):
        raise Leave
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
    _enter(w)
    for index in range(count):
        _write(w, <object>PyList_GET_ITEM(items, index))
    w.depth -= 1
    _claim(w, 1)[0] = 106
    return 0


cdef bint _write_string(Writer *w, list items, Py_ssize_t count) except -1:
    """Writes a list of bytes as the emulator does; False, and nothing, for any other list."""
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
