# SPDX-License-Identifier: GPL-2.0-only
"""Build VHDX files, good and bad, from their parts.

A Build starts as a good empty image; whoever wants a strange one changes the
parts (header fields, region entries, item entries, BAT entries) before write()
seals them, or pokes bytes afterwards. It keeps its own account of what the
virtual disk has to hold, which no reader had a hand in.
"""

import hashlib
import os
import random
import struct

from vhdxmodel import (FULLY_PRESENT, HEADER_OFFS, ITEM_ID, ITEM_LOCATOR, ITEM_LOGICAL,
                       ITEM_PARAMETERS, ITEM_PHYSICAL, ITEM_SIZE, LOCATOR_VHDX, MIB,
                       NULL_GUID, PAGE, REGION_BAT, REGION_METADATA, REGION_OFFS,
                       TABLE_SIZE, crc32c, tsv_header)

CREATOR = "vhdx test images"
LOG_GUID = bytes(range(0x41, 0x51))
DISK_ID = bytes(range(0x11, 0x21))


def pattern(seed, length):
    """Bytes that look like nothing else, the same in each run."""
    return random.Random(f"vhdx {seed}").randbytes(length)


def seal(data):
    """Store the checksum of a structure at its byte 4."""
    blank = data[:4] + bytes(4) + data[8:]
    return data[:4] + struct.pack("<I", crc32c(blank)) + data[8:]


def utf16(text):
    return text.encode("utf-16-le")


def locator(pairs, kind=LOCATOR_VHDX):
    """A parent locator item; keys and values are str or raw bytes."""
    pairs = [[utf16(p) if isinstance(p, str) else p for p in pair] for pair in pairs]
    off = 20 + 12 * len(pairs)
    entries, strings = b"", b""
    for key, value in pairs:
        entries += struct.pack("<IIHH", off + len(strings),
                               off + len(strings) + len(key), len(key), len(value))
        strings += key + value
    return struct.pack("<16sHH", kind, 0, len(pairs)) + entries + strings


# ---------------------------------------------------------------------------
# Log entries

def data_desc(target, page):
    return b"desc", target, page


def zero_desc(target, length):
    return b"zero", target, length


def log_entry(seq, descs, tail, flushed, last, guid=LOG_GUID):
    """A sealed log entry."""
    area = -(-(64 + 32 * len(descs)) // PAGE) * PAGE
    pages = [d[2] for d in descs if d[0] == b"desc"]
    length = area + PAGE * len(pages)
    out = bytearray(struct.pack("<4sIIIQII16sQQ", b"loge", 0, length, tail, seq,
                                len(descs), 0, guid, flushed, last))
    for sig, target, what in descs:
        if sig == b"desc":
            out += struct.pack("<4s4s8sQQ", sig, what[-4:], what[:8], target, seq)
        else:
            out += struct.pack("<4sIQQQ", sig, 0, what, target, seq)
    out += bytes(area - len(out))
    for page in pages:
        out += struct.pack("<4sI", b"data", seq >> 32) + page[8:-4]
        out += struct.pack("<I", seq & 0xFFFFFFFF)
    return seal(bytes(out))


class Log:
    """Writes entries one after another into a build's ring."""

    def __init__(self, build, pos=0, seq=100):
        self.build = build
        self.pos = pos
        self.seq = seq
        self.starts = []

    def add(self, descs, tail=None, flushed=None, last=None, guid=LOG_GUID, step=1):
        """One more entry; tail is a position, default its own. Returns it."""
        start = self.pos
        size = self.build.file_size
        raw = log_entry(self.seq, descs, start if tail is None else tail,
                        size if flushed is None else flushed,
                        size if last is None else last, guid)
        self.put(start, raw)
        self.starts.append(start)
        self.seq += step
        self.pos = (start + len(raw)) % self.build.log_len
        return start

    def put(self, start, raw):
        """Bytes at a log offset; they wrap at the end of the ring."""
        first = min(len(raw), self.build.log_len - start)
        self.build.poke(self.build.log_off + start, raw[:first])
        if first < len(raw):
            self.build.poke(self.build.log_off, raw[first:])


# ---------------------------------------------------------------------------
# The image

class Build:
    """Parts of one image; everything may be changed before write()."""

    def __init__(self, size=16 * MIB, block=MIB, kind="dynamic", lss=512, pss=4096,
                 log_len=MIB, bat_len=None, meta_len=MIB):
        self.size, self.block, self.kind = size, block, kind
        self.lss, self.pss, self.log_len = lss, pss, log_len
        self.ratio = (lss << 23) // block
        self.nr_blocks = -(-size // block)
        self.nr_entries = self._count()
        self.log_off = MIB
        self.meta_off, self.meta_len = MIB + log_len, meta_len
        self.bat_off = self.meta_off + self.meta_len
        self.bat_len = bat_len or -(-self.nr_entries * 8 // MIB) * MIB
        self.file_size = self.bat_off + self.bat_len
        self.headers = [self._header(7), self._header(8)]
        self.regions = [[REGION_BAT, self.bat_off, self.bat_len, 1],
                        [REGION_METADATA, self.meta_off, self.meta_len, 1]]
        self.region_copies = [None, None]   # a whole table for one copy
        self.entries, self.contents = [], {}
        self.next_item = TABLE_SIZE
        self._items()
        self.bat, self.pieces, self.pokes, self.disk = {}, [], [], []

    def _count(self):
        if self.kind == "differencing":
            return -(-self.nr_blocks // self.ratio) * (self.ratio + 1)
        return self.nr_blocks + (self.nr_blocks - 1) // self.ratio

    def _header(self, seq):
        return {"signature": b"head", "seq": seq, "file_write": bytes(range(16)),
                "data_write": bytes(range(0x10, 0x20)), "log_guid": NULL_GUID,
                "log_version": 0, "version": 1, "log_len": self.log_len,
                "log_off": self.log_off, "rest": b""}

    def _items(self):
        flags = {"dynamic": 0, "fixed": 1, "differencing": 2}[self.kind]
        self.item(ITEM_PARAMETERS, 4, struct.pack("<II", self.block, flags))
        self.item(ITEM_SIZE, 6, struct.pack("<Q", self.size))
        self.item(ITEM_LOGICAL, 6, struct.pack("<I", self.lss))
        self.item(ITEM_PHYSICAL, 6, struct.pack("<I", self.pss))
        self.item(ITEM_ID, 6, DISK_ID)

    # -- parts -------------------------------------------------------------

    def header(self, **fields):
        """Change fields of both headers."""
        for header in self.headers:
            header.update(fields)

    def item(self, which, flags, data, off=None):
        """Add a metadata item; returns its entry, which may be changed."""
        if off is None:
            off = self.next_item if data else 0
            self.next_item += len(data)
        entry = [which, off, len(data), flags, 0]
        self.entries.append(entry)
        self.contents[off] = data
        return entry

    def item_entry(self, which):
        return next(e for e in self.entries if e[0] == which)

    def item_off(self, which):
        """File offset of an item's content."""
        return self.meta_off + self.item_entry(which)[1]

    def entry_off(self, which):
        """File offset of an item's entry in the table."""
        return self.meta_off + 32 + 32 * self.entries.index(self.item_entry(which))

    def set_item(self, which, data):
        entry = self.item_entry(which)
        entry[2] = len(data)
        self.contents[entry[1]] = data

    def poke(self, off, data):
        """Bytes that go into the file last, over everything else."""
        self.pokes.append((off, data))

    def parent_locator(self, pairs=None, **kind):
        if pairs is None:
            pairs = [("parent_linkage", "{13121110-1514-1716-1819-1a1b1c1d1e1f}"),
                     ("relative_path", ".\\parent.vhdx")]
        self.item(ITEM_LOCATOR, 4, locator(pairs, **kind), TABLE_SIZE + PAGE)

    # -- blocks ------------------------------------------------------------

    def index(self, block):
        return block + block // self.ratio

    def bitmap_index(self, chunk):
        return (chunk + 1) * self.ratio + chunk

    def bat_entry_off(self, index):
        return self.bat_off + 8 * index

    def grow(self, length):
        """Room at the end of the file; its offset."""
        off = self.file_size
        self.file_size += length
        return off

    def allocate(self, block, off=None, state=FULLY_PRESENT):
        """Give a block a place; its offset."""
        if off is None:
            off = self.grow(self.block)
        self.bat[self.index(block)] = off | state
        return off

    def place_of(self, block):
        return self.bat[self.index(block)] & ~0xFFFFF

    def fill(self, block, inner, data):
        """Content of an allocated block, which the disk then has to show."""
        self.pieces.append((self.place_of(block) + inner, data))
        self.disk.append((block * self.block + inner, data))

    def junk(self, off, data):
        """Bytes in the file that the disk must not show."""
        self.pieces.append((off, data))

    def spread(self, blocks, length=5000):
        """Allocate blocks and put something recognisable into each."""
        for block in blocks:
            self.allocate(block)
            inner = (block * 7 * PAGE) % (self.block - PAGE * 2)
            inner = min(inner, max(0, self.size - block * self.block - length))
            length = min(length, self.size - block * self.block)
            self.fill(block, inner, pattern(f"block {block}", length))

    def bat_page(self, number, bat=None):
        """4 KiB of the BAT, of this build's entries or of others."""
        bat = self.bat if bat is None else bat
        return struct.pack("<512Q", *(bat.get(n, 0)
                                      for n in range(number * 512, number * 512 + 512)))

    # -- output ------------------------------------------------------------

    def header_bytes(self, header):
        raw = struct.pack("<4sIQ16s16s16sHHIQ", header["signature"], 0, header["seq"],
                          header["file_write"], header["data_write"], header["log_guid"],
                          header["log_version"], header["version"], header["log_len"],
                          header["log_off"]) + header["rest"]
        return seal(raw.ljust(PAGE, b"\0"))

    def region_table(self, regions=None, count=None):
        regions = self.regions if regions is None else regions
        raw = struct.pack("<4sIII", b"regi", 0, len(regions) if count is None else count, 0)
        raw += b"".join(struct.pack("<16sQII", *r) for r in regions)
        return seal(raw.ljust(TABLE_SIZE, b"\0"))

    def metadata_table(self):
        raw = struct.pack("<8sHH20x", b"metadata", 0, len(self.entries))
        return raw + b"".join(struct.pack("<16sIIII", *e) for e in self.entries)

    def _all_pieces(self):
        yield 0, b"vhdxfile" + utf16(CREATOR)
        for off, header in zip(HEADER_OFFS, self.headers):
            yield off, self.header_bytes(header)
        for off, table in zip(REGION_OFFS, self.region_copies):
            yield off, table or self.region_table()
        yield self.meta_off, self.metadata_table()
        for off, data in self.contents.items():
            if off:
                yield self.meta_off + off, data
        for number in sorted({index // 512 for index in self.bat}):
            yield self.bat_off + number * PAGE, self.bat_page(number)
        yield from self.pieces
        yield from self.pokes

    def write(self, path):
        """Write the file, sparse; it ends at file_size."""
        with open(path, "wb") as out:
            for off, data in self._all_pieces():
                if off < self.file_size:
                    out.seek(off)
                    out.write(data[:self.file_size - off])
            out.truncate(self.file_size)

    def expected(self):
        """[(offset, bytes)] of the 1 MiB chunks of the disk that are not zero."""
        chunks = {}
        for off, data in self.disk:
            while data:
                pos, inner = off // MIB * MIB, off % MIB
                piece = data[:MIB - inner]
                chunk = chunks.setdefault(pos, bytearray(min(MIB, self.size - pos)))
                chunk[inner:inner + len(piece)] = piece
                off, data = off + len(piece), data[len(piece):]
        return [(pos, bytes(c)) for pos, c in sorted(chunks.items()) if any(c)]

    def write_tsv(self, path):
        with open(path, "w", encoding="ascii") as out:
            print(tsv_header(self.size), file=out)
            for off, data in self.expected():
                print(off, len(data), hashlib.sha256(data).hexdigest(), sep="\t", file=out)


def save(build, outdir, name):
    """Write a good image and, beside it, what its disk holds."""
    build.write(os.path.join(outdir, name))
    build.write_tsv(os.path.join(outdir, name + ".tsv"))
