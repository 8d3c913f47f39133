# SPDX-License-Identifier: GPL-2.0-only
"""What is compared: block devices on files, and the file itself.

Each subject has a name and, while it is up, a path that fio can use.
"""

import os
import signal
import subprocess
import time

NBD_DEVICES = 16


def sh(*words, **options):
    """Run a command; what it prints, without the last newline."""
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          check=False, **options)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)}: {done.stderr.strip() or done.returncode}")
    return done.stdout.rstrip("\n")


def read(path):
    with open(path, encoding="ascii") as file:
        return file.read().strip()


class Raw:
    """The file, with direct I/O and nothing in between."""

    name = "raw"

    def __init__(self, file):
        self.path = file

    def down(self):
        pass


class Loop:
    name = "loop"

    def __init__(self, file):
        self.path = sh("losetup", "--find", "--show", "--direct-io=on", file)
        if read(f"/sys/block/{self.path[5:]}/loop/dio") != "1":
            raise RuntimeError("loop does no direct I/O")

    def down(self):
        sh("losetup", "-d", self.path)


class Nbd:
    """qemu-nbd, a process of user space, and the kernel's client."""

    name = "nbd"
    aio = "io_uring"
    free = None

    def __init__(self, file, form="vhdx"):
        if Nbd.free is None:
            sh("modprobe", "nbd", f"nbds_max={NBD_DEVICES}")
            Nbd.free = list(range(NBD_DEVICES))
        self.number = Nbd.free.pop(0)
        self.path = f"/dev/nbd{self.number}"
        self.process = subprocess.Popen(
            ["qemu-nbd", "-c", self.path, "-f", form, "--cache=none", f"--aio={self.aio}",
             file], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        # It goes into the background when it is connected, with status 0.
        while self._size() == "0":
            if self.process.poll():
                raise RuntimeError(f"qemu-nbd: {self.process.stderr.read().strip()}")
            time.sleep(0.01)

    def _size(self):
        return read(f"/sys/block/{self.path[5:]}/size")

    def down(self):
        # What sync made stable is kept; a process that ends by itself may
        # leave its device busy for a moment.
        sh("qemu-nbd", "-d", self.path)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
        self.process.stderr.close()
        while self._size() != "0":
            time.sleep(0.01)
        Nbd.free.append(self.number)


class Vhdx:
    name = "vhdx"

    def __init__(self, file, *options):
        self.path = sh("vhdxctl", "attach", "--no-partscan", *options, file)

    def attribute(self, name):
        return read(f"/sys/block/{self.path[5:]}/vhdx/{name}")

    def down(self):
        sh("vhdxctl", "detach", self.path)


class Disk:
    """A null_blk device that keeps data in memory, and a file system on it.

    Requests are completed where they are submitted, so that nothing is measured
    but the processor's work. With a cache it has to be flushed, and says how
    often it was.
    """

    def __init__(self, top, number, mib, cache_mib=0):
        self.name = f"nullb{number}"
        self.mount = f"{top}/{self.name}"
        settings = {"memory_backed": 1, "size": mib, "blocksize": 512, "irqmode": 0,
                    "queue_mode": 2, "submit_queues": os.cpu_count(), "hw_queue_depth": 256}
        if cache_mib:
            settings.update(cache_size=cache_mib, fua=1)
        config = f"/sys/kernel/config/nullb/{self.name}"
        if not os.path.isdir("/sys/module/null_blk"):
            sh("modprobe", "null_blk", "nr_devices=0")
        os.mkdir(config)
        for key, value in list(settings.items()) + [("power", 1)]:
            # Older kernels do not ask about FUA, and offer it.
            if os.path.exists(f"{config}/{key}"):
                with open(f"{config}/{key}", "w", encoding="ascii") as file:
                    file.write(str(value))
        os.makedirs(self.mount, exist_ok=True)
        sh("mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0",
           f"/dev/{self.name}")
        sh("mount", "-o", "noatime", f"/dev/{self.name}", self.mount)

    def flushes(self):
        """Flushes since it was made."""
        return int(read(f"/sys/block/{self.name}/stat").split()[15])

    def file(self, name):
        return f"{self.mount}/{name}"
