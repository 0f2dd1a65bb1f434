"""Runs an NVFlare participant whose own path, or whose Python's, a shell would not take as one word:

    python -u -c THIS -m MODULE -m KIT ARGUMENT...

NVFlare writes the command of a job's process as one line, with these paths bare in it, and splits
the line as a shell would. Here the paths stay whole when it does; all else is left alone.
"""

import importlib
import os
import runpy
import shlex
import sys
import types

_, _, MODULE, _, KIT = sys.argv[:5]
PATHS = sorted({KIT, os.path.realpath(KIT), sys.executable}, key=len, reverse=True)
# Words that no line holds, and that no shell would split.
STAND_INS = [(path, f"\0{number}\0") for number, path in enumerate(PATHS)]


def split(line, *args, **kwargs):
    for path, stand_in in STAND_INS:
        line = line.replace(path, stand_in)
    words = shlex.split(line, *args, **kwargs)
    for path, stand_in in STAND_INS:
        words = [word.replace(stand_in, path) for word in words]
    return words


def splitter():
    """The module of NVFlare that splits the lines."""
    try:
        return importlib.import_module("nvflare.app_common.job_launcher.process_launcher")
    except ImportError:
        # 2.5 has no launchers: server and client start the processes themselves.
        is_server = MODULE.endswith(".server_train")
        name = "server.server_engine" if is_server else "client.client_executor"
        return importlib.import_module(f"nvflare.private.fed.{name}")


splitter().shlex = types.SimpleNamespace(**{**vars(shlex), "split": split})

# Without this program's own name and the "-m" after it.
del sys.argv[:2]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
