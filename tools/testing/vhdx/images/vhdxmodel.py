#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""A second, independent reader of VHDX files: the oracle of the tests.

It is written from the description of the format, not from the driver's C
code, is in no hurry, and takes nothing on trust. It searches, checks and
replays the log in memory; it never writes to an image.

  vhdxmodel.py --info FILE            what the file says about itself
  vhdxmodel.py --check [--clean] FILE strict check, by Hyper-V's rules; exit 1
                                      with reasons; --clean: the log is empty
  vhdxmodel.py --content FILE         content of the virtual disk, as a .tsv
  vhdxmodel.py --digest FILE          sha256 of the whole virtual disk
  vhdxmodel.py --raw FILE OUT         sparse raw twin of the virtual disk
  vhdxmodel.py --verify TSV RAW [N]   does a raw file or block device hold the
                                      content; of what the .tsv calls zero look
                                      at every N-th MiB only (default: at all)
  vhdxmodel.py --sum FILE...          one sum of the bytes of each file itself, of
                                      any kind; quick for files full of holes
  vhdxmodel.py --serve                many of these, one after the other: reads
                                      lines of words that US (0x1f) separates, a
                                      file for the output and one of the above;
                                      answers each with its exit status

A .tsv has the offset, length and sha256 of each 1 MiB chunk that is not zero;
everything else of the disk is zero.
"""

import contextlib
import errno
import hashlib
import os
import re
import struct
import sys
import uuid

KIB = 1 << 10
MIB = 1 << 20
GIB = 1 << 30
TIB = 1 << 40
PAGE = 4096
ZERO_PAGE = bytes(PAGE)
ZERO_MIB = bytes(MIB)
FILE_MAX = (1 << 63) - 1
IMAGE_MAX = 1 << 48     # not of the format: the driver's bound

HEADER_OFFS = (0x10000, 0x20000)
REGION_OFFS = (0x30000, 0x40000)
TABLE_SIZE = 65536
LOG_TARGET_MIN = 0x30000
LOG_LENGTH_MAX = GIB
NULL_GUID = bytes(16)


def guid(text):
    """The 16 bytes on disk of a GUID in text form."""
    return uuid.UUID(text).bytes_le


REGION_BAT = guid("2DC27766-F623-4200-9D64-115E9BFD4A08")
REGION_METADATA = guid("8B7CA206-4790-4B9A-B8FE-575F050F886E")
ITEM_PARAMETERS = guid("CAA16737-FA36-4D43-B3B6-33F0AA44E76B")
ITEM_SIZE = guid("2FA54224-CD1B-4876-B211-5DBED83BF4B8")
ITEM_ID = guid("BECA12AB-B2E6-4523-93EF-C309E000C746")
ITEM_LOGICAL = guid("8141BF1D-A96F-4709-BA47-F233A8FAAB5F")
ITEM_PHYSICAL = guid("CDA348C7-445D-4471-9CC9-E9885251C556")
ITEM_LOCATOR = guid("A8D35F2D-B30B-454D-ABF7-D3D84834AB0C")
ITEM_INCOMPLETE = guid("71CC85F0-1B69-4E28-9558-C3BF83AE75D3")
LOCATOR_VHDX = guid("B04AEFB7-D19E-4A81-B789-25B8E9445913")

# What a reader knows: exact length of the item, name of its absence.
ITEMS = {
    ITEM_PARAMETERS: (8, "metadata-parameters-missing"),
    ITEM_SIZE: (8, "metadata-size-missing"),
    ITEM_ID: (16, "metadata-id-missing"),
    ITEM_LOGICAL: (4, "metadata-logical-missing"),
    ITEM_PHYSICAL: (4, "metadata-physical-missing"),
    ITEM_LOCATOR: (None, "metadata-locator-missing"),
}

NOT_PRESENT, UNDEFINED, ZERO, UNMAPPED = 0, 1, 2, 3
FULLY_PRESENT, PARTIALLY_PRESENT = 6, 7


class Fault(Exception):
    """What is wrong with a file, by the name the project has for it."""

    def __init__(self, name, off, why=""):
        super().__init__(f"{name} at {off:#x}" + (f": {why}" if why else ""))
        self.name = name
        self.off = off


# ---------------------------------------------------------------------------
# CRC-32C

def _crc_table(bits):
    table = []
    for value in range(1 << bits):
        for _ in range(bits):
            value = (value >> 1) ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table


_CRC8 = _crc_table(8)
_CRC16 = []


def _crc_advance(crc, data):
    if len(data) & 1:
        crc = _CRC8[(crc ^ data[0]) & 0xFF] ^ (crc >> 8)
        data = data[1:]
    if not _CRC16:
        _CRC16.extend(_CRC8[_CRC8[n & 0xFF] & 0xFF ^ n >> 8] ^
                      _CRC8[n & 0xFF] >> 8 for n in range(1 << 16))
    table = _CRC16
    for word in struct.unpack(f"<{len(data) // 2}H", data):
        crc = table[(crc ^ word) & 0xFFFF] ^ (crc >> 16)
    return crc


# The effect of a page of zeros is linear: know it for each bit of the state.
_ZERO_PAGE_MAP = []


def _crc_zero_page(crc):
    if not _ZERO_PAGE_MAP:
        _ZERO_PAGE_MAP.extend(_crc_advance(1 << n, ZERO_PAGE) for n in range(32))
    out = 0
    for bit in range(32):
        if crc >> bit & 1:
            out ^= _ZERO_PAGE_MAP[bit]
    return out


def crc32c(data):
    """CRC-32C as it is stored on disk."""
    crc = 0xFFFFFFFF
    for pos in range(0, len(data), PAGE):
        piece = data[pos:pos + PAGE]
        crc = _crc_zero_page(crc) if piece == ZERO_PAGE else _crc_advance(crc, piece)
    return crc ^ 0xFFFFFFFF


def crc_ok(data):
    """Does the checksum at byte 4 match a structure of which it is a part?"""
    return crc32c(data[:4] + bytes(4) + data[8:]) == struct.unpack_from("<I", data, 4)[0]


# ---------------------------------------------------------------------------
# The file, with a replayed log over it

class Overlay:
    """What a replay would have written, in order; later wins."""

    def __init__(self):
        self.pages = {}         # page number -> (order, 4 KiB)
        self.zeros = []         # (order, first page, page after the last)
        self.order = 0

    def write(self, off, data):
        self.order += 1
        self.pages[off // PAGE] = (self.order, data)

    def zero(self, off, length):
        self.order += 1
        if length:
            self.zeros.append((self.order, off // PAGE, (off + length) // PAGE))

    def page(self, number):
        """4 KiB, or None where the file itself answers."""
        order, data = self.pages.get(number, (0, None))
        for zero_order, first, end in self.zeros:
            if zero_order > order and first <= number < end:
                order, data = zero_order, ZERO_PAGE
        return data

    @property
    def end(self):
        ends = [(n + 1) * PAGE for n in self.pages]
        return max(ends + [z[2] * PAGE for z in self.zeros], default=0)


class File:
    """Bytes of the image file; holes are known, the overlay is applied."""

    def __init__(self, path):
        self.path = path
        self.fd = os.open(path, os.O_RDONLY)
        self.real_size = os.lseek(self.fd, 0, os.SEEK_END)
        self.size = self.real_size
        self.overlay = Overlay()

    def close(self):
        os.close(self.fd)

    def read(self, off, length):
        """Bytes; the range must lie inside the (replayed) file."""
        if off + length > self.size:
            raise EOFError(f"{self.path}: {off:#x}+{length:#x} is beyond the end")
        data = bytearray()
        while len(data) < length:
            piece = os.pread(self.fd, length - len(data), off + len(data))
            if not piece:
                data += bytes(length - len(data))
            data += piece
        if self.overlay.order:
            self._overlay(off, data)
        return bytes(data)

    def _overlay(self, off, data):
        end = off + len(data)
        for number in range(off // PAGE, -(-end // PAGE)):
            page = self.overlay.page(number)
            if page is None:
                continue
            low, high = max(off, number * PAGE), min(end, (number + 1) * PAGE)
            data[low - off:high - off] = page[low - number * PAGE:high - number * PAGE]

    def next_data(self, off, end):
        """The first place from off on that may hold something, at most end."""
        try:
            found = min(os.lseek(self.fd, off, os.SEEK_DATA), end)
        except OSError as err:
            if err.errno != errno.ENXIO:
                return off
            found = end
        pages = [n * PAGE for n in self.overlay.pages if off < (n + 1) * PAGE and
                 n * PAGE < found]
        return max(min(pages, default=found), off)


# ---------------------------------------------------------------------------
# Headers

class Header:
    """One of the two headers; valid or not."""

    def __init__(self, data, off):
        self.data = data
        self.off = off
        self.fault = None
        (sig, _, self.seq, self.file_write, self.data_write, self.log_guid,
         self.log_version, self.version, self.log_len, self.log_off) = \
            struct.unpack_from("<4sIQ16s16s16sHHIQ", data)
        if sig != b"head":
            self.fault = Fault("header-signature", off)
        elif not crc_ok(data):
            self.fault = Fault("header-checksum", off + 4)


def choose_header(headers):
    """The current one of two."""
    valid = [h for h in headers if not h.fault]
    if not valid:
        raise Fault("header-none-valid", HEADER_OFFS[0])
    if len(valid) == 1:
        return valid[0]
    first, second = valid
    if first.seq == second.seq and first.data != second.data:
        raise Fault("header-ambiguous", first.off + 8)
    return second if second.seq > first.seq else first


def check_header(header, file_size):
    """What the current header says must be usable."""
    off = header.off
    if header.version != 1:
        raise Fault("header-version", off + 66)
    dirty = header.log_guid != NULL_GUID
    if header.log_version and dirty:
        raise Fault("header-log-version", off + 64)
    if header.log_len % MIB:
        raise Fault("header-log-alignment", off + 68)
    if header.log_off % MIB:
        raise Fault("header-log-alignment", off + 72)
    if not header.log_len:
        if dirty:
            raise Fault("header-log-missing", off + 68)
        return
    if header.log_len > LOG_LENGTH_MAX:
        raise Fault("header-log-length", off + 68)
    if header.log_off < MIB or header.log_off + header.log_len > file_size:
        raise Fault("header-log-range", off + 72)


# ---------------------------------------------------------------------------
# Log

class Entry:
    """One log entry that is valid by itself; raises Fault if it is not."""

    def __init__(self, ring, pos):
        self.pos = pos
        at = ring.file_off(pos)
        if pos % PAGE:
            raise Fault("log-entry-alignment", at)
        head = ring.read(pos, PAGE)
        (sig, _, self.length, self.tail, self.seq, self.nr_desc, _, log_guid,
         self.flushed, self.last) = struct.unpack_from("<4sIIIQII16sQQ", head)
        if sig != b"loge":
            raise Fault("log-entry-signature", at)
        if log_guid != ring.guid:
            raise Fault("log-entry-guid", at + 32)
        if self.length < PAGE or self.length % PAGE or self.length > ring.length:
            raise Fault("log-entry-length", at + 8)
        if self.tail % PAGE or self.tail >= ring.length:
            raise Fault("log-entry-tail", at + 12)
        if not self.seq:
            raise Fault("log-entry-sequence", at + 16)
        area = -(-(64 + 32 * self.nr_desc) // PAGE) * PAGE
        if area > self.length:
            raise Fault("log-entry-count", at + 24)
        whole = ring.read(pos, self.length)
        self.descs = [self._descriptor(ring, whole, n) for n in range(self.nr_desc)]
        self._data(ring, whole, area)
        if not crc_ok(whole):
            raise Fault("log-entry-checksum", at + 4)

    def _descriptor(self, ring, whole, n):
        """(kind, target, length, content)"""
        raw = 64 + 32 * n
        at = ring.file_off((self.pos + raw) % ring.length)
        sig, = struct.unpack_from("<4s", whole, raw)
        target, seq = struct.unpack_from("<QQ", whole, raw + 16)
        if sig not in (b"zero", b"desc"):
            raise Fault("log-desc-signature", at)
        if seq != self.seq:
            raise Fault("log-desc-sequence", at + 24)
        if target % PAGE:
            raise Fault("log-desc-alignment", at + 16)
        length, data = PAGE, None
        if sig == b"zero":
            length, = struct.unpack_from("<Q", whole, raw + 8)
            if length % PAGE:
                raise Fault("log-desc-alignment", at + 8)
        else:
            data = whole[raw + 8:raw + 16], whole[raw + 4:raw + 8]
        end = target + length
        if target < LOG_TARGET_MIN or end > FILE_MAX or \
           (target < ring.off + ring.length and end > ring.off and length):
            raise Fault("log-desc-target", at + 16)
        return [sig, target, length, data]

    def _data(self, ring, whole, area):
        data = [d for d in self.descs if d[0] == b"desc"]
        if area + PAGE * len(data) != self.length:
            raise Fault("log-entry-count", ring.file_off(self.pos) + 24)
        for n, desc in enumerate(data):
            raw = area + PAGE * n
            at = ring.file_off((self.pos + raw) % ring.length)
            sig, high = struct.unpack_from("<4sI", whole, raw)
            low, = struct.unpack_from("<I", whole, raw + PAGE - 4)
            if sig != b"data":
                raise Fault("log-data-signature", at)
            if high != self.seq >> 32:
                raise Fault("log-data-sequence", at + 4)
            if low != self.seq & 0xFFFFFFFF:
                raise Fault("log-data-sequence", at + PAGE - 4)
            leading, trailing = desc[3]
            desc[3] = leading + whole[raw + 8:raw + PAGE - 4] + trailing


class Ring:
    """The log area: reads wrap round its end."""

    def __init__(self, file, header):
        self.file = file
        self.off = header.log_off
        self.length = header.log_len
        self.guid = header.log_guid

    def file_off(self, pos):
        return self.off + pos

    def read(self, pos, length):
        first = min(length, self.length - pos)
        data = self.file.read(self.off + pos, first)
        return data + self.file.read(self.off, length - first) if first < length else data

    def entries(self):
        """All entries that are valid by themselves, by log offset."""
        found = {}
        pos = 0
        while pos < self.length:
            pos = self.file.next_data(self.off + pos, self.off + self.length) - self.off
            pos -= pos % PAGE
            if pos < self.length and self.read(pos, 4) == b"loge":
                try:
                    found[pos] = Entry(self, pos)
                except Fault:
                    pass
            pos += PAGE
        return found

    def run_from(self, found, start):
        """The longest row of consecutive entries that begins at start."""
        run, pos, total = [], start, 0
        while pos in found:
            entry = found[pos]
            if run and entry.seq != run[-1].seq + 1:
                break
            total += entry.length
            if total > self.length:
                break
            run.append(entry)
            pos = (pos + entry.length) % self.length
        return run, pos

    def active(self):
        """The entries to replay, oldest first."""
        found = self.entries()
        best, scan = [], 0
        while True:
            run, end = self.run_from(found, scan)
            tails = [n for n, e in enumerate(run) if run and e.pos == run[-1].tail]
            if tails and (not best or run[-1].seq > best[-1].seq):
                best = run[tails[0]:]
            after = end if tails else (scan + PAGE) % self.length
            if after <= scan:
                break
            scan = after
        if not best:
            raise Fault("log-no-sequence", self.off)
        return best


def replay(file, header):
    """Apply the active sequence to the file's overlay; its entries."""
    ring = Ring(file, header)
    sequence = ring.active()
    head = sequence[-1]
    if head.last > IMAGE_MAX:
        raise Fault("log-last-offset", ring.file_off(head.pos) + 56)
    if head.flushed > file.real_size:
        raise Fault("log-truncated", ring.file_off(head.pos) + 48)
    limit = max([file.real_size] + [-(-e.last // MIB) * MIB for e in sequence
                                    if e.last <= IMAGE_MAX])
    for entry in sequence:
        if any(length and target + length > limit for _, target, length, _ in entry.descs):
            raise Fault("log-target-beyond", ring.file_off(entry.pos))
    for entry in sequence:
        for sig, target, length, data in entry.descs:
            if sig == b"zero":
                file.overlay.zero(target, length)
            else:
                file.overlay.write(target, data)
    file.size = max(file.size, -(-head.last // MIB) * MIB, file.overlay.end)
    return sequence


# ---------------------------------------------------------------------------
# Region table

def overlaps(first, second):
    return first[0] < second[1] and second[0] < first[1]


def check_regions(table, at, file_size, header):
    """{guid: (offset, length)} of a table found at file offset at."""
    nr, = struct.unpack_from("<I", table, 8)
    if nr > 2047:
        raise Fault("region-count", at + 8)
    used = [(header.log_off, header.log_off + header.log_len)]
    found = {}
    for n in range(nr):
        raw = 16 + 32 * n
        which, off, length, required = struct.unpack_from("<16sQII", table, raw)
        if off % MIB:
            raise Fault("region-alignment", at + raw + 16)
        if length % MIB:
            raise Fault("region-alignment", at + raw + 24)
        if not length:
            raise Fault("region-range", at + raw + 24)
        if off < MIB or off + length > file_size:
            raise Fault("region-range", at + raw + 16)
        if which in found:
            raise Fault("region-duplicate", at + raw)
        if any(overlaps((off, off + length), u) for u in used):
            raise Fault("region-overlap", at + raw + 16)
        if which not in (REGION_BAT, REGION_METADATA) and required & 1:
            raise Fault("region-unknown", at + raw, str(uuid.UUID(bytes_le=which)))
        used.append((off, off + length))
        found[which] = off, length
    if REGION_BAT not in found:
        raise Fault("region-bat-missing", at + 8)
    if REGION_METADATA not in found:
        raise Fault("region-metadata-missing", at + 8)
    return found


# ---------------------------------------------------------------------------
# Metadata

def check_items(table, region_off, region_len):
    """{item: (file offset, length)} of the known items."""
    if table[:8] != b"metadata":
        raise Fault("metadata-signature", region_off)
    nr, = struct.unpack_from("<H", table, 10)
    if nr > 2047:
        raise Fault("metadata-count", region_off + 10)
    seen, used, users, found = {}, [], 0, {}
    for n in range(nr):
        raw = 32 + 32 * n
        at = region_off + raw
        which, off, length, flags = struct.unpack_from("<16sIII", table, raw)
        if flags & ~7:
            raise Fault("metadata-item-flags", at + 24)
        users += flags & 1
        if users > 1024:
            raise Fault("metadata-user-count", at + 24)
        if length > MIB:
            raise Fault("metadata-item-length", at + 20)
        if off + length > region_len or (off and off < TABLE_SIZE) or \
           (length and not off) or (off and not length):
            raise Fault("metadata-item-range", at + 16)
        key = which, flags & 1
        if key in seen:
            if seen[key] == (off, length, flags):
                continue
            raise Fault("metadata-item-duplicate", at)
        seen[key] = off, length, flags
        if any(overlaps((off, off + length), u) for u in used):
            raise Fault("metadata-item-overlap", at + 16)
        used.append((off, off + length))
        if which == ITEM_INCOMPLETE and not flags & 1:
            raise Fault("metadata-incomplete", at)
        if which not in ITEMS or flags & 1:
            if flags & 4:
                raise Fault("metadata-item-unknown", at, str(uuid.UUID(bytes_le=which)))
            continue
        exact = ITEMS[which][0]
        if exact and length != exact:
            raise Fault("metadata-item-length", at + 20)
        found[which] = region_off + off, length
    for which, (_, missing) in ITEMS.items():
        if which not in found and which != ITEM_LOCATOR:
            raise Fault(missing, region_off + 10)
    return found


GUID_TEXT = re.compile(r"\{[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\}", re.I)
PATH_KEYS = ("relative_path", "volume_path", "absolute_win32_path")


def parse_locator(data, at):
    """{key: value} of a parent locator found at file offset at."""
    if len(data) < 20:
        raise Fault("locator-short", at)
    kind, _, nr = struct.unpack_from("<16sHH", data)
    if kind != LOCATOR_VHDX:
        raise Fault("locator-type", at)
    if not 1 <= nr <= 256:
        raise Fault("locator-count", at + 18)
    if 20 + 12 * nr > len(data):
        raise Fault("locator-short", at)
    pairs, places = {}, {}
    for n in range(nr):
        raw = 20 + 12 * n
        key_off, val_off, key_len, val_len = struct.unpack_from("<IIHH", data, raw)
        texts = []
        for off, length, where in ((key_off, key_len, 0), (val_off, val_len, 4)):
            if not off or not length or off + length > len(data):
                raise Fault("locator-entry-range", at + raw + where)
            text = data[off:off + length]
            if length % 2:
                raise Fault("locator-string", at + raw + 8 + where // 2)
            if any(text[i:i + 2] == b"\0\0" for i in range(0, length, 2)):
                raise Fault("locator-string", at + off)
            texts.append(text.decode("utf-16-le", "replace"))
        if texts[0] in pairs:
            raise Fault("locator-duplicate", at + key_off)
        pairs[texts[0]] = texts[1]
        places[texts[0]] = at + val_off
    if "parent_linkage" not in pairs:
        raise Fault("locator-linkage-missing", at)
    for key in ("parent_linkage", "parent_linkage2"):
        if key in pairs and not GUID_TEXT.fullmatch(pairs[key]):
            raise Fault("locator-linkage-guid", places[key])
    if not any(key in pairs for key in PATH_KEYS):
        raise Fault("locator-path-missing", at)
    return pairs


# ---------------------------------------------------------------------------
# The image

class Image:
    """An opened image; the log is replayed in memory. Raises Fault."""

    def __init__(self, path):
        self.path = path
        self.file = File(path)
        try:
            self._open_headers()
            self._open_regions()
            self._open_metadata()
        except BaseException:
            self.file.close()
            raise

    def close(self):
        self.file.close()

    def _open_headers(self):
        file = self.file
        if file.size < MIB:
            raise Fault("file-too-small", 0)
        if file.real_size > IMAGE_MAX:
            raise Fault("file-too-large", 0)
        if file.read(0, 8) != b"vhdxfile":
            raise Fault("file-id-signature", 0)
        self.headers = [Header(file.read(off, PAGE), off) for off in HEADER_OFFS]
        self.header = choose_header(self.headers)
        check_header(self.header, file.size)
        self.sequence = []
        self.dirty = self.header.log_guid != NULL_GUID
        if self.dirty:
            self.sequence = replay(file, self.header)

    def _open_regions(self):
        self.tables = [self.file.read(off, TABLE_SIZE) for off in REGION_OFFS]
        good = [n for n, t in enumerate(self.tables) if t[:4] == b"regi" and crc_ok(t)]
        if not good:
            raise Fault("region-none-valid", REGION_OFFS[0])
        self.good_tables = good
        at = REGION_OFFS[good[0]]
        self.regions = check_regions(self.tables[good[0]], at, self.file.size, self.header)

    def _open_metadata(self):
        meta_off, meta_len = self.regions[REGION_METADATA]
        items = check_items(self.file.read(meta_off, TABLE_SIZE), meta_off, meta_len)
        self.items = items
        self._parameters(items[ITEM_PARAMETERS][0])
        self._sizes(items)
        self.locator = {}
        if self.has_parent:
            if ITEM_LOCATOR not in items:
                raise Fault("metadata-locator-missing", meta_off + 10)
            off, length = items[ITEM_LOCATOR]
            self.locator = parse_locator(self.file.read(off, length), off)
        self._geometry()

    def _parameters(self, at):
        self.block, flags = struct.unpack("<II", self.file.read(at, 8))
        if self.block not in [MIB << n for n in range(9)]:
            raise Fault("parameters-block-size", at)
        if flags & ~3:
            raise Fault("parameters-flags", at + 4)
        self.leave_allocated = bool(flags & 1)
        self.has_parent = bool(flags & 2)
        self.kind = "differencing" if self.has_parent else \
            "fixed" if self.leave_allocated else "dynamic"

    def _sizes(self, items):
        def number(item, code):
            return struct.unpack(code, self.file.read(*items[item]))[0]
        self.lss = number(ITEM_LOGICAL, "<I")
        if self.lss not in (512, 4096):
            raise Fault("logical-sector-size", items[ITEM_LOGICAL][0])
        self.pss = number(ITEM_PHYSICAL, "<I")
        if self.pss not in (512, 4096):
            raise Fault("physical-sector-size", items[ITEM_PHYSICAL][0])
        self.size = number(ITEM_SIZE, "<Q")
        at = items[ITEM_SIZE][0]
        if not self.size:
            raise Fault("disk-size-zero", at)
        if self.size > 64 * TIB:
            raise Fault("disk-size-limit", at)
        if self.size % self.lss:
            raise Fault("disk-size-alignment", at)
        self.disk_id = self.file.read(*items[ITEM_ID])

    def _geometry(self):
        self.ratio = (self.lss << 23) // self.block
        self.nr_blocks = -(-self.size // self.block)
        self.nr_chunks = -(-self.nr_blocks // self.ratio)
        if self.has_parent:
            self.nr_entries = self.nr_chunks * (self.ratio + 1)
        else:
            self.nr_entries = self.nr_blocks + (self.nr_blocks - 1) // self.ratio
        self.bat_off, bat_len = self.regions[REGION_BAT]
        if self.nr_entries * 8 > bat_len:
            raise Fault("bat-too-small", self.bat_off)

    # -- BAT ---------------------------------------------------------------

    def entry(self, index):
        return struct.unpack("<Q", self.file.read(self.bat_off + 8 * index, 8))[0]

    def entries(self):
        """(index, raw) of every entry that is not zero, in order."""
        end = self.bat_off + 8 * self.nr_entries
        pos = self.bat_off
        while pos < end:
            start = self.file.next_data(pos, end)
            pos = start - start % PAGE
            if pos >= end:
                break
            page = self.file.read(pos, min(PAGE, end - pos))
            if page.count(0) != len(page):
                first = (pos - self.bat_off) // 8
                for n, raw in enumerate(struct.unpack(f"<{len(page) // 8}Q", page)):
                    if raw:
                        yield first + n, raw
            pos += PAGE

    def block_of(self, index):
        """Block number, or None for a sector bitmap entry."""
        chunk, rest = divmod(index, self.ratio + 1)
        return None if rest == self.ratio else chunk * self.ratio + rest

    def index_of(self, block):
        return block + block // self.ratio

    def _used(self):
        """[(start, end, what)] of everything that is not a block."""
        used = [(0, MIB, "header section")]
        if self.header.log_len:
            used.append((self.header.log_off, self.header.log_off + self.header.log_len, "log"))
        used += [(o, o + n, "region") for o, n in self.all_regions()]
        return used

    def all_regions(self):
        table = self.tables[self.good_tables[0]]
        nr, = struct.unpack_from("<I", table, 8)
        return [struct.unpack_from("<QI", table, 32 + 32 * n) for n in range(nr)]

    def block_end(self, block, off, strict):
        """End in the file; of the last block only what belongs to the disk."""
        if not strict and block == self.nr_blocks - 1:
            return off + self.size - block * self.block
        return off + self.block

    def check_entry(self, index, raw, strict=False):
        """(offset, end) of a located block, or None; raises Fault."""
        at = self.bat_off + 8 * index
        if raw & 0xFFFF8:
            raise Fault("bat-reserved-bits", at)
        state, off = raw & 7, raw & ~0xFFFFF
        block = self.block_of(index)
        if block is None:
            if state not in (0, 6) or (state and not self.has_parent):
                raise Fault("bat-bitmap-state", at)
            if not state:
                return None
            end = need = off + MIB
        else:
            if state in (4, 5) or (state == PARTIALLY_PRESENT and not self.has_parent):
                raise Fault("bat-payload-state", at)
            if state in (NOT_PRESENT, ZERO) or (state in (UNDEFINED, UNMAPPED) and not off):
                return None
            end = off + self.block
            need = self.block_end(block, off, strict)
        if off < MIB or need > self.file.size:
            raise Fault("bat-location", at)
        return off, end

    def check_bat(self, strict=False):
        """Every entry, and that nothing lies on anything else; raises Fault."""
        extents = [(start, end, -1) for start, end, _ in self._used()]
        bitmaps, partial = set(), {}
        for index, raw in self.entries():
            extent = self.check_entry(index, raw, strict)
            if self.block_of(index) is None:
                if raw & 7:
                    bitmaps.add(index // (self.ratio + 1))
            elif raw & 7 == PARTIALLY_PRESENT:
                partial.setdefault(index // (self.ratio + 1), index)
            if extent:
                extents.append(extent + (index,))
        self._check_overlap(extents)
        for chunk, index in partial.items():
            if chunk not in bitmaps:
                raise Fault("bat-bitmap-missing", self.bat_off + 8 * index)

    def _check_overlap(self, extents):
        """Blame the block that comes later in the table."""
        extents.sort()
        worst = None
        reach, owner = 0, -1
        for start, end, index in extents:
            if start < reach:
                late = max(index, owner)
                worst = late if worst is None else min(worst, late)
            if end > reach:
                reach, owner = end, index
        if worst is not None:
            raise Fault("bat-overlap", self.bat_off + 8 * worst)

    # -- content -----------------------------------------------------------

    def parent(self):
        """The parent image, found as a path relative to this file."""
        path = self.locator.get("relative_path", "").replace("\\", "/")
        image = Image(os.path.join(os.path.dirname(self.path), path))
        links = [self.locator.get(k, "")[1:-1].lower()
                 for k in ("parent_linkage", "parent_linkage2")]
        if str(uuid.UUID(bytes_le=image.header.data_write)) not in links:
            raise Fault("chain-linkage", self.items[ITEM_LOCATOR][0])
        if image.lss != self.lss:
            raise Fault("chain-sector-size", self.items[ITEM_LOGICAL][0])
        return image

    def read_present(self, file_off, length):
        """Bytes of a located block; what the file no longer has is zero."""
        inside = max(0, min(length, self.file.size - file_off))
        return self.file.read(file_off, inside) + bytes(length - inside)

    def _mixed(self, block, inner, length, below):
        """A piece of a partially present block: sectors here or below."""
        chunk, rest = divmod(block, self.ratio)
        bitmap = self.entry((chunk + 1) * self.ratio + chunk) & ~0xFFFFF
        data = bytearray(below)
        here = self.entry(self.index_of(block)) & ~0xFFFFF
        first = (rest * self.block + inner) // self.lss
        bits = self.file.read(bitmap + first // 8, -(-length // self.lss // 8) + 1)
        for n in range(length // self.lss):
            bit = first % 8 + n
            if bits[bit // 8] >> bit % 8 & 1:
                off = here + inner + n * self.lss
                data[n * self.lss:(n + 1) * self.lss] = self.read_present(off, self.lss)
        return bytes(data)

    def chunks(self):
        """(offset, bytes) of each 1 MiB of the disk that is not zero."""
        parent = self.parent() if self.has_parent else None
        below = dict(parent.chunks()) if parent else {}
        own = {}
        for index, raw in self.entries():
            block = self.block_of(index)
            if block is not None and block < self.nr_blocks:
                own[block] = raw
        blocks = set(own) | {off // self.block for off in below if off < self.size}
        for block in sorted(blocks):
            yield from self._block_chunks(block, own.get(block, 0), below)

    def _block_chunks(self, block, raw, below):
        state, off = raw & 7, raw & ~0xFFFFF
        for inner in range(0, self.block, MIB):
            pos = block * self.block + inner
            length = min(MIB, self.size - pos)
            if length <= 0:
                break
            if state in (NOT_PRESENT, PARTIALLY_PRESENT):
                lower = below.get(pos, b"")[:length].ljust(length, b"\0")
            if state == NOT_PRESENT and self.has_parent:
                data = lower
            elif state == PARTIALLY_PRESENT:
                data = self._mixed(block, inner, length, lower)
            elif state == FULLY_PRESENT:
                start = off + inner
                if self.file.next_data(start, start + length) >= start + length:
                    continue
                data = self.read_present(start, length)
            else:
                return
            if data != ZERO_MIB[:length]:
                yield pos, data


# ---------------------------------------------------------------------------
# The strict check

def check_strict(path, clean=False):
    """Reasons why Hyper-V, or anybody careful, might refuse the file."""
    try:
        image = Image(path)
    except (Fault, EOFError) as fault:
        return [str(fault)]
    reasons = _check_frame(image, clean)
    try:
        image.check_bat(strict=True)
    except Fault as fault:
        reasons.append(str(fault))
    for index, raw in image.entries():
        if raw & 7 in (NOT_PRESENT, ZERO) and raw & ~7:
            reasons.append(f"BAT entry {index} at {image.bat_off + 8 * index:#x}: state "
                           f"{raw & 7} with an offset, which Hyper-V refuses")
    image.close()
    return reasons


def _check_frame(image, clean):
    reasons = [str(h.fault) for h in image.headers if h.fault]
    first, second = image.headers
    if image.file.real_size % MIB and not image.dirty:
        reasons.append(f"file size {image.file.real_size} is not a multiple of 1 MiB")
    if clean and image.dirty:
        reasons.append("the log is not empty")
    if clean and not reasons and first.log_guid != second.log_guid:
        reasons.append("the older header still names a log: losing the newer one "
                       "would bring a stale log back")
    if not first.fault and not second.fault and first.seq == second.seq:
        reasons.append("both headers have the same sequence number")
    if clean and not reasons and first.data_write != second.data_write:
        reasons.append("the two headers have different DataWriteGuids")
    if any(h.log_version for h in image.headers if not h.fault):
        reasons.append("LogVersion is not 0")
    if len(image.good_tables) != 2 or image.tables[0] != image.tables[1]:
        reasons.append("the two region tables are not the same")
    return reasons


# ---------------------------------------------------------------------------
# Content as text

def tsv_lines(chunks):
    for off, data in chunks:
        yield f"{off}\t{len(data)}\t{hashlib.sha256(data).hexdigest()}"


def digest(size, chunks):
    """sha256 of a whole disk of which only some chunks are not zero."""
    total = hashlib.sha256()
    pos = 0

    def zeros(count):
        while count:
            step = min(count, MIB)
            total.update(ZERO_MIB[:step])
            count -= step
    for off, data in chunks:
        zeros(off - pos)
        total.update(data)
        pos = off + len(data)
    zeros(size - pos)
    return total.hexdigest()


def read_tsv(path):
    """{offset: (length, sha256)}"""
    rows = {}
    with open(path, encoding="ascii") as lines:
        for line in lines:
            if not line.startswith("#"):
                off, length, sha = line.split()
                rows[int(off)] = int(length), sha
    return rows


def tsv_header(size):
    return ("# non-zero 1 MiB chunks of the raw content: offset<TAB>length<TAB>sha256; "
            f"every other byte of the {size}-byte disk is zero")


def tsv_size(path):
    """The disk's size as the first line of a .tsv says it."""
    with open(path, encoding="ascii") as lines:
        return int(re.search(r"of the (\d+)-byte disk", lines.readline()).group(1))


def verify_raw(tsv, raw, stride=1):
    """Compare a raw file or block device with a .tsv; list of differences."""
    rows, size = read_tsv(tsv), tsv_size(tsv)
    wrong = []
    fd = os.open(raw, os.O_RDONLY)
    have = os.lseek(fd, 0, os.SEEK_END)
    if have != size:
        wrong.append(f"size is {have}, not {size}")
    for off in sorted({*rows, *range(0, size, stride * MIB)}):
        length, want = rows.get(off, (min(MIB, size - off), None))
        data = os.pread(fd, length, off)
        if want is None:
            if data != ZERO_MIB[:length]:
                wrong.append(f"{off:#x}: not zero")
        elif hashlib.sha256(data).hexdigest() != want:
            wrong.append(f"{off:#x}: differs")
    os.close(fd)
    return wrong


def write_raw(image, out):
    with open(out, "wb") as raw:
        raw.truncate(image.size)
        for off, data in image.chunks():
            raw.seek(off)
            raw.write(data)


def info_lines(image):
    yield f"type {image.kind}"
    yield f"disk_size {image.size}"
    yield f"block_size {image.block}"
    yield f"logical_sector_size {image.lss}"
    yield f"physical_sector_size {image.pss}"
    yield f"file_size {image.file.real_size}"
    yield f"virtual_disk_id {uuid.UUID(bytes_le=image.disk_id)}"
    yield f"file_write_guid {uuid.UUID(bytes_le=image.header.file_write)}"
    yield f"data_write_guid {uuid.UUID(bytes_le=image.header.data_write)}"
    yield f"log_guid {uuid.UUID(bytes_le=image.header.log_guid)}"
    yield f"log {'dirty' if image.dirty else 'clean'}"
    yield f"log_length {image.header.log_len}"
    yield f"log_entries {len(image.sequence)}"
    states = [0] * 8
    for index, raw in image.entries():
        if image.block_of(index) is not None:
            states[raw & 7] += 1
    yield f"allocated_blocks {states[FULLY_PRESENT] + states[PARTIALLY_PRESENT]}"


# ---------------------------------------------------------------------------
# Commands

def cmd_check(args):
    clean = "--clean" in args
    paths = [a for a in args if a != "--clean"]
    status = 0
    for path in paths:
        for reason in check_strict(path, clean):
            print(f"{path}: {reason}")
            status = 1
    return status


def cmd_info(args):
    for line in info_lines(Image(args[0])):
        print(line)
    return 0


def cmd_content(args):
    image = Image(args[0])
    image.check_bat()
    print(tsv_header(image.size))
    for line in tsv_lines(image.chunks()):
        print(line)
    return 0


def cmd_digest(args):
    image = Image(args[0])
    image.check_bat()
    print(digest(image.size, image.chunks()))
    return 0


def cmd_raw(args):
    image = Image(args[0])
    image.check_bat()
    write_raw(image, args[1])
    return 0


def cmd_verify(args):
    wrong = verify_raw(args[0], args[1], int(args[2]) if len(args) > 2 else 1)
    for line in wrong[:20]:
        print(f"{args[1]}: {line}")
    return 1 if wrong else 0


def file_sum(path):
    """Equal for files of equal bytes, whether zeros are holes or not."""
    file = File(path)
    total = hashlib.sha256(str(file.size).encode())
    pos = 0
    while pos < file.size:
        pos = file.next_data(pos, file.size)
        pos -= pos % TABLE_SIZE
        data = file.read(pos, min(TABLE_SIZE, file.size - pos))
        if data.count(0) != len(data):
            total.update(struct.pack("<Q", pos) + data)
        pos += TABLE_SIZE
    file.close()
    return total.hexdigest()


def cmd_sum(args):
    for path in args:
        print(file_sum(path), path, sep="  ")
    return 0


COMMANDS = {
    "--check": (cmd_check, 1), "--info": (cmd_info, 1), "--content": (cmd_content, 1),
    "--digest": (cmd_digest, 1), "--raw": (cmd_raw, 2), "--verify": (cmd_verify, 2),
    "--sum": (cmd_sum, 1),
}


def main(argv):
    if len(argv) < 2 or argv[1] not in COMMANDS or \
       len(argv) - 2 < COMMANDS[argv[1]][1]:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        return COMMANDS[argv[1]][0](argv[2:])
    except (Fault, EOFError, OSError) as err:
        print(f"vhdxmodel.py: {argv[2]}: {err}", file=sys.stderr)
        return 1


def answer(path, args):
    """One command in a process of its own: no file stays open behind it."""
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    status = 1
    try:
        with open(path, "w", encoding="utf-8") as out, \
             contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            status = main([sys.argv[0], *args])
    finally:
        os._exit(status)


def serve():
    """To start an interpreter for each command takes longer than the command."""
    for line in sys.stdin:
        path, *args = line.rstrip("\n").split("\x1f")
        print(answer(path, args), flush=True)


if __name__ == "__main__":
    if sys.argv[1:] == ["--serve"]:
        serve()
    else:
        sys.exit(main(sys.argv))
