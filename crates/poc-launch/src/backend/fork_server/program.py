"""Fork server: one interpreter imports NVFlare, and every participant is forked from it.

The supervisor sends this text as the first line (JSON) of standard input. The first line that comes
back says whether participants can be forked here:

    {"ready": true, "modules": 931}      or      {"ready": false, "reason": "2 threads after ..."}

From then on each line in asks for one participant, and is answered by one line. Texts in it are
bytes: each letter stands for the byte of the same number, so that whatever a path or a variable
holds comes through.

    {"name": "site-1", "argv": ["python", "-u", "-m", "nvflare...client_train", "-m", ...],
     "directory": "<kit>", "log": "<kit>/poc_console.log", "set": {"A": "b"}, "unset": ["C"]}
    -> {"name": "site-1", "pid": 4711}      or      {"name": "site-1", "error": "..."}

It ends when standard input is closed; the participants live on. What is done and what is not, so
that a participant cannot tell that it was forked, is explained in docs/design/fork-server.md.
"""

import gc
import importlib
import inspect
import json
import os
import runpy
import signal
import sys
import types

# What runs as a participant. Importing these brings most of what they need ...
PROGRAMS = (
    "nvflare.private.fed.app.server.server_train",
    "nvflare.private.fed.app.client.client_train",
)
# ... and these are what they import later: when they read their configuration, open their listeners,
# or the first message arrives. A release that lacks one does without it.
LATER = (
    "nvflare.app_common.decomposers.numpy_decomposers",
    "nvflare.app_common.job_launcher.client_process_launcher",
    "nvflare.app_common.job_launcher.server_process_launcher",
    "nvflare.app_common.job_schedulers.job_scheduler",
    "nvflare.app_common.logging.job_log_receiver",
    "nvflare.app_common.logging.site_log_streamer",
    "nvflare.app_common.resource_consumers.gpu_resource_consumer",
    "nvflare.app_common.resource_managers.gpu_resource_manager",
    "nvflare.app_common.state_persistors.storage_state_persistor",
    "nvflare.app_common.storages.filesystem_storage",
    "nvflare.apis.impl.job_def_manager",
    "nvflare.fuel.f3.comm_config_utils",
    "nvflare.fuel.f3.drivers.aio_grpc_driver",
    "nvflare.fuel.f3.drivers.aio_http_driver",
    "nvflare.fuel.f3.drivers.aio_tcp_driver",
    "nvflare.fuel.f3.drivers.file_driver",
    "nvflare.fuel.f3.drivers.grpc_driver",
    "nvflare.fuel.f3.drivers.tcp_driver",
    "nvflare.fuel.utils.fobs.decomposers.core_decomposers",
    "aiohttp.web",
    "cryptography.hazmat.backends.openssl",
    "encodings.cp437",
    "encodings.idna",
    "numpy.random",
    "stringprep",
    "unicodedata",
)

GO = b"1"


def preload():
    """Imports what participants import. What cannot be imported is their own affair later."""
    for name in PROGRAMS + LATER:
        try:
            importlib.import_module(name)
        except Exception as e:
            print(f"not preloaded: {name}: {e!r}", file=sys.stderr)


def warm_up():
    """Does what every participant would do first, and what leaves something behind that all can share:
    the patterns with which signatures are read (NVFlare registers its types by them), and OpenSSL's
    tables of algorithms, a megabyte for each process."""
    inspect.signature(int.to_bytes)
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import padding, rsa

        sha256 = hashes.SHA256()
        pss = padding.PSS(padding.MGF1(sha256), padding.PSS.MAX_LENGTH)
        key = rsa.RSAPublicNumbers(e=65537, n=(1 << 2047) | 1).public_key()
        try:
            key.verify(bytes(256), b"", pss, sha256)
        except InvalidSignature:
            pass  # as it should be
    except Exception as e:
        print(f"not warmed up: {e!r}", file=sys.stderr)


class Memory:
    """Two stretches of this process's own memory from which the kernel tells others about it: its
    command line and the environment that it was started with."""

    def __init__(self):
        with open("/proc/self/stat", "rb") as stat:
            fields = stat.read().rpartition(b")")[2].split()
        self.arguments = int(fields[45]), int(fields[46])
        self.environment = int(fields[47]), int(fields[48])

    @staticmethod
    def show(stretch, words):
        """Writes words into a stretch, as execve would have put them there."""
        start, end = stretch
        text = b"".join(word + b"\0" for word in words)
        if not 0 < len(text) <= end - start:
            raise OSError("there is no room for it")
        with open("/proc/self/mem", "r+b", buffering=0) as memory:
            memory.seek(start)
            memory.write(text.ljust(end - start, b"\0"))


class Fresh:
    """What an interpreter has before it has run anything, to be given to each participant."""

    def __init__(self):
        self.memory = Memory()
        self.environment = dict(os.environb)
        self.handlers = {number: signal.getsignal(number) for number in signal.valid_signals()}
        self.blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        # The first entry is where a program lies; it is different for each.
        self.has_own_entry = not getattr(sys.flags, "safe_path", False)
        self.search_path = sys.path[1 if self.has_own_entry else 0 :]
        if self.has_own_entry:
            del sys.path[0]
        # Relative entries of PYTHONPATH were taken from here.
        self.directory = os.getcwd()

    def hide_padding(self):
        """The last argument is there to make room; nobody needs to see it."""
        with open("/proc/self/cmdline", "rb") as cmdline:
            words = cmdline.read().rstrip(b"\0").split(b"\0")
        self.memory.show(self.memory.arguments, words[:-1])

    def signals(self):
        for number, handler in self.handlers.items():
            if handler is not None and signal.getsignal(number) != handler:
                signal.signal(number, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, self.blocked)

    def path(self, own_entry):
        here = os.getcwd()
        away = self.directory + os.sep
        path = [own_entry] if self.has_own_entry else []
        for entry in self.search_path:
            if entry == self.directory:
                entry = here
            elif entry.startswith(away):
                entry = os.path.join(here, entry[len(away) :])
            path.append(entry)
        return path


def as_bytes(text):
    return text.encode("latin-1")


def settle(request, fresh, replies):
    """Makes the forked process what execve would have made it, short of running its program."""
    # A session, and so a group. A group alone, in the supervisor's session, would be an orphan at that
    # one's death, and a halted process in it be ended by the kernel.
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDONLY)
    log = os.open(as_bytes(request["log"]), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    for descriptor in (nothing, log, replies):
        os.close(descriptor)
    fresh.signals()

    environment = dict(fresh.environment)
    for name in request["unset"]:
        environment.pop(as_bytes(name), None)
    for name, value in request["set"].items():
        environment[as_bytes(name)] = as_bytes(value)
    # All of it is set anew, in memory of its own, before the old place is written over.
    os.environb.clear()
    os.environb.update(environment)
    argv = [as_bytes(word) for word in request["argv"]]
    fresh.memory.show(fresh.memory.environment, [b"%b=%b" % one for one in environment.items()])
    fresh.memory.show(fresh.memory.arguments, argv)

    os.chdir(as_bytes(request["directory"]))


def run(argv, fresh):
    """Runs what the interpreter would run for these words: PYTHON -u (-m MODULE | -c CODE) ..."""
    for name in PROGRAMS:
        # What runs as __main__ is not there under its own name as well.
        sys.modules.pop(name, None)
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        numpy_random.seed()  # fork has copied its state; Python's own generator sees to itself
    gc.enable()

    if hasattr(sys, "orig_argv"):
        sys.orig_argv[:] = argv
    option, what, *arguments = argv[2:]
    if option == "-m":
        sys.path[:] = fresh.path(os.getcwd())
        sys.argv[:] = [what, *arguments]
        runpy.run_module(what, run_name="__main__", alter_sys=True)
    else:
        sys.path[:] = fresh.path("")
        sys.argv[:] = [option, *arguments]
        main = types.ModuleType("__main__")
        sys.modules["__main__"] = main
        exec(compile(what, "<string>", "exec"), main.__dict__)


def fork(request, fresh, replies):
    """Forks a participant: twice, so that the supervisor, a child subreaper, becomes its parent and
    sees its end. Returns what there is to answer; in the participant, None.

    The participant says by itself that it is settled, and waits for a word before it runs: should this
    process die before it has answered, there is no participant that nobody knows of.
    """
    hear, report = os.pipe()
    wait, gate = os.pipe()
    try:
        child = os.fork()
    except OSError as e:
        for descriptor in (hear, report, wait, gate):
            os.close(descriptor)
        return {"error": f"fork: {e}"}, None
    if child:
        os.close(report)
        os.close(wait)
        said = b""
        while part := os.read(hear, 1 << 12):
            said += part
        os.close(hear)
        os.waitpid(child, 0)
        return json.loads(said or '{"error": "it died at once"}'), gate

    os.close(hear)
    os.close(gate)
    try:
        if os.fork():
            os._exit(0)
        settle(request, fresh, replies)
    except Exception as e:
        os.write(report, json.dumps({"error": f"{type(e).__name__}: {e}"}).encode())
        os._exit(1)
    os.write(report, b'{"pid": %d}' % os.getpid())
    os.close(report)
    if os.read(wait, 1) != GO:
        os._exit(1)
    os.close(wait)
    return None, None


def threads():
    """As the kernel counts them: a library may have started some that Python does not know of."""
    return len(os.listdir("/proc/self/task"))


def unfit(fresh):
    """Why participants cannot be forked here; None where they can."""
    if sys.implementation.name != "cpython":
        return f"it is {sys.implementation.name}, not CPython"
    try:
        fresh.hide_padding()
    except OSError as e:
        return f"a process cannot show another command line here: {e}"
    preload()
    warm_up()
    if (count := threads()) != 1:
        return f"{count} threads run after the imports, and fork copies only one"
    return None


def main():
    """Serves until standard input is closed. Returns in participants only, when their program has ended."""
    fresh = Fresh()
    replies = os.dup(1)
    os.dup2(2, 1)  # what an import prints must not look like an answer

    def answer(message):
        # No file object: a participant would flush its copy of a buffer.
        os.write(replies, json.dumps(message).encode() + b"\n")

    # No collection: it would free memory in between, and a participant that filled the gaps would get
    # copies of whole pages for it.
    gc.disable()
    reason = unfit(fresh)
    if reason:
        answer({"ready": False, "reason": reason})
        os._exit(1)
    gc.freeze()
    answer({"ready": True, "modules": len(sys.modules)})
    for line in requests:
        request = json.loads(line)
        outcome, gate = fork(request, fresh, replies)
        if outcome is None:
            return run([os.fsdecode(as_bytes(word)) for word in request["argv"]], fresh)
        answer({"name": request["name"], **outcome})
        if gate is not None:
            try:
                os.write(gate, GO)
            except BrokenPipeError:
                pass  # it could not settle, or was killed meanwhile
            os.close(gate)
    os._exit(0)  # nothing to tidy up, and tidying up takes its time


main()
