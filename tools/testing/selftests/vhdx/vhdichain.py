#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Read a chain of images with libvhdi and compare.

  vhdichain.py --tsv TSV IMAGE            with the content in a .tsv
  vhdichain.py --raw RAW IMAGE            with a raw file of the disk's size

Parents are those that the relative paths name. Of a disk of more than 4 GiB
only what is said not to be zero is looked at, and the MiB around.
"""

import hashlib
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "../../vhdx/images"))

import pyvhdi
import vhdxmodel as model
from vhdxmodel import GIB, MIB


def open_chain(path):
    """All images, the leaf first; each has its parent set."""
    chain = []
    while path:
        image = pyvhdi.file()
        image.open(path)
        if chain:
            chain[-1].set_parent(image)
        chain.append(image)
        known = model.Image(path)
        below = known.locator.get("relative_path", "").replace("\\", "/") \
            if known.has_parent else None
        known.close()
        path = below and os.path.join(os.path.dirname(path), below)
    return chain


def wanted_by_tsv(path, size):
    """{offset: sha256} of each MiB to look at."""
    with open(path, encoding="ascii") as lines:
        rows = [line.split() for line in lines if line[0] != "#"]
    want = {int(off): sha for off, _, sha in rows}
    if size <= 4 * GIB:
        offs = range(0, size, MIB)
    else:
        offs = sorted({o + d for o in want for d in (-MIB, 0, MIB)} & set(range(0, size, MIB)))
    return {off: want.get(off, hashlib.sha256(bytes(min(MIB, size - off))).hexdigest())
            for off in offs}


def wanted_by_raw(path, size):
    if os.path.getsize(path) != size:
        sys.exit(f"the disk has {size} bytes and {path} {os.path.getsize(path)}")
    with open(path, "rb") as raw:
        return {off: hashlib.sha256(raw.read(MIB)).hexdigest() for off in range(0, size, MIB)}


def main(kind, path, leaf):
    chain = open_chain(leaf)
    size = chain[0].get_media_size()
    want = wanted_by_tsv(path, size) if kind == "--tsv" else wanted_by_raw(path, size)
    for off, sha in want.items():
        data = chain[0].read_buffer_at_offset(min(MIB, size - off), off)
        if hashlib.sha256(data).hexdigest() != sha:
            sys.exit(f"{leaf}: the MiB at {off:#x} differs")


if __name__ == "__main__":
    if len(sys.argv) != 4 or sys.argv[1] not in ("--tsv", "--raw"):
        sys.exit(__doc__)
    main(*sys.argv[1:])
