#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Unpack the images that others wrote, sparse: unpackimages.py DIR OUTDIR [NAME]

Of each NAME.vhdx.xz (of the one named only, if one is) the image goes to
OUTDIR, and its .tsv. A file whose name ends in -parent.vhdx gets a second name
without what stands before the "_": its child looks for it under that one.
"""

import lzma
import os
import shutil
import sys

CHUNK = 1 << 16


def unpack_file(source, target):
    with lzma.open(source) as packed, open(target, "wb") as out:
        while True:
            data = packed.read(CHUNK)
            if not data:
                break
            if data.count(0) == len(data):
                out.seek(len(data), os.SEEK_CUR)
            else:
                out.write(data)
        out.truncate()


def unpack(source_dir, outdir, only=None):
    """Names of the unpacked images."""
    os.makedirs(outdir, exist_ok=True)
    names = sorted(n[:-3] for n in os.listdir(source_dir) if n.endswith(".vhdx.xz"))
    names = [n for n in names if only in (None, n)]
    for name in names:
        target = os.path.join(outdir, name)
        unpack_file(os.path.join(source_dir, name + ".xz"), target)
        shutil.copy(os.path.join(source_dir, name + ".tsv"), target + ".tsv")
        if name.endswith("-parent.vhdx") and "_" in name:
            alias = os.path.join(outdir, name.split("_", 1)[1])
            if not os.path.lexists(alias):
                os.symlink(name, alias)
    return names


def main(argv):
    if len(argv) not in (3, 4):
        print(__doc__, file=sys.stderr)
        return 2
    for name in unpack(*argv[1:]):
        print(name)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
