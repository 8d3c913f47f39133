# SPDX-License-Identifier: GPL-2.0-only
"""Images with a log that must be replayed, in every shape a log can have.

Each recipe returns how many log entries a replay has to apply. The BAT in
place is the old one; the disk shows what the log says. What must not be
replayed would give other content.
"""

import struct

from vhdxbuild import Build, Log, data_desc, pattern, save, zero_desc, LOG_GUID
from vhdxmodel import GIB, ITEM_SIZE, MIB, PAGE, FULLY_PRESENT, REGION_BAT

RECIPES = []


def recipe(**options):
    def add(function):
        RECIPES.append((function, options))
        return function
    return add


def start(b, blocks=(0, 3, 7), in_place=(0,), **log):
    """Allocate blocks; only some of them are known to the BAT in place."""
    b.header(log_guid=LOG_GUID)
    b.spread(blocks)
    logged = dict(b.bat)
    for index in list(b.bat):
        if index not in [b.index(block) for block in in_place]:
            del b.bat[index]
    return Log(b, **log), logged


def bat_desc(b, logged, number=0):
    return data_desc(b.bat_off + PAGE * number, b.bat_page(number, logged))


def wrong(b):
    """A BAT page that would show if it were replayed."""
    return data_desc(b.bat_off, b.bat_page(0, {1: b.place_of(0) | FULLY_PRESENT}))


@recipe()
def single(b):
    log, logged = start(b)
    log.add([bat_desc(b, logged)])
    return 1


@recipe(lss=4096, block=2 * MIB)
def sectors_4096(b):
    log, logged = start(b)
    log.add([bat_desc(b, logged)])
    return 1


@recipe(kind="fixed")
def fixed(b):
    log, logged = start(b)
    log.add([bat_desc(b, logged)])
    return 1


@recipe()
def position_middle(b):
    """The only entry is somewhere in the ring."""
    log, logged = start(b, pos=0x73000)
    log.add([bat_desc(b, logged)])
    return 1


@recipe()
def several(b):
    """Three entries; the head needs all of them; the same sector thrice."""
    log, logged = start(b)
    first = log.add([wrong(b)])
    log.add([data_desc(b.bat_off, bytes(PAGE))], tail=first)
    log.add([bat_desc(b, logged)], tail=first)
    return 3


@recipe(size=4 * GIB)
def several_pages(b):
    """Each entry has another page of the BAT: none may be left out."""
    log, logged = start(b, blocks=(0, 600, 1200, 4000))
    first = log.add([bat_desc(b, logged, 1)])
    log.add([bat_desc(b, logged, 2)], tail=first)
    log.add([bat_desc(b, logged, 0), bat_desc(b, logged, 7)], tail=first)
    return 3


@recipe()
def tail_skips(b):
    """Entries before the head's Tail are valid, but not to be replayed."""
    log, logged = start(b, in_place=(0, 3))
    old = b.grow(MIB)
    b.junk(old, pattern("of a freed block", MIB))
    log.add([wrong(b)])
    log.add([data_desc(old, pattern("stale target", PAGE))])
    b.disk.append((5 * MIB, pattern("now payload", MIB)))
    logged[b.index(5)] = old | FULLY_PRESENT
    b.pieces.append((old, pattern("now payload", MIB)))
    log.add([bat_desc(b, logged)])
    return 1


@recipe()
def tail_moves(b):
    """Tails of entries that are not the head do not matter."""
    log, logged = start(b)
    log.add([wrong(b)])
    second = log.add([zero_desc(b.bat_off, PAGE)])
    log.add([], tail=0)
    log.add([bat_desc(b, logged)], tail=second)
    return 3


@recipe()
def wraps_between(b):
    """The sequence goes over the end of the ring, no entry does."""
    log, logged = start(b, pos=MIB - 2 * PAGE)
    first = log.add([wrong(b)])
    log.add([bat_desc(b, logged)], tail=first)
    return 2


@recipe()
def wraps_inside(b):
    """One entry goes over the end of the ring."""
    log, logged = start(b, pos=MIB - PAGE)
    log.add([bat_desc(b, logged)])
    return 1


@recipe(size=4 * GIB)
def wraps_in_descriptors(b):
    """The ring ends between the descriptor sectors of one entry."""
    log, logged = start(b, blocks=(0, 600), pos=MIB - PAGE)
    zeros = [zero_desc(b.bat_off + 3 * PAGE, PAGE)] * 130
    log.add(zeros + [bat_desc(b, logged, 1)])
    return 1


@recipe()
def ring_full(b):
    """Entries fill the ring to the last sector."""
    log, logged = start(b, pos=5 * PAGE)
    first = log.add([bat_desc(b, logged)])
    while log.pos != 5 * PAGE:
        left = (5 * PAGE - log.pos) % MIB
        log.add([bat_desc(b, logged)] if left >= 2 * PAGE else [], tail=first)
    return len(log.starts)


@recipe()
def entry_fills_ring(b):
    """One entry as long as the log: legal to read."""
    log, logged = start(b)
    log.add([data_desc(b.bat_off, bytes(PAGE))] * 253 + [bat_desc(b, logged)])
    assert log.pos == 0
    return 1


@recipe()
def last_torn(b):
    """The newest entry never reached the disk whole: it does not count."""
    log, logged = start(b)
    log.add([bat_desc(b, logged)])
    torn = log.add([wrong(b)], tail=0)
    b.poke(b.log_off + torn + PAGE, bytes(PAGE))
    return 1


@recipe()
def last_torn_checksum(b):
    log, logged = start(b)
    log.add([bat_desc(b, logged)])
    torn = log.add([wrong(b)], tail=0)
    b.poke(b.log_off + torn + PAGE + 2000, b"\xff")
    return 1


@recipe()
def stale_around(b):
    """Whole sequences of other sessions, with greater numbers, all around."""
    log, logged = start(b, seq=5000)
    log.add([wrong(b)], guid=b"an older session")
    log.add([bat_desc(b, logged)])
    log.add([wrong(b)], guid=b"another session.")
    log.pos = 0x90000
    log.add([wrong(b)], guid=bytes(16))
    return 1


@recipe()
def garbage_around(b):
    log, logged = start(b, pos=0x40000)
    for pos in range(0, MIB, 0x10000):
        b.poke(b.log_off + pos, b"loge" + pattern(f"garbage {pos}", 8000))
    log.add([bat_desc(b, logged)])
    return 1


@recipe()
def greater_incomplete(b):
    """A newer sequence lost its tail: the older, complete one is active."""
    log, logged = start(b)
    log.add([bat_desc(b, logged)])
    log.pos, log.seq = 0x50000, 900
    log.add([wrong(b)], tail=0x40000)
    return 1


@recipe()
def two_complete(b):
    """Of two complete sequences the one with the greater number counts."""
    log, logged = start(b, seq=900)
    first = log.add([bat_desc(b, logged)])
    log.pos, log.seq = 0x50000, 300
    log.add([wrong(b)])
    log.add([wrong(b)], tail=0x50000)
    return 1 if first == 0 else 0


@recipe()
def sequence_crosses_32_bits(b):
    log, logged = start(b, seq=(1 << 32) - 2)
    first = log.add([wrong(b)])
    log.add([zero_desc(b.bat_off, PAGE)], tail=first)
    log.add([], tail=first)
    log.add([bat_desc(b, logged)], tail=first)
    return 4


@recipe()
def sequence_large(b):
    log, logged = start(b, seq=(1 << 64) - 3)
    first = log.add([wrong(b)])
    log.add([bat_desc(b, logged)], tail=first)
    return 2


@recipe()
def zero_then_data(b):
    """A zero descriptor over the whole BAT, then data for one page of it."""
    log, logged = start(b, in_place=(0, 3))
    b.bat[5] = b.place_of(3) | FULLY_PRESENT
    log.add([zero_desc(b.bat_off, MIB), bat_desc(b, logged)])
    return 1


@recipe(size=4 * GIB)
def data_then_zero(b):
    """The zeros come later: what they cover is gone, the rest is not."""
    log, logged = start(b, blocks=(0, 600))
    log.add([data_desc(b.bat_off + 2 * PAGE, b.bat_page(0)), bat_desc(b, logged, 1),
             zero_desc(b.bat_off + 2 * PAGE, PAGE), zero_desc(b.bat_off, 0)])
    return 1


@recipe()
def zeros_only(b):
    """The log takes a block away."""
    b.header(log_guid=LOG_GUID)
    b.allocate(2)
    b.junk(b.place_of(2), pattern("gone", MIB))
    Log(b).add([zero_desc(b.bat_off, 8 * PAGE)])
    return 1


@recipe()
def entries_empty(b):
    """Nothing to apply; the log is still to be cleared."""
    log, _ = start(b, in_place=(0, 3, 7))
    first = log.add([])
    log.add([], tail=first)
    log.add([], tail=first)
    return 3


@recipe()
def flushed_null(b):
    """FlushedFileOffset 0, as Windows wrote it."""
    log, logged = start(b)
    log.add([bat_desc(b, logged)], flushed=0)
    return 1


@recipe()
def flushed_shrinks(b):
    """Only the head's FlushedFileOffset says anything about the file."""
    log, logged = start(b)
    first = log.add([wrong(b)], flushed=1 << 40)
    log.add([bat_desc(b, logged)], tail=first, flushed=4 * MIB)
    return 2


@recipe()
def last_beyond(b):
    """The file is shorter than LastFileOffset: the new block is all zeros."""
    log, logged = start(b)
    logged[b.index(9)] = b.file_size | FULLY_PRESENT
    log.add([bat_desc(b, logged)], last=b.file_size + MIB)
    return 1


@recipe()
def last_far_beyond(b):
    log, logged = start(b)
    log.add([bat_desc(b, logged)], last=b.file_size + 64 * MIB)
    return 1


@recipe()
def last_odd(b):
    """LastFileOffset is not a multiple of 1 MiB: rounded up."""
    log, logged = start(b)
    logged[b.index(9)] = b.file_size | FULLY_PRESENT
    log.add([bat_desc(b, logged)], last=b.file_size + 5000)
    return 1


@recipe()
def target_beyond(b):
    """The BAT itself lies beyond the end of the file until it is replayed."""
    log, logged = start(b, in_place=())
    size = b.file_size
    b.bat_off = size + 3 * MIB
    b.regions[0][1] = b.bat_off
    log.add([bat_desc(b, logged)], flushed=size, last=size + 4 * MIB)
    return 1


@recipe(size=4 * GIB)
def target_beyond_zeroed(b):
    """What one entry wrote behind the end of the file another one zeroes."""
    log, logged = start(b, in_place=())
    size = b.file_size
    b.bat_off = size + 3 * MIB
    b.regions[0][1] = b.bat_off
    stale = b.bat_page(0, {1: logged[b.index(0)]})
    first = log.add([bat_desc(b, logged), data_desc(b.bat_off + PAGE, stale)],
                    flushed=size, last=size + 4 * MIB)
    log.add([zero_desc(b.bat_off + PAGE, PAGE)], tail=first, flushed=size,
            last=size + 4 * MIB)
    return 2


@recipe()
def region_moved(b):
    """Both region tables change: the BAT has moved to the end of the file."""
    log, logged = start(b)
    new = b.grow(MIB)
    moved = [[which, new if which == REGION_BAT else off, length, required]
             for which, off, length, required in b.regions]
    first = b.region_table(moved)[:PAGE]
    log.add([data_desc(0x30000, first), data_desc(0x40000, first),
             data_desc(new, b.bat_page(0, logged))])
    return 1


@recipe(size=16 * MIB)
def size_changed(b):
    """The log makes the disk larger."""
    log, logged = start(b)
    b.size = 24 * MIB
    page = bytearray(PAGE)
    for off, data in b.contents.items():
        page[off - 65536:off - 65536 + len(data)] = data
    at = b.item_entry(ITEM_SIZE)[1] - 65536
    page[at:at + 8] = struct.pack("<Q", b.size)
    log.add([data_desc(b.meta_off + 65536, bytes(page)), bat_desc(b, logged)])
    return 1


@recipe(size=4 * GIB, log_len=4 * MIB)
def log_4mib(b):
    """An entry with more descriptors than one sector holds, over the end."""
    log, logged = start(b, blocks=range(0, 4096, 513), pos=4 * MIB - 64 * PAGE)
    pages = [bat_desc(b, logged, n) for n in range(8)]
    log.add((pages * 40)[:300])
    first = log.starts[0]
    log.add([], tail=first)
    return 2


@recipe(size=4 * GIB, log_len=64 * MIB)
def log_64mib(b):
    log, logged = start(b, blocks=range(0, 4096, 513), pos=63 * MIB)
    first = log.add([wrong(b)] * 250)
    log.add([bat_desc(b, logged, n) for n in range(8)] * 20, tail=first)
    return 2


@recipe(size=4 * GIB, log_len=3 * MIB)
def log_3mib(b):
    """The length of the ring need not be a power of two."""
    log, logged = start(b, blocks=(0, 600), pos=3 * MIB - 2 * PAGE)
    first = log.add([bat_desc(b, logged, 0)])
    log.add([bat_desc(b, logged, 1)], tail=first)
    return 2


@recipe()
def header_one_names_log(b):
    """A crash between the two header updates: the newer one names a log."""
    log, logged = start(b)
    b.headers[0]["log_guid"] = bytes(16)
    log.add([bat_desc(b, logged)])
    return 1


def make(outdir):
    """Write all; rows of (file, mode, entries to replay)."""
    rows = []
    for function, options in RECIPES:
        file = "dirty-" + function.__name__.replace("_", "-") + ".vhdx"
        build = Build(**options)
        nr_entries = function(build)
        save(build, outdir, file)
        rows.append((file, "both", nr_entries))
    return rows
