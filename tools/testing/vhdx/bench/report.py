#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Tables and targets of what bench.py measured.

    report.py RESULT.json			as reStructuredText
    report.py --complete RESULT.json	is there a row for everything?

A ratio is taken within each round, and the median of them is what is shown,
with the least and the greatest behind it.
"""

import json
import re
import statistics
import sys

SUBJECTS = ["raw", "loop", "nbd", "vhdx"]
MIB = 1 << 20


class Result:
    """Rows by section, workload, image and subject."""

    def __init__(self, path):
        with open(path, encoding="ascii") as file:
            self.data = json.load(file)
        self.rows = {(r["section"], r["workload"], r["image"], r["subject"]): r["rounds"]
                     for r in self.data["rows"]}

    def keys(self, section):
        """(workload, image) of the driver's own rows, in order."""
        return [(w, i) for s, w, i, subject in self.rows if s == section and subject == "vhdx"]

    def values(self, key, field):
        """One value for each round; those who serve any image are found under raw."""
        section, workload, image, subject = key
        rounds = self.rows.get(key) or self.rows.get((section, workload, "raw", subject), [])
        return [r[field] for r in rounds if field in r]

    def ratios(self, over, under, field):
        return [a / b for a, b in zip(self.values(over, field), self.values(under, field)) if b]


def span(values, digits=2):
    """Median, least and greatest."""
    if not values:
        return "-"
    return (f"{statistics.median(values):.{digits}f} "
            f"({min(values):.{digits}f}-{max(values):.{digits}f})")


def middle(values, scale=1, digits=0):
    return f"{statistics.median(values) / scale:.{digits}f}" if values else "-"


def table(head, rows):
    """A simple table of reStructuredText."""
    widths = [max(len(row[i]) for row in [head] + rows) for i in range(len(head))]
    rule = "  ".join("=" * w for w in widths)

    def line(row):
        return "  ".join(cell.ljust(w) for cell, w in zip(row, widths)).rstrip()

    return "\n".join([rule, line(head), rule] + [line(row) for row in rows] + [rule, ""])


def heading(text, mark="-"):
    return f"{text}\n{mark * len(text)}\n"


# --- tables -------------------------------------------------------------------


def speed_rows(result, section):
    for workload, image in result.keys(section):
        keys = {s: (section, workload, image, s) for s in SUBJECTS}
        sequential = "1M" in workload
        field, scale = ("bytes", MIB) if sequential else ("iops", 1000)
        yield [workload, image] + \
            [middle(result.values(keys[s], field), scale, 0 if sequential else 1)
             for s in SUBJECTS] + \
            [span(result.ratios(keys["vhdx"], keys[s], field)) for s in ("loop", "nbd")]


def speed_table(result, section):
    head = ["workload", "image"] + SUBJECTS + ["to loop", "to nbd"]
    return table(head, list(speed_rows(result, section)))


def cost_table(result, section):
    rows = []
    for workload, image in result.keys(section):
        row = [workload, image]
        for field, digits in ("cpu_us", 1), ("switches", 2):
            row += [middle(result.values((section, workload, image, s), field), 1, digits)
                    for s in SUBJECTS]
        rows.append(row)
    names = [f"us {s}" for s in SUBJECTS] + [f"sw {s}" for s in SUBJECTS]
    return table(["workload", "image"] + names, rows)


def flush_table(result):
    rows = []
    for workload, image in result.keys("allocate"):
        key = ("allocate", workload, image)
        rows.append([workload] + [middle(result.values(key + (s,), "flushes"), 1, 3)
                                  for s in SUBJECTS] +
                    [middle(result.values(key + ("vhdx",), "fua"), 1, 3)])
    return table(["workload"] + SUBJECTS + ["FUA of vhdx"], rows)


def file_system_table(result):
    rows = []
    for subject in SUBJECTS[1:]:
        image = "raw" if subject == "loop" else "dynamic 2M"
        key = ("file system", "unpack, sync, delete", image, subject)
        row = [subject]
        for field in "unpack", "sync", "delete", "sync again", "trim":
            values = [1000 * v for v in result.values(key, field)]
            row.append(middle(values) if values else "not supported")
        rows.append(row)
    return table(["ms", "unpack", "sync", "delete", "sync again", "trim"], rows)


def chain_table(result):
    rows = [[w, i, middle(result.values(("chain", w, i, "vhdx"), "iops"), 1000, 1)]
            for w, i in result.keys("chain")]
    return table(["workload", "chain", "1000 I/O per s"], rows)


def attach_table(result):
    rows = []
    for _, size in result.keys("attach"):
        key = ("attach", "attach", size, "vhdx")
        rows.append([size, span([1000 * v for v in result.values(key, "seconds")], 1),
                     span([v / MIB for v in result.values(key, "memory")]),
                     middle(result.values(key, "pages")),
                     span([1000 * v for v in result.values(key, "detach")], 1)])
    return table(["size", "ms to attach", "MiB of memory", "pages", "ms to detach"], rows)


def replay_table(result):
    rows = []
    for workload, image in result.keys("replay"):
        own, raw = [("replay", workload, image, s) for s in ("vhdx", "raw")]
        rows.append([workload] +
                    [middle(result.values(own, s), 0.001, 1) for s in ("dirty", "clean")] +
                    [middle(result.values(*r), MIB) for r in ((own, "bytes"), (raw, "bytes"),
                                                              (raw, "read"))] +
                    [span(result.ratios(own, raw, f)) for f in ("bytes", "whole")] +
                    [span([v / MIB for v in result.values(own, "memory")], 1)])
    return table(["log", "ms dirty", "ms clean", "MiB/s", "writing", "reading", "ratio",
                  "ratio of the attach", "MiB of memory"], rows)


TABLES = {
    "present": [("Present blocks: 1000 I/O or MiB per second", lambda r: speed_table(r, "present")),
                ("Present blocks: processor (us) and context switches (sw) of an I/O",
                 lambda r: cost_table(r, "present"))],
    "allocate": [("Allocating writes: 1000 I/O or MiB per second",
                  lambda r: speed_table(r, "allocate")),
                 ("Allocating writes: flushes of the disk below for each write", flush_table)],
    "file system": [("A file system on top", file_system_table)],
    "chain": [("Chains", chain_table)],
    "attach": [("Attach", attach_table)],
    "replay": [("Replay", replay_table)],
}


# --- targets ------------------------------------------------------------------


class Target:
    """At least, or at most, @limit for a ratio of the rows that match."""

    def __init__(self, text, section, workload, over, under, limit, field="iops", most=False):
        self.text, self.section, self.workload = text, section, workload
        self.over, self.under, self.limit = over, under, limit
        self.field, self.most = field, most

    def verdicts(self, result):
        """[(image, met, ratios)] for each row."""
        for workload, image in result.keys(self.section):
            if not re.fullmatch(self.workload, workload):
                continue
            key = (self.section, workload, image)
            ratios = result.ratios(key + (self.over,), key + (self.under,), self.field)
            if ratios:
                median = statistics.median(ratios)
                met = median <= self.limit if self.most else median >= self.limit
                yield f"{workload}, {image}", met, ratios


TARGETS = [
    Target("present, depth 1, to loop: at least 1.0", "present", "4k .* depth 1", "vhdx",
           "loop", 1.0),
    Target("present, depth 32, to loop: at least 1.25", "present", "4k .* depth 32", "vhdx",
           "loop", 1.25),
    Target("present, four jobs, to loop: at least 1.5", "present", "4k .* jobs 4", "vhdx",
           "loop", 1.5),
    Target("present, processor of an I/O, to loop: at most 1.0", "present", "4k .*", "vhdx",
           "loop", 1.0, "cpu_us", True),
    Target("present, depth 1, to qemu-nbd: at least 5", "present", "4k .* depth 1", "vhdx",
           "nbd", 5),
    Target("present, depth 32, to qemu-nbd: at least 3", "present", "4k .* depth 32", "vhdx",
           "nbd", 3),
    Target("sequential, to loop: at least 0.98", "present", "1M .*", "vhdx", "loop", 0.98,
           "bytes"),
    Target("allocating, no fsync, to loop: at least 0.9", "allocate", "[^,]*", "vhdx", "loop",
           0.9),
    Target("allocating, fsync every 100, to qemu-nbd: at least 10", "allocate",
           "4k .* fsync every 100", "vhdx", "nbd", 10),
    Target("replay, to writing a file: at least 0.5", "replay", ".*", "vhdx", "raw", 0.5,
           "bytes"),
]


def between(result, section, field, first, last):
    """Ratios, or differences, of the driver's last row to its first."""
    images = [i for _, i in result.keys(section)]
    workloads = [w for w, i in result.keys(section) if i == images[0]]
    for workload in workloads:
        keys = [(section, workload, i, "vhdx") for i in (images[first], images[last])]
        yield workload, [result.values(key, field) for key in keys]


def size_verdicts(result):
    """Targets that compare the driver with itself: (text, met, what was seen)."""
    for workload, (one, ten) in between(result, "chain", "iops", 0, -1):
        ratios = [b / a for a, b in zip(one, ten)]
        yield (f"chain of ten to one, {workload}: at least 0.9",
               statistics.median(ratios) >= 0.9, span(ratios))
    for _, (small, huge) in between(result, "attach", "seconds", 0, -1):
        ratios = [b / a for a, b in zip(small, huge)]
        yield ("attach, 64 TiB to 1 GiB, time: at most 1.5",
               statistics.median(ratios) <= 1.5, span(ratios))
    for _, (small, huge) in between(result, "attach", "memory", 0, -1):
        more = [(b - a) / MIB for a, b in zip(small, huge)]
        yield ("attach, 64 TiB to 1 GiB, memory: at most 2 MiB more",
               statistics.median(more) <= 2, span(more))


def target_rows(result):
    for target in TARGETS:
        for name, met, ratios in target.verdicts(result):
            yield [target.text, name, "met" if met else "NOT MET", span(ratios)]
    for text, met, seen in size_verdicts(result):
        yield [text, "", "met" if met else "NOT MET", seen]


def target_table(result):
    return table(["target", "row", "verdict", "median (range)"], list(target_rows(result)))


def sections(result):
    return [name for name in TABLES if any(s == name for s, *_ in result.rows)]


def report(result):
    data = result.data
    print(f"{data['date']}, Linux {data['kernel']} in {data['machine']}, {data['cpus']} processors,"
          f" {data['fio']}, {data['qemu']}, --aio={data['nbd_aio']};"
          f" {data['size']}, {data['seconds']} s.\n")
    print(heading("Targets"))
    print(target_table(result))
    for name in sections(result):
        for title, make in TABLES[name]:
            print(heading(title))
            print(make(result))


# --- completeness -------------------------------------------------------------


def missing(result):
    """What a run of all sections should have and this one has not."""
    for name in TABLES:
        if not result.keys(name):
            yield f"no rows of section {name}"
    for section in "present", "allocate":
        for workload, image in result.keys(section):
            for subject in SUBJECTS:
                if not result.values((section, workload, image, subject), "iops"):
                    yield f"{section}: {workload}, {image}: no {subject}"
    for target in TARGETS:
        if not list(target.verdicts(result)):
            yield f"no row for the target '{target.text}'"
    if len(list(size_verdicts(result))) < 4:
        yield "no row for a target about size"


def main():
    result = Result(sys.argv[-1])
    if sys.argv[1] == "--complete":
        gaps = list(missing(result))
        print("\n".join(gaps) or "complete")
        sys.exit(bool(gaps))
    report(result)


if __name__ == "__main__":
    main()
