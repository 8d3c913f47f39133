#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Single faults, each at the moment at which it matters.

  faultcases.py FOLDER [CASE]...

FOLDER is an empty one on tmpfs. Prints one line for each case, "PASS name" or
"FAIL name: why"; with the names of cases only these.
"""

import errno
import os
import struct
import sys
import threading
import time

import faultdisk as f
from faultdisk import MIB, Wrong
from faultio import Bench

GIB = 1 << 30
PRESENT = 6


class Background:
    """Something that waits, in a thread: its result, an errno."""

    def __init__(self, function, *args):
        self.result = None
        self.thread = threading.Thread(target=self._run, args=(function, args), daemon=True)
        self.thread.start()

    def _run(self, function, args):
        self.result = function(*args)

    def join(self):
        self.thread.join(f.WAIT)
        if self.thread.is_alive():
            raise Wrong("what waited for the disk hangs")
        return self.result


class Session:
    """An image on a disk that fails, mounted and attached."""

    def __init__(self, bench, flags=None):
        self.bench, self.disk = bench, bench.disk
        self.disk.restore(bench.content)
        f.mount(self.disk.path, bench.folder)
        error, self.number = f.attach(bench.path, bench.flags if flags is None else flags)
        f.expect("attach", 0, error)
        self.watch = f.Watch()
        self.device = f.Device(self.number)
        self.oracle = f.Oracle()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.disk.heal()
        self.device.close()
        if self.device.name in f.attached():
            f.detach(self.number)
        self.watch.close()
        f.unmount(self.bench.folder)

    def write(self, off, length=4096, fua=False, device=None):
        self.disk.doing = "FUA" if fua else "write"
        return self.oracle.write(device or self.device, off, length, fua)

    def flush(self):
        return self.oracle.flush(self.device)


def fua_failed(bench):
    """A direct FUA write fails: it may have been an fsync, so nobody writes any more."""
    with Session(bench) as s:
        for _ in range(2):      # at the second time the file system has nothing to do
            f.expect("write", 0, s.write(8 * MIB))
        f.expect("flush", 0, s.flush())
        rule = s.disk.fail(lambda r: r.name.startswith("data-") and r.doing == "FUA")
        f.expect("a FUA write", errno.EIO, s.write(8 * MIB, fua=True))
        f.expect("went to the disk", 1, rule.hits)
        f.expect("mode", "read-only", f.check_ladder(s.watch, s.device))
        f.expect("a flush afterwards", errno.EIO, s.device.flush())


def flush_failed(bench):
    """A flush fails once, and nothing is written any more: whose data it was is unknown."""
    with Session(bench) as s:
        f.expect("write", 0, s.write(8 * MIB))
        f.expect("flush", 0, s.flush())
        f.expect("write", 0, s.write(8 * MIB))
        rule = s.disk.fail("flush")
        f.expect("the flush", errno.EIO, s.flush())
        f.expect("failed flushes", 1, rule.hits)
        f.expect("mode", "read-only", f.check_ladder(s.watch, s.device))
        f.expect("the next flush", errno.EIO, s.device.flush())
        f.expect("a write", errno.EPERM, s.device.write(8 * MIB, bytes(4096)))
        s.oracle.check(s.device, s.oracle.live, "a read")


def fua_beside_commit(bench):
    """A FUA write to a block whose mapping is in a commit that fails fails, too."""
    with Session(bench) as s:
        f.expect("write", 0, s.write(8 * MIB))
        f.expect("flush", 0, s.flush())
        f.expect("write to a new block", 0, s.write(9 * MIB))
        held = s.disk.hold("log-fua")
        other = f.Device(s.number)
        flush = Background(s.device.flush)
        held.wait()
        fua = Background(other.write, 9 * MIB, f.stamp(99, 0) * 8, True)
        time.sleep(0.5)         # time enough to be answered, if it were
        held.release(fail=True)
        f.expect("the commit", errno.EIO, flush.join())
        f.expect("the FUA write", errno.EIO, fua.join())
        f.expect("mode", "read-only", f.check_ladder(s.watch, s.device))
        # The block layer adds a FLUSH, whose failure is none of the write's.
        wanted = f"{s.device.name}: write of 4096 bytes at offset {9 * MIB} failed"
        if wanted not in s.watch.text:
            raise Wrong("the FUA write itself was answered as if it were stable")
        other.close()


def cache_forgotten(bench):
    """What an fsync that failed left in the page cache is not taken for the file."""
    bench.disk.restore(bench.content)
    f.mount(bench.disk.path, bench.folder)
    try:
        bench.disk.fail("header-write", times=1 << 60)
        fd = os.open(bench.path, os.O_RDWR)
        for off in f.model.HEADER_OFFS:
            os.pwrite(fd, b"?" * 4096, off)
        try:
            os.fsync(fd)
            raise Wrong("fsync did not fail")
        except OSError as error:
            f.expect("fsync", errno.EIO, error.errno)
        bench.disk.heal()
        f.expect("the page cache", b"????", os.pread(fd, 4, f.model.HEADER_OFFS[0]))
        error, number = f.attach(bench.path, bench.flags)
        f.expect("attach", 0, error)
        f.expect("detach", 0, f.detach(number))
        os.close(fd)
    finally:
        bench.disk.heal()
        f.unmount(bench.folder)


def busy_while_attaching(bench):
    """Until the device is there its image is in use, and it cannot be taken away."""
    with Session(bench) as s:
        f.expect("write", 0, s.write(0))
        content = None
        s.device.close()
        f.expect("detach", 0, f.detach(s.number))
        os.sync()
        content = s.disk.save()
    for what, flags in (("header-read", f.NO_PARTSCAN), ("data-read", 0)):
        bench.disk.restore(content)
        f.mount(bench.disk.path, bench.folder)
        held = bench.disk.hold(what)
        try:
            attach = Background(f.attach, bench.path, flags)
            held.wait()
            f.expect(f"{what}: detach meanwhile", errno.EBUSY, f.detach(0))
            f.expect(f"{what}: attach meanwhile", errno.EBUSY, f.attach(bench.path)[0])
            held.release()
            f.expect(f"{what}: attach", (0, 0), attach.join())
            f.expect(f"{what}: attach again", errno.EBUSY, f.attach(bench.path)[0])
            f.expect(f"{what}: detach", 0, f.detach(0))
            f.expect(f"{what}: detach of nothing", errno.ENODEV, f.detach(0))
        finally:
            bench.disk.heal()
            f.unmount(bench.folder)


def announced_beside_detach(bench):
    """A mode falls and the device goes at once: nothing is said of it once it is gone."""
    for n in range(8):
        with Session(bench) as s:
            f.expect("write", 0, s.write(8 * MIB))
            s.disk.fail(lambda r: r.name.startswith("log-"), times=1 << 60)
            f.expect("flush", errno.EIO, s.flush())
            s.device.close()
            f.expect("detach", errno.EIO, f.detach(s.number))
            f.until("the end", lambda s=s: s.watch.look() or any(
                action == "remove" for action, _, _ in s.watch.events))
            time.sleep(1 if n == 0 else 0.05)
            modes = s.watch.announced()
            f.expect("uevents", True, modes in ([], ["read-only"]))
            f.expect("messages", ["read-only"], s.watch.messages())
            f.expect("the last uevent", "remove", [action for action, name, _ in
                                                   s.watch.events if name == s.device.name][-1])


# -- without a disk ------------------------------------------------------------

def create(folder, name, size, *options):
    path = os.path.join(folder, name)
    if os.path.exists(path):
        os.unlink(path)
    from faultio import run
    run("vhdxctl", "create", "-s", size, "--block-size", "1M", *options, path)
    return path


def bat_entry(path, block):
    """File offset of the entry of a block."""
    image = f.model.Image(path)
    at = image.bat_off + 8 * (block + block // image.ratio)
    image.close()
    return at


def store(path, off, data):
    fd = os.open(path, os.O_RDWR)
    os.pwrite(fd, data, off)
    os.close(fd)


def without_holes(path):
    """A BAT of which all has to be read; its beginning and length."""
    image = f.model.Image(path)
    off, length = image.regions[f.model.REGION_BAT]
    image.close()
    with open(path, "r+b") as file:
        for at in range(off, off + length, MIB):
            file.seek(at)
            data = file.read(MIB)
            file.seek(at)
            file.write(data)
    return off, length


def frame(path):
    """All of the file but what lies behind its first 24 MiB."""
    with open(path, "rb") as file:
        return file.read(24 * MIB)


def late_scan(folder):
    """A BAT that was too long to be looked at for attach is, before the first write."""
    path = create(folder, "late.vhdx", "1T")
    without_holes(path)
    last = bat_entry(path, (1 << 20) - 1)
    for entry, want in ((PRESENT | MIB, "read-only"), (0, "write")):
        store(path, last, struct.pack("<Q", entry))
        before = frame(path)
        error, number = f.attach(path)
        f.expect("attach", 0, error)
        watch, device = f.Watch(), f.Device(number)
        f.expect("a read", (0, bytes(4096)), device.read(5 * MIB, 4096))
        f.expect("a write", 0 if want == "write" else errno.EIO,
                 device.write(5 * MIB, f.stamp(1, 0) * 8))
        f.expect("mode", want, f.check_ladder(watch, device))
        f.expect("another read", 0, device.read(6 * MIB, 4096)[0])
        if want != "write" and "bat-" not in watch.text:
            raise Wrong("the log does not name what is wrong")
        watch.close()
        device.close()
        f.expect("detach", 0 if want == "write" else errno.EIO, f.detach(number))
        if want != "write":
            f.expect("the file is as it was", True, frame(path) == before)
    os.unlink(path)


def failed(folder):
    """An entry that was in order is not any more: no entry is believed from then on."""
    path = create(folder, "failed.vhdx", "64M")
    error, number = f.attach(path)
    f.expect("attach", 0, error)
    device = f.Device(number)
    f.expect("write", 0, device.write(5 * MIB, f.stamp(1, 0) * 8))
    device.close()
    f.expect("detach", 0, f.detach(number))
    at = bat_entry(path, 5)
    with open(path, "rb") as file:
        file.seek(at)
        good = file.read(8)
    for flags in (f.NO_PARTSCAN, f.NO_PARTSCAN | f.READ_ONLY):
        error, number = f.attach(path, flags)
        f.expect("attach", 0, error)
        watch, device = f.Watch(), open_device(number, flags)
        f.expect("read", (0, f.stamp(1, 0) * 8), device.read(5 * MIB, 4096))
        f.drop_caches()
        f.until("pages to go", lambda d=device: d.attr("metadata_pages") == "0")
        store(path, at, struct.pack("<Q", PRESENT | 1 << 50))
        f.expect("a read of what moved away", errno.EIO, device.read(5 * MIB, 4096)[0])
        f.expect("mode", "failed", f.check_ladder(watch, device))
        f.expect("a read of what looks right", errno.EIO, device.read(9 * MIB, 4096)[0])
        store(path, at, good)
        f.expect("a read when it is back", errno.EIO, device.read(5 * MIB, 4096)[0])
        if not flags & f.READ_ONLY:
            f.expect("a flush", errno.EIO, device.flush())
        f.check_ladder(watch, device)
        watch.close()
        device.close()
        f.expect("detach", 0 if flags & f.READ_ONLY else errno.EIO, f.detach(number))
    error, number = f.attach(path)
    f.expect("attach afterwards", 0, error)
    device = f.Device(number)
    f.expect("read afterwards", (0, f.stamp(1, 0) * 8), device.read(5 * MIB, 4096))
    device.close()
    f.expect("detach", 0, f.detach(number))
    os.unlink(path)


def open_device(number, flags):
    return f.Device(number, os.O_RDONLY if flags & f.READ_ONLY else os.O_RDWR)


def one_bad_entry(folder):
    """A damaged entry of a table that nobody has looked at whole is that block's."""
    path = create(folder, "one.vhdx", "1T")
    without_holes(path)
    store(path, bat_entry(path, (1 << 20) - 2), struct.pack("<Q", PRESENT | 1 << 50))
    error, number = f.attach(path, f.NO_PARTSCAN | f.READ_ONLY)
    f.expect("attach", 0, error)
    device = open_device(number, f.READ_ONLY)
    f.expect("a read", errno.EIO, device.read(((1 << 20) - 2) * MIB, 4096)[0])
    f.expect("mode", "read-only", device.attr("mode"))
    f.expect("another", 0, device.read(5 * MIB, 4096)[0])
    device.close()
    f.expect("detach", 0, f.detach(number))
    os.unlink(path)


def many_logged(folder):
    """So many pages are held in the log and no more: then they are written in place."""
    path = create(folder, "many.vhdx", "3T", "--log-size", "64M")
    limit = 4096
    error, number = f.attach(path)
    f.expect("attach", 0, error)
    device = f.Device(number)
    most = 0
    for n in range(limit + 600):
        f.expect("write", 0, device.write(n * 512 * MIB, f.stamp(n, 0) * 8))
        if n % 100 == 99:
            f.expect("flush", 0, device.flush())
            most = max(most, int(device.attr("logged_pages")))
    used, length = int(device.attr("log_used")), int(device.attr("log_length"))
    checkpoints = int(device.attr("checkpoints"))
    device.close()
    f.expect("detach", 0, f.detach(number))
    os.unlink(path)
    if most > limit + 256 or most < limit - 256:
        raise Wrong(f"{most} pages were held at most")
    f.expect("checkpoints before detach", 1, checkpoints)
    f.expect("the log has room", True, used < length // 2)


def main(folder, names):
    cases = [("late-scan", late_scan, folder),
             ("failed", failed, folder),
             ("one-bad-entry", one_bad_entry, folder),
             ("many-logged", many_logged, folder)]
    disk_cases = [("fua-failed", fua_failed),
                  ("flush-failed", flush_failed),
                  ("fua-beside-commit", fua_beside_commit),
                  ("cache-forgotten", cache_forgotten),
                  ("busy-while-attaching", busy_while_attaching),
                  ("announced-beside-detach", announced_beside_detach)]
    mounted = os.path.join(folder, "mnt")
    os.mkdir(mounted)
    if names and not set(names) & {name for name, _ in disk_cases}:
        f.cases(cases, names)
        return
    with f.Disk(96 * MIB) as disk:
        bench = Bench(disk, mounted, "direct")
        f.cases(cases + [(name, function, bench) for name, function in disk_cases], names)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2:])
