# SPDX-License-Identifier: GPL-2.0-only
"""Images that look odd and have to attach, with the content they must show.

A recipe's function name is the file's name. RO in its decorator: only reading
is possible. A check= names what "vhdxctl check" has to find in it although a
reader can do without.
"""

from vhdxbuild import Build, Log, data_desc, pattern, save
from vhdxmodel import (GIB, ITEM_ID, ITEM_LOCATOR, MIB, NULL_GUID, PAGE,
                       TABLE_SIZE, TIB, UNDEFINED, UNMAPPED, ZERO, guid)

RECIPES = []
UNKNOWN = [guid(f"deadbeef-0000-4000-8000-{n:012x}") for n in range(8)]


def recipe(mode="both", check=None, **options):
    def add(function):
        RECIPES.append((function, mode, check, options))
        return function
    return add


def content(b):
    b.spread([0, 3, 7, b.nr_blocks - 1])


@recipe()
def plain(b):
    content(b)


@recipe()
def empty(_):
    pass


@recipe(kind="fixed", size=8 * MIB)
def fixed(b):
    b.spread(range(b.nr_blocks))


@recipe(kind="fixed", size=8 * MIB)
def fixed_unallocated(b):
    """As qemu-img makes them: fixed, and nothing is allocated."""
    for block in range(b.nr_blocks):
        b.bat[block] = ZERO
    b.grow(b.size)


@recipe(size=20 * MIB, block=8 * MIB, kind="fixed")
def fixed_last_beyond(b):
    """The last block ends beyond the file; the disk's part of it does not."""
    b.spread(range(b.nr_blocks))
    b.file_size -= 4 * MIB


@recipe()
def headers_equal(b):
    """Two identical headers, as Disk2vhd writes them."""
    b.headers[0]["seq"] = 8
    content(b)


@recipe()
def headers_null(b):
    """Identical headers, number 0, no GUIDs, as makevhdx writes them."""
    b.header(seq=0, file_write=NULL_GUID, data_write=NULL_GUID)
    content(b)


@recipe()
def headers_first_newer(b):
    b.headers[0]["seq"] = 9
    content(b)


@recipe(check=("header-checksum", 0x10000))
def header_first_bad(b):
    content(b)
    b.poke(0x10000 + 200, b"\x01")


@recipe(check=("header-signature", 0x20000))
def header_second_bad(b):
    content(b)
    b.poke(0x20000, bytes(PAGE))


@recipe()
def header_reserved_set(b):
    b.header(rest=b"reserved")
    content(b)


@recipe("ro")
def log_length_null(b):
    """No log at all: nothing can be written."""
    b.header(log_len=0)
    content(b)


@recipe()
def log_version_unused(b):
    """An unknown LogVersion does not matter while there is no log to read."""
    b.header(log_version=1)
    content(b)


@recipe()
def log_stale(b):
    """A valid sequence in the ring, but the header names no log."""
    content(b)
    Log(b).add([data_desc(b.bat_off, bytes(PAGE))])


@recipe(check=("region-checksum", 0x30004))
def region_first_bad(b):
    content(b)
    b.poke(0x30000 + 20, b"\xff")


@recipe(check=("region-signature", 0x40000))
def region_second_bad(b):
    content(b)
    b.poke(0x40000, bytes(TABLE_SIZE))


@recipe(check=("region-differ", 0x40000))
def regions_differ(b):
    content(b)
    b.region_copies[1] = b.region_table(list(reversed(b.regions)))


@recipe()
def region_not_required(b):
    """qemu-img marks neither region as required."""
    for entry in b.regions:
        entry[3] = 0
    content(b)


@recipe()
def region_unknown_optional(b):
    b.regions.append([UNKNOWN[0], b.grow(2 * MIB), 2 * MIB, 0])
    b.junk(b.regions[-1][1], pattern("keep me", MIB))
    content(b)


@recipe()
def region_reserved_set(b):
    """Only bit 0 of Required means something."""
    b.regions.append([UNKNOWN[0], b.grow(MIB), MIB, 0x80000000])
    content(b)


@recipe()
def regions_last(b):
    """Metadata and BAT behind the payload, the log behind both."""
    b.file_size = MIB
    content(b)
    b.meta_off = b.grow(MIB)
    b.bat_off = b.grow(MIB)
    b.log_off = b.grow(MIB)
    b.regions[0][1], b.regions[1][1] = b.bat_off, b.meta_off
    b.header(log_off=b.log_off)


@recipe()
def items_unknown_optional(b):
    b.item(UNKNOWN[0], 0, b"system")
    b.item(UNKNOWN[1], 1, pattern("user item", 3333), 300001)
    b.item(UNKNOWN[2], 3, b"")
    b.item(ITEM_ID, 1, b"not the disk's ID")
    content(b)


@recipe()
def item_duplicate_exact(b):
    b.entries.append(list(b.item_entry(ITEM_ID)))
    content(b)


@recipe()
def items_reserved_set(b):
    for entry in b.entries:
        entry[4] = 0xFFFFFFFF
    b.poke(b.meta_off + 8, b"\xff\xff")
    b.poke(b.meta_off + 12, bytes(range(20)))
    content(b)


@recipe()
def items_unaligned(b):
    """Each item at an odd place, in another order."""
    contents, b.contents = b.contents, {}
    for n, entry in enumerate(b.entries):
        data = contents[entry[1]]
        entry[1] = TABLE_SIZE + 70001 - 1111 * n
        b.contents[entry[1]] = data
    content(b)


@recipe()
def locator_unused(b):
    """A parent locator in a file that has no parent: ignored."""
    b.item(ITEM_LOCATOR, 0, b"whatever this is", TABLE_SIZE + PAGE)
    content(b)


@recipe()
def bat_garbage_beyond(b):
    """What follows the last needed BAT entry is nobody's business."""
    content(b)
    for index in range(b.nr_entries, 512):
        b.bat[index] = (index * 0x1234567F) | 7


@recipe()
def bat_states(b):
    """States that read as zeros, with and without the place they once had."""
    content(b)
    for block, state in ((1, UNDEFINED), (2, UNMAPPED), (4, UNDEFINED), (5, UNMAPPED)):
        b.bat[block] = state
        if block > 3:
            b.bat[block] |= b.grow(MIB)
            b.junk(b.place_of(block), pattern(f"former {block}", MIB))
    b.bat[6] = ZERO


@recipe()
def bat_states_offset_ignored(b):
    """States 0 and 2 with an offset, which old QEMU wrote: not looked at."""
    content(b)
    b.bat[1] = b.bat[0] & ~7 | ZERO
    b.bat[2] = b.bat[0] & ~7
    b.bat[4] = 1 << 50 | ZERO


@recipe(lss=4096, pss=512)
def sectors_physical_smaller(b):
    content(b)


@recipe(lss=4096)
def sectors_4096(b):
    content(b)


@recipe(pss=512)
def sectors_512(b):
    content(b)


@recipe(size=MIB + 512)
def size_mib_512(b):
    b.spread([0, 1], 512)


@recipe(size=4 * GIB + 512, block=2 * MIB)
def size_4gib_512(b):
    """One sector in the second chunk: behind the first bitmap entry."""
    b.spread([0, 2047])
    b.spread([2048], 512)


@recipe(size=512)
def size_sector(b):
    b.spread([0], 512)


@recipe(size=MIB + 4096, lss=4096)
def size_mib_4096(b):
    b.spread([0, 1], 4096)


@recipe(size=32 * GIB + 4096, lss=4096, block=16 * MIB)
def size_32gib_4096(b):
    b.spread([0, 2047])
    b.spread([2048], 4096)


@recipe(size=64 * TIB)
def size_64tib(b):
    """The largest disk of the smallest blocks: a BAT of 513 MiB, all hole."""
    b.spread([0, 4095, 4096, b.nr_blocks - 1])


@recipe(size=64 * TIB, block=256 * MIB)
def size_64tib_large_blocks(b):
    b.spread([0, 15, 16])


@recipe()
def file_size_odd(b):
    """The file ends 512 bytes behind a MiB."""
    content(b)
    b.file_size += 512


@recipe()
def file_tail_unused(b):
    """Foreign bytes at the end of the file belong to nobody."""
    content(b)
    b.junk(b.grow(4 * MIB), pattern("left over", 4 * MIB))


@recipe()
def holes_between(b):
    for block in (9, 2, 5):
        b.grow(3 * MIB)
        b.spread([block])


def block_sizes():
    for shift in range(9):
        for lss in (512, 4096):
            block = MIB << shift
            build = Build(block * 3 + lss, block, lss=lss)
            build.spread([0, 2])
            build.spread([3], lss)
            yield f"block-{MIB * (1 << shift) // MIB}m-{lss}.vhdx", build


def make(outdir):
    """Write all; rows of (file, mode) and rows of (file, fault, offset)."""
    rows, checks = [], []
    for function, mode, check, options in RECIPES:
        file = function.__name__.replace("_", "-") + ".vhdx"
        build = Build(**options)
        function(build)
        save(build, outdir, file)
        rows.append((file, mode, 0))
        if check:
            checks.append((file, check[0], f"{check[1]:#x}"))
    for file, build in block_sizes():
        save(build, outdir, file)
        rows.append((file, "both", 0))
    return rows, checks
