#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Does the order of writes on the disk keep the log's promise?

  logwrites.py LOGDEV IMAGE

LOGDEV is the log of a dm-log-writes target on which the file system of IMAGE
lies. What reached the disk is followed write by write, and at each step:

 1. a write into the log area carries FUA, or a flush follows before anything
    changes in place (a file system that must allocate cannot use FUA);
 2. what is written to the BAT or the metadata in place is in a log entry that
    is stable by then, and is exactly what that entry says;
 3. when an entry becomes stable, everything that entries older than its Tail
    changed is stable in place;
 4. what is stable by then can be opened: one header is valid and, when it
    names a log, the log has an active sequence.

dm-log-writes notes a write when it is stable: one with FUA when it completes,
another when the next flush completes. IMAGE's extents are asked for with
FIEMAP, so the file must not be rewritten elsewhere in between. What comes
before the mark "attach" is the making of the image. Prints what it counted;
exit 1 with what is wrong.
"""

import fcntl
import os
import struct
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "../../vhdx/images"))

import vhdxmodel as model
from vhdxmodel import PAGE, Fault

MAGIC = 0x6A736677736872
FLUSH, FUA, DISCARD, MARK = 1, 2, 4, 8
FS_IOC_FIEMAP = 0xC020660B
EXTENT_LAST, EXTENT_UNKNOWN = 1, 2 | 4


class Write:
    """One entry of the dm-log-writes log."""

    def __init__(self, number, off, length, flags, data):
        self.number, self.off, self.length = number, off, length
        self.flags, self.data = flags, data     # of a mark: its text


def read_log(path):
    """All entries, in order; offsets and lengths in bytes."""
    with open(path, "rb") as log:
        magic, version, count, sector = struct.unpack("<QQQI", log.read(28))
        if magic != MAGIC or version != 1:
            sys.exit(f"{path}: not a dm-log-writes log")
        pos = sector
        for number in range(count):
            log.seek(pos)
            where, length, flags, data_len = struct.unpack("<QQQQ", log.read(32))
            pos += sector
            length *= sector
            data = log.read(data_len) if flags & MARK else b""
            if not flags & (MARK | DISCARD):
                log.seek(pos)
                data = log.read(length)
                pos += length
            yield Write(number, where * sector, length, flags, data)


def extents(path):
    """[(disk offset, file offset, length)] of a file, by disk offset."""
    found, start = [], 0
    fd = os.open(path, os.O_RDONLY)
    os.fsync(fd)
    while True:
        raw = bytearray(struct.pack("<QQIIII", start, (1 << 64) - 1 - start, 0, 0, 100, 0) +
                        bytes(100 * 56))
        fcntl.ioctl(fd, FS_IOC_FIEMAP, raw, True)
        count, = struct.unpack_from("<I", raw, 20)
        flags = EXTENT_LAST
        for n in range(count):
            logical, physical, length = struct.unpack_from("<QQQ", raw, 32 + 56 * n)
            flags, = struct.unpack_from("<I", raw, 32 + 56 * n + 40)
            start = logical + length
            if not flags & EXTENT_UNKNOWN:
                found.append((physical, logical, length))
        if flags & EXTENT_LAST:
            break
    os.close(fd)
    return sorted(found)


class Stable:
    """The bytes of the image file that are stable so far; looks like a File."""

    def __init__(self, size):
        self.pages = {}
        self.size = self.real_size = size
        self.overlay = model.Overlay()

    def write(self, off, data):
        for pos in range(0, len(data), PAGE):
            self.pages[(off + pos) // PAGE] = data[pos:pos + PAGE]

    def read(self, off, length):
        first, end = off // PAGE, -(-(off + length) // PAGE)
        data = b"".join(self.pages.get(n, model.ZERO_PAGE) for n in range(first, end))
        return data[off - first * PAGE:off - first * PAGE + length]

    def next_data(self, off, end):
        number = off // PAGE
        while number * PAGE < end and number not in self.pages:
            number += 1
        return min(max(number * PAGE, off), end)


class Ring(model.Ring):
    """A log area that is looked at again and again: entries are remembered."""

    known = {}                  # (LogGuid, log offset, bytes) -> entry or None

    def entries(self):
        found = {}
        for pos in range(0, self.length, PAGE):
            head = self.read(pos, PAGE)
            if head[:4] != b"loge":
                continue
            length, = struct.unpack_from("<I", head, 8)
            key = self.guid, pos, self.read(pos, max(PAGE, min(length, self.length)))
            if key not in self.known:
                try:
                    self.known[key] = model.Entry(self, pos)
                except Fault:
                    self.known[key] = None
            if self.known[key]:
                found[pos] = self.known[key]
        return found


class Follower:
    """Follows the writes to one image and says what is wrong."""

    def __init__(self, image):
        opened = model.Image(image)
        self.log = (opened.header.log_off, opened.header.log_off + opened.header.log_len)
        self.meta = [(o, o + n) for o, n in opened.regions.values()]
        self.stable = Stable(opened.file.real_size)
        opened.close()
        self.extents = extents(image)
        self.entries = {}       # (LogGuid, number) -> entry, stable ones
        self.left = {}          # LogGuid -> number up to which rule 3 was checked
        self.pending = []       # log writes without FUA before the next flush
        self.wrong = []
        self.attached = False
        self.count = {"log writes": 0, "with FUA": 0, "log entries": 0, "tail moves": 0,
                      "in-place pages": 0, "states": 0}

    def pieces(self, write):
        """(file offset, bytes) of what a write changed in the image."""
        end = write.off + write.length
        for physical, logical, length in self.extents:
            low, high = max(write.off, physical), min(end, physical + length)
            if low < high and write.data:
                yield (logical + low - physical, write.data[low - write.off:high - write.off])

    def complain(self, write, text):
        self.wrong.append(f"write {write.number}: {text}")

    def follow(self, write):
        if write.flags & MARK:
            self.attached |= write.data.startswith(b"attach")
            return
        for off, data in self.pieces(write):
            for pos in range(0, len(data), PAGE):
                self._page(write, off + pos, data[pos:pos + PAGE])
            self.stable.write(off, data)
            if self.attached and self.log[0] <= off < self.log[1]:
                self._log_write(write)
        if write.flags & FLUSH:
            self.pending.clear()
        if self.attached and write.flags & (FLUSH | FUA):
            self._new_entries(write)
            self._openable(write)

    def _log_write(self, write):
        self.count["log writes"] += 1
        if write.flags & FUA:
            self.count["with FUA"] += 1
        else:
            self.pending.append(write.number)

    def _page(self, write, off, data):
        """Rules 1 and 2 for one page that is neither log nor payload."""
        if not self.attached or data == self.stable.read(off, PAGE) or \
           not any(low <= off < high for low, high in self.meta):
            return
        self.count["in-place pages"] += 1
        if self.pending:
            self.complain(write, f"page {off:#x} changes in place while the log writes "
                          f"{self.pending} are not stable")
        logged = [e for e in self.entries.values() if self._content(e, off) == data]
        if not logged:
            self.complain(write, f"page {off:#x} changes in place to what no stable log "
                          "entry says")

    @staticmethod
    def _content(entry, off):
        """What an entry says about a page, or None."""
        found = None
        for sig, target, length, data in entry.descs:
            if target <= off < target + length:
                found = model.ZERO_PAGE if sig == b"zero" else data
        return found

    def _new_entries(self, write):
        """Find entries of the current log that have become stable."""
        header = self._header()
        if not header or header.log_guid == model.NULL_GUID:
            return
        ring = Ring(self.stable, header)
        found = ring.entries()
        for entry in sorted(found.values(), key=lambda e: e.seq):
            key = (header.log_guid, entry.seq)
            if key not in self.entries:
                self.entries[key] = entry
                self.count["log entries"] += 1
                self._tail(write, header.log_guid, entry, found)

    def _tail(self, write, guid, entry, found):
        """Rule 3: what lies before the Tail is stable in place."""
        tail = found.get(entry.tail)
        if tail is None:
            self.complain(write, f"entry {entry.seq} has a Tail where no entry is")
            return
        left = self.left.setdefault(guid, tail.seq)
        mine = [e for (g, _), e in self.entries.items() if g == guid]
        self.count["tail moves"] += tail.seq > left
        self.left[guid] = max(left, tail.seq)
        for old in (e for e in mine if left <= e.seq < tail.seq):
            for _, target, length, _ in old.descs:
                for off in range(target, target + length, PAGE):
                    self._in_place(write, entry, old, off, mine)

    def _in_place(self, write, entry, old, off, mine):
        here = self.stable.read(off, PAGE)
        newer = [self._content(e, off) for e in mine if e.seq >= old.seq]
        if here not in newer:
            self.complain(write, f"entry {entry.seq} leaves entry {old.seq} behind, whose "
                          f"page {off:#x} is not stable in place")

    def _header(self):
        headers = [model.Header(self.stable.read(o, PAGE), o) for o in model.HEADER_OFFS]
        try:
            return model.choose_header(headers)
        except Fault:
            return None

    def _openable(self, write):
        """Rule 4."""
        self.count["states"] += 1
        header = self._header()
        if not header:
            self.complain(write, "no valid header")
        elif header.log_guid != model.NULL_GUID:
            try:
                Ring(self.stable, header).active()
            except Fault as fault:
                self.complain(write, f"nobody can open this: {fault}")


def main(argv):
    if len(argv) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    follower = Follower(argv[2])
    for write in read_log(argv[1]):
        follower.follow(write)
    for name, value in follower.count.items():
        print(f"{name}: {value}")
    for line in follower.wrong[:20]:
        print(line)
    idle = [n for n in ("log entries", "tail moves", "in-place pages")
            if not follower.count[n]]
    if idle:
        print("nothing was seen of:", ", ".join(idle))
    return 1 if follower.wrong or idle else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
