"""Runs an NVFlare participant whose own path, or whose Python's, a shell would not take as one word:

    python -u -c THIS -m MODULE ARGUMENT...

NVFlare writes the command of a job's process as one line, with these paths bare in it, and splits
the line as a shell would. Here the paths get the quotes that they need; all else is left alone.
"""

import functools
import runpy
import shlex
import sys

from nvflare.apis.job_launcher_spec import JobProcessArgs
from nvflare.utils import job_launcher_utils

PATHS = {JobProcessArgs.WORKSPACE, JobProcessArgs.STARTUP_DIR, JobProcessArgs.APP_ROOT}


def with_paths_quoted(line_of):
    @functools.wraps(line_of)
    def quoted_line_of(arguments, names):
        quoted = {
            name: (flag, shlex.quote(str(value)) if name in PATHS else value)
            for name, (flag, value) in arguments.items()
        }
        return line_of(quoted, names)

    return quoted_line_of


def with_python_quoted(command_of):
    @functools.wraps(command_of)
    def quoted_command_of(context):
        command = command_of(context)
        if not command.startswith(sys.executable):
            return command
        return shlex.quote(sys.executable) + command[len(sys.executable):]

    return quoted_command_of


def replace(name, decorate):
    """Here, and wherever it was imported by name already."""
    plain = getattr(job_launcher_utils, name)
    decorated = decorate(plain)
    for module in list(sys.modules.values()):
        if vars(module).get(name) is plain:
            setattr(module, name, decorated)


replace("_job_args_str", with_paths_quoted)
for name in "generate_server_command", "generate_client_command":
    replace(name, with_python_quoted)

# Without this program's own name and the "-m" after it.
del sys.argv[:2]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
