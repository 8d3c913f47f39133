#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Tests of the oracle itself, without a kernel. Output is KTAP.

  selftest.py [unittest arguments]

The model has to agree with the test vectors of the format, with images that
others wrote (VHDX_SHARED_IMAGES, default: shared/images beside the checkout;
skipped where they are missing), with qemu-img where it is installed, and with
what the builder meant to build.
"""

import os
import random
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path.append(os.path.join(HERE, "../../selftests/vhdx"))

import faultimages
import logwrites
import mkimages
import unpackimages
import vhdxmodel as model
from vhdxbuild import (Build, Log, LOG_GUID, data_desc, log_entry, pattern, seal, zero_desc)
from vhdxmodel import MIB, PAGE, Fault, Image

SHARED = os.environ.get("VHDX_SHARED_IMAGES") or \
    os.path.normpath(os.path.join(HERE, "../../../../../shared/images"))
TMP = os.environ.get("TMPDIR") or tempfile.gettempdir()


def rows(path):
    with open(path, encoding="ascii") as lines:
        return [tuple(line.rstrip("\n").split("\t")) for line in lines if line[0] != "#"]


class Vectors(unittest.TestCase):
    """Numbers that come from real files and from the format's description."""

    def test_crc32c(self):
        self.assertEqual(model.crc32c(b"123456789"), 0xE3069283)
        self.assertEqual(model.crc32c(bytes(PAGE)), 0x98F94189)
        self.assertEqual(model.crc32c(b"\xff" * PAGE), 0x25C1FE13)
        self.assertEqual(model.crc32c(bytes(range(256)) * 16), 0x9C71FE32)
        self.assertEqual(model.crc32c(bytes(65536)), 0x72C0C4A4)

    def test_header_synthetic(self):
        build = Build()
        header = dict(build.headers[0], seq=1)
        raw = build.header_bytes(header)
        self.assertEqual(struct.unpack_from("<I", raw, 4)[0], 0x7DB9F1B9)
        self.assertIsNone(model.Header(raw, 0x10000).fault)

    def test_header_real(self):
        text = """68656164 18bbfa37 0e00000000000000 6dea908e36b6491cb7d435109e600c0c
            b2cb47d2b6154b409133790733d694c0 00000000000000000000000000000000
            0000 0100 00001000 0000100000000000"""
        raw = bytes.fromhex(text).ljust(PAGE, b"\0")
        header = model.Header(raw, 0x10000)
        self.assertIsNone(header.fault)
        self.assertEqual((header.seq, header.log_len, header.log_off), (14, MIB, MIB))

    def test_region_table_real(self):
        text = """72656769ae8c6bc60200000000000000
            6677c22d23f600429d64115e9bfd4a08 0000300000000000 00001000 01000000
            06a27c8b90479a4bb8fe575f050f886e 0000200000000000 00001000 01000000"""
        raw = bytes.fromhex(text).ljust(65536, b"\0")
        self.assertTrue(model.crc_ok(raw))
        build = Build()
        build.regions[0][1:3], build.regions[1][1:3] = [3 * MIB, MIB], [2 * MIB, MIB]
        self.assertEqual(build.region_table(), raw)

    def test_log_entry_real(self):
        bat = struct.pack("<3Q", 0x400006, 0x2400006, 0x4400006)
        bat = (bat + struct.pack("<Q", 2) * 29).ljust(PAGE, b"\0")
        guid = bytes.fromhex("935589c288ee5144a6815f41983af0b6")
        empty = log_entry(4371089312299158167, [], 0, 4 * MIB, 4 * MIB, guid)
        self.assertEqual(struct.unpack_from("<I", empty, 4)[0], 0xFD05C15E)
        raw = log_entry(4371089312299158168, [data_desc(3 * MIB, bat)], PAGE, 0,
                        100 * MIB, guid)
        self.assertEqual(struct.unpack_from("<I", raw, 4)[0], 0xA9C6AB1D)

    def test_log_entry_synthetic(self):
        guid = bytes.fromhex("00112233445566778899aabbccddeeff")
        descs = [data_desc(3 * MIB, bytes(range(256)) * 16), zero_desc(5 * MIB, MIB)]
        raw = log_entry(0x0102030405060708, descs, 0, 4 * MIB, 6 * MIB, guid)
        self.assertEqual(struct.unpack_from("<I", raw, 4)[0], 0xC78F50F7)
        raw = log_entry(1, [], 0, 4 * MIB, 4 * MIB, guid)
        self.assertEqual(struct.unpack_from("<I", raw, 4)[0], 0xC62FA8C2)


class Crafted(unittest.TestCase):
    """What mkimages.py makes, against what the model says about it."""

    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.mkdtemp(prefix="vhdx-images.", dir=TMP)
        mkimages.make(cls.dir)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.dir)

    def path(self, name):
        return os.path.join(self.dir, name)

    def open_all(self, name):
        image = Image(self.path(name))
        try:
            image.check_bat()
            if image.has_parent:
                image.parent().close()
        finally:
            image.close()

    def test_faults(self):
        # The first depends on writing, the second on the reader's memory, the
        # third on who finds parents: a model without limits opens the files.
        beyond = ("header-sequence", "log-too-complex", "chain-parent-missing")
        for file, _, fault, off, _, _ in rows(self.path("expect.tsv")):
            if fault in beyond:
                continue
            with self.subTest(file):
                with self.assertRaises(Fault) as caught:
                    self.open_all(file)
                self.assertEqual(caught.exception.name, fault)
                if off != "-":
                    self.assertEqual(hex(caught.exception.off), off)

    def test_log_defects(self):
        """The only entry has exactly the defect that it is named for."""
        for file, _, fault, _, _, defect in rows(self.path("expect.tsv")):
            if fault != "log-no-sequence" or not defect.startswith(("log-entry", "log-d")):
                continue
            with self.subTest(file):
                bits = model.File(self.path(file))
                headers = [model.Header(bits.read(o, PAGE), o) for o in model.HEADER_OFFS]
                ring = model.Ring(bits, model.choose_header(headers))
                with self.assertRaises(Fault) as caught:
                    model.Entry(ring, 512 if defect == "log-entry-alignment" else 0)
                self.assertEqual(caught.exception.name, defect)
                bits.close()

    def test_every_name_has_an_image(self):
        table = os.path.join(HERE, "../../../../drivers/block/vhdx/format/fault.h")
        with open(table, encoding="utf-8") as lines:
            names = re.findall(r"^X\(([A-Z0-9_]+),", lines.read(), re.M)
        self.assertGreater(len(names), 80)
        made = {row[5] for row in rows(self.path("expect.tsv"))}
        made |= {row[1] for row in rows(self.path("check.tsv"))}
        missing = {n.lower().replace("_", "-") for n in names} - made
        self.assertEqual(missing, {"chain-parent-unused", "file-too-large"})

    def test_errnos(self):
        table = os.path.join(HERE, "../../../../drivers/block/vhdx/format/fault.h")
        with open(table, encoding="utf-8") as lines:
            pairs = re.findall(r"^X\(([A-Z0-9_]+),\s*([A-Z]+),", lines.read(), re.M)
        for name, errno in pairs:
            name = name.lower().replace("_", "-")
            self.assertEqual(faultimages.errno_of(name), errno, name)

    def test_good(self):
        for file, _, entries in rows(self.path("good.tsv")):
            with self.subTest(file):
                image = Image(self.path(file))
                image.check_bat()
                lines = [model.tsv_header(image.size), *model.tsv_lines(image.chunks())]
                with open(self.path(file + ".tsv"), encoding="ascii") as want:
                    self.assertEqual(lines, want.read().splitlines())
                self.assertEqual(len(image.sequence), int(entries))
                image.close()

    def test_log_matters(self):
        """Whoever ignores the log of a dirty image sees something else."""
        same = {"dirty-entries-empty.vhdx"}
        for file, _, entries in rows(self.path("good.tsv")):
            if entries == "0" or file in same:
                continue
            with self.subTest(file), open(self.path(file), "rb+") as out:
                for off in model.HEADER_OFFS:
                    raw = os.pread(out.fileno(), PAGE, off)
                    raw = seal(raw[:48] + bytes(16) + raw[64:])
                    os.pwrite(out.fileno(), raw, off)
                try:
                    image = Image(self.path(file))
                    image.check_bat()
                    lines = [model.tsv_header(image.size), *model.tsv_lines(image.chunks())]
                except (Fault, EOFError):
                    continue
                with open(self.path(file + ".tsv"), encoding="ascii") as want:
                    self.assertNotEqual(lines, want.read().splitlines())

    @unittest.skipUnless(shutil.which("qemu-img"), "qemu-img is not installed")
    def test_qemu_agrees(self):
        """qemu-img reads the same content, where it can read the image."""
        raw = self.path("qemu.raw")
        for name in ("plain", "fixed", "headers-equal", "size-mib-512", "size-4gib-512",
                     "sectors-512", "block-1m-512", "block-256m-512", "regions-last",
                     "region-not-required", "bat-garbage-beyond", "holes-between"):
            file = self.path(name + ".vhdx")
            with self.subTest(name):
                subprocess.run(["qemu-img", "convert", "-f", "vhdx", "-O", "raw", file, raw],
                               check=True)
                self.assertEqual(model.verify_raw(file + ".tsv", raw), [])


class RandomRings(unittest.TestCase):
    """Histories of a small ring: the search finds what was written last."""

    def history(self, seed):
        rng = random.Random(seed)
        build = Build()
        build.log_len = 16 * PAGE
        build.header(log_guid=LOG_GUID, log_len=MIB)
        log = Log(build, rng.randrange(16) * PAGE, rng.choice((1, (1 << 32) - 3, 1 << 60)))
        for n in range(rng.randrange(3)):
            log.put(rng.randrange(16) * PAGE, log_entry(500 + n, [], 0, 0, 0, b"x" * 16))
        live = []           # [(position, sectors, seq)] from the tail to the head
        for _ in range(rng.randrange(1, 30)):
            self.add_entry(rng, build, log, live)
        if rng.random() < 0.5:
            self.tear(rng, build, log, live)
        return build, live

    def add_entry(self, rng, build, log, live):
        want = rng.randrange(3)
        while live and sum(e[1] for e in live) + want + 1 > 15:
            live.pop(0)
        while live and rng.random() < 0.2:
            live.pop(0)
        descs = [data_desc(build.bat_off, pattern(log.seq, PAGE)) for _ in range(want)]
        tail = live[0][0] if live else log.pos
        seq = log.seq
        pos = log.add(descs, tail=tail)
        live.append((pos, 1 + want, seq))

    def tear(self, rng, build, log, live):
        """Some sectors of one more entry reached the disk, not all."""
        if sum(e[1] for e in live) + 3 > 16:
            return
        raw = log_entry(log.seq, [data_desc(MIB, pattern("torn", PAGE))] * 2, log.pos, 0, 0)
        for n in rng.sample(range(3), rng.randrange(3)):
            log.put((log.pos + n * PAGE) % build.log_len, raw[n * PAGE:(n + 1) * PAGE])

    def test_histories(self):
        path = os.path.join(TMP, f"vhdx-ring.{os.getpid()}")
        try:
            for seed in range(200):
                build, live = self.history(seed)
                build.write(path)
                bits = model.File(path)
                header = model.Header(build.header_bytes(build.headers[0]), 0x10000)
                header.log_len = build.log_len
                got = [(e.pos, e.length // PAGE, e.seq)
                       for e in model.Ring(bits, header).active()]
                bits.close()
                self.assertEqual(got, live, f"seed {seed}")
        finally:
            os.unlink(path)


@unittest.skipUnless(os.path.isdir(SHARED), f"no images of others in {SHARED}")
class Shared(unittest.TestCase):
    """Images that Hyper-V, QEMU and others wrote."""

    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.mkdtemp(prefix="vhdx-shared.", dir=TMP)
        cls.names = unpackimages.unpack(SHARED, cls.dir)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.dir)

    def test_all_there(self):
        self.assertGreaterEqual(len(self.names), 10)

    def test_content(self):
        with open(os.path.join(SHARED, "README.md"), encoding="utf-8") as readme:
            digests = readme.read()
        for name in self.names:
            with self.subTest(name):
                image = Image(os.path.join(self.dir, name))
                image.check_bat()
                chunks = list(image.chunks())
                want = model.read_tsv(os.path.join(self.dir, name + ".tsv"))
                got = {int(o): (int(n), s) for o, n, s in
                       (line.split("\t") for line in model.tsv_lines(chunks))}
                self.assertEqual(got, want)
                self.assertIn(model.digest(image.size, chunks), digests)
                image.close()

    def test_dirty(self):
        image = Image(os.path.join(self.dir, "qemu-iotest-dirtylog-10G-4M.vhdx"))
        self.assertEqual([(e.seq, e.pos) for e in image.sequence], [(7, 0xC000)])
        self.assertEqual(image.entry(17), 0x1D00006)
        image.close()


class WriteOrder(unittest.TestCase):
    """logwrites.py sees what is wrong in a sequence of writes, and only that."""

    def setUp(self):
        self.path = os.path.join(TMP, f"vhdx-order.{os.getpid()}")
        self.build = Build()
        self.build.spread([0])
        self.build.write(self.path)
        self.before = self.build.bat_page(0)
        self.after = self.build.bat_page(0, {0: self.build.bat[0], 1: 12 * MIB | 6})
        self.last = self.build.bat_page(0, {0: self.build.bat[0], 2: 13 * MIB | 6})

    def tearDown(self):
        os.unlink(self.path)

    def entry(self, seq, page, tail):
        size = self.build.file_size
        return log_entry(seq, [data_desc(self.build.bat_off, page)] if page else [], tail,
                         size, size)

    def wrong(self, *steps):
        """Complaints about steps (offset, bytes, flags) after a log was begun."""
        b = self.build
        header = dict(b.headers[0], seq=9, log_guid=LOG_GUID)
        with open(self.path, "rb") as image:
            steps = [(0, image.read(), 0), (0, b"attach", logwrites.MARK),
                     (b.log_off, self.entry(1, None, 0), logwrites.FUA),
                     (0x10000, b.header_bytes(header), logwrites.FUA), *steps]
        real, logwrites.extents = logwrites.extents, lambda path: [(0, 0, 1 << 40)]
        try:
            follower = logwrites.Follower(self.path)
        finally:
            logwrites.extents = real
        for number, (off, data, flags) in enumerate(steps):
            follower.follow(logwrites.Write(number, off, len(data), flags, data))
        return follower.wrong

    def log(self, pos, seq, page, tail, flags=logwrites.FUA):
        return self.build.log_off + pos, self.entry(seq, page, tail), flags

    def bat(self, page, flags=0):
        return self.build.bat_off, page, flags

    flush = (0, b"", logwrites.FLUSH)

    def test_right(self):
        self.assertEqual(self.wrong(
            self.log(PAGE, 2, self.after, PAGE), self.bat(self.after), self.flush,
            self.log(3 * PAGE, 3, self.last, 3 * PAGE), self.bat(self.last), self.flush), [])

    def test_right_without_fua(self):
        self.assertEqual(self.wrong(
            self.log(PAGE, 2, self.after, PAGE, 0), self.flush,
            self.bat(self.after), self.flush), [])

    def test_place_before_log(self):
        self.assertIn("no stable log", self.wrong(
            self.bat(self.after), self.flush, self.log(PAGE, 2, self.after, PAGE))[0])

    def test_place_newer_than_log(self):
        self.assertIn("no stable log", self.wrong(
            self.log(PAGE, 2, self.after, PAGE), self.bat(self.last), self.flush)[0])

    def test_log_not_flushed(self):
        self.assertIn("are not stable", self.wrong(
            self.log(PAGE, 2, self.after, PAGE, 0), self.bat(self.after), self.flush)[0])

    def test_tail_too_early(self):
        self.assertIn("leaves entry 2 behind", self.wrong(
            self.log(PAGE, 2, self.after, PAGE),
            self.log(3 * PAGE, 3, None, 3 * PAGE), self.bat(self.after), self.flush)[0])

    def test_tail_stays(self):
        self.assertEqual(self.wrong(
            self.log(PAGE, 2, self.after, PAGE),
            self.log(3 * PAGE, 3, self.last, PAGE), self.bat(self.last), self.flush), [])

    def test_header_before_entry(self):
        header = dict(self.build.headers[0], seq=10, log_guid=b"a new log's guid")
        self.assertIn("nobody can open", self.wrong(
            (0x20000, self.build.header_bytes(header), logwrites.FUA))[0])


class KtapResult(unittest.TestResult):
    """One line for each test, failures as comments."""

    def startTestRun(self):
        self.count = 0
        self.skips = 0

    def line(self, word, test, rest=""):
        self.count += 1
        name = test.id().removeprefix("__main__.") if test else "?"
        print(f"{word} {self.count} {name}{rest}", flush=True)

    def stopTest(self, test):
        mine = [text for t, text in self.failures + self.errors
                if t is test or getattr(t, "test_case", None) is test]
        for text in mine:
            print("# " + text.rstrip().replace("\n", "\n# "))
        if test not in [t for t, _ in self.skipped]:
            self.line("not ok" if mine else "ok", test)
        super().stopTest(test)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.skips += 1
        self.line("ok", test, f" # SKIP {reason}")


class KtapRunner:
    """What unittest.main() runs tests with."""

    def run(self, suite):
        print("KTAP version 1")
        print(f"1..{suite.countTestCases()}")
        result = KtapResult()
        result.startTestRun()
        suite.run(result)
        bad = len({t.id().split(" ")[0] for t, _ in result.failures + result.errors})
        print(f"# {result.count - bad - result.skips} passed, {bad} failed, "
              f"{result.skips} skipped")
        return result


if __name__ == "__main__":
    unittest.main(testRunner=KtapRunner())
