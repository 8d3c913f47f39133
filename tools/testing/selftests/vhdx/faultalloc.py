#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Allocations fail: each one of attach, in turn; any of requests and of detach.

  faultalloc.py FOLDER SEED STEP KIND

FOLDER is empty. KIND: "attach", and "attach-read-only" of an image with a log to
replay: the N-th allocation fails, for N from a random beginning in steps of STEP,
until none is left to fail; then any fails with some probability, again and again.
"requests", "reads" and "detach": any allocation that the driver's threads and work
items cause fails with some probability. "reserve": none for pages of metadata succeeds, so all
come from the reserve. Needs a kernel with fault injection. Prints one line for
each case, "PASS name" or "FAIL name: why".
"""

import errno
import os
import random
import shutil
import sys
import threading

import faultdisk as f
from faultcases import create
from faultdisk import MIB, Wrong
from faultio import workload

DEBUG = "/sys/kernel/debug"
ATTRIBUTES = ("failslab", "fail_page_alloc", "fail_mempool_alloc")
LOG_IDLE = "/sys/module/vhdx/parameters/log_idle_ms"
TIMES = 1 << 30         # as often as it is asked for, and counted


def put(path, value):
    with open(path, "w", encoding="ascii") as file:
        file.write(str(value))


def setting(name, key, value):
    """Not every kernel has every attribute."""
    path = f"{DEBUG}/{name}/{key}"
    if os.path.exists(path):
        put(path, value)


def calm():
    """Nothing fails but what is asked for, and nothing is printed then."""
    for name in ATTRIBUTES:
        for key, value in (("probability", 0), ("times", -1), ("verbose", 0),
                           ("ignore-gfp-wait", "N"), ("cache-filter", "N"),
                           ("task-filter", "N"), ("require-start", 0),
                           ("require-end", (1 << 64) - 1), ("min-order", 0)):
            setting(name, key, value)


class Nth:
    """The n-th allocation of this thread fails, if there are so many."""

    def __init__(self, n):
        self.n, self.failed = n, False
        self.path = f"/proc/self/task/{threading.get_native_id()}/fail-nth"

    def __enter__(self):
        self.fd = os.open(self.path, os.O_RDWR)
        os.write(self.fd, b"%d" % self.n)
        return self

    def __exit__(self, *_):
        self.failed = int(os.pread(self.fd, 32, 0)) == 0
        os.pwrite(self.fd, b"0", 0)
        os.close(self.fd)


class Some:
    """Any allocation below the driver's code fails, @percent of a hundred."""

    def __init__(self, percent):
        self.percent, self.count = percent, 0

    def __enter__(self):
        inject(self.percent)
        return self

    def __exit__(self, *_):
        self.count = injected()
        calm()


def content(path):
    with open(path, "rb") as file:
        return file.read(8 * MIB), os.fstat(file.fileno()).st_size


def look(number):
    """What the first blocks of the device begin with."""
    device = f.Device(number, os.O_RDONLY)
    seen = [device.read(block * MIB, 4096) for block in range(8)]
    device.close()
    return seen


def replayed(number):
    """How many entries of its log were replayed."""
    with open(f"/sys/block/vhdx{number}/vhdx/replayed_entries", encoding="ascii") as file:
        return int(file.read())


class Subject:
    """An image, with a log to replay if it is to be read only, and what it shows."""

    def __init__(self, folder, flags):
        self.flags, self.path = flags, create(folder, "a.vhdx", "64M")
        if flags & f.READ_ONLY:
            self._make_dirty(folder)
        self.content = content(self.path)
        number = self.attach("at first")
        f.expect("a log to replay", bool(flags & f.READ_ONLY), replayed(number) > 0)
        self.shows = look(number)
        f.expect("detach at first", 0, f.detach(number))

    def _make_dirty(self, folder):
        """As it would be after a power cut with a log in use."""
        put(LOG_IDLE, 3600000)
        error, number = f.attach(self.path)
        f.expect("attach", 0, error)
        device = f.Device(number)
        for n in range(4):
            f.expect("write", 0, device.write(n * MIB, f.stamp(n, 0) * 8))
        f.expect("flush", 0, device.flush())
        copy = os.path.join(folder, "dirty.vhdx")
        shutil.copyfile(self.path, copy)
        device.close()
        f.expect("detach", 0, f.detach(number))
        put(LOG_IDLE, 300)
        os.unlink(self.path)
        self.path = copy

    def attach(self, what):
        error, number = f.attach(self.path, self.flags)
        f.expect(f"attach {what}", 0, error)
        return number

    def check(self, what):
        """Nobody uses it, and it is as it was."""
        f.expect(f"{what}: what is attached", [], f.attached())
        f.expect(f"{what}: the file is unused", True, f.is_unused(self.path))
        f.expect(f"{what}: the file is as it was", True, content(self.path) == self.content)

    def end(self):
        number = self.attach("in the end")
        f.expect("what is read in the end", self.shows, look(number))
        f.expect("detach in the end", 0, f.detach(number))
        self.check("in the end")
        os.unlink(self.path)


def one_attach(subject, what, fault):
    """Attach under a fault: 0 or the errno."""
    fd = os.open(subject.path, os.O_RDWR)
    args = f.attach_args(fd, subject.flags)
    control = os.open("/dev/vhdx-control", os.O_RDWR)
    with fault:
        error = f.ioctl_attach(control, args)
    os.close(control)
    os.close(fd)
    if not error:           # something that can be done without, or there were fewer
        number = f.attached_number(args)
        f.expect(f"{what}: what is read", subject.shows, look(number))
        f.expect(f"{what}: detach", 0, f.detach(number))
    elif error not in (errno.ENOMEM, errno.EINTR, errno.EIO, errno.EAGAIN):
        raise Wrong(f"{what}: {os.strerror(error)}")
    subject.check(what)
    return error


def attach(folder, flags, first, step):
    subject = Subject(folder, flags)
    n, nth = first, None
    while not nth or nth.failed:
        nth = Nth(n)
        one_attach(subject, f"allocation {n}", nth)
        n += step
    print(f"up to allocation {n}, in steps of {step}")
    subject.end()


def attach_often(folder, flags, percent, rounds):
    """The same again and again, with the memory as it is afterwards."""
    subject = Subject(folder, flags)
    some = [Some(percent) for _ in range(rounds)]
    errors = [one_attach(subject, f"round {n}", some[n]) for n in range(rounds)]
    print(f"{sum(s.count for s in some)} allocations failed, {errors.count(0)} of {rounds} attached")
    if percent == 100 and not all(errors):
        raise Wrong("attached without any memory")
    subject.end()


def reads(folder, percent, rounds):
    """Attached read-only, with a log that is replayed in memory: reads may fail."""
    subject = Subject(folder, f.NO_PARTSCAN | f.READ_ONLY)
    number = subject.attach("for reads")
    failed = 0
    with Some(percent) as some:
        for n in range(rounds):
            f.drop_caches()
            for seen, want in zip(look(number), subject.shows):
                failed += seen != want
                if seen not in (want, (errno.EIO, b"")):
                    raise Wrong(f"round {n}: {seen[0]}, {seen[1][:48]!r}")
    print(f"{some.count} allocations failed, {failed} of {8 * rounds} reads")
    f.expect("what is read afterwards", subject.shows, look(number))
    f.expect("detach", 0, f.detach(number))
    subject.end()


def module_text():
    """Where the driver's code is, as far as its sections tell."""
    with open("/sys/module/vhdx/sections/.text", encoding="ascii") as file:
        begin = int(file.read(), 16)
    with open("/sys/module/vhdx/coresize", encoding="ascii") as file:
        return begin, begin + int(file.read())


class NoDisk:
    """In place of a Disk: what the workload says it is at is of no interest."""

    doing = None


def inject(percent):
    begin, end = module_text()
    for name in ATTRIBUTES:
        setting(name, "require-start", begin)
        setting(name, "require-end", end)
        setting(name, "stacktrace-depth", 32)
        setting(name, "times", TIMES)
        setting(name, "probability", percent)


def injected():
    """How many allocations have failed since inject()."""
    count = 0
    for name in ATTRIBUTES:
        path = f"{DEBUG}/{name}/times"
        if os.path.exists(path):
            with open(path, encoding="ascii") as file:
                count += TIMES - int(file.read())
    return count


def one_detach(path, percent, n):
    """Something is left to be done for detach. How many allocations failed."""
    error, number = f.attach(path)
    f.expect("attach", 0, error)
    device = f.Device(number)
    data = f.stamp(n, 0) * 8
    f.expect("write", 0, device.write((n % 60) * MIB, data))
    f.expect("flush", 0, device.flush())
    device.close()
    with Some(percent) as some:
        error = f.detach(number)
    what = f"round {n}"
    if error not in (0, errno.ENOMEM, errno.EIO):
        raise Wrong(f"{what}: {os.strerror(error)}")
    f.expect(f"{what}: what is attached", [], f.attached())
    f.expect(f"{what}: the file is unused", True, f.is_unused(path))
    error, number = f.attach(path)
    f.expect(f"{what}: attach afterwards", 0, error)
    device = f.Device(number)
    f.expect(f"{what}: what was stable", (0, data), device.read((n % 60) * MIB, 4096))
    device.close()
    f.expect(f"{what}: detach afterwards", 0, f.detach(number))
    return some.count


def detach(folder, percent, rounds):
    path = create(folder, "a.vhdx", "64M")
    count = sum(one_detach(path, percent, n) for n in range(rounds))
    print(f"{count} allocations failed")
    if not count and percent == 100:
        raise Wrong("no allocation failed")
    f.expect("what the model says", [], f.model.check_strict(path, clean=True))
    os.unlink(path)


def requests(folder, percent):
    """Allocations of the driver's threads fail: requests may, but nothing is lost."""
    path = create(folder, "requests.vhdx", "64M")
    oracle = f.Oracle()
    error, number = f.attach(path)
    f.expect("attach", 0, error)
    watch, device = f.Watch(), f.Device(number)
    with Some(percent):
        errors = set(workload(NoDisk(), device, oracle))
    mode = f.check_ladder(watch, device)
    if not errors <= {0, errno.EIO} | ({errno.EPERM} if mode != "write" else set()):
        raise Wrong(f"errors {errors}")
    print(f"mode {mode}, errors {sorted(errors)}")
    oracle.check(device, oracle.live, "before detach")
    device.close()
    watch.close()
    error = f.detach(number)
    f.expect("detach", 0 if mode == "write" else errno.EIO, error)
    if not error:
        oracle.stable.update(oracle.live)
    error, number = f.attach(path)
    f.expect("attach afterwards", 0, error)
    device = f.Device(number)
    oracle.check(device, oracle.stable, "afterwards")
    device.close()
    f.expect("detach afterwards", 0, f.detach(number))
    f.expect("what the model says", [], f.model.check_strict(path, clean=True))
    os.unlink(path)


def reserve(folder, nr):
    """No memory for metadata: requests go on with what is in reserve, and none fails."""
    path = create(folder, "reserve.vhdx", "1T")
    error, number = f.attach(path)
    f.expect("attach", 0, error)
    filtered = "/sys/kernel/slab/vhdx_page/failslab"
    put(filtered, 1)
    setting("failslab", "cache-filter", "Y")
    setting("failslab", "probability", 100)
    errors = []

    def work(first):
        device = f.Device(number)
        for n in range(first, nr, 8):       # each block has a page of the BAT of its own
            error = device.write(n * 512 * MIB, f.stamp(n, 0) * 8)
            if error:
                errors.append(error)
        for n in range(first, nr, 8):
            if device.read(n * 512 * MIB, 4096) != (0, f.stamp(n, 0) * 8):
                errors.append(n)
        device.close()

    threads = [threading.Thread(target=work, args=(first,), daemon=True) for first in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(300)
    hangs = any(thread.is_alive() for thread in threads)
    calm()
    put(filtered, 0)
    f.expect("somebody waits for ever", False, hangs)
    f.expect("errors", [], errors)
    device = f.Device(number)
    f.expect("mode", "write", device.attr("mode"))
    pages = int(device.attr("checkpoints"))
    device.close()
    f.expect("detach", 0, f.detach(number))
    if not pages:
        raise Wrong("no page had to be written in place: there was memory")
    os.unlink(path)


def main(folder, seed, step, kind):
    calm()
    first = random.Random(f"{seed} {kind}").randrange(step) + 1
    if kind.startswith("attach"):
        flags = f.NO_PARTSCAN | (f.READ_ONLY if kind == "attach-read-only" else 0)
        table = [(kind, attach, folder, flags, first, step)]
        table += [(f"{kind}, {percent} in 100", attach_often, folder, flags, percent, rounds)
                  for percent, rounds in ((3, 4), (30, 4), (100, 2))]
    elif kind == "reads":
        table = [(f"reads, {percent} in 100", reads, folder, percent, 4)
                 for percent in (30, 100)]
    elif kind == "detach":
        table = [(f"detach, {percent} in 100", detach, folder, percent, rounds)
                 for percent, rounds in ((1, 8), (3, 8), (10, 4), (30, 4), (100, 1))]
    elif kind == "reserve":
        table = [("metadata without memory", reserve, folder, 200)]
    else:
        table = [(f"requests, {percent} in 100", requests, folder, percent)
                 for percent in (1, 3, 10, 30, 100)]
    f.cases(table)


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    try:
        main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
    finally:
        calm()
