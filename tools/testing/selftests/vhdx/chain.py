#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""What vhdxctl would not do to a chain.

  chain.py attach IMAGE [PARENT]...      hand it to the driver as it is, to be read;
  chain.py write IMAGE [PARENT]...       or written; prints the number, or errno,
                                         fault and the index of the image to blame
  chain.py link IMAGE                    make it its own parent: its DataWriteGuid
                                         becomes the one that it looks for
  chain.py locator IMAGE KEY VALUE...    other pairs beside parent_linkage
  chain.py adopt IMAGE PARENT            a new image, a child of PARENT by its log only
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
from vhdxbuild import LOG_GUID, Build, Log, data_desc, locator, seal
from vhdxmodel import (HEADER_OFFS, ITEM_LOCATOR, ITEM_PARAMETERS, PAGE, REGION_METADATA,
                       TABLE_SIZE, Image)


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


def adopt(path, parent):
    base = Image(parent)
    linkage = "{%s}" % uuid.UUID(bytes_le=base.header.data_write)
    build = Build(size=base.size, kind="differencing")
    base.close()
    build.parent_locator([("parent_linkage", linkage),
                          ("relative_path", ".\\" + os.path.basename(parent))])
    build.header(log_guid=LOG_GUID)
    items = bytearray(TABLE_SIZE)
    for off, data in build.contents.items():
        items[off - TABLE_SIZE:off - TABLE_SIZE + len(data)] = data
    Log(build).add([data_desc(build.meta_off, build.metadata_table().ljust(PAGE, b"\0")),
                    data_desc(build.meta_off + TABLE_SIZE, bytes(items[:PAGE]))])
    # In place there is one item less, the locator, and no parent.
    build.poke(build.meta_off + 10, struct.pack("<H", len(build.entries) - 1))
    build.poke(build.item_off(ITEM_PARAMETERS) + 4, struct.pack("<I", 0))
    build.write(path)


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
    elif what == "adopt" and len(rest) == 1:
        adopt(image, rest[0])
    elif what == "locator" and image and rest:
        relocate(image, rest)
    else:
        sys.exit(__doc__)
