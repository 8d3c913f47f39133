# SPDX-License-Identifier: GPL-2.0-only
"""One measurement: fio runs, and the whole machine is watched meanwhile."""

import glob
import json
import os
import subprocess

TICK = os.sysconf("SC_CLK_TCK")


def task_times():
    """Seconds of processor that each process and kernel thread has used."""
    times = {}
    for path in glob.glob("/proc/[0-9]*/stat"):
        try:
            with open(path, encoding="ascii", errors="replace") as file:
                fields = file.read().rpartition(")")[2].split()
        except OSError:
            continue
        times[path] = (int(fields[11]) + int(fields[12])) / TICK
    return times


def switches():
    with open("/proc/stat", encoding="ascii") as file:
        for line in file:
            if line.startswith("ctxt "):
                return int(line.split()[1])
    raise RuntimeError("no context switches in /proc/stat")


class Watch:
    """Processor and context switches between begin and end."""

    def __init__(self):
        self.times = task_times()
        self.switches = switches()

    def end(self):
        """Seconds that others than children of ours used; switches."""
        mine = f"/proc/{os.getpid()}/stat"
        times = task_times()
        used = sum(time - self.times.get(path, 0) for path, time in times.items()
                   if path != mine)
        return used, switches() - self.switches


def fio_command(path, job):
    words = ["fio", "--name=bench", f"--filename={path}", "--direct=1", "--ioengine=io_uring",
             "--thread", "--group_reporting", "--gtod_reduce=1", "--invalidate=0",
             "--output-format=json"]
    return words + [f"--{key}={value}" for key, value in job.items()]


def fio(path, job):
    """What fio says of its one group of jobs."""
    done = subprocess.run(fio_command(path, job), stdout=subprocess.PIPE, text=True,
                          stderr=subprocess.PIPE, check=False)
    if done.returncode:
        raise RuntimeError(f"fio on {path}: {done.stderr.strip()} {done.stdout[-500:]}")
    result = json.loads(done.stdout[done.stdout.index("{"):])["jobs"][0]
    if result["error"]:
        raise RuntimeError(f"fio on {path}: error {result['error']}")
    return result


def measure(path, job):
    """Run a job: I/O per second, bytes per second, cost of each I/O.

    The processor time of an I/O is what the threads of fio used while the job
    ran, and what everybody else did, kernel threads and servers included.
    """
    watch = Watch()
    result = fio(path, job)
    others, nr_switches = watch.end()
    side = result["write" if "write" in job["rw"] else "read"]
    ios = side["total_ios"]
    seconds = max(side["runtime"], 1) / 1000
    jobs = int(job.get("numjobs", 1))
    own = seconds * (result["usr_cpu"] + result["sys_cpu"]) / 100 * jobs
    return {"iops": ios / seconds, "bytes": side["io_bytes"] / seconds,
            "cpu_us": (own + others) / ios * 1e6, "switches": nr_switches / ios,
            "ios": ios, "seconds": seconds}
