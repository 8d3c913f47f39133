#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Attach or check the crafted images, one after the other.

  attachimages.py KIND CRAFTED WORK

faults: all bad ones, each refused by name and place, also in the kernel's log;
check: what "vhdxctl check" says about all of them; others: not ours, CRAFTED is
a folder of images with a .tsv each; odd: those with a clean log, for reading and for writing; readonly: dirty ones
for reading; replay: copies of dirty ones for writing; written: copies of both
are written to; chains: CRAFTED is a folder of chains, WORK a seed. One process for all of
them: starting one for each takes most of the time on a slow machine. Prints a
line for each case, "PASS name" or "FAIL name: why". VHDX_TEST_SHARE=K/N tries one
of N cases only, for machines that are slow beyond measure.
"""

import errno
import mmap
import os
import random
import re
import reprlib
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../vhdx/images"))

import control
import vhdxmodel as model
from vhdxmodel import GIB, MIB


class Wrong(Exception):
    """What a case found."""


# The content of a disk in a message would take minutes to print.
SHORT = reprlib.Repr()
SHORT.maxstring = SHORT.maxother = 300
SHORT.maxlist = 20


def expect(what, want, got):
    if want != got:
        raise Wrong(f"{what} is {SHORT.repr(got)}, not {SHORT.repr(want)}")


def command(*args):
    """Output of a command that must succeed."""
    done = subprocess.run(args, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Wrong(f"{args[0]}: exit status {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout.strip()


class Attached:
    """An attached image; detached at the end."""

    def __init__(self, *args):
        self.dev = command("vhdxctl", "attach", *args)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        command("vhdxctl", "detach", self.dev)

    def attr(self, name):
        path = f"/sys/block/{os.path.basename(self.dev)}/vhdx/{name}"
        with open(path, encoding="ascii") as value:
            return value.read().strip()

    def verify(self, tsv, whole=16 * MIB):
        """All content; of what has to be zero all, or samples in large disks."""
        size = model.tsv_size(tsv)
        stride = 1 if size <= whole else 16 if size <= 16 * GIB else size // (64 * MIB)
        wrong = model.verify_raw(tsv, self.dev, stride)
        if wrong:
            raise Wrong("; ".join(wrong[:5]))


def table(crafted, name):
    with open(os.path.join(crafted, name), encoding="ascii") as lines:
        return [line.rstrip("\n").split("\t") for line in lines if line[0] != "#"]


class KernelLog:
    """What the kernel says from now on."""

    def __init__(self):
        self.fd = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
        os.lseek(self.fd, 0, os.SEEK_END)

    def lines(self):
        """All that came since the last call."""
        found = []
        while True:
            try:
                found.append(os.read(self.fd, 8192).decode(errors="replace"))
            except BlockingIOError:
                return "".join(found)
            except BrokenPipeError:
                pass            # some were overwritten before we read them


def says(text, fault, off, between=""):
    """Is the fault named, and the place right behind it?"""
    place = re.escape(between + off) if off != "-" else ""
    return re.search(rf"\b{fault}{place}([: ]|$)", text, re.M)


def case_refused(log, path, fault, off, options):
    log.lines()
    done = subprocess.run(["vhdxctl", "attach", *options, path], capture_output=True,
                          text=True, check=False)
    if not done.returncode:
        command("vhdxctl", "detach", done.stdout.strip())
        raise Wrong("was attached")
    if not says(done.stderr, fault, off, " at offset "):
        raise Wrong(f"{fault} at {off} is not in what vhdxctl said: {done.stderr}")
    lines = log.lines()
    if not says(lines, fault, off, " at "):
        raise Wrong(f"{fault} at {off} is not in the kernel's log: {lines}")


def case_chain(log, path, fault, off, code):
    """By vhdxctl, which looks itself, and by the driver with what it is handed."""
    done = subprocess.run(["vhdxctl", "attach", path], capture_output=True, text=True,
                          check=False)
    expect("attached", False, not done.returncode)
    expect(f"{fault} is in what vhdxctl said: {done.stderr}", True, fault in done.stderr)
    chain = [path, os.path.join(os.path.dirname(path), "parent.vhdx")]
    if fault == "chain-parent-missing":
        chain.pop()
    if fault == "chain-duplicate":
        chain[1] = path
    for flags in (1, 0):
        log.lines()
        err, blamed, name, at, _ = control.attach_chain(chain, flags)
        expect("what the driver said", (code, int(fault == "chain-duplicate"), fault, off),
               (errno.errorcode.get(err), blamed, name, hex(at)))
        lines = log.lines()
        expect(f"it is in the kernel's log: {lines}", True, bool(says(lines, fault, off, " at ")))


def case_unchanged(crafted, before):
    for name, old in before.items():
        expect(f"sum of {name}", old, model.file_sum(os.path.join(crafted, name)))


def cases_faults(crafted):
    log = KernelLog()
    bad = table(crafted, "expect.tsv")
    before = {row[0]: model.file_sum(os.path.join(crafted, row[0])) for row in bad}
    for file, mode, fault, off, code, _ in bad:
        path, name = os.path.join(crafted, file), file.removesuffix(".vhdx")
        if mode in ("both", "ro"):
            yield name + " read-only", case_refused, (log, path, fault, off, ["-r"])
        if mode in ("both", "rw"):
            yield name, case_refused, (log, path, fault, off, [])
        if mode == "chain":
            yield name, case_chain, (log, path, fault, off, code)
    yield "no file changed", case_unchanged, (crafted, before)


def case_check(path, status, fault="", off=""):
    done = subprocess.run(["vhdxctl", "check", path], capture_output=True, text=True,
                          check=False)
    expect(f"exit status ({done.stdout}{done.stderr})", status, done.returncode)
    if fault and not says(done.stdout + done.stderr, fault, off, " at "):
        raise Wrong(f"{fault} at {off} is not in what it said: {done.stdout}{done.stderr}")


def cases_check(crafted):
    for file, mode, fault, off, *_ in table(crafted, "expect.tsv"):
        # Limits of the kernel, and what depends on attaching, are not looked at.
        if mode == "both" and not fault.startswith("chain"):
            yield file.removesuffix(".vhdx"), case_check, \
                (os.path.join(crafted, file), 4, fault, off)
    # One of two copies is damaged: a note, since the other one serves.
    notes = {file: (fault, off) for file, fault, off in table(crafted, "check.tsv")}
    for file, *_ in table(crafted, "good.tsv"):
        yield file.removesuffix(".vhdx"), case_check, \
            (os.path.join(crafted, file), 0, *notes.get(file, ()))


def case_odd(path, mode):
    before = model.file_sum(path)
    with Attached("-r", path) as image:
        image.verify(path + ".tsv")
    if mode == "both":
        with Attached(path) as image:
            image.verify(path + ".tsv")
            expect("mode", "write", image.attr("mode"))
    else:
        done = subprocess.run(["vhdxctl", "attach", path], capture_output=True, check=False)
        expect("attached for writing", True, bool(done.returncode))
    expect("the file afterwards", before, model.file_sum(path))


def case_readonly(path, entries):
    before = model.file_sum(path)
    with Attached("-r", path) as image:
        expect("replayed_entries", entries, image.attr("replayed_entries"))
        image.verify(path + ".tsv")
    expect("the file afterwards", before, model.file_sum(path))


def case_others(path):
    """Byte for byte; only a dirty one changes, and only when attached to write."""
    before = model.file_sum(path)
    image = model.Image(path)
    image.close()
    with Attached("-r", path) as attached:
        attached.verify(path + ".tsv", GIB)
    expect("the file after reading", before, model.file_sum(path))
    with Attached(path) as attached:
        attached.verify(path + ".tsv")
    if image.dirty:
        expect("reasons to refuse it", [], model.check_strict(path, clean=True))
        command("qemu-img", "check", "-q", "-f", "vhdx", path)
    else:
        expect("the file after all", before, model.file_sum(path))


def cases_others(folder):
    for name in sorted(os.listdir(folder)):
        path = os.path.join(folder, name)
        if name.endswith(".vhdx") and not os.path.islink(path):
            yield name, case_others, (path,)


def sparse_copy(source, target):
    subprocess.run(["cp", "--sparse=always", source, target], check=True)


def data_write(path):
    image = model.Image(path)
    image.close()
    return image.header.data_write, image.lss


def case_replay(path, entries, work):
    copy = os.path.join(work, os.path.basename(path))
    sparse_copy(path, copy)
    before, sector = data_write(copy)
    with Attached(copy) as image:
        expect("replayed_entries", entries, image.attr("replayed_entries"))
        expect("log_state", "clean", image.attr("log_state"))
        image.verify(path + ".tsv")
    expect("reasons to refuse it", [], model.check_strict(copy, clean=True))
    command("vhdxctl", "check", copy)
    if sector == 512 and shutil.which("qemu-img"):
        command("qemu-img", "check", "-q", "-f", "vhdx", copy)
    # Replay alone is no change that a user of the disk could see.
    expect("DataWriteGuid", before, data_write(copy)[0])
    image = model.Image(copy)
    lines = [model.tsv_header(image.size), *model.tsv_lines(image.chunks())]
    image.close()
    with open(path + ".tsv", encoding="ascii") as want:
        expect("content by the model", want.read().splitlines(), lines)
    os.unlink(copy)


# Where something odd might meet an allocation.
WRITTEN = """plain fixed fixed-unallocated fixed-last-beyond headers-equal headers-null
    headers-first-newer header-first-bad header-second-bad log-stale log-version-unused
    region-first-bad
    region-second-bad regions-differ region-unknown-optional regions-last
    items-unknown-optional items-unaligned bat-garbage-beyond bat-states
    bat-states-offset-ignored sectors-physical-smaller sectors-4096 size-mib-512
    size-mib-4096 file-size-odd file-tail-unused holes-between block-1m-512 block-2m-4096
    block-16m-512 block-32m-4096 dirty-several dirty-last-beyond dirty-region-moved
    dirty-size-changed dirty-log-4mib""".split()


def content(path):
    """({offset: bytes}, size) by the model."""
    image = model.Image(path)
    image.check_bat()
    chunks, size = dict(image.chunks()), image.size
    image.close()
    return chunks, size


def write_somewhere(dev, chunks, size):
    """A MiB each at the beginning, in the middle and at the end."""
    data = os.urandom(MIB)
    out = os.open(dev, os.O_RDWR)
    for off in {0, size // 2 // MIB * MIB, max(size - 1, 0) // MIB * MIB}:
        chunks[off] = data[:size - off]
        os.pwrite(out, chunks[off], off)
    os.fsync(out)
    os.close(out)


def survives(path, want):
    """What the file would be after a power cut, its log not yet emptied."""
    cut = path + ".cut"
    sparse_copy(path, cut)
    command("vhdxctl", "check", cut)
    expect("content after a power cut by the model", want, content(cut))
    os.unlink(cut)


def case_written(path, work):
    copy = os.path.join(work, os.path.basename(path))
    sparse_copy(path, copy)
    chunks, size = content(copy)
    with Attached(copy) as image:
        write_somewhere(image.dev, chunks, size)
        survives(copy, (chunks, size))
        with open(copy + ".tsv", "w", encoding="ascii") as tsv:
            print(model.tsv_header(size), *model.tsv_lines(sorted(chunks.items())),
                  sep="\n", file=tsv)
        image.verify(copy + ".tsv")
    expect("content by the model", (chunks, size), content(copy))
    done = subprocess.run(["vhdxctl", "check", copy], capture_output=True, text=True, check=False)
    expect(f"status of vhdxctl check, {done.stdout}", 0, done.returncode)
    expect("the log", False, model.Image(copy).dirty)
    expect("rest of the file size", 0, os.path.getsize(copy) % MIB)
    os.unlink(copy)


def case_chain_read(leaf, depth):
    folder = os.path.dirname(leaf)
    before = {f: model.file_sum(os.path.join(folder, f)) for f in os.listdir(folder)}
    with Attached("-r", leaf) as image:
        expect("depth", depth, image.attr("depth"))
        image.verify(leaf + ".tsv")
    for file, old in before.items():
        expect(f"sum of {file}", old, model.file_sum(os.path.join(folder, file)))


def write_sectors(rng, dev, chunks, size, sector):
    """Direct writes of some sectors, or of a MiB, near what is there already."""
    out = os.open(dev, os.O_RDWR | os.O_DIRECT)
    memory = mmap.mmap(-1, MIB)
    places = sorted(chunks) + [0, (size - 1) // MIB * MIB]
    for _ in range(80):
        nr = rng.choice((1, 1, 2, 7, 64, 65, 300, MIB // sector))
        off = rng.choice(places) + rng.randrange(MIB // sector) * sector
        if nr == MIB // sector:
            off -= off % MIB
        nr = min(nr, MIB // sector, (size - off) // sector)
        if off + sector > size:
            continue
        data = rng.randbytes(nr * sector)
        memory[:len(data)] = data
        os.pwrite(out, memoryview(memory)[:len(data)], off)
        patch(chunks, size, off, data)
        if rng.random() < 0.05:
            os.fsync(out)
    os.fsync(out)
    os.close(out)


def patch(chunks, size, off, data):
    while data:
        pos, inner = off // MIB * MIB, off % MIB
        piece = data[:MIB - inner]
        whole = min(MIB, size - pos)
        old = chunks.get(pos, bytes(whole))
        chunks[pos] = old[:inner] + piece + old[inner + len(piece):]
        off, data = off + len(piece), data[len(piece):]


def case_chain_written(leaf, seed):
    """Parents stay as they are; what was written shows, the rest as before."""
    folder = os.path.dirname(leaf)
    parents = [f for f in os.listdir(folder) if f.endswith(".vhdx") and
               f != os.path.basename(leaf)]
    before = {f: model.file_sum(os.path.join(folder, f)) for f in parents}
    chunks, size = content(leaf)
    sector = data_write(leaf)[1]
    for n in range(2):
        with Attached(leaf) as image:
            write_sectors(random.Random(f"{seed} {n}"), image.dev, chunks, size, sector)
            if not n:
                survives(leaf, (chunks, size))
            with open(leaf + ".tsv", "w", encoding="ascii") as tsv:
                print(model.tsv_header(size), *model.tsv_lines(sorted(chunks.items())),
                      sep="\n", file=tsv)
            image.verify(leaf + ".tsv")
        expect("content by the model", (chunks, size), content(leaf))
        expect("reasons to refuse it", [], model.check_strict(leaf, clean=True))
        command("vhdxctl", "check", leaf)
    for file, old in before.items():
        expect(f"sum of {file}", old, model.file_sum(os.path.join(folder, file)))


def cases_chains(folder, seed):
    for leaf, depth in table(folder, "chains.tsv"):
        path, name = os.path.join(folder, leaf), os.path.dirname(leaf)
        yield name + " is read", case_chain_read, (path, depth)
        yield name + " is written", case_chain_written, (path, seed)


def cases_good(kind, crafted, work):
    for file, mode, entries in table(crafted, "good.tsv"):
        path, name = os.path.join(crafted, file), file.removesuffix(".vhdx")
        if kind == "odd" and entries == "0":
            yield name, case_odd, (path, mode)
        elif kind == "readonly" and entries != "0":
            yield name, case_readonly, (path, entries)
        elif kind == "replay" and entries != "0":
            yield name, case_replay, (path, entries, work)


def cases(kind, crafted, work):
    """(name, function, arguments)"""
    if kind == "faults":
        return cases_faults(crafted)
    if kind == "check":
        return cases_check(crafted)
    if kind == "others":
        return cases_others(crafted)
    if kind == "chains":
        return cases_chains(crafted, work)
    if kind == "written":
        return [(name, case_written, (os.path.join(crafted, name + ".vhdx"), work))
                for name in WRITTEN]
    return cases_good(kind, crafted, work)


KINDS = "faults", "check", "others", "odd", "readonly", "replay", "written", "chains"


def sample(kind, every):
    """Our share, and the last, which may be about all of them. Chains were divided
    when they were made."""
    if kind == "chains":
        return every
    ours, shares = map(int, os.environ.get("VHDX_TEST_SHARE", "1/1").split("/"))
    return every[ours - 1:-1:shares] + every[-1:]


def main(argv):
    if len(argv) != 4 or argv[1] not in KINDS:
        sys.exit(__doc__)
    for name, function, args in sample(argv[1], list(cases(*argv[1:]))):
        try:
            function(*args)
            print("PASS", name, flush=True)
        except (Wrong, OSError, EOFError, model.Fault) as why:
            print(f"FAIL {name}: {str(why)!r}", flush=True)
    print("PASS all were tried" if os.environ.get("VHDX_TEST_SHARE", "1/1") == "1/1" else "PASS some were tried")


if __name__ == "__main__":
    main(sys.argv)
