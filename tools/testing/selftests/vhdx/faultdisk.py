#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""For tests of faults: a disk that fails on demand, and who watches the driver.

Disk is a network block device of this machine. Each request that arrives is
given a name by where it goes to, counted, and looked up in the rules of the
test: it may fail, also after it was done in part, or be held until the test
lets it go. Memory is its content, so it can be saved and brought back.
"""

import contextlib
import ctypes
import errno
import fcntl
import mmap
import os
import re
import socket
import struct
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "../../vhdx/images"))

import vhdxmodel as model

SECTOR = 512
MIB = 1 << 20
WAIT = 60               # seconds until something that must happen has not

NBD_SET_SOCK, NBD_SET_BLKSIZE, NBD_DO_IT, NBD_CLEAR_SOCK = 0xab00, 0xab01, 0xab03, 0xab04
NBD_SET_SIZE_BLOCKS, NBD_DISCONNECT, NBD_SET_FLAGS = 0xab07, 0xab08, 0xab0a
NBD_FLAGS = 1 | 4 | 8   # they are there; FLUSH; FUA
READ, WRITE, DISCONNECT, FLUSH = 0, 1, 2, 3
FLAG_FUA = 1 << 16
BLKFLSBUF = 0x1261
FS_IOC_FIEMAP = 0xC020660B

STAMP = b"vhdx-fault-stamp"

libc = ctypes.CDLL(None, use_errno=True)


class Wrong(Exception):
    """What a case found."""


def expect(what, want, got):
    if want != got:
        raise Wrong(f"{what}: {got!r}, not {want!r}")


def until(what, condition):
    """Wait for what must happen."""
    end = time.monotonic() + WAIT
    while not condition():
        if time.monotonic() > end:
            raise Wrong(f"{what}: did not happen")
        time.sleep(0.01)


class Request:
    """One request as it arrived at the disk."""

    def __init__(self, kind, fua, off, length, data):
        self.kind, self.fua, self.off, self.length, self.data = kind, fua, off, length, data
        self.number = self.name = self.doing = None

    def __str__(self):
        return f"request {self.number}, {self.name} of {self.length} at {self.off:#x}, " \
               f"for {self.doing}"


class Rule:
    """What happens to requests for which @match is true: the first @times."""

    def __init__(self, match, times=1, part=0.0, hold=False):
        self.match, self.times, self.part = match, times, part
        self.hits = 0
        self.last = None
        self.arrived = threading.Event()
        self.released = threading.Event()
        self.held = hold
        self.fail = not hold

    def release(self, fail=False):
        """Let go of what is held."""
        self.fail = fail
        self.released.set()

    def wait(self):
        if not self.arrived.wait(WAIT):
            raise Wrong("the request that was waited for did not come")


class Disk:
    """See above. As a context manager it is gone at the end."""

    def __init__(self, size, device="/dev/nbd0"):
        self.mem = bytearray(size)
        self.lock = threading.Lock()
        self.sending = threading.Lock()
        self.rules = []
        self.places = []        # (begin, end, name)
        self.names = []         # of the requests since start_counting()
        self.doing = None       # what the test is at
        self.path = device
        self.fd = os.open(device, os.O_RDWR)
        self.sock, self.kernel_sock = socket.socketpair()
        fcntl.ioctl(self.fd, NBD_CLEAR_SOCK)
        fcntl.ioctl(self.fd, NBD_SET_BLKSIZE, SECTOR)
        fcntl.ioctl(self.fd, NBD_SET_SIZE_BLOCKS, size // SECTOR)
        fcntl.ioctl(self.fd, NBD_SET_FLAGS, NBD_FLAGS)
        fcntl.ioctl(self.fd, NBD_SET_SOCK, self.kernel_sock.fileno())
        self.threads = [threading.Thread(target=target, daemon=True)
                        for target in (self._serve, self._do_it)]
        for thread in self.threads:
            thread.start()
        self._until_it_answers()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.heal()
        fcntl.ioctl(self.fd, NBD_DISCONNECT)
        for thread in self.threads:
            thread.join(WAIT)
        os.close(self.fd)

    def _until_it_answers(self):
        def answers():
            with contextlib.suppress(OSError):
                return len(os.pread(self.fd, 4096, 0)) == 4096
            return False
        until("the disk", answers)

    def _do_it(self):
        with contextlib.suppress(OSError):
            fcntl.ioctl(self.fd, NBD_DO_IT)

    # -- the server ---------------------------------------------------------

    def _receive(self, length):
        data = bytearray()
        while len(data) < length:
            piece = self.sock.recv(length - len(data))
            if not piece:
                return None
            data += piece
        return bytes(data)

    def _answer(self, handle, error, data=b""):
        with self.sending:
            self.sock.sendall(struct.pack(">II8s", 0x67446698, error, handle) + data)

    def _serve(self):
        while (head := self._receive(28)) is not None:
            _, kind, handle, off, length = struct.unpack(">II8sQI", head)
            fua, kind = bool(kind & FLAG_FUA), kind & 0xffff
            if kind == DISCONNECT:
                self.sock.close()
                return
            data = self._receive(length) if kind == WRITE else None
            request = Request(kind, fua, off, length, data)
            rule = self._judge(request)
            if rule and rule.held:
                threading.Thread(target=self._hold, args=(rule, request, handle),
                                 daemon=True).start()
            else:
                self._finish(rule, request, handle)

    def _hold(self, rule, request, handle):
        rule.released.wait()
        self._finish(rule if rule.fail else None, request, handle)

    def _judge(self, request):
        """Name, count, and the rule that it falls under."""
        with self.lock:
            request.name = self._name(request)
            request.number, request.doing = len(self.names), self.doing
            self.names.append(request.name)
            for rule in self.rules:
                if rule.hits < rule.times and rule.match(request):
                    rule.hits += 1
                    rule.last = request
                    rule.arrived.set()
                    return rule
        return None

    def _finish(self, rule, request, handle):
        if rule:
            if request.kind == WRITE:
                done = int(request.length * rule.part) // SECTOR * SECTOR
                self.mem[request.off:request.off + done] = request.data[:done]
            self._answer(handle, errno.EIO)
        elif request.kind == WRITE:
            self.mem[request.off:request.off + request.length] = request.data
            self._answer(handle, 0)
        elif request.kind == READ:
            self._answer(handle, 0, self.mem[request.off:request.off + request.length])
        else:
            self._answer(handle, 0)

    def _name(self, request):
        if request.kind == FLUSH:
            return "flush"
        word = "read" if request.kind == READ else "fua" if request.fua else "write"
        for begin, end, name in self.places:
            if begin <= request.off < end:
                return f"{name}-{word}"
        data = request.data or self.mem[request.off:request.off + len(STAMP)]
        return f"{'data' if data.startswith(STAMP) else 'other'}-{word}"

    # -- what a test asks for -------------------------------------------------

    def start_counting(self):
        with self.lock:
            self.names = []

    def fail(self, match, **options):
        """Requests for which @match is true, or with a name that it is, fail."""
        return self._add(match, **options)

    def hold(self, match):
        """The first such request waits for release()."""
        return self._add(match, hold=True)

    def _add(self, match, **options):
        rule = Rule(match if callable(match) else lambda r: r.name == match, **options)
        with self.lock:
            self.rules.append(rule)
        return rule

    def heal(self):
        with self.lock:
            rules, self.rules = self.rules, []
        for rule in rules:
            rule.released.set()

    def save(self):
        return bytes(self.mem)

    def restore(self, content):
        """Of a disk that nobody uses."""
        self.mem[:] = content
        fcntl.ioctl(self.fd, BLKFLSBUF)

    def learn_places(self, path):
        """Where the parts of an image are, which must be in the file entirely."""
        image = model.Image(path)
        parts = [("header", 0, MIB), ("log", image.header.log_off, image.header.log_len)]
        for name, region in (("bat", model.REGION_BAT), ("metadata", model.REGION_METADATA)):
            parts.append((name, *image.regions[region]))
        image.close()
        extents = fiemap(path)
        self.places = []
        for name, begin, length in parts:
            for logical, physical, size in extents:
                first, last = max(begin, logical), min(begin + length, logical + size)
                if first < last:
                    self.places.append((physical + first - logical,
                                        physical + last - logical, name))


def fiemap(path):
    """(offset in the file, on the disk, length) of each extent."""
    args = bytearray(struct.pack("<QQIIII", 0, (1 << 64) - 1, 1, 0, 256, 0).ljust(
        32 + 256 * 56, b"\0"))
    with open(path, "rb") as file:
        fcntl.ioctl(file, FS_IOC_FIEMAP, args, True)
    mapped = struct.unpack_from("<I", args, 20)[0]
    return [struct.unpack_from("<QQQ", args, 32 + 56 * n) for n in range(mapped)]


# -- file systems -------------------------------------------------------------

def mount(device, folder, kind="ext4", options="errors=continue"):
    if libc.mount(device.encode(), folder.encode(), kind.encode(), 0, options.encode()):
        raise Wrong(f"mount: {os.strerror(ctypes.get_errno())}")


def unmount(folder):
    """Also says whether somebody still has a file open there."""
    for _ in range(100):
        if not libc.umount2(folder.encode(), 0):
            return
        time.sleep(0.05)        # a last close may be on its way
    raise Wrong(f"umount: {os.strerror(ctypes.get_errno())}: somebody has a file open")


def is_unused(path):
    """Does nobody have the file open? A write lease is given to the only user."""
    fd = os.open(path, os.O_RDWR)
    try:
        for _ in range(100):
            try:
                fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)
                return True
            except BlockingIOError:
                time.sleep(0.02)        # a last close may be on its way
        return False
    finally:
        os.close(fd)


# -- the driver ---------------------------------------------------------------

ATTACH_SIZE, DETACH_SIZE = 296, 32
NO_PARTSCAN, READ_ONLY, BUFFERED = 2, 1, 0x10


def ioctl_attach(control, args):
    """0 or an errno; @args change in place."""
    try:
        fcntl.ioctl(control, 3 << 30 | ATTACH_SIZE << 16 | 0xBE00, args, True)
        return 0
    except OSError as error:
        return error.errno


def ioctl_detach(control, number):
    """0 or an errno"""
    args = bytearray(struct.pack("<IIi", DETACH_SIZE, 0, number).ljust(DETACH_SIZE, b"\0"))
    try:
        fcntl.ioctl(control, 1 << 30 | DETACH_SIZE << 16 | 0xBE01, args, True)
        return 0
    except OSError as error:
        return error.errno


def attached_number(args):
    return struct.unpack_from("<i", args, 24)[0]


def attach_args(fd, flags=NO_PARTSCAN):
    return bytearray(struct.pack("<IIiIQi", ATTACH_SIZE, flags, fd, 0, 0, -1).ljust(
        ATTACH_SIZE, b"\0"))


def attach(path, flags=NO_PARTSCAN):
    """(errno, N of the device)"""
    try:
        fd = os.open(path, os.O_RDONLY if flags & READ_ONLY else os.O_RDWR)
    except OSError as error:
        return error.errno, -1
    control = os.open("/dev/vhdx-control", os.O_RDWR)
    args = attach_args(fd, flags)
    error = ioctl_attach(control, args)
    os.close(control)
    os.close(fd)
    return error, attached_number(args)


def detach(number):
    """0 or an errno"""
    control = os.open("/dev/vhdx-control", os.O_RDWR)
    error = ioctl_detach(control, number)
    os.close(control)
    return error


def attached():
    return sorted(name for name in os.listdir("/sys/block") if name.startswith("vhdx"))


class Device:
    """/dev/vhdxN as a test uses it: direct I/O of whole sectors."""

    def __init__(self, number, flags=os.O_RDWR):
        self.number = number
        self.name = f"vhdx{number}"
        self.fd = os.open(f"/dev/{self.name}", flags | os.O_DIRECT)
        self.memory = mmap.mmap(-1, MIB)

    def close(self):
        if self.fd >= 0:
            os.close(self.fd)
        self.fd = -1

    def attr(self, name):
        with open(f"/sys/block/{self.name}/vhdx/{name}", encoding="ascii") as value:
            return value.read().strip()

    def write(self, off, data, fua=False):
        """0 or an errno"""
        self.memory[:len(data)] = data
        view = memoryview(self.memory)[:len(data)]
        try:
            done = os.pwritev(self.fd, [view], off, os.RWF_DSYNC if fua else 0)
            return 0 if done == len(data) else errno.EIO
        except OSError as error:
            return error.errno

    def read(self, off, length):
        """(errno, bytes)"""
        view = memoryview(self.memory)[:length]
        try:
            return (0, bytes(view)) if os.preadv(self.fd, [view], off) == length else \
                (errno.EIO, b"")
        except OSError as error:
            return error.errno, b""

    def flush(self):
        try:
            os.fsync(self.fd)
            return 0
        except OSError as error:
            return error.errno


def drop_caches():
    """Pages of metadata go at the second look."""
    for _ in range(4):
        with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as file:
            file.write("2")


# -- who watches --------------------------------------------------------------

class Watch:
    """Messages about a mode in the kernel's log, and uevents, from now on."""

    def __init__(self):
        self.log = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
        os.lseek(self.log, 0, os.SEEK_END)
        self.sock = socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, 15)
        self.sock.bind((0, 1))
        self.sock.setblocking(False)
        self.text = ""
        self.messages_at_the_end = []
        self.events = []        # (action, device, mode or None)
        self.lost = False

    def close(self):
        """Afterwards only messages_at_the_end is of use."""
        self.messages_at_the_end = self.messages()
        os.close(self.log)
        self.sock.close()

    def look(self):
        while True:
            try:
                line = os.read(self.log, 8192).decode(errors="replace")
            except BrokenPipeError:
                continue        # some were overwritten before we read them
            except BlockingIOError:
                break
            self.text += line.split("\n")[0].split(";", 1)[-1] + "\n"
        while True:
            try:
                self._event(self.sock.recv(65536).split(b"\0"))
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                self.lost = True        # the kernel had no memory for our copy

    def _event(self, words):
        values = dict(word.decode().split("=", 1) for word in words if b"=" in word)
        name = values.get("DEVNAME", "")
        if name.startswith("vhdx") and not name.startswith("vhdx-"):
            self.events.append((values["ACTION"], name, values.get("VHDX_MODE")))

    def messages(self):
        """The modes that the log says were entered."""
        self.look()
        return re.findall(r"vhdx\d+: .*; the device is (\S+) from now on", self.text)

    def announced(self):
        """The modes that uevents told of."""
        self.look()
        return [mode for action, _, mode in self.events if mode]


def check_ladder(watch, device):
    """One message and one uevent for the mode that it came to, or none."""
    mode = device.attr("mode")
    want = [] if mode == "write" else [mode]
    if want:
        until("a uevent", lambda: watch.announced() or watch.lost)
    expect("messages", want, watch.messages())
    if not watch.lost:
        expect("uevents", want, watch.announced())
    return mode


# -- content ------------------------------------------------------------------

def stamp(number, sector):
    """Content of a sector that says who wrote it."""
    return (STAMP + struct.pack("<QQ", number, sector)).ljust(SECTOR, b"s")


class Oracle:
    """What each sector may hold, one request at a time."""

    def __init__(self):
        self.history = {}       # sector: contents in order, zeros first
        self.live = {}          # sector: index of the last that was acknowledged
        self.stable = {}        # sector: of the last that is stable
        self.number = 0

    def write(self, device, off, length, fua=False):
        """Write what nobody has written yet; 0 or an errno."""
        self.number += 1
        first = off // SECTOR
        sectors = range(first, first + length // SECTOR)
        data = b"".join(stamp(self.number, s) for s in sectors)
        for s in sectors:
            self.history.setdefault(s, [bytes(SECTOR)]).append(
                data[(s - first) * SECTOR:(s - first + 1) * SECTOR])
        error = device.write(off, data, fua)
        if not error:
            for s in sectors:
                self.live[s] = len(self.history[s]) - 1
                if fua:
                    self.stable[s] = self.live[s]
        return error

    def flush(self, device):
        before = dict(self.live)
        error = device.flush()
        if not error:
            self.stable.update(before)
        return error

    def read(self, device, off, length):
        """0 or an errno; what is read without one was acknowledged, or came later."""
        error, data = device.read(off, length)
        for n in range(0, len(data), SECTOR):
            self._judge((off + n) // SECTOR, data[n:n + SECTOR], self.live, "a read")
        return error

    def check(self, device, floor, what):
        """Read all that was ever written; @floor is live or stable."""
        for s in sorted(self.history):
            error, data = device.read(s * SECTOR, SECTOR)
            if error:
                raise Wrong(f"{what}: sector {s} can not be read: {os.strerror(error)}")
            self._judge(s, data, floor, what)

    def _judge(self, s, data, floor, what):
        allowed = self.history.get(s, [bytes(SECTOR)])[floor.get(s, 0):]
        if data not in allowed:
            raise Wrong(f"{what}: sector {s} holds {self._tell(data)}, not one of " +
                        ", ".join(map(self._tell, allowed)))

    @staticmethod
    def _tell(data):
        if not any(data):
            return "zeros"
        if data.startswith(STAMP):
            return "what write %d put into sector %d" % struct.unpack_from("<QQ", data, 16)
        return repr(data[:16])


def cases(table, names=()):
    """Run (name, function, arguments): a line for each."""
    for name, function, *args in table:
        if names and name not in names:
            continue
        try:
            function(*args)
            print("PASS", name, flush=True)
        except Wrong as wrong:
            print(f"FAIL {name}: {wrong}", flush=True)
