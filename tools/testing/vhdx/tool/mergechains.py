#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Merge chains of differencing images and look at what comes of them.

  mergechains.py merge VHDXCTL DIR SEED [NAME...]
  mergechains.py cuts MERGE_CUTS DIR SEED [NAME...]
  mergechains.py good VHDXCTL DIR

Chains are made at random in DIR, by chainimages.py. The first merges the leaf of
each into its parent, into its root, and into one between them. Then the image
that it was merged into has to show what the leaf showed before, and so has the
leaf itself. The oracle is the content that was written down when the chain was
made, read back by the model of the format, and by QEMU where it can. The second
cuts the power of merges and of changes of the parent's place: see merge_cuts.c.
The third merges an empty child into each crafted image that is good, however odd it
looks: its log is replayed, and its content must not change.
"""

import os
import random
import shutil
import struct
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../images"))

import chainimages
import mkimages
import vhdxmodel as model
from vhdxmodel import GIB, MIB

# As in chainimages.py, and the kinds that the root may have. In the last two the
# BAT becomes larger than its region; blocks of a fixed disk would need the space.
MERGED = {name: (shape, ("dynamic", "fixed")) for name, shape in chainimages.SHAPES.items()
          if name != "deepest"}
MERGED |= {
    "grows": ((512, [20 * MIB, 5 * MIB + 512, 12 * MIB], [MIB, 2 * MIB, MIB], None, None),
              ("dynamic", "fixed")),
    "bat-moves": ((512, [3 * GIB, 2 * GIB + 512, 200 * GIB], [MIB, MIB, 2 * MIB], 32 * GIB, 1),
                  ("dynamic",)),
}
# Chains for power cuts, and of those the ones in which the log alone is looked at, too.
LOGGED = ("differencing", "dynamic")
CUT = {
    "differencing": ((512, [4 * MIB] * 3, [MIB, 2 * MIB, MIB], None, None), ("dynamic",)),
    "fixed": ((4096, [3 * MIB, 5 * MIB], [MIB, MIB], None, 0), ("fixed",)),
    "dirty": ((512, [6 * MIB, 2 * MIB + 512, 5 * MIB], [2 * MIB, MIB, 2 * MIB], None, 1),
              ("dynamic",)),
    "dynamic": ((512, [4 * MIB, 3 * MIB], [2 * MIB, MIB], None, 1), ("dynamic",)),
}


def content(path):
    """Size and {offset: (length, sha256)} of an image's disk; the BAT is checked."""
    image = model.Image(path)
    image.check_bat()
    rows = {}
    for line in model.tsv_lines(image.chunks()):
        off, length, sha = line.split()
        rows[int(off)] = int(length), sha
    size = image.size
    image.close()
    return size, rows


def wanted(tsv):
    return model.tsv_size(tsv), model.read_tsv(tsv)


def foreign(path):
    """Items that nobody knows: {(guid, flags): content} of the disk's, and of the file's."""
    image = model.Image(path)
    region = image.regions[model.REGION_METADATA][0]
    table = image.file.read(region, model.TABLE_SIZE)
    found = {}, {}
    for raw in range(32, 32 + 32 * struct.unpack_from("<H", table, 10)[0], 32):
        which, off, length, flags = struct.unpack_from("<16sIII", table, raw)
        if which not in model.ITEMS:
            found[not flags & 2][which, flags] = image.file.read(region + off, length)
    image.close()
    return found


def with_qemu(path, work):
    """What is wrong with an image without parent, or nothing."""
    image = model.Image(path)
    if image.has_parent or image.lss != 512 or image.size > GIB or not shutil.which("qemu-img"):
        image.close()
        return []
    raw = os.path.join(work, "raw")
    model.write_raw(image, raw)
    image.close()
    wrong = []
    for args in (["check", "-f", "vhdx", path],
                 ["compare", "-f", "vhdx", "-F", "raw", path, raw]):
        run = subprocess.run(["qemu-img", *args], capture_output=True, text=True, check=False)
        if run.returncode:
            wrong.append(f"qemu-img {args[0]}: {run.stdout} {run.stderr}")
    os.unlink(raw)
    return wrong


def vhdxctl(*args):
    run = subprocess.run(args, capture_output=True, text=True, check=False)
    return run.returncode, run.stdout + run.stderr


def merge(program, folder, depth, into):
    """Reasons why the merge of the leaf into image number into went wrong."""
    leaf, last = (os.path.join(folder, f"{n}.vhdx") for n in (depth - 1, into))
    want = wanted(leaf + ".tsv")
    items = foreign(leaf)[0], foreign(last)[1]
    args = [program, "merge", "--shrink", leaf]
    if into != depth - 2:
        args.insert(2, f"--into={last}")
    status, said = vhdxctl(*args)
    if status:
        return [f"exit status {status}: {said}"]
    wrong = []
    for path in (last, leaf):
        if content(path) != want:
            wrong.append(f"{path}: the disk is not what the leaf's was")
        wrong += model.check_strict(path, clean=True)
    if foreign(last) != items:
        wrong.append(f"{last}: metadata items are not as they should be")
    for number in range(depth):
        path = os.path.join(folder, f"{number}.vhdx")
        status, said = vhdxctl(program, "check", path)
        if status:
            wrong.append(said)
    # An image between names what the last one was before.
    for number in range(into + 1, depth - 1):
        path = os.path.join(folder, f"{number}.vhdx")
        status, said = vhdxctl(program, "info", "--chain", path)
        if not status or "chain-linkage" not in said:
            wrong.append(f"{path}: can still be opened: {said}")
    return wrong + with_qemu(last, folder)


def merge_chain(program, name, folder, depth, seed):
    """Into the parent, the root, and another one; how many went wrong."""
    failed = 0
    rng = random.Random(f"{seed} merge {name}")
    for into in sorted({0, depth - 2, rng.randrange(depth - 1)}):
        work = folder + ".work"
        shutil.copytree(folder, work, copy_function=copy)
        wrong = merge(program, work, depth, into)
        shutil.rmtree(work)
        print(f"{name}, {depth} images, into {into}: {'wrong' if wrong else 'right'}")
        for reason in wrong:
            print(f"    {reason}")
        failed += bool(wrong)
    return failed


def cut_chain(program, name, folder, depth, seed):
    """A merge, a change of the parent's place, and once the log alone, with power cuts."""
    images = [os.path.join(folder, f"{n}.vhdx") for n in reversed(range(depth))]
    image = model.Image(images[0])
    raw = os.path.join(folder, "raw")
    model.write_raw(image, raw)
    image.close()
    failed = 0
    for what in ("merge", "set", "log") if name in LOGGED else ("merge", "set"):
        print(f"{name}, {what}:", flush=True)
        failed += bool(subprocess.run([program, what, seed, raw, *images], check=False).returncode)
    return failed


def merge_empty(program, path, work):
    """Reasons why a child of the image could not be merged into it."""
    child = os.path.join(work, "child.vhdx")
    wrong = []
    for args in (["create", "--force", "--parent", path, child], ["merge", child], ["check", path]):
        status, said = vhdxctl(program, *args)
        if status:
            wrong.append(f"{args[0]}: exit status {status}: {said}")
    if content(path) != wanted(path + ".tsv"):
        wrong.append("the disk is another one")
    image = model.Image(path)
    if any(h.fault or h.log_guid != model.NULL_GUID for h in image.headers):
        wrong.append("a header is bad or names a log")
    image.close()
    return wrong


def good(program, work):
    failed = nr = 0
    mkimages.make(work)
    for line in open(os.path.join(work, "good.tsv"), encoding="ascii"):
        name, mode, _ = line.split("\t")
        if mode != "both":
            continue
        nr += 1
        wrong = merge_empty(program, os.path.join(work, name), work)
        for reason in wrong:
            print(f"{name}: {reason}")
        failed += bool(wrong)
    print(f"{nr} images, {failed} wrong")
    return bool(failed or not nr)


def main(shapes, act, program, work, seed, names):
    failed = 0
    for name, (shape, kinds) in shapes.items():
        if names and name not in names:
            continue
        chainimages.make_chain(work, name, shape, seed, kinds)
        folder = os.path.join(work, name)
        failed += act(program, name, folder, len(shape[1]), seed)
        shutil.rmtree(folder)
    return bool(failed)


def copy(src, dst):
    subprocess.run(["cp", "--sparse=always", src, dst], check=True)


if __name__ == "__main__":
    if len(sys.argv) == 4 and sys.argv[1] == "good":
        sys.exit(good(*sys.argv[2:]))
    if len(sys.argv) < 5 or sys.argv[1] not in ("merge", "cuts"):
        sys.exit(__doc__)
    if sys.argv[1] == "merge":
        sys.exit(main(MERGED, merge_chain, *sys.argv[2:5], sys.argv[5:]))
    sys.exit(main(CUT, cut_chain, *sys.argv[2:5], sys.argv[5:]))
