#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Use memory, and fill a device through the page cache.

  memory.py hold MIB DISK	lock so much, say "held", wait to be killed; if DISK (its
				name in /sys/block) stands still let go, exit status 3
  memory.py use MIB ROUNDS	write to so much and read it again, each round anew
  memory.py fill DEVICE MIB SEED	write so much, each page another, then fsync
  memory.py check DEVICE MIB SEED	is it there?
  memory.py attach IMAGE GROUP KIB	attach when our group may use KIB more than it does
"""

import ctypes
import hashlib
import mmap
import os
import signal
import sys
import time

MIB = 1 << 20
PAGE = 4096
MCL_CURRENT = 1
MCL_FUTURE = 2
STILL = 20      # seconds


def stamp(seed, page):
    """32 bytes that say which page of which run this is."""
    return hashlib.sha256(b"%d %d" % (seed, page)).digest()


def content(seed, page):
    return stamp(seed, page) * (PAGE // 32)


def lock_all():
    """What we have and will have; a child has to do it again."""
    if ctypes.CDLL(None).mlockall(MCL_CURRENT | MCL_FUTURE):
        sys.exit("mlockall failed")


def watch(disk, parent):
    """Tell our parent each second in which DISK ends requests, or has none."""
    lock_all()
    fd = os.open(f"/sys/block/{disk}/stat", os.O_RDONLY)
    before = None
    while os.getppid() == parent:
        field = [int(n) for n in os.pread(fd, 4096, 0).split()]
        ended = field[0] + field[4] + field[11] + field[15]
        if ended != before or not field[8]:
            os.kill(parent, signal.SIGUSR1)
        before = ended
        time.sleep(1)


def hold(mib, disk):
    """
    Who waits here asks the kernel for nothing, so that it can let go however short
    memory is. Who reads the state of the disk may be held up as well: then it is
    silent, too. It is forked before there is anything that both would hold.
    """
    parent = os.getpid()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
        file.write("-1000")
    if not os.fork():
        watch(disk, parent)
        return
    lock_all()
    memory = mmap.mmap(-1, mib * MIB, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    print("held", flush=True)
    while signal.sigtimedwait({signal.SIGUSR1}, STILL):
        pass
    memory.close()
    sys.exit(3)


def use(mib, rounds):
    memory = mmap.mmap(-1, mib * MIB, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    pages = mib * MIB // PAGE
    for seed in range(rounds):
        for page in range(pages):
            memory[page * PAGE:page * PAGE + 32] = stamp(seed, page)
        for page in range(pages):
            if memory[page * PAGE:page * PAGE + 32] != stamp(seed, page):
                sys.exit(f"round {seed}: page {page} is not what it was")


def fill(path, mib, seed):
    fd = os.open(path, os.O_RDWR)
    for page in range(mib * MIB // PAGE):
        if os.pwrite(fd, content(seed, page), page * PAGE) != PAGE:
            sys.exit(f"page {page}: short write")
    os.fsync(fd)


def check(path, mib, seed):
    fd = os.open(path, os.O_RDONLY)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    for page in range(mib * MIB // PAGE):
        if os.pread(fd, PAGE, page * PAGE) != content(seed, page):
            sys.exit(f"page {page} is not what was written")


def attach(path, group, kib):
    import faultdisk        # its memory counts as in use  # pylint: disable=import-outside-toplevel

    with open(group + "/memory.current", encoding="ascii") as current:
        used = int(current.read())
    with open(group + "/memory.max", "w", encoding="ascii") as limit:
        limit.write(str(used + kib * 1024))
    error, _ = faultdisk.attach(path)
    if error:
        sys.exit(f"attach: {os.strerror(error)}")


COMMANDS = {"hold": (hold, 2), "use": (use, 2), "fill": (fill, 3), "check": (check, 3),
            "attach": (attach, 3)}


def main(argv):
    if len(argv) < 2 or argv[1] not in COMMANDS or len(argv) != 2 + COMMANDS[argv[1]][1]:
        sys.exit(__doc__)
    COMMANDS[argv[1]][0](*(int(a) if a.isdigit() else a for a in argv[2:]))


if __name__ == "__main__":
    main(sys.argv)
