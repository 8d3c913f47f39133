#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""An image with a log of 1 GiB, and blocks of 256 MiB.

  longlog.py make IMAGE		a new image, its log dirty
  longlog.py verify DEVICE	does the disk hold what the log makes of it?

The log zeroes more pages, one by one, than the driver keeps in mind, and sets some
before and after that: the order of the log must be kept over what goes to the file
in between.
"""

import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "../../vhdx/images"))

from vhdxbuild import LOG_GUID, Build, Log, data_desc, pattern, zero_desc
from vhdxmodel import GIB, MIB, PAGE

BLOCK = 256 * MIB
NR_ZEROED = 65600       # every second page from the start on; OVERLAY_MAX_EXTENTS and some

OLD = b"\xff" * PAGE
FIRST = NR_ZEROED // 3 * 2      # set first, zeroed next, set again last
EARLY = NR_ZEROED - 10          # set first, zeroed at the very end
LATE = 4                        # zeroed first, set in the end
KEPT = 5                        # set first, not zeroed


def pages():
    """{number: content} of the pages that are looked at, after the replay."""
    want = {}
    for number in [*range(256), *range(2 * NR_ZEROED - 256, 2 * NR_ZEROED + 256)]:
        zeroed = number % 2 == 0 and number < 2 * NR_ZEROED
        want[number] = bytes(PAGE) if zeroed else OLD
    want[2 * FIRST] = pattern("first again", PAGE)
    want[2 * LATE] = pattern("late", PAGE)
    want[2 * KEPT + 1] = pattern("kept", PAGE)
    return want


def make(path):
    build = Build(size=4 * BLOCK, block=BLOCK, log_len=GIB)
    build.header(log_guid=LOG_GUID)
    place = build.allocate(0)
    build.allocate(1)
    build.allocate(2)
    bat = dict(build.bat)
    build.bat = {build.index(0): bat[build.index(0)]}
    for number in pages():
        build.junk(place + number * PAGE, OLD)

    def page(number, text):
        return data_desc(place + number * PAGE, pattern(text, PAGE))

    def zeros(first, end):
        return [zero_desc(place + 2 * n * PAGE, PAGE) for n in range(first, end)]

    log = Log(build, pos=GIB - MIB)
    half = NR_ZEROED // 2
    tail = log.add([page(2 * FIRST, "first"), page(2 * EARLY, "early"),
                    page(2 * KEPT + 1, "kept")] + zeros(0, half))
    log.add(zeros(half, NR_ZEROED) + [page(2 * LATE, "late")], tail=tail)
    log.add([page(2 * FIRST, "first again"), data_desc(build.bat_off, build.bat_page(0, bat))],
            tail=tail)
    build.write(path)


def verify(path):
    disk = os.open(path, os.O_RDONLY)
    for number, want in pages().items():
        if os.pread(disk, PAGE, number * PAGE) != want:
            sys.exit(f"page {number} is not what the log says")
    os.close(disk)


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] == "make":
        make(sys.argv[2])
    elif len(sys.argv) == 3 and sys.argv[1] == "verify":
        verify(sys.argv[2])
    else:
        sys.exit(__doc__)
