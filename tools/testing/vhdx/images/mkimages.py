#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Make the crafted images: mkimages.py OUTDIR

All files are sparse. Beside the images, as tab-separated tables:

  expect.tsv   images to be refused: file, attach mode (both, ro, rw; chain: its
               parent is not fit), fault, file offset ("-": any), errno, defect
  good.tsv     images that attach: file, mode (both or ro), log entries that a
               replay has to apply; what the disk holds is in FILE.tsv
  check.tsv    of these, what "vhdxctl check" must report: file, fault, offset

"defect" is the name for what was broken. It differs from "fault" where the
damage alone does not make a file unusable, such as one bad log entry or one
bad header, and only its consequence shows.
"""

import os
import sys

sys.dont_write_bytecode = True

import dirtyimages
import faultimages
import oddimages


def write_table(path, head, rows):
    with open(path, "w", encoding="ascii") as out:
        print("# " + "\t".join(head), file=out)
        for row in rows:
            print(*row, sep="\t", file=out)


def make(outdir):
    os.makedirs(outdir, exist_ok=True)
    faults = faultimages.make(outdir)
    good, checks = oddimages.make(outdir)
    good += dirtyimages.make(outdir)
    write_table(os.path.join(outdir, "expect.tsv"),
                ("file", "mode", "fault", "offset", "errno", "defect"), faults)
    write_table(os.path.join(outdir, "good.tsv"), ("file", "mode", "entries"), good)
    write_table(os.path.join(outdir, "check.tsv"), ("file", "fault", "offset"), checks)
    return faults, good, checks


def main(argv):
    if len(argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    faults, good, _ = make(argv[1])
    print(f"{len(faults)} images to refuse, {len(good)} to attach")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
