#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Write the same at random to a block device and to a raw file of its size.

  randwrite.py DEVICE RAW SEED COUNT [SECTOR]

Direct and buffered writes of one sector to 1 MiB, with an fsync now and then;
every 16th operation reads something back and compares.
"""

import mmap
import os
import random
import sys

MAX = 1 << 20


class Device:
    """A block device opened for direct and for buffered I/O."""

    def __init__(self, path):
        self.direct = os.open(path, os.O_RDWR | os.O_DIRECT)
        self.buffered = os.open(path, os.O_RDWR)
        self.size = os.lseek(self.direct, 0, os.SEEK_END)
        self.memory = mmap.mmap(-1, MAX)

    def write(self, off, data, direct):
        if direct:
            # What is in the page cache and dirty must not come after us.
            os.fsync(self.buffered)
            self.memory[:len(data)] = data
            done = os.pwrite(self.direct, memoryview(self.memory)[:len(data)], off)
        else:
            done = os.pwrite(self.buffered, data, off)
        if done != len(data):
            raise OSError(f"short write at {off:#x}: {done} of {len(data)}")

    def read(self, off, length):
        view = memoryview(self.memory)[:length]
        if os.preadv(self.direct, [view], off) != length:
            raise OSError(f"short read at {off:#x}")
        return bytes(view)

    def sync(self):
        os.fsync(self.buffered)


def extent(rng, size, sector):
    """Mostly small, sometimes large; often near something written before."""
    limit = rng.choice((1, 8, 8, 64, 256, MAX // sector))
    length = min(rng.randrange(1, limit + 1), MAX // sector) * sector
    length = min(length, size)
    return rng.randrange((size - length) // sector + 1) * sector, length


def main(device, raw, seed, count, sector=512):
    rng = random.Random(seed)
    dev = Device(device)
    twin = os.open(raw, os.O_RDWR | os.O_CREAT, 0o600)
    os.ftruncate(twin, dev.size)
    for n in range(count):
        off, length = extent(rng, dev.size, sector)
        data = rng.randbytes(length)
        dev.write(off, data, rng.random() < 0.6)
        os.pwrite(twin, data, off)
        if rng.random() < 0.05:
            dev.sync()
        if n % 16 == 0:
            off, length = extent(rng, dev.size, sector)
            dev.sync()
            if dev.read(off, length) != os.pread(twin, length, off):
                sys.exit(f"operation {n}: {length} bytes at {off:#x} differ")
    dev.sync()


if __name__ == "__main__":
    if len(sys.argv) not in (5, 6):
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:]))
