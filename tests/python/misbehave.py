"""A component of a site or server that does what the file `habits` in the kit's `local` says, each
time that NVFlare builds it: in the participant's own process, and in those that run its jobs."""

import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

from nvflare.apis.fl_component import FLComponent

LINE = "a line that nobody asked for, and many more like it\n"
# Many times what the supervisor lets a log hold.
FLOOD = 200 * 1024 * 1024


def flood():
    for _ in range(FLOOD // len(LINE) // 1000):
        sys.stdout.write(LINE * 1000)
        time.sleep(0.001)
    print("end of the flood", flush=True)


def leave_behind(shell):
    # The shell ends at once, so what it started has no parent of ours and a session of its own.
    line = shell + "setsid sleep 3600 </dev/null >/dev/null 2>&1 &"
    subprocess.run(["/bin/sh", "-c", line], check=True)


class Misbehave(FLComponent):
    def __init__(self):
        super().__init__()
        habits = pathlib.Path(__file__).parent.parent.joinpath("habits").read_text().split()
        if "deaf" in habits:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if "strays" in habits:
            leave_behind("")
            leave_behind("trap '' TERM; ")
        if "flood" in habits:
            threading.Thread(target=flood, daemon=True).start()
        if "crash" in habits:
            print("crashing on purpose", file=sys.stderr, flush=True)
            os._exit(3)
