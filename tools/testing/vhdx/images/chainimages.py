#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Make chains of differencing images at random: chainimages.py [--plain] OUTDIR SEED

Each chain is a folder with its images, 0.vhdx the root, and the last one's
content in a .tsv. In every image there are blocks in all states that it may
have, partially present ones with bitmaps in long and short runs, bits of no
meaning where no bits count, and bytes that must not be seen in the sectors
that are the parent's. chains.tsv lists leaf and depth.

What the disk has to show is computed here as the images are made, and not
read back from them.

VHDX_TEST_SHARE=K/N makes one of N chains only, for machines that are slow beyond
measure. With --plain there is nothing in them that libvhdi is known to read in another way:
Documentation/dev-tools/vhdx-testing.rst tells what that is.
"""

import hashlib
import os
import random
import sys
import uuid

sys.dont_write_bytecode = True

from vhdxbuild import Build, Log, data_desc, LOG_GUID
from vhdxmodel import (FULLY_PRESENT, GIB, KIB, MIB, NOT_PRESENT, PAGE, PARTIALLY_PRESENT,
                       TABLE_SIZE, UNDEFINED, UNMAPPED, ZERO, tsv_header)

# name: (sector, disk sizes from the root on, block sizes from the root on, first
# and last block or None for all, level with a dirty log or None)
SHAPES = {
    "ten": (512, [12 * MIB] * 10, [MIB, 2 * MIB] * 5, None, 4),
    "three": (512, [16 * MIB] * 3, [MIB] * 3, None, None),
    "chunks": (512, [12 * GIB + 3 * MIB] * 3, [MIB, 2 * MIB, MIB], 4 * GIB, None),
    "sizes-differ": (512, [20 * MIB + 512, 9 * MIB + 3 * 512, 33 * MIB, 17 * MIB - 512],
                     [MIB, 4 * MIB, MIB, 2 * MIB], None, 1),
    "deepest": (512, [4 * MIB] * 64, [MIB] * 64, None, None),
    "sectors-4096": (4096, [40 * MIB] * 4, [MIB, 2 * MIB, 32 * MIB, MIB], None, None),
    "sizes-differ-4096": (4096, [20 * MIB + 4096, 5 * MIB, 18 * MIB], [2 * MIB] * 3, None, 2),
    # Bitmaps of several pages; blocks are larger than the disk.
    "large-blocks": (512, [70 * MIB] * 3, [256 * MIB, 64 * MIB, 256 * MIB], None, 0),
    "blocks-differ": (512, [24 * MIB] * 4, [2 * MIB, MIB, 8 * MIB, MIB], None, None),
    "chunks-4096": (4096, [64 * GIB + 3 * MIB] * 3, [4 * MIB, 2 * MIB, 4 * MIB], 32 * GIB, 1),
}


class Disk:
    """Content of a virtual disk, by MiB."""

    def __init__(self):
        self.size, self.chunks = 0, {}

    def resize(self, size):
        """Behind the end of a smaller disk nothing shows through."""
        if size < self.size:
            self.zero(size, self.size - size)
        self.size = size

    def write(self, off, data):
        data = data[:max(self.size - off, 0)]
        while data:
            pos, inner = off // MIB * MIB, off % MIB
            piece = data[:MIB - inner]
            chunk = self.chunks.setdefault(pos, bytearray(MIB))
            chunk[inner:inner + len(piece)] = piece
            off, data = off + len(piece), data[len(piece):]

    def zero(self, off, length):
        end = off + length
        while off < end:
            pos, inner = off // MIB * MIB, off % MIB
            step = min(MIB - inner, end - off)
            if pos in self.chunks:
                self.chunks[pos][inner:inner + step] = bytes(step)
            off += step

    def write_tsv(self, path):
        with open(path, "w", encoding="ascii") as out:
            print(tsv_header(self.size), file=out)
            for off, data in sorted(self.chunks.items()):
                data = bytes(data[:self.size - off])
                if any(data):
                    print(off, len(data), hashlib.sha256(data).hexdigest(), sep="\t", file=out)


class Level:
    """One image of a chain: random blocks, put into the image and on the disk."""

    def __init__(self, rng, disk, build, plain):
        self.rng, self.disk, self.b, self.plain = rng, disk, build, plain
        self.child = build.kind == "differencing"
        self.sectors = build.block // build.lss
        self.bitmaps = {}
        disk.resize(build.size)

    def bits(self, block):
        """The bitmap of the block's chunk, and the first bit of its slice."""
        chunk, rest = divmod(block, self.b.ratio)
        if chunk not in self.bitmaps:
            off = self.b.grow(MIB)
            self.b.bat[self.b.bitmap_index(chunk)] = off | 6
            self.bitmaps[chunk] = off, bytearray(MIB)
        return self.bitmaps[chunk][1], rest * self.sectors

    def set_bits(self, block, first, nr):
        bits, base = self.bits(block)
        for n in range(base + first, base + first + nr):
            bits[n // 8] |= 1 << n % 8

    def stale_bits(self, block):
        """Bits that nobody may look at."""
        bits, base = self.bits(block)
        bits[base // 8:(base + self.sectors) // 8] = \
            self.rng.randbytes(min(self.sectors // 8, 4 * KIB)).ljust(self.sectors // 8, b"\xff")

    def patch(self, block, sector, nr):
        """Data of up to 64 KiB in a run of sectors that are here."""
        data = self.rng.randbytes(min(nr * self.b.lss, 64 * KIB))
        inner = sector * self.b.lss
        self.b.pieces.append((self.b.place_of(block) + inner, data))
        self.disk.write(block * self.b.block + inner, data)

    def junk(self, block, sector):
        self.b.pieces.append((self.b.place_of(block) + sector * self.b.lss,
                              self.rng.randbytes(self.b.lss)))

    def full(self, block):
        self.b.allocate(block)
        self.disk.zero(block * self.b.block, self.b.block)
        for _ in range(self.rng.randrange(4)):
            sector = self.rng.randrange(self.sectors)
            self.patch(block, sector, min(64, self.sectors - sector))

    def run(self, block, sector, nr):
        """Sectors that are in this image; what is not patched of them is zeros."""
        self.set_bits(block, sector, nr)
        self.disk.zero(block * self.b.block + sector * self.b.lss, nr * self.b.lss)
        self.patch(block, sector, nr)

    def partial(self, block):
        self.b.allocate(block, state=PARTIALLY_PRESENT)
        self.bits(block)
        sector = self.rng.choice((0, 1, self.rng.randrange(self.sectors)))
        while sector < self.sectors:
            # Long runs, short ones, and every other sector.
            nr = self.rng.choice((1, 1, 1, 3, 8, 63, 64, 65, 200, self.sectors // 2))
            nr = min(nr, self.sectors - sector)
            self.run(block, sector, nr)
            gap = self.rng.choice((1, 1, 1, 7, 64, 300, self.sectors // 3))
            if sector + nr < self.sectors:
                self.junk(block, sector + nr)
            sector += nr + gap

    def absent(self, block, state):
        self.b.bat[self.b.index(block)] = state
        if not (self.child and state == NOT_PRESENT):
            self.disk.zero(block * self.b.block, self.b.block)

    def fill(self, block):
        states = [FULLY_PRESENT, NOT_PRESENT, ZERO, UNMAPPED, UNDEFINED]
        if self.child:
            states = states[:2] if self.plain else states
            states += [PARTIALLY_PRESENT] * 8 + [NOT_PRESENT] * 2
        state = self.rng.choice(states)
        if self.plain and self.b.kind == "fixed" and block >= self.b.ratio:
            state = ZERO
        if state == FULLY_PRESENT:
            self.full(block)
        elif state == PARTIALLY_PRESENT:
            self.partial(block)
            return
        else:
            self.absent(block, state)
        if self.child and self.rng.random() < 0.7 and \
           not (self.plain and state == NOT_PRESENT):
            self.stale_bits(block)

    def finish(self):
        if self.child and self.plain:
            for block in range(0, self.b.nr_blocks, self.b.ratio):
                self.bits(block)
        for off, bits in self.bitmaps.values():
            self.b.pieces.append((off, bytes(bits)))


def make_dirty(b):
    """What the BAT says is in the log only; in place it says nothing."""
    b.header(log_guid=LOG_GUID)
    pages = sorted({index // 512 for index in b.bat})
    descs = [data_desc(b.bat_off + PAGE * n, b.bat_page(n)) for n in pages]
    b.bat = {}
    Log(b).add(descs)


def blocks_of(rng, build, boundary):
    """All blocks, or those around some chunk boundaries and the last."""
    if not boundary:
        return range(build.nr_blocks)
    found = {0, build.nr_blocks - 1}
    for pos in range(boundary, build.size, boundary):
        at = pos // build.block
        found.update(range(at - 2, min(at + 3, build.nr_blocks)))
    return sorted(rng.sample(sorted(found), len(found) * 3 // 4))


def make_level(rng, disk, folder, n, shape, plain, kinds):
    sector, sizes, blocks, boundary, dirty = shape
    build = Build(size=sizes[n], block=blocks[n], lss=sector,
                  kind="differencing" if n else rng.choice(kinds))
    link = uuid.UUID(int=rng.getrandbits(128))
    build.header(data_write=link.bytes_le)
    if n:
        text = str(disk.link)
        text = text.upper() if rng.random() < 0.3 and not plain else text
        build.parent_locator([("relative_path", f".\\{n - 1}.vhdx"),
                              ("parent_linkage", "{" + text + "}")])
    # Items of the disk that nobody knows, and one of the file.
    for number, flags in enumerate((0, 2, 2, 3), 1):
        data = rng.randbytes(rng.choice((5, 600, 6000)))
        if rng.random() < 0.5 and not plain:
            build.item(rng.randbytes(16), flags, data,
                       TABLE_SIZE + 4 * PAGE * number)
    level = Level(rng, disk, build, plain)
    chosen = blocks_of(rng, build, boundary)
    for block in chosen:
        if n == 0 or len(sizes) < 20 or rng.random() < 0.2:
            level.fill(block)
    level.finish()
    if n == dirty:
        make_dirty(build)
    build.write(os.path.join(folder, f"{n}.vhdx"))
    disk.link = link


def plain_shapes():
    """No parent is smaller than its child, and no log is dirty."""
    return {name: (*shape[:4], None) for name, shape in SHAPES.items()
            if list(shape[1]) == sorted(shape[1], reverse=True)}


def our_share(every):
    ours, shares = map(int, os.environ.get("VHDX_TEST_SHARE", "1/1").split("/"))
    return list(every)[ours - 1::shares]


def make_chain(outdir, name, shape, seed, kinds=("dynamic", "fixed"), plain=False):
    """Make a chain whose root is of one of the kinds; the path of its leaf."""
    rng = random.Random(f"{seed} {name}")
    folder = os.path.join(outdir, name)
    os.makedirs(folder)
    disk = Disk()
    for n in range(len(shape[1])):
        make_level(rng, disk, folder, n, shape, plain, kinds)
    leaf = f"{name}/{len(shape[1]) - 1}.vhdx"
    disk.write_tsv(os.path.join(outdir, leaf + ".tsv"))
    return leaf


def make(outdir, seed, plain=False):
    rows = [(make_chain(outdir, name, shape, seed, plain=plain), len(shape[1]))
            for name, shape in our_share((plain_shapes() if plain else SHAPES).items())]
    with open(os.path.join(outdir, "chains.tsv"), "w", encoding="ascii") as out:
        print("# leaf", "depth", sep="\t", file=out)
        for row in rows:
            print(*row, sep="\t", file=out)


if __name__ == "__main__":
    words = [word for word in sys.argv[1:] if word != "--plain"]
    if len(words) != 2:
        sys.exit(__doc__)
    make(*words, plain="--plain" in sys.argv)
