"""Runs a command as a notebook's cell does: with captured pipes, waiting until they are closed."""

import subprocess
import sys

ran = subprocess.run(sys.argv[1:], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
print(ran.stdout, ran.stderr, sep="")
sys.exit(ran.returncode)
