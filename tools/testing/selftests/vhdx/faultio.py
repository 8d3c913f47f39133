#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Each request to the backing disk fails, in turn, and then with all after it.

  faultio.py FOLDER SEED COUNT VARIANT

FOLDER is empty. VARIANT is "direct", "buffered" or "replay": what attaches an
image with a log to replay. COUNT requests of all are chosen by SEED, 0: all.
What the file system writes for itself does not fail: without a journal it does
not survive that, and with one nothing of what comes then is about the driver.
Prints one line for each case, "PASS name" or "FAIL name: why".
"""

import errno
import os
import random
import subprocess
import sys

import faultdisk as f
from faultdisk import MIB, Wrong

DISK_SIZE = 96 * MIB
IMAGE = "a.vhdx"



def modes_after(request):
    """What the mode may be when this was all that failed."""
    if request.name == "header-read" and request.doing in ("attach", "flush", "FUA"):
        return ("write", "read-only")   # what was read ahead is read again; a look
    if request.name == "header-read":   # is it still our image?
        return ("read-only",)
    if request.name.endswith("-read") or \
       (request.name == "data-write" and request.doing == "write"):
        return ("write",)
    if request.name == "data-write":    # for FUA: with or without a commit behind it
        return ("write", "read-only")
    return ("read-only",)


class Bench:
    """A disk with a file system and an image, as it is before each case."""

    def __init__(self, disk, folder, variant):
        self.disk, self.folder, self.variant = disk, folder, variant
        self.path = os.path.join(folder, IMAGE)
        self.flags = f.NO_PARTSCAN | (f.BUFFERED if variant == "buffered" else 0)
        self.old = f.Oracle()
        run("mkfs.ext4", "-q", "-F", "-b", "4096", "-O", "^has_journal,^resize_inode",
            disk.path)
        f.mount(disk.path, folder)
        run("vhdxctl", "create", "-s", "64M", "--block-size", "1M", self.path)
        fill(self.path)
        disk.learn_places(self.path)
        if variant == "replay":
            self._make_dirty()
        else:
            f.unmount(folder)
            self.content = disk.save()

    def _make_dirty(self):
        """As it would be after a power cut with a log in use."""
        error, number = f.attach(self.path, self.flags)
        f.expect("attach", 0, error)
        device = f.Device(number)
        for block in range(4):
            f.expect("write", 0, self.old.write(device, block * MIB, 4096))
        f.expect("flush", 0, self.old.flush(device))
        os.sync()
        self.content = self.disk.save()
        device.close()
        f.expect("detach", 0, f.detach(number))
        f.unmount(self.folder)


def run(*args):
    done = subprocess.run(args, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Wrong(f"{args[0]}: exit status {done.returncode}: {done.stdout}{done.stderr}")


def fill(path):
    """No holes, so that it is known what is where on the disk."""
    with open(path, "r+b") as file:
        data = file.read()
        file.seek(0)
        file.write(data)
        file.flush()
        os.fsync(file)


def idle(device):
    """Until the log is empty or will not be."""
    f.until("the log to become empty", lambda: device.attr("log_state") == "clean" or
            device.attr("mode") != "write")


def workload(disk, device, oracle):
    """All kinds of requests; what each step said, 0 or an errno."""
    def w(off, length, fua=False):
        disk.doing = "FUA" if fua else "write"
        return oracle.write(device, off, length, fua)

    def flush():
        disk.doing = "flush"
        return oracle.flush(device)

    yield w(8 * MIB, 4096)              # a new block, headers
    yield w(9 * MIB + 4096, 8192)
    yield flush()                         # the log starts; an entry
    yield w(8 * MIB, 2048)              # in place
    yield w(9 * MIB, 4096, True)        # FUA, of a mapping that is logged
    disk.doing = "read"
    yield oracle.read(device, 8 * MIB, 4096)
    yield w(10 * MIB, 4096, True)       # FUA, of one that is not
    yield flush()
    for block in range(12, 16):
        yield w(block * MIB + 512, 1024)
    yield flush()
    disk.doing = "idle"
    idle(device)                                # in place, headers
    f.drop_caches()
    disk.doing = "read"
    yield oracle.read(device, 9 * MIB, 8192)    # the BAT is read again
    yield w(20 * MIB, 4096)             # the log starts once more
    yield flush()
    yield w(20 * MIB + 4096, 4096)      # neither stable nor lost
    yield w(21 * MIB, 4096)


def start(bench):
    """The disk as it was, mounted, and what is known of the image."""
    oracle = f.Oracle()
    oracle.history = {s: list(c) for s, c in bench.old.history.items()}
    oracle.live, oracle.stable = dict(bench.old.live), dict(bench.old.stable)
    oracle.number = bench.old.number
    bench.disk.restore(bench.content)
    f.mount(bench.disk.path, bench.folder)
    return oracle


def recovered(bench, oracle):
    """The disk works: the image opens, has all that was stable, and is clean."""
    f.unmount(bench.folder)
    f.mount(bench.disk.path, bench.folder)
    error, number = f.attach(bench.path, bench.flags)
    f.expect("attach afterwards", 0, error)
    device = f.Device(number)
    try:
        oracle.check(device, oracle.stable, "afterwards")
        # What was not stable may have gone, and now counts as never acknowledged.
        oracle.live = dict(oracle.stable)
        f.expect("a write afterwards", 0, oracle.write(device, 30 * MIB, 4096))
        f.expect("a flush afterwards", 0, oracle.flush(device))
        oracle.check(device, oracle.stable, "after another write")
    finally:
        device.close()
    f.expect("detach afterwards", 0, f.detach(number))
    reasons = f.model.check_strict(bench.path, clean=True)
    f.expect("what the model says", [], reasons)
    run("vhdxctl", "check", bench.path)
    f.unmount(bench.folder)


def before_detach_it_failed(bench, oracle, watch, device, errors, once, rule):
    """The request came before detach: errors, the mode; the disk works again."""
    mode = f.check_ladder(watch, device)
    # What is read-only by now is refused by the block layer.
    if not errors <= {0, errno.EIO} | ({errno.EPERM} if mode != "write" else set()):
        raise Wrong(f"errors {errors}")
    if once and mode not in modes_after(rule.last):
        raise Wrong(f"mode {mode}")
    bench.disk.heal()
    oracle.check(device, oracle.live, "before detach")
    if mode != "write":
        f.expect("a write to what is read-only", errno.EPERM,
                 oracle.write(device, 8 * MIB, 4096))
        f.expect("a flush of it", errno.EIO, device.flush())
    f.check_ladder(watch, device)
    return mode


def use(bench, oracle, number, rule, once):
    """The workload under the rule, and detach."""
    watch = f.Watch()
    device = f.Device(number)
    mode = None
    try:
        errors = set(workload(bench.disk, device, oracle))
        if rule.hits:
            mode = before_detach_it_failed(bench, oracle, watch, device, errors, once, rule)
        else:
            f.expect("errors before anything failed", {0}, errors)
    finally:
        device.close()
        bench.disk.doing = "detach"
        error = f.detach(number)
        watch.close()
    bench.disk.heal()
    if mode:
        f.expect("detach", 0 if mode == "write" else errno.EIO, error)
    elif error not in (0, errno.EIO):
        raise Wrong(f"detach: {os.strerror(error)}")
    if len(watch.messages_at_the_end) > 1:
        raise Wrong(f"messages {watch.messages_at_the_end}")
    if not error:
        oracle.stable.update(oracle.live)


def case(bench, nth, once):
    """Request @nth fails, once or with all that follow."""
    oracle = start(bench)
    disk = bench.disk
    disk.start_counting()
    rule = disk.fail(lambda r: r.number >= nth and not r.name.startswith("other-"),
                     times=1 if once else 1 << 60, part=(nth % 3) / 2)
    disk.doing = "attach"
    try:
        error, number = f.attach(bench.path, bench.flags)
        if error:
            f.expect("attach", errno.EIO, error)
        else:
            use(bench, oracle, number, rule, once)
        disk.heal()
        f.expect("attached at the end", [], f.attached())
        recovered(bench, oracle)
    except Wrong as wrong:
        for name in f.attached():
            f.detach(int(name[4:]))
        disk.heal()
        f.unmount(bench.folder)
        raise Wrong(f"{rule.last or 'no request'}: {wrong}") from None


def before_detach(bench):
    """How many requests come before detach, and the names of all."""
    oracle = start(bench)
    bench.disk.start_counting()
    error, number = f.attach(bench.path, bench.flags)
    f.expect("attach", 0, error)
    device = f.Device(number)
    errors = set(workload(bench.disk, device, oracle))
    device.close()
    f.expect("what nothing disturbs", {0}, errors)
    nr = len(bench.disk.names)
    f.expect("detach", 0, f.detach(number))
    names = list(bench.disk.names)
    recovered(bench, oracle)
    return nr, names


def main(folder, seed, wanted, variant):
    rng = random.Random(f"{seed} {variant}")
    with f.Disk(DISK_SIZE) as disk:
        bench = Bench(disk, folder, variant)
        nr, names = before_detach(bench)
        ours = [n for n, name in enumerate(names) if not name.startswith("other-")]
        chosen = sorted(rng.sample(ours, min(wanted or len(ours), len(ours))))
        print(f"{len(names)} requests, {nr} before detach: " +
              ", ".join(f"{names.count(n)} {n}" for n in sorted(set(names))))
        table = []
        for nth in chosen:
            for once in (True, False):
                table.append((f"{variant}, {names[nth]} {nth} fails{' once' if once else ''}",
                              case, bench, nth, once))
        f.cases(table)


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
