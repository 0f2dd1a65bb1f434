"""A site component that writes down what the process that it lives in looks like from inside.

Named in a kit's local/resources.json, it is made in every process of that kit: the server or the
site itself, and each process that runs a job for it. The report goes to probe-<program>.json in the
directory that the variable PROBE_REPORTS names.
"""

import fcntl
import gc
import json
import os
import random
import resource
import signal
import ssl
import sys

import numpy
from nvflare.apis.fl_component import FLComponent


def words(path):
    with open(path, "rb") as file:
        # A process that was forked has more room for them than it needs.
        return [os.fsdecode(word) for word in file.read().rstrip(b"\0").split(b"\0")]


def descriptors():
    """What is open, without numbers that are different each time."""
    names = []
    for number in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{number}")
        except FileNotFoundError:
            continue  # the directory that was just read
        names.append(f"{number if int(number) < 3 else '*'} {target.split(':')[0]}")
    return sorted(names)


def state(field):
    with open("/proc/self/status") as file:
        lines = dict(line.rstrip("\n").split(":\t", 1) for line in file)
    return lines.get(field)


def signals(field):
    """A set of signals as the kernel shows it, without the two that the C library has for itself."""
    return int(state(field), 16) & ~(0b11 << 31)


def report():
    main = sys.modules["__main__"]
    shown = dict(word.split("=", 1) for word in words("/proc/self/environ"))
    return {
        # The same in a process that was executed and in one that was forked.
        "same": {
            "argv": sys.argv,
            "original argv": getattr(sys, "orig_argv", None),
            "command line": words("/proc/self/cmdline"),
            "process name": open("/proc/self/comm").read().strip(),
            "program": [main.__name__, getattr(main, "__file__", None), getattr(main.__spec__, "name", None)],
            "path": sys.path,
            "flags": str(sys.flags),
            "executable": [sys.executable, sys.prefix],
            "directory": os.getcwd(),
            "environment": dict(os.environ),
            "environment from outside": shown,
            "descriptors": descriptors(),
            "log is appended to": bool(fcntl.fcntl(1, fcntl.F_GETFL) & os.O_APPEND),
            "unbuffered": [sys.stdout.write_through, sys.stderr.write_through],
            "signals": {str(number): str(signal.getsignal(number)) for number in signal.valid_signals()},
            "signals of the kernel": [signals(field) for field in ("SigBlk", "SigIgn")],
            "leads its group": os.getpgid(0) == os.getpid(),
            "collects garbage": [gc.isenabled(), gc.get_threshold()],
            "umask": state("Umask"),
            "priority": os.nice(0),
            "limits": [resource.getrlimit(limit) for limit in (resource.RLIMIT_NOFILE, resource.RLIMIT_CORE)],
            "encodings": [sys.getfilesystemencoding(), sys.stdout.encoding, sys.stdout.errors],
        },
        # Different in each process.
        "random": {
            "Python": random.random(),
            "NumPy": numpy.random.random(),
            "NumPy's new generators": numpy.random.default_rng().random(),
            "OpenSSL": ssl.RAND_bytes(8).hex(),
        },
        "pid": os.getpid(),
        "parent": os.getppid(),
    }


class Probe(FLComponent):
    def __init__(self):
        super().__init__()
        program = os.path.splitext(os.path.basename(sys.argv[0]))[0]
        participant = os.environ["POC_PARTICIPANT"]
        path = os.path.join(os.environ["PROBE_REPORTS"], f"{participant}.{program}.json")
        with open(path + ".part", "w") as file:
            json.dump(report(), file, indent=1)
        os.replace(path + ".part", path)
