#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Space or quota runs out under an image at each step that needs some.

  faultspace.py FOLDER KIND

FOLDER has room for 40 MiB or so, and says ENOSPC or EDQUOT when that is used
up. KIND: "place" if what is written in place needs no room there, "copy" if it
does: then headers and log cannot be written when there is none. Prints one line for each case, "PASS name" or "FAIL name: why".
"""

import errno
import os
import sys
import time

import faultdisk as f
from faultcases import create
from faultdisk import MIB, Wrong

FULL = (errno.ENOSPC, errno.EDQUOT)
FAR = 512 << 30         # its entry is in a page of the BAT that the file does not have yet


class Filler:
    """A file that takes all the room that there is."""

    def __init__(self, folder):
        self.path = os.path.join(folder, "filler")

    def take(self):
        fd = os.open(self.path, os.O_WRONLY | os.O_CREAT)
        end, step = 0, 32 * MIB
        while step >= 4096:
            try:
                os.posix_fallocate(fd, end, step)
                end += step
            except OSError as error:
                if error.errno not in FULL:
                    raise
                step //= 2
        # What was only set aside may turn out to be less.
        os.lseek(fd, 0, os.SEEK_END)
        try:
            while True:
                os.write(fd, b"f" * 65536)
                os.fsync(fd)
        except OSError as error:
            if error.errno not in FULL:
                raise
        os.close(fd)

    def give_back(self):
        if os.path.exists(self.path):
            os.unlink(self.path)
        os.sync()


class Session:
    """An image in a folder that can be filled."""

    def __init__(self, folder):
        self.filler = Filler(folder)
        self.path = create(folder, "space.vhdx", "1T")
        self.oracle = f.Oracle()
        self.watch = f.Watch()
        self.device = None
        self.attach()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.filler.give_back()
        self.device.close()
        for name in f.attached():
            f.detach(int(name[4:]))
        self.watch.close()
        os.unlink(self.path)

    def attach(self):
        error, number = f.attach(self.path)
        f.expect("attach", 0, error)
        self.device = f.Device(number)

    def detach(self):
        self.device.close()
        return f.detach(self.device.number)

    def is_writable(self, what):
        f.expect(f"{what}: mode", "write", self.device.attr("mode"))
        f.expect(f"{what}: messages", [], self.watch.messages())

    def write(self, off, want=0):
        error = self.oracle.write(self.device, off, 4096)
        # A quota that is used up is told as a lack of space: blk_status_t knows no other.
        f.expect("a write", want, error)

    def finish(self):
        """All is well: everything acknowledged is there, also after detach."""
        f.expect("flush in the end", 0, self.oracle.flush(self.device))
        self.is_writable("in the end")
        self.oracle.check(self.device, self.oracle.live, "in the end")
        f.expect("detach", 0, self.detach())
        self.attach()
        self.oracle.check(self.device, self.oracle.stable, "attached again")
        f.expect("detach again", 0, self.detach())
        f.expect("what the model says", [], f.model.check_strict(self.path, clean=True))


def payload(s):
    """No room for a block's data, then for the log; with room again all goes on."""
    s.device.close()
    f.expect("detach", 0, f.detach(s.device.number))
    f.expect("the log has no blocks", 0, punch_log(s.path))
    s.attach()
    s.filler.take()
    s.write(8 * MIB, errno.ENOSPC)
    s.is_writable("no room for data")
    f.expect("a flush that starts the log", errno.ENOSPC, s.oracle.flush(s.device))
    s.is_writable("no room for the log")
    s.oracle.check(s.device, s.oracle.live, "without room")
    s.filler.give_back()
    s.write(8 * MIB)
    s.write(9 * MIB)
    s.finish()


def in_place(s):
    """No room for the BAT in place: the log keeps it until there is."""
    s.write(8 * MIB)
    f.expect("flush", 0, s.oracle.flush(s.device))
    s.write(FAR)
    f.expect("flush", 0, s.oracle.flush(s.device))
    s.filler.take()
    time.sleep(5)           # the log would be empty after two seconds and is tried again
    f.expect("the log", "active", s.device.attr("log_state"))
    s.is_writable("no room for the BAT")
    s.oracle.check(s.device, s.oracle.live, "without room")
    f.expect("a write in place", 0, s.oracle.write(s.device, 8 * MIB, 4096))
    f.expect("its flush", 0, s.oracle.flush(s.device))
    s.filler.give_back()
    f.until("the log to become empty", lambda: s.device.attr("log_state") == "clean")
    s.finish()


def at_detach(s):
    """Detach, and attach, without room for the BAT: the log is good for both."""
    s.write(8 * MIB)
    f.expect("flush", 0, s.oracle.flush(s.device))
    s.write(FAR)
    f.expect("flush", 0, s.oracle.flush(s.device))
    s.filler.take()
    error = s.detach()
    if error not in FULL:
        raise Wrong(f"detach: {os.strerror(error)}")
    f.expect("what is attached", [], f.attached())
    error, _ = f.attach(s.path)
    if error not in FULL:
        raise Wrong(f"attach: {os.strerror(error)}")
    error, number = f.attach(s.path, f.NO_PARTSCAN | f.READ_ONLY)
    f.expect("attach for reading", 0, error)
    device = f.Device(number, os.O_RDONLY)
    s.oracle.check(device, s.oracle.stable, "for reading")
    device.close()
    f.expect("detach", 0, f.detach(number))
    s.filler.give_back()
    s.attach()
    s.oracle.check(s.device, s.oracle.stable, "with room")
    s.finish()


def copied(s):
    """No room for data; nothing else is written meanwhile."""
    s.write(8 * MIB)
    f.expect("flush", 0, s.oracle.flush(s.device))
    s.filler.take()
    s.write(9 * MIB, errno.ENOSPC)
    s.is_writable("no room for data")
    s.oracle.check(s.device, s.oracle.live, "without room")
    s.filler.give_back()
    s.write(9 * MIB)
    s.finish()


def punch_log(path):
    """0 or an errno"""
    image = f.model.Image(path)
    off, length = image.header.log_off, image.header.log_len
    image.close()
    fd = os.open(path, os.O_RDWR)
    done = f.libc.fallocate(fd, 3, f.ctypes.c_long(off), f.ctypes.c_long(length))
    os.close(fd)
    return -done


def case(folder, function):
    with Session(folder) as s:
        function(s)


def main(folder, kind):
    if kind == "copy":
        table = [("a quota for data", case, folder, copied)]
    else:
        table = [("no room for data", case, folder, payload),
                 ("no room for the BAT", case, folder, in_place),
                 ("no room at detach", case, folder, at_detach)]
    f.cases(table)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
