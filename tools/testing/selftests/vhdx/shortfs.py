#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""A file system (FUSE) with one file whose writes may come back short.

  shortfs.py FILE MOUNTPOINT

FILE is shown as MOUNTPOINT/FILE's name. A write whose data begins with "take N;"
takes N bytes, and says so. Runs until it is unmounted; there is a process in the
background when it returns.
"""

import ctypes
import errno
import os
import re
import stat
import struct
import sys

# Requests, and those that are answered with success and nothing else.
LOOKUP, FORGET, GETATTR, SETATTR, OPEN, READ, WRITE, INIT, OPENDIR, INTERRUPT = \
    1, 2, 3, 4, 14, 15, 16, 26, 27, 36
RELEASE, FSYNC, FLUSH, RELEASEDIR = 18, 20, 25, 29
BIG_WRITES = 1 << 5
FATTR_SIZE = 1 << 3
NODE = 2
MAX_WRITE = 1 << 17


class Refused(Exception):
    """An error number for the kernel."""


class Server:
    def __init__(self, path, mountpoint):
        self.name = os.path.basename(path).encode()
        self.file = os.open(path, os.O_RDWR)
        self.fuse = os.open("/dev/fuse", os.O_RDWR)
        options = f"fd={self.fuse},rootmode=40000,user_id=0,group_id=0"
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.mount(b"shortfs", os.fsencode(mountpoint), b"fuse", 0, options.encode()):
            raise OSError(ctypes.get_errno(), "mount", mountpoint)

    def attr(self, node):
        size = os.fstat(self.file).st_size if node == NODE else 0
        mode = stat.S_IFREG | 0o600 if node == NODE else stat.S_IFDIR | 0o700
        return struct.pack("<6Q10I", node, size, size // 512, 0, 0, 0, 0, 0, 0, mode, 1,
                           0, 0, 0, 4096, 0)

    def lookup(self, name):
        if name.rstrip(b"\0") != self.name:
            raise Refused(errno.ENOENT)
        return struct.pack("<4Q2I", NODE, 0, 0, 0, 0, 0) + self.attr(NODE)

    def setattr(self, node, body):
        valid, size = struct.unpack_from("<I12xQ", body)
        if valid & FATTR_SIZE:
            os.ftruncate(self.file, size)
        return bytes(16) + self.attr(node)

    def write(self, body):
        off, size = struct.unpack_from("<8xQI", body)
        data = body[40:40 + size]
        take = re.match(rb"take (\d+);", data)
        done = os.pwrite(self.file, data[:int(take[1])] if take else data, off)
        return struct.pack("<2I", done, 0)

    def read(self, body):
        off, size = struct.unpack_from("<8xQI", body)
        return os.pread(self.file, size, off)

    def answer(self, opcode, node, body):
        if opcode in (RELEASE, FSYNC, FLUSH, RELEASEDIR):
            return b""
        if opcode in (OPEN, OPENDIR):
            return bytes(16)
        if opcode == INIT:
            return struct.pack("<4I2H2I2HI28x", 7, 31, 0, BIG_WRITES, 16, 12, MAX_WRITE, 1, 0,
                               0, 0)
        if opcode == GETATTR:
            return bytes(16) + self.attr(node)
        if opcode == SETATTR:
            return self.setattr(node, body)
        if opcode not in (LOOKUP, READ, WRITE):
            raise Refused(errno.ENOSYS)
        return {LOOKUP: self.lookup, READ: self.read, WRITE: self.write}[opcode](body)

    def serve_one(self):
        raw = os.read(self.fuse, MAX_WRITE + 8192)
        _, opcode, unique, node = struct.unpack_from("<2I2Q", raw)
        if opcode in (FORGET, INTERRUPT):
            return
        try:
            error, out = 0, self.answer(opcode, node, raw[40:])
        except Refused as refused:
            error, out = refused.args[0], b""
        os.write(self.fuse, struct.pack("<IiQ", 16 + len(out), -error, unique) + out)

    def serve(self):
        while True:
            try:
                self.serve_one()
            except OSError as error:
                if error.errno == errno.ENODEV:     # unmounted
                    return
                if error.errno != errno.ENOENT:     # the caller was killed
                    raise


def main():
    server = Server(*sys.argv[1:])
    if os.fork():
        return
    os.setsid()
    null = os.open("/dev/null", os.O_RDWR)
    for fd in range(3):
        os.dup2(null, fd)
    server.serve()


if __name__ == "__main__":
    main()
