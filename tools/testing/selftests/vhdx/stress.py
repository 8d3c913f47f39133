#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Do everything at once to the driver, a given number of times.

  stress.py FOLDER DEVICE SEED COUNT

DEVICE is attached from an image in FOLDER. Threads of this process run until
each has done COUNT operations; what a thread does follows from SEED:

  io       three of them: writes, reads and fsyncs of a part of DEVICE of its own,
           direct or through the page cache; what is read is what was written
  cycle    two of them: attach, write, detach (sometimes lazily, sometimes while
           it is open) of an image of its own
  look     reads all attributes and debugfs files of all devices
  control  ioctls with arguments that are no good
  forget   drops caches, so that metadata is read again; changes log_idle_ms

Prints what was done. Exit status 1 if something was not what it should be.
"""

import collections
import ctypes
import errno
import glob
import mmap
import os
import random
import subprocess
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import control

SECTOR = 4096
PART = 8 << 20
IO_THREADS = 3
IDLE = "/sys/module/vhdx/parameters/log_idle_ms"

done = collections.Counter()
problems = []
stop = threading.Event()


def count(what):
    done[what] += 1


def problem(text):
    problems.append(text)
    stop.set()


def run(*command):
    """Exit status and output of a command."""
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    return result.returncode, result.stdout.decode(errors="replace").strip()


class Part:
    """A part of the device that only one thread writes to, and its twin."""

    def __init__(self, path, start):
        self.start = start
        self.twin = bytearray(PART)
        self.direct = os.open(path, os.O_RDWR | os.O_DIRECT)
        self.synced = os.open(path, os.O_RDWR | os.O_DIRECT | os.O_DSYNC)
        self.memory = mmap.mmap(-1, 1 << 20)

    def write(self, rng, off, length):
        data = rng.randbytes(SECTOR) * (length // SECTOR)
        self.memory[:length] = data
        fd = self.synced if rng.random() < 0.2 else self.direct
        if os.pwrite(fd, memoryview(self.memory)[:length], self.start + off) != length:
            problem(f"short write at {self.start + off:#x}")
        self.twin[off:off + length] = data
        count("write")

    def read(self, off, length):
        view = memoryview(self.memory)[:length]
        if os.preadv(self.direct, [view], self.start + off) != length:
            problem(f"short read at {self.start + off:#x}")
        if view != self.twin[off:off + length]:
            problem(f"{length} bytes at {self.start + off:#x} are not what was written")
        count("read")


def io(rng, times, path, index):
    part = Part(path, index * PART)
    for _ in range(times):
        if stop.is_set():
            return
        length = rng.randrange(1, 65) * SECTOR
        off = rng.randrange((PART - length) // SECTOR + 1) * SECTOR
        what = rng.random()
        if what < 0.5:
            part.write(rng, off, length)
        elif what < 0.85:
            part.read(off, length)
        else:
            os.fsync(part.direct)
            count("fsync")
    for off in range(0, PART, 1 << 20):
        part.read(off, 1 << 20)


def cycle_once(rng, image):
    status, dev = run("vhdxctl", "attach", *rng.choice(([], ["-r"], ["--direct-io=off"])), image)
    if status:
        problem(f"attach {image}: {dev}")
        return
    count("attach")
    fd = os.open(dev, os.O_RDONLY)
    os.pread(fd, SECTOR, rng.randrange(64) << 20)
    if rng.random() < 0.3:
        status, text = run("vhdxctl", "detach", "--lazy", dev)
        os.close(fd)
        count("lazy detach")
        if not wait_gone(dev):
            problem(f"{dev} is not gone after its last close")
    else:
        os.close(fd)
        status, text = run("vhdxctl", "detach", dev)
        count("detach")
    if status:
        problem(f"detach {dev}: {text}")


def wait_gone(dev):
    """Gone, or somebody else's already; its image is free a moment later."""
    name = os.path.join("/sys/block", os.path.basename(dev), "vhdx/backing_file")
    for _ in range(1200):
        if not os.path.exists(name):
            return True
        if stop.wait(0.05):
            return True
    return False


def write_once(rng, image):
    """A session that writes, and ends with the device open until detach waits."""
    status, dev = run("vhdxctl", "attach", image)
    if status:
        if "in use" in dev:		# closed a moment after a lazy detach
            stop.wait(0.05)
            return
        problem(f"attach {image}: {dev}")
        return
    fd = os.open(dev, os.O_RDWR)
    for _ in range(4):
        os.pwrite(fd, rng.randbytes(SECTOR), rng.randrange(64) << 20)
    if rng.random() < 0.5:
        os.fsync(fd)
    os.close(fd)
    status, text = run("vhdxctl", "detach", dev)
    if status:
        problem(f"detach {dev} after writes: {text}")
    count("session")


def cycle(rng, times, folder, index):
    image = os.path.join(folder, f"stress{index}.vhdx")
    status, text = run("vhdxctl", "create", "-s", "64M", "--block-size", "1M", image)
    if status:
        problem(text)
    for _ in range(max(times // 20, 4)):
        if stop.is_set():
            return
        if rng.random() < 0.5:
            write_once(rng, image)
        else:
            try_cycle(rng, image)
    if not stop.is_set():
        settle_and_check(image)


def try_cycle(rng, image):
    """As cycle_once(), when the image of a lazy detach is closed."""
    for _ in range(1200):
        before = len(problems)
        cycle_once(rng, image)
        if len(problems) == before or "in use" not in problems[-1]:
            return
        problems.pop()
        stop.clear()
        stop.wait(0.05)


def settle_and_check(image):
    for _ in range(1200):
        status, text = run("vhdxctl", "check", image)
        if not status:
            count("check")
            return
        stop.wait(0.05)
    problem(f"{image}: {text}")


def look(rng, times):
    for _ in range(times):
        if stop.is_set():
            return
        names = glob.glob("/sys/block/vhdx*/vhdx/*") + glob.glob("/sys/kernel/debug/vhdx/*/*")
        for name in rng.sample(names, min(len(names), 20)):
            try:
                with open(name, "rb") as file:
                    file.read()
                count("attribute")
            except OSError as err:
                if err.errno not in (errno.ENOENT, errno.ENODEV, errno.EIO):
                    problem(f"{name}: {err}")


def bad_call(rng, fd, image):
    """One ioctl that must fail; its errno."""
    kind = rng.randrange(7)
    if kind == 0:
        return control.call(fd, 3, 0, control.attach_args(image, flags=1 << rng.randrange(8, 32)),
                            control.ATTACH_SIZE)
    if kind == 1:
        return control.call(fd, 3, 0, control.attach_args(rng.randrange(1000, 9999)),
                            control.ATTACH_SIZE)
    if kind == 2:
        return control.call(fd, 3, 0, control.attach_args(image, nr_parents=rng.randrange(1, 300),
                                                          parents=rng.randrange(1, 4096)),
                            control.ATTACH_SIZE)
    if kind == 3:
        return control.call(fd, 1, 1, control.detach_args(rng.randrange(1000, 9999)),
                            control.DETACH_SIZE)
    if kind == 4:
        return control.call(fd, rng.randrange(4), rng.randrange(2, 256),
                            control.attach_args(image), rng.randrange(1, 4096))
    if kind == 5:
        return control.call(fd, 3, 0, control.attach_args(image, size=rng.randrange(0, 40)),
                            control.ATTACH_SIZE)
    # What is attached already: the image of the device under test.
    return control.call(fd, 3, 0, control.attach_args(image), control.ATTACH_SIZE)


def bad_control(rng, times, image):
    fd = os.open("/dev/vhdx-control", os.O_RDWR)
    file = os.open(image, os.O_RDWR)
    for _ in range(times * 4):
        if stop.is_set():
            return
        if not bad_call(rng, fd, file):
            problem("an ioctl that is no good succeeded")
        count("bad ioctl")


def forget(rng, times):
    with open(IDLE, encoding="ascii") as file:
        before = file.read()
    for _ in range(max(times // 10, 4)):
        if stop.wait(0.02):
            break
        with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as file:
            file.write(str(rng.choice((1, 2, 2, 3))))
        with open(IDLE, "w", encoding="ascii") as file:
            file.write(str(rng.choice((1, 20, 200, 3000))))
        count("forget")
    with open(IDLE, "w", encoding="ascii") as file:
        file.write(before)


def guarded(function, *args):
    try:
        function(*args)
    except (OSError, ValueError) as err:
        problem(f"{function.__name__}: {err!r}")


def main(folder, device, seed, times):
    image = os.path.join(folder, "a.vhdx")
    jobs = [(io, times, device, index) for index in range(IO_THREADS)]
    jobs += [(cycle, times, folder, index) for index in range(2)]
    jobs += [(look, times), (bad_control, times, image), (forget, times)]
    threads = [threading.Thread(target=guarded,
                                args=(job[0], random.Random(seed * 100 + n), *job[1:]))
               for n, job in enumerate(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for what, number in sorted(done.items()):
        print(number, what)
    for text in problems:
        print(text)
    wanted = {"write", "read", "fsync", "attach", "detach", "session", "attribute", "bad ioctl",
              "forget", "check"}
    if problems or not wanted <= set(done):
        sys.exit("something went wrong" if problems else f"not done: {wanted - set(done)}")


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    ctypes.CDLL(None)	# fail early where ctypes does not work: control.py needs it
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
