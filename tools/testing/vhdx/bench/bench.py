#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Measure the driver beside loop, qemu-nbd and the file itself.

    bench.py SIZE OUT.json [SECTION...]

SIZE is quick, full or tiny (which only shows that all of it runs). Runs in a
machine with the driver, see run.sh. What is compared is measured in turns,
round after round, each round beginning with another one.
"""

import json
import mmap
import os
import platform
import shutil
import statistics
import sys
import tempfile
import threading
import time

from measure import measure
from subjects import Disk, Loop, Nbd, Raw, Vhdx, read, sh

MIB = 1 << 20
REPO = os.path.realpath(f"{os.path.dirname(__file__)}/../../../..")

# "mib" of data in each image, seconds of each job, writes that allocate, MiB of
# both disks.
SIZES = {
    "tiny": {"rounds": 1, "mib": 16, "seconds": 0.05, "allocate": 40, "replay": [1],
             "chain": 3, "huge": "1T", "jobs": [1, 4], "images": ["dynamic 2M"],
             "disks": [2048, 512], "random": ["randread"], "fsync": [0, 100]},
    "quick": {"rounds": 5, "mib": 64, "seconds": 0.4, "allocate": 3000, "replay": [1, 64],
              "chain": 10, "huge": "64T", "jobs": [1], "images": ["dynamic 2M"],
              "disks": [3072, 1024], "random": ["randread", "randwrite"], "fsync": [0, 1, 100]},
    "full": {"rounds": 5, "mib": 128, "seconds": 1, "allocate": 4000,
             "replay": [1, 64, 1024], "chain": 10, "huge": "64T", "jobs": [1, 4],
             "images": ["fixed", "dynamic 1M", "dynamic 2M", "dynamic 32M"],
             "disks": [6144, 2048], "random": ["randread", "randwrite"], "fsync": [0, 1, 100]},
}

IMAGES = {
    "fixed": ["--type=fixed"],
    "dynamic 1M": ["--block-size=1M"],
    "dynamic 2M": ["--block-size=2M"],
    "dynamic 32M": ["--block-size=32M"],
}


def forget(path):
    """Leave nothing of a file in the page cache: it makes direct writes slower."""
    file = os.open(path, os.O_RDONLY)
    os.fsync(file)
    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(file)


def turned(items, number):
    number %= len(items)
    return items[number:] + items[:number]


class Bench:
    """Settings, disks, and what was measured."""

    def __init__(self, size, top):
        self.size = SIZES[size]
        self.top = top
        self.results = {}
        # The second has a cache that must be flushed, as disks have.
        fast, cached = self.size["disks"]
        self.fast = Disk(top, 0, fast)
        self.cached = Disk(top, 1, cached, cache_mib=64)

    def add(self, section, workload, image, subject, values):
        key = (section, workload, image, subject)
        self.results.setdefault(key, []).append(values)

    def rounds(self, name):
        for number in range(self.size["rounds"]):
            print(f"{name}: round {number + 1} of {self.size['rounds']}", flush=True)
            yield number

    def random_file(self, path):
        with open(path, "wb") as file:
            for _ in range(self.size["mib"]):
                file.write(os.urandom(MIB))
        forget(path)

    def image(self, path, size, *options):
        sh("vhdxctl", "create", f"--size={size}", "--force", *options, path)
        return path

    def filled(self, path, data, *options):
        """An image that holds the bytes of the file data."""
        self.image(path, f"{self.size['mib']}M", *options)
        device = Vhdx(path)
        sh("dd", f"if={data}", f"of={device.path}", "bs=1M", "oflag=direct", "conv=fsync",
           "status=none")
        device.down()
        return path

    def output(self):
        rows = [dict(zip(("section", "workload", "image", "subject"), key), rounds=values)
                for key, values in self.results.items()]
        return {"kernel": platform.release(), "machine": machine(), "cpus": os.cpu_count(),
                "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
                "qemu": sh("qemu-nbd", "--version").splitlines()[0],
                "fio": sh("fio", "--version"), "nbd_aio": Nbd.aio, "rows": rows}


def machine():
    info = read("/proc/cpuinfo")
    return "User Mode Linux" if "User Mode Linux" in info else "QEMU"


# --- present blocks -----------------------------------------------------------


def patterns(size):
    """Name and fio's words for each pattern of access."""
    for rw in size["random"]:
        for depth in 1, 32:
            for jobs in size["jobs"]:
                name = f"4k {rw} depth {depth}" + (f" jobs {jobs}" if jobs > 1 else "")
                yield name, {"rw": rw, "bs": "4k", "iodepth": depth, "numjobs": jobs,
                             "norandommap": 1}
    for rw in "read", "write":
        yield f"1M {rw} depth 8", {"rw": rw, "bs": "1m", "iodepth": 8}


def timed(bench, words):
    return {**words, "time_based": 1, "runtime": f"{int(bench.size['seconds'] * 1000)}ms",
            "size": f"{bench.size['mib']}m"}


def fastest_aio(bench, image):
    """Which of qemu-nbd's ways of direct I/O is faster here."""
    speed = {}
    for Nbd.aio in "native", "io_uring":
        nbd = Nbd(image)
        job = timed(bench, {"rw": "randread", "bs": "4k", "iodepth": 32, "norandommap": 1})
        speed[Nbd.aio] = measure(nbd.path, job)["iops"]
        nbd.down()
    Nbd.aio = max(speed, key=speed.get)


def present_subjects(bench):
    """[(image, subject)]; the file and loop stand for themselves."""
    data = bench.fast.file("raw")
    bench.random_file(data)
    subjects = [("raw", Raw(data)), ("raw", Loop(data))]
    for number, name in enumerate(bench.size["images"]):
        path = bench.filled(bench.fast.file(f"{number}.vhdx"), data, *IMAGES[name])
        copy = shutil.copyfile(path, bench.fast.file(f"{number}.nbd.vhdx"))
        forget(copy)
        if not number:
            fastest_aio(bench, copy)
        subjects += [(name, Vhdx(path)), (name, Nbd(copy))]
    return subjects


def present(bench):
    subjects = present_subjects(bench)
    for number in bench.rounds("present blocks"):
        for workload, words in patterns(bench.size):
            for image, subject in turned(subjects, number):
                bench.add("present", workload, image, subject.name,
                          measure(subject.path, timed(bench, words)))
    for _, subject in subjects:
        subject.down()


# --- allocation ---------------------------------------------------------------


ALLOCATED = "8G"


def sparse(path):
    with open(path, "wb") as file:
        file.truncate(8 << 30)
    return path


def fresh_subjects(bench, disk):
    """How to make each: an empty disk, on a file of its own."""
    def new(name):
        return bench.image(disk.file(name), ALLOCATED, "--block-size=2M")

    return [("raw", lambda: Raw(sparse(disk.file("fresh")))),
            ("raw", lambda: Loop(sparse(disk.file("fresh")))),
            ("dynamic 2M", lambda: Vhdx(new("fresh"))),
            ("dynamic 2M", lambda: Nbd(new("fresh")))]


def allocating(bench):
    """Name, disk and fio's words."""
    count = bench.size["allocate"]
    for every in bench.size["fsync"]:
        disk = bench.cached if every else bench.fast
        nr = count // 10 if every == 1 else count
        words = {"fallocate": "none", "fsync": every} if every else {"fallocate": "none"}
        after = f", fsync every {every}" if every else ""
        yield f"4k randwrite{after}", disk, {
            "rw": "randwrite", "bs": "4k", "iodepth": 1 if every else 32, "size": ALLOCATED,
            "io_size": nr * 4096, **words}
        yield f"1M write{after}", disk, {
            "rw": "write", "bs": "1m", "iodepth": 1 if every else 8, "size": ALLOCATED,
            "io_size": max(nr // 10, 4) * MIB, **words}


def allocate_once(disk, make, job):
    """Allocate, with the flushes that the disk below saw."""
    subject = make()
    before = disk.flushes()
    values = measure(subject.path, job)
    values["flushes"] = (disk.flushes() - before) / values["ios"]
    if subject.name == "vhdx":
        values["fua"] = int(subject.attribute("fua_writes")) / values["ios"]
    subject.down()
    os.unlink(disk.file("fresh"))
    return subject.name, values


def allocate(bench):
    for number in bench.rounds("allocation"):
        for workload, disk, job in allocating(bench):
            for image, make in turned(fresh_subjects(bench, disk), number):
                name, values = allocate_once(disk, make, job)
                bench.add("allocate", workload, image, name, values)


# --- a file system on top -----------------------------------------------------


def lap(times, name, *words):
    begin = time.monotonic()
    sh(*words)
    times[name] = time.monotonic() - begin


def file_system_once(bench, make, tree):
    subject = make()
    where = f"{bench.top}/upper"
    os.makedirs(where, exist_ok=True)
    sh("mkfs.ext4", "-q", subject.path)
    sh("mount", subject.path, where)
    times = {}
    try:
        lap(times, "unpack", "tar", "-xf", tree, "-C", where)
        lap(times, "sync", "sync", "-f", where)
        lap(times, "delete", "rm", "-r", f"{where}/tree")
        lap(times, "sync again", "sync", "-f", where)
        if int(read(f"/sys/block/{subject.path[5:]}/queue/discard_max_bytes")):
            lap(times, "trim", "fstrim", where)
    finally:
        sh("umount", where)
    subject.down()
    os.unlink(bench.cached.file("fresh"))
    return subject.name, {"seconds": sum(times.values()) - times.get("trim", 0), **times}


def file_system(bench):
    tree = bench.fast.file("tree.tar")
    sh("tar", "-cf", tree, "-C", REPO, "--transform=s,^,tree/,", "drivers", "tools",
       "Documentation")
    for number in bench.rounds("file system"):
        for image, make in turned(fresh_subjects(bench, bench.cached)[1:], number):
            name, values = file_system_once(bench, make, tree)
            bench.add("file system", "unpack, sync, delete", image, name, values)


# --- chains -------------------------------------------------------------------


def chain(bench):
    nr = bench.size["chain"]
    data = bench.fast.file("data")
    bench.random_file(data)
    files = [bench.filled(bench.fast.file("chain0.vhdx"), data, "--block-size=2M")]
    os.unlink(data)
    for i in range(1, nr):
        files.append(bench.fast.file(f"chain{i}.vhdx"))
        sh("vhdxctl", "create", f"--parent={files[-2]}", files[-1])
    subjects = [(1, Vhdx(files[0], "-r")), (nr, Vhdx(files[-1], "-r"))]
    for number in bench.rounds("chains"):
        for depth in 1, 32:
            job = timed(bench, {"rw": "randread", "bs": "4k", "iodepth": depth,
                                "norandommap": 1})
            for length, subject in turned(subjects, number):
                bench.add("chain", f"4k randread depth {depth}", f"chain of {length}",
                          "vhdx", measure(subject.path, job))
    for _, subject in subjects:
        subject.down()


# --- size ---------------------------------------------------------------------


def memory_used():
    """Bytes that the kernel could not give back."""
    for line in read("/proc/meminfo").splitlines():
        if line.startswith("MemAvailable:"):
            return -int(line.split()[1]) * 1024
    raise RuntimeError("no MemAvailable")


class Memory(threading.Thread):
    """How much more memory is used at most than when it began."""

    def __init__(self):
        super().__init__()
        with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as file:
            file.write("3")
        self.base = self.peak = memory_used()
        self.stop = threading.Event()
        self.start()

    def run(self):
        while not self.stop.wait(0.005):
            self.peak = max(self.peak, memory_used())

    def end(self):
        self.stop.set()
        self.join()
        return max(self.peak, memory_used()) - self.base


def attach(bench):
    files = [(size, bench.image(bench.fast.file(f"{size}.vhdx"), size, "--block-size=1M"))
             for size in ("1G", bench.size["huge"])]
    for number in bench.rounds("attach"):
        for size, path in turned(files, number):
            memory = Memory()
            begin = time.monotonic()
            device = Vhdx(path)
            seconds = time.monotonic() - begin
            used = memory.end()
            pages = int(device.attribute("metadata_pages"))
            begin = time.monotonic()
            device.down()
            bench.add("attach", "attach", size, "vhdx",
                      {"seconds": seconds, "memory": used, "pages": pages,
                       "detach": time.monotonic() - begin})


# --- replay -------------------------------------------------------------------


def transfer_time(path, mib, write):
    """Seconds of sequential direct I/O, an fsync included, to a file that has its space."""
    memory = mmap.mmap(-1, MIB)
    file = os.open(path, os.O_RDWR | os.O_DIRECT)
    begin = time.monotonic()
    for number in range(mib):
        if write:
            os.pwrite(file, memory, number * MIB)
        else:
            os.preadv(file, [memory], number * MIB)
    if write:
        os.fsync(file)
    seconds = time.monotonic() - begin
    os.close(file)
    return seconds


def timed_attach(path):
    forget(path)
    begin = time.monotonic()
    device = Vhdx(path)
    seconds = time.monotonic() - begin
    entries = int(device.attribute("replayed_entries"))
    device.down()
    return seconds, entries


def replay_once(path, scratch, mib):
    """Times of one attach with the log and one without; it is dirty again afterwards."""
    with open(path, "rb") as file:
        headers = file.read(MIB)
    times = {"write": transfer_time(scratch, mib, True),
             "read": transfer_time(scratch, mib, False)}
    memory = Memory()
    times["dirty"], entries = timed_attach(path)
    times["memory"] = memory.end()
    times["clean"], none = timed_attach(path)
    if none or not entries:
        raise RuntimeError(f"replayed {entries} entries, then {none}")
    with open(path, "r+b") as file:
        file.write(headers)
        os.fsync(file.fileno())
    return times


def replay_round(bench, path, scratch, mib):
    """A short log is replayed often: what it takes is less than an attach varies."""
    seen = [replay_once(path, scratch, mib) for _ in range(max(1, 16 // mib))]
    times = {key: statistics.median(t[key] for t in seen) for key in seen[0]}
    own = max(times["dirty"] - times["clean"], 0.001)
    row = f"log of {mib} MiB"
    bench.add("replay", row, "fixed", "vhdx",
              {"bytes": mib * MIB / own, "dirty": times["dirty"], "clean": times["clean"],
               "whole": mib * MIB / times["dirty"], "memory": times["memory"]})
    bench.add("replay", row, "fixed", "raw",
              {"bytes": mib * MIB / times["write"], "whole": mib * MIB / times["write"],
               "read": mib * MIB / times["read"]})


def replay(bench):
    for mib in bench.size["replay"]:
        path = bench.fast.file("log.vhdx")
        bench.image(path, "256M", "--type=fixed", f"--log-size={mib}M")
        sh(f"{REPO}/build/vhdx-fill-log", path)
        scratch = bench.fast.file("scratch")
        with open(scratch, "wb") as file:
            for _ in range(mib):
                file.write(bytes(MIB))
        forget(scratch)
        for _ in bench.rounds(f"replay of {mib} MiB"):
            replay_round(bench, path, scratch, mib)
        os.unlink(path)
        os.unlink(scratch)


SECTIONS = {"present": present, "allocate": allocate, "file system": file_system,
            "chain": chain, "attach": attach, "replay": replay}


def main():
    size, out = sys.argv[1:3]
    bench = Bench(size, tempfile.mkdtemp(prefix="vhdx-bench."))
    begin = time.monotonic()
    for name in sys.argv[3:] or SECTIONS:
        SECTIONS[name](bench)
        # What was measured is kept if the next section fails.
        result = {"size": size, "seconds": round(time.monotonic() - begin), **bench.output()}
        with open(out, "w", encoding="ascii") as file:
            json.dump(result, file, indent=1)


if __name__ == "__main__":
    main()
