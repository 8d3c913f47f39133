#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Call /dev/vhdx-control with what vhdxctl would never send.

  control.py IMAGE PARENT

Prints one line for each case, "PASS name" or "FAIL name: why".
"""

import ctypes
import errno
import fcntl
import os
import struct
import sys

ATTACH_SIZE = 296
DETACH_SIZE = 32
NAME_OFF = 48 + 16
TEXT_OFF = NAME_OFF + 32


def ioc(direction, number, size):
    return direction << 30 | size << 16 | 0xBE << 8 | number


def attach_args(fd, flags=0, nr_parents=0, parents=0, number=-1, reserved=0, size=ATTACH_SIZE):
    raw = struct.pack("<IIiIQiIIIII", size, flags, fd, nr_parents, parents, number,
                      reserved, 0, 0, 0, 0)
    return bytearray(raw.ljust(max(size, ATTACH_SIZE), b"\0"))


def detach_args(number, flags=0, reserved=0):
    return bytearray(struct.pack("<IIiIIIII", DETACH_SIZE, flags, number, reserved, 0, 0, 0, 0))


def call(fd, direction, number, args, size):
    """0 or an errno; args are changed in place."""
    try:
        fcntl.ioctl(fd, ioc(direction, number, size), args, True)
        return 0
    except OSError as err:
        return err.errno


def attach_chain(paths, flags=1):
    """Attach an image with its parents, all of them opened for reading unless flags
    say that the image is written to; (errno, image, fault, offset, number)."""
    mode = os.O_RDONLY if flags & 1 else os.O_RDWR
    fds = [os.open(path, os.O_RDONLY if n else mode) for n, path in enumerate(paths)]
    array = ctypes.create_string_buffer(struct.pack(f"<{len(fds) - 1}i", *fds[1:]))
    args = attach_args(fds[0], flags, len(fds) - 1, ctypes.addressof(array))
    control = os.open("/dev/vhdx-control", os.O_RDWR)
    err = call(control, 3, 0, args, ATTACH_SIZE)
    for fd in (control, *fds):
        os.close(fd)
    _, blamed, off = struct.unpack_from("<IIQ", args, NAME_OFF - 16)
    name = bytes(args[NAME_OFF:NAME_OFF + 32]).split(b"\0")[0].decode()
    return err, blamed, name, off, struct.unpack_from("<i", args, 24)[0]


def main(image, parent):
    control = os.open("/dev/vhdx-control", os.O_RDWR)
    fd = os.open(image, os.O_RDWR)

    silent = []

    def attach(args):
        err = call(control, 3, 0, args, ATTACH_SIZE)
        if err and not args[TEXT_OFF]:
            silent.append(errno.errorcode[err])
        return err

    def detach(args):
        return call(control, 1, 1, args, DETACH_SIZE)

    def case(name, want, got):
        wanted = want if isinstance(want, tuple) else (want,)
        if got in wanted:
            print("PASS", name)
        else:
            text = " or ".join(errno.errorcode.get(w, str(w)) for w in wanted)
            print(f"FAIL {name}: {errno.errorcode.get(got, got)} and not {text}")

    case("unknown flag", errno.EINVAL, attach(attach_args(fd, flags=1 << 31)))
    case("direct and buffered together", errno.EINVAL, attach(attach_args(fd, flags=0x18)))
    case("reserved field", errno.EINVAL, attach(attach_args(fd, reserved=1)))
    case("size too small", errno.EINVAL, attach(attach_args(fd, size=8)))
    longer = attach_args(fd, size=ATTACH_SIZE + 64)
    longer[-1] = 1
    case("longer, with something unknown", errno.E2BIG, attach(longer))
    case("fd that is none", errno.EBADF, attach(attach_args(9999)))
    pipe, other = os.pipe()
    case("fd of a pipe", (errno.EINVAL, errno.EBADF), attach(attach_args(pipe)))
    folder = os.open(os.path.dirname(image), os.O_RDONLY)
    case("fd of a folder", (errno.EISDIR, errno.EINVAL, errno.EBADF), attach(attach_args(folder)))
    reading = os.open(image, os.O_RDONLY)
    case("fd only for reading", errno.EBADF, attach(attach_args(reading)))
    case("too many parents", errno.EINVAL, attach(attach_args(fd, nr_parents=64)))
    case("parents at a bad address", errno.EFAULT,
         attach(attach_args(fd, nr_parents=1, parents=8)))
    case("unknown command", errno.ENOTTY, call(control, 3, 77, attach_args(fd), ATTACH_SIZE))
    case("detach of nothing", errno.ENODEV, detach(detach_args(12345)))
    case("detach of a negative number", (errno.ENODEV, errno.EINVAL), detach(detach_args(-1)))
    case("detach with an unknown flag", errno.EINVAL, detach(detach_args(0, flags=8)))

    array = struct.pack("<i", os.open(parent, os.O_RDONLY))
    place = ctypes.create_string_buffer(array)
    args = attach_args(fd, nr_parents=1, parents=ctypes.addressof(place))
    case("a parent that is not needed", errno.EINVAL, attach(args))
    name = bytes(args[NAME_OFF:NAME_OFF + 32]).split(b"\0")[0].decode()
    case("its fault", "chain-parent-unused", name)

    longer = attach_args(fd, number=7, size=ATTACH_SIZE + 64)
    case("a wanted number, longer structure of zeros", 0, attach(longer))
    case("the number", 7, struct.unpack_from("<i", longer, 24)[0])
    case("the same image again", errno.EBUSY, attach(attach_args(fd)))
    second = os.open(parent, os.O_RDWR)
    case("the same number again", errno.EEXIST, attach(attach_args(second, number=7)))
    case("detach with a reserved field", errno.EINVAL, detach(detach_args(7, reserved=1)))
    case("detach", 0, detach(detach_args(7)))
    case("detach again", errno.ENODEV, detach(detach_args(7)))
    os.close(other)
    # A structure that is not understood gets no reply.
    if silent == ["EINVAL", "E2BIG"]:
        print("PASS every refusal is explained in words")
    else:
        print(f"FAIL every refusal is explained in words: not so {silent}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2])
