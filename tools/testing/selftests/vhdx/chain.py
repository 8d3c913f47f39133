#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""What vhdxctl would not do to a chain.

  chain.py attach IMAGE [PARENT]...      hand it to the driver as it is, to be read;
  chain.py write IMAGE [PARENT]...       or written; prints the number, or errno,
                                         fault and the index of the image to blame
  chain.py link IMAGE                    make it its own parent: its DataWriteGuid
                                         becomes the one that it looks for
  chain.py locator IMAGE KEY VALUE...    other pairs beside parent_linkage
"""

import errno
import os
import struct
import sys
import uuid

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "../../vhdx/images"))

import control
from vhdxbuild import locator, seal
from vhdxmodel import HEADER_OFFS, ITEM_LOCATOR, PAGE, REGION_METADATA, TABLE_SIZE, Image


def link(path):
    image = Image(path)
    want = uuid.UUID(image.locator["parent_linkage"]).bytes_le
    with open(path, "r+b") as out:
        for off in HEADER_OFFS:
            data = bytearray(image.file.read(off, PAGE))
            data[32:48] = want
            out.seek(off)
            out.write(seal(bytes(data)))
    image.close()


def relocate(path, words):
    image = Image(path)
    region = image.regions[REGION_METADATA][0]
    off, length = image.items[ITEM_LOCATOR]
    data = locator([("parent_linkage", image.locator["parent_linkage"]),
                    *zip(words[::2], words[1::2])])
    table = image.file.read(region, TABLE_SIZE)
    image.close()
    entry = table.index(struct.pack("<II", off - region, length))
    with open(path, "r+b") as out:
        out.seek(region + entry + 4)
        out.write(struct.pack("<I", len(data)))
        out.seek(off)
        out.write(data)


def attach(paths, write):
    err, blamed, name, _, number = control.attach_chain(paths, 0 if write else 1)
    if err:
        sys.exit(f"{errno.errorcode[err]} {name} {blamed}")
    print(number)


if __name__ == "__main__":
    what, image, *rest = [*sys.argv[1:], "", ""]
    rest = [word for word in rest if word]
    if what in ("attach", "write") and image:
        attach([image, *rest], what == "write")
    elif what == "link" and image and not rest:
        link(image)
    elif what == "locator" and image and rest:
        relocate(image, rest)
    else:
        sys.exit(__doc__)
