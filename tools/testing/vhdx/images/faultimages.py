# SPDX-License-Identifier: GPL-2.0-only
"""One damaged image, or several, for each name of the fault table.

Each recipe takes a good image, breaks one thing and returns the file offset of
the field that is wrong. A recipe's function name is the fault's name, with the
variant behind a double underscore.
"""

import os
import struct

from vhdxbuild import Build, Log, data_desc, log_entry, seal, zero_desc, LOG_GUID
from vhdxmodel import (FULLY_PRESENT, GIB, ITEM_ID, ITEM_INCOMPLETE, ITEM_LOCATOR,
                       ITEM_LOGICAL, ITEM_PARAMETERS, ITEM_PHYSICAL, ITEM_SIZE, MIB, PAGE,
                       PARTIALLY_PRESENT, REGION_BAT, TABLE_SIZE, TIB, guid)

EINVAL = {"file-too-small", "file-id-signature", "chain-parent-missing",
          "chain-parent-unused", "chain-sector-size"}
EOPNOTSUPP = {"header-version", "header-log-version", "header-log-length",
              "file-too-large", "log-too-complex", "region-unknown", "metadata-item-flags",
              "metadata-item-unknown", "parameters-flags", "locator-type"}
ESTALE = {"chain-linkage"}
UNKNOWN = guid("deadbeef-0000-4000-8000-00000badf00d")
LINKAGE = "{13121110-1514-1716-1819-1a1b1c1d1e1f}"

# What shows in which attach: both kinds, only ro or rw, or the driver and
# vhdxctl, which looks for the parent, in ways of their own.
BOTH, RO, RW, CHAIN = "both", "ro", "rw", "chain"
RECIPES = []


def errno_of(name):
    return "EINVAL" if name in EINVAL else "EOPNOTSUPP" if name in EOPNOTSUPP else \
        "ESTALE" if name in ESTALE else "EUCLEAN"


def recipe(mode=BOTH, shown=None, **options):
    """shown: the name that comes out when it is not the recipe's own."""
    def add(function):
        RECIPES.append((function, mode, shown, options))
        return function
    return add


# ---------------------------------------------------------------------------
# File identifier and headers

@recipe()
def file_too_small(b):
    b.file_size = MIB - 4096
    return 0


@recipe()
def file_too_small__empty(b):
    b.file_size = 0
    return 0


@recipe()
def file_id_signature(b):
    b.poke(0, b"conectix")
    return 0


def header_fault(b, off, data):
    """The same damage in both headers, sealed: the second one is current."""
    for header in b.headers:
        raw = bytearray(b.header_bytes(header))
        raw[off:off + len(data)] = data
        at = 0x10000 if header is b.headers[0] else 0x20000
        b.poke(at, seal(bytes(raw)))
    return 0x20000 + off


@recipe(shown="header-none-valid")
def header_signature(b):
    header_fault(b, 0, b"daeh")
    return 0x10000


@recipe(shown="header-none-valid")
def header_checksum(b):
    b.poke(0x10004, b"\xa5\xa5\xa5\xa5")
    b.poke(0x20004, b"\x5a\x5a\x5a\x5a")
    return 0x10000


@recipe()
def header_none_valid(b):
    b.poke(0x10000, bytes(PAGE))
    b.poke(0x20000, bytes(PAGE))
    return 0x10000


@recipe()
def header_none_valid__bit_each(b):
    b.poke(0x10000 + 4000, b"\x01")
    b.poke(0x20000 + 100, b"\x80")
    return 0x10000


@recipe()
def header_ambiguous(b):
    b.headers[0]["seq"] = 8
    b.headers[0]["file_write"] = b"another file id!"
    return 0x10008


@recipe(RW)
def header_sequence(b):
    b.headers[1]["seq"] = (1 << 64) - 1
    return 0x20008


@recipe()
def header_version(b):
    return header_fault(b, 66, b"\x02\0")


@recipe()
def header_log_version(b):
    b.header(log_guid=LOG_GUID)
    return header_fault(b, 64, b"\x01\0")


@recipe()
def header_log_alignment__length(b):
    return header_fault(b, 68, struct.pack("<I", MIB + PAGE))


@recipe()
def header_log_alignment__offset(b):
    return header_fault(b, 72, struct.pack("<Q", MIB + PAGE))


@recipe()
def header_log_range__low(b):
    return header_fault(b, 72, bytes(8))


@recipe()
def header_log_range__beyond(b):
    return header_fault(b, 72, struct.pack("<Q", b.file_size))


@recipe()
def header_log_range__overflow(b):
    return header_fault(b, 72, struct.pack("<Q", (1 << 64) - MIB))


@recipe()
def header_log_length(b):
    b.file_size = 3 * GIB
    b.header(log_off=GIB, log_len=GIB + MIB)
    return 0x20000 + 68


@recipe()
def header_log_missing(b):
    b.header(log_guid=LOG_GUID, log_len=0)
    return 0x20000 + 68


# ---------------------------------------------------------------------------
# The log. A defect inside an entry makes that entry invalid and nothing else,
# since torn and stale entries are normal: the file is refused because no valid
# sequence is left, not because of the defect.

def dirty(b, descs=None, mutate=None, reseal=True, pos=0, **fields):
    """A log whose only entry is broken by mutate(bytearray)."""
    b.header(log_guid=LOG_GUID)
    b.spread([0, 1])
    if descs is None:
        descs = [data_desc(b.bat_off, b.bat_page(0))]
    values = {"tail": pos, "flushed": b.file_size, "last": b.file_size}
    values.update(fields)
    raw = bytearray(log_entry(values.pop("seq", 0x1234567890), descs, **values))
    if mutate:
        mutate(raw)
    Log(b).put(pos, seal(bytes(raw)) if reseal else bytes(raw))
    return b.log_off


def put32(off, value):
    return lambda raw: struct.pack_into("<I", raw, off, value)


def put64(off, value):
    return lambda raw: struct.pack_into("<Q", raw, off, value)


@recipe()
def log_no_sequence(b):
    b.header(log_guid=LOG_GUID)
    return b.log_off


@recipe()
def log_no_sequence__tail_stale(b):
    """The head's Tail names an entry that is not there any more."""
    return dirty(b, pos=0x8000, tail=0x3000)


@recipe()
def log_no_sequence__tail_inside(b):
    """The head's Tail points into the middle of an entry."""
    return dirty(b, tail=PAGE)


@recipe()
def log_no_sequence__gap(b):
    """Two entries whose numbers do not follow; the second needs the first."""
    b.header(log_guid=LOG_GUID)
    log = Log(b)
    log.add([data_desc(b.bat_off, b.bat_page(0))], tail=0x80000, step=2)
    log.add([], tail=0)
    return b.log_off


@recipe()
def log_truncated(b):
    dirty(b, flushed=b.file_size + 64 * MIB)
    return b.log_off + 48


@recipe()
def log_last_offset(b):
    dirty(b, last=(1 << 64) - MIB)
    return b.log_off + 56


@recipe()
def log_last_offset__bound(b):
    dirty(b, last=(1 << 48) + 1)
    return b.log_off + 56


@recipe()
def log_target_beyond(b):
    """Good by itself, but no writer had a file that long."""
    return dirty(b, [data_desc(1 << 45, bytes(PAGE))])


@recipe()
def log_target_beyond__zero(b):
    return dirty(b, [zero_desc(0x300000, 1 << 50)])


@recipe()
def log_target_beyond__sector(b):
    """In the second of two entries, behind what is good."""
    b.spread([0, 1])
    b.header(log_guid=LOG_GUID)
    log = Log(b)
    log.add([data_desc(b.bat_off, b.bat_page(0))])
    return b.log_off + log.add([data_desc(b.file_size, bytes(PAGE))], tail=0)


@recipe(RO, log_len=4 * MIB)
def log_too_complex(b):
    dirty(b, [zero_desc(TIB + n * 2 * PAGE, PAGE) for n in range(70000)], last=2 * TIB)
    return None


@recipe(RO, log_len=4 * MIB)
def log_too_complex__repeated(b):
    """Few enough in the end, but each one more would have all of them sorted."""
    dirty(b, [zero_desc(TIB + n % 40000 * 2 * PAGE, PAGE) for n in range(70000)],
          last=2 * TIB)
    return None


@recipe(shown="log-no-sequence")
def log_entry_alignment(b):
    return dirty(b, pos=512, tail=0)


@recipe(shown="log-no-sequence")
def log_entry_signature(b):
    return dirty(b, mutate=put32(0, 0x656C676F))


@recipe(shown="log-no-sequence")
def log_entry_guid(b):
    return dirty(b, guid=b"another log guid")


@recipe(shown="log-no-sequence")
def log_entry_length(b):
    return dirty(b, mutate=put32(8, 2 * MIB))


@recipe(shown="log-no-sequence")
def log_entry_length__zero(b):
    return dirty(b, mutate=put32(8, 0))


@recipe(shown="log-no-sequence")
def log_entry_length__odd(b):
    return dirty(b, mutate=put32(8, 2 * PAGE - 512))


@recipe(shown="log-no-sequence")
def log_entry_tail(b):
    return dirty(b, tail=512)


@recipe(shown="log-no-sequence")
def log_entry_tail__beyond(b):
    return dirty(b, tail=MIB)


@recipe(shown="log-no-sequence")
def log_entry_sequence(b):
    return dirty(b, seq=0)


@recipe(shown="log-no-sequence")
def log_entry_count(b):
    return dirty(b, mutate=put32(24, 0xFFFFFFFF))


@recipe(shown="log-no-sequence")
def log_entry_count__fewer(b):
    """Right by itself, but the length has room for one more data sector."""
    return dirty(b, mutate=put32(24, 0))


@recipe(shown="log-no-sequence")
def log_entry_checksum(b):
    return dirty(b, mutate=put32(PAGE + 100, 0xA5A5A5A5), reseal=False)


@recipe(shown="log-no-sequence")
def log_desc_signature(b):
    return dirty(b, mutate=put32(64, 0x6B6E756A))


@recipe(shown="log-no-sequence")
def log_desc_sequence(b):
    return dirty(b, mutate=put64(64 + 24, 77))


@recipe(shown="log-no-sequence")
def log_desc_alignment(b):
    return dirty(b, mutate=put64(64 + 16, b.bat_off + 512))


@recipe(shown="log-no-sequence")
def log_desc_alignment__zero(b):
    return dirty(b, [zero_desc(b.bat_off, 512)])


@recipe(shown="log-no-sequence")
def log_desc_target__header(b):
    return dirty(b, [data_desc(0x10000, bytes(PAGE))])


@recipe(shown="log-no-sequence")
def log_desc_target__log(b):
    return dirty(b, [data_desc(b.log_off + 0x40000, bytes(PAGE))])


@recipe(shown="log-no-sequence")
def log_desc_target__over_log(b):
    return dirty(b, [zero_desc(0x30000, 64 * MIB)])


@recipe(shown="log-no-sequence")
def log_desc_target__beyond(b):
    return dirty(b, [data_desc((1 << 63) - PAGE, bytes(PAGE))])


@recipe(shown="log-no-sequence")
def log_desc_target__overflow(b):
    return dirty(b, [zero_desc(64 * MIB, (1 << 64) - 32 * MIB)])


@recipe(shown="log-no-sequence")
def log_data_signature(b):
    return dirty(b, mutate=put32(PAGE, 0x4B4E554A))


@recipe(shown="log-no-sequence")
def log_data_sequence__high(b):
    return dirty(b, mutate=put32(PAGE + 4, 0x99))


@recipe(shown="log-no-sequence")
def log_data_sequence__low(b):
    return dirty(b, mutate=put32(2 * PAGE - 4, 0x99))


# ---------------------------------------------------------------------------
# Region tables: entry n is at 16 + 32 n

def region(n, field=0):
    return 0x30000 + 16 + 32 * n + field


@recipe(shown="region-none-valid")
def region_signature(b):
    for at in (0x30000, 0x40000):
        raw = b.region_table()
        b.poke(at, seal(b"iger" + raw[4:]))
    return 0x30000


@recipe(shown="region-none-valid")
def region_checksum(b):
    b.poke(0x30000 + 60000, b"\x01")
    b.poke(0x40000 + 60000, b"\x01")
    return 0x30000


@recipe()
def region_none_valid(b):
    b.poke(0x30000, bytes(TABLE_SIZE))
    b.poke(0x40000, bytes(TABLE_SIZE))
    return 0x30000


@recipe()
def region_count(b):
    b.region_copies = [b.region_table(count=2048)] * 2
    return 0x30008


@recipe()
def region_count__huge(b):
    b.region_copies = [b.region_table(count=0xFFFFFFFF)] * 2
    return 0x30008


@recipe()
def region_alignment__offset(b):
    b.regions[0][1] += PAGE
    return region(0, 16)


@recipe()
def region_alignment__length(b):
    b.regions[1][2] -= PAGE
    return region(1, 24)


@recipe()
def region_range__low(b):
    b.regions[0][1] = 0
    return region(0, 16)


@recipe()
def region_range__beyond(b):
    b.regions[1][1] = b.file_size
    return region(1, 16)


@recipe()
def region_range__overflow(b):
    b.regions[1][1] = (1 << 64) - MIB
    return region(1, 16)


@recipe()
def region_range__empty(b):
    b.regions[0][2] = 0
    return region(0, 24)


@recipe()
def region_duplicate(b):
    b.regions.append([REGION_BAT, b.grow(MIB), MIB, 1])
    return region(2)


@recipe()
def region_overlap(b):
    b.regions.append([UNKNOWN, b.bat_off, MIB, 0])
    return region(2, 16)


@recipe()
def region_overlap__log(b):
    b.regions.append([UNKNOWN, b.log_off, MIB, 0])
    return region(2, 16)


@recipe()
def region_unknown(b):
    b.regions.append([UNKNOWN, b.grow(MIB), MIB, 1])
    return region(2)


@recipe()
def region_bat_missing(b):
    del b.regions[0]
    return 0x30008


@recipe()
def region_metadata_missing(b):
    del b.regions[1]
    return 0x30008


# ---------------------------------------------------------------------------
# Metadata

@recipe()
def metadata_signature(b):
    b.poke(b.meta_off, b"METADATA")
    return b.meta_off


@recipe()
def metadata_count(b):
    b.poke(b.meta_off + 10, struct.pack("<H", 2048))
    return b.meta_off + 10


@recipe()
def metadata_user_count(b):
    for n in range(1025):
        b.item(struct.pack("<QQ", n, 0xABCD), 1, b"")
    return b.meta_off + 32 + 32 * (len(b.entries) - 1) + 24


@recipe()
def metadata_item_flags(b):
    b.item_entry(ITEM_ID)[3] |= 8
    return b.entry_off(ITEM_ID) + 24


@recipe()
def metadata_item_length(b):
    b.item_entry(ITEM_PHYSICAL)[2] = 8
    return b.entry_off(ITEM_PHYSICAL) + 20


@recipe()
def metadata_item_length__known_empty(b):
    entry = b.item_entry(ITEM_ID)
    entry[1] = entry[2] = 0
    return b.entry_off(ITEM_ID) + 20


@recipe(meta_len=4 * MIB)
def metadata_item_length__large(b):
    b.item(UNKNOWN, 0, b"x", 2 * MIB)[2] = MIB + 1
    return b.entry_off(UNKNOWN) + 20


@recipe()
def metadata_item_range__table(b):
    b.item(UNKNOWN, 0, b"12345678", TABLE_SIZE - 8)
    return b.entry_off(UNKNOWN) + 16


@recipe()
def metadata_item_range__end(b):
    b.item(UNKNOWN, 0, b"1234", MIB - 4)[2] = 8
    return b.entry_off(UNKNOWN) + 16


@recipe()
def metadata_item_range__overflow(b):
    b.item_entry(ITEM_SIZE)[1] = 0xFFFFFFFC
    return b.entry_off(ITEM_SIZE) + 16


@recipe()
def metadata_item_duplicate(b):
    b.item(ITEM_ID, 6, b"another disk id!")
    return b.meta_off + 32 + 32 * 5


@recipe()
def metadata_item_overlap(b):
    b.item(UNKNOWN, 0, b"", 0)[1:3] = [TABLE_SIZE + 4, 4]
    return b.entry_off(UNKNOWN) + 16


@recipe()
def metadata_item_unknown(b):
    b.item(UNKNOWN, 4, b"features")
    return b.entry_off(UNKNOWN)


@recipe()
def metadata_item_unknown__user(b):
    b.item(UNKNOWN, 5, b"features")
    return b.entry_off(UNKNOWN)


@recipe()
def metadata_incomplete(b):
    b.item(ITEM_INCOMPLETE, 4, b"")
    return b.entry_off(ITEM_INCOMPLETE)


def without(b, which):
    del b.entries[b.entries.index(b.item_entry(which))]
    return b.meta_off + 10


@recipe()
def metadata_parameters_missing(b):
    return without(b, ITEM_PARAMETERS)


@recipe()
def metadata_size_missing(b):
    return without(b, ITEM_SIZE)


@recipe()
def metadata_id_missing(b):
    return without(b, ITEM_ID)


@recipe()
def metadata_logical_missing(b):
    return without(b, ITEM_LOGICAL)


@recipe()
def metadata_physical_missing(b):
    return without(b, ITEM_PHYSICAL)


@recipe(kind="differencing")
def metadata_locator_missing(b):
    return b.meta_off + 10


def block_size(b, value):
    b.set_item(ITEM_PARAMETERS, struct.pack("<II", value, 0))
    return b.item_off(ITEM_PARAMETERS)


@recipe()
def parameters_block_size__small(b):
    return block_size(b, MIB // 2)


@recipe()
def parameters_block_size__odd(b):
    return block_size(b, 3 * MIB)


@recipe()
def parameters_block_size__large(b):
    return block_size(b, 512 * MIB)


@recipe()
def parameters_block_size__zero(b):
    return block_size(b, 0)


@recipe()
def parameters_flags(b):
    b.set_item(ITEM_PARAMETERS, struct.pack("<II", MIB, 4))
    return b.item_off(ITEM_PARAMETERS) + 4


def disk_size(b, value):
    b.set_item(ITEM_SIZE, struct.pack("<Q", value))
    return b.item_off(ITEM_SIZE)


@recipe()
def disk_size_zero(b):
    return disk_size(b, 0)


@recipe()
def disk_size_limit(b):
    return disk_size(b, 64 * TIB + 512)


@recipe()
def disk_size_limit__huge(b):
    return disk_size(b, (1 << 64) - 512)


@recipe()
def disk_size_alignment(b):
    return disk_size(b, 16 * MIB + 1)


@recipe(lss=4096)
def disk_size_alignment__4096(b):
    return disk_size(b, 16 * MIB + 512)


@recipe()
def logical_sector_size(b):
    b.set_item(ITEM_LOGICAL, struct.pack("<I", 1024))
    return b.item_off(ITEM_LOGICAL)


@recipe()
def physical_sector_size(b):
    b.set_item(ITEM_PHYSICAL, struct.pack("<I", 0))
    return b.item_off(ITEM_PHYSICAL)


# ---------------------------------------------------------------------------
# BAT

@recipe()
def bat_too_small(b):
    disk_size(b, TIB)
    return b.bat_off


def raw_entry(b, index, value):
    b.bat[index] = value
    return b.bat_entry_off(index)


@recipe()
def bat_reserved_bits(b):
    b.spread([0, 1])
    return raw_entry(b, 1, b.bat[1] | 8)


@recipe()
def bat_payload_state__4(b):
    return raw_entry(b, 3, b.grow(MIB) | 4)


@recipe()
def bat_payload_state__5(b):
    return raw_entry(b, 3, 5)


@recipe()
def bat_payload_state__7(b):
    return raw_entry(b, 3, b.grow(MIB) | PARTIALLY_PRESENT)


@recipe(size=4 * GIB + MIB)
def bat_bitmap_state(b):
    return raw_entry(b, b.bitmap_index(0), b.grow(MIB) | 6)


@recipe(size=4 * GIB + MIB)
def bat_bitmap_state__2(b):
    return raw_entry(b, b.bitmap_index(0), 2)


@recipe(kind="differencing")
def bat_bitmap_missing(b):
    b.parent_locator()
    return raw_entry(b, 3, b.grow(MIB) | PARTIALLY_PRESENT)


@recipe()
def bat_location__null(b):
    return raw_entry(b, 2, FULLY_PRESENT)


@recipe()
def bat_location__beyond(b):
    return raw_entry(b, 2, b.file_size | FULLY_PRESENT)


@recipe()
def bat_location__far(b):
    return raw_entry(b, 2, ((1 << 64) - MIB) | FULLY_PRESENT)


@recipe()
def bat_location__cut(b):
    """The file ends in the middle of the block."""
    b.allocate(2)
    b.file_size -= MIB // 2
    return b.bat_entry_off(2)


@recipe()
def bat_location__anchor(b):
    return raw_entry(b, 2, b.file_size | 3)


@recipe()
def bat_overlap(b):
    b.spread([0, 1, 2])
    return raw_entry(b, 2, b.bat[0])


@recipe(block=4 * MIB)
def bat_overlap__part(b):
    b.spread([0, 1])
    b.grow(4 * MIB)
    return raw_entry(b, 2, b.bat[1] + 3 * MIB)


@recipe()
def bat_overlap__log(b):
    return raw_entry(b, 5, b.log_off | FULLY_PRESENT)


@recipe()
def bat_overlap__region(b):
    return raw_entry(b, 5, b.bat_off | FULLY_PRESENT)


@recipe()
def bat_overlap__anchor(b):
    b.spread([0])
    return raw_entry(b, 1, b.bat[0] & ~7 | 3)


@recipe(log_len=MIB)
def bat_overlap__replayed(b):
    """Only what the log brings is wrong: a file that was not replayed yet."""
    b.spread([0, 1])
    bad = dict(b.bat)
    bad[1] = b.bat[0]
    b.header(log_guid=LOG_GUID)
    Log(b).add([data_desc(b.bat_off, b.bat_page(0, bad))])
    return b.bat_entry_off(1)


# ---------------------------------------------------------------------------
# Parent locator

def with_pairs(b, *pairs, **kind):
    b.parent_locator(list(pairs), **kind)
    return b.item_off(ITEM_LOCATOR)


PATH = ("relative_path", ".\\parent.vhdx")
LINK = ("parent_linkage", LINKAGE)


@recipe(kind="differencing")
def locator_short(b):
    at = with_pairs(b, LINK, PATH)
    b.item_entry(ITEM_LOCATOR)[2] = 19
    return at


@recipe(kind="differencing")
def locator_short__entries(b):
    at = with_pairs(b, LINK, PATH)
    b.item_entry(ITEM_LOCATOR)[2] = 40
    return at


@recipe(kind="differencing")
def locator_type(b):
    return with_pairs(b, LINK, PATH, kind=UNKNOWN)


@recipe(kind="differencing")
def locator_count__none(b):
    return with_pairs(b) + 18


@recipe(kind="differencing")
def locator_count__many(b):
    return with_pairs(b, LINK, PATH, *((f"key{n}", "v") for n in range(255))) + 18


@recipe(kind="differencing")
def locator_entry_range(b):
    at = with_pairs(b, LINK, PATH)
    b.poke(at + 20 + 12 + 4, struct.pack("<I", 60000))
    return at + 20 + 12 + 4


@recipe(kind="differencing")
def locator_string__odd(b):
    at = with_pairs(b, LINK, PATH)
    b.poke(at + 20 + 12 + 10, struct.pack("<H", 25))
    return at + 20 + 12 + 10


@recipe(kind="differencing")
def locator_string__nul(b):
    at = with_pairs(b, ("relative_path", "a\0b"), LINK)
    return at + 20 + 24 + 26


@recipe(kind="differencing")
def locator_duplicate(b):
    """The strings lie behind the three entries, in order."""
    first = len(LINK[0] + LINK[1]) * 2
    return with_pairs(b, LINK, PATH, PATH) + 20 + 36 + first + len(PATH[0] + PATH[1]) * 2


@recipe(kind="differencing")
def locator_linkage_missing(b):
    return with_pairs(b, PATH)


@recipe(kind="differencing")
def locator_linkage_guid(b):
    at = with_pairs(b, ("parent_linkage", LINKAGE[1:-1]), PATH)
    return at + 20 + 24 + len("parent_linkage") * 2


@recipe(kind="differencing")
def locator_path_missing(b):
    return with_pairs(b, LINK)


# ---------------------------------------------------------------------------
# Chain. chain-parent-unused needs no bad image: the test of the control
# interface hands a parent to a good one.

@recipe(CHAIN, kind="differencing")
def chain_parent_missing(b):
    return with_pairs(b, LINK, ("relative_path", ".\\there-is-no-such-file.vhdx"))


@recipe(CHAIN, kind="differencing")
def chain_linkage(b):
    other = "{00000000-0000-0000-0000-00000000beef}"
    return with_pairs(b, ("parent_linkage", other), ("relative_path", ".\\parent.vhdx"))


@recipe(CHAIN, kind="differencing", lss=4096)
def chain_sector_size(b):
    with_pairs(b, LINK, PATH)
    return b.item_off(ITEM_LOGICAL)


def names(function):
    fault, _, variant = function.__name__.partition("__")
    return fault.replace("_", "-"), variant.replace("_", "-")


def make(outdir):
    """Write all of them; rows of (file, mode, fault, offset, errno, defect)."""
    rows = []
    for function, mode, shown, options in RECIPES:
        build = Build(**options)
        off = function(build)
        own, variant = names(function)
        file = "fault-" + own + (f"-{variant}" if variant else "") + ".vhdx"
        build.write(os.path.join(outdir, file))
        name = shown or own
        rows.append((file, mode, name, "-" if off is None else f"{off:#x}",
                     errno_of(name), own))
    parent = Build()
    parent.spread([0])
    parent.write(os.path.join(outdir, "parent.vhdx"))
    return rows
