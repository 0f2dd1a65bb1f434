"""The admin helper of `poc`: NVFlare's admin API behind JSON lines.

Started by link.rs with the Python of the runtime. Its program text is the first line of standard
input (a JSON string), its requests are the lines after it, one JSON object each:

    {"id": 7, "limit": 10.0, "op": "abort", "job": "..."}

and every request gets one line in reply:

    {"id": 7, "ok": ...}    or    {"id": 7, "error": {"kind": "JobNotFound", "message": "..."}}

`kind` is the name of the exception's class. Before all that comes {"hello": {...}} once NVFlare is
imported, or {"fatal": {...}}. The helper ends when standard input does, whatever it is doing.

`requests`, the stream of request lines, is set by the bootstrap in link.rs.
"""

import json
import os
import queue
import shutil
import signal
import socket
import sys
import threading
import time
import traceback

USER, KIT = sys.argv[2:4]

# NVFlare prints as it pleases. Replies have a descriptor of their own, that no library knows of.
replies = os.fdopen(os.dup(1), "wb", 0)
os.dup2(2, 1)
os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
signal.signal(signal.SIGINT, signal.SIG_IGN)


class Unreachable(Exception):
    """Nothing listens where the server should."""


class OutOfTime(Exception):
    """The limit of a request was used up before the server was asked."""


def send(message):
    line = json.dumps(message, default=str, separators=(",", ":")) + "\n"
    data = line.encode("utf-8", "backslashreplace")
    try:
        while data:
            data = data[replies.write(data) :]
    except OSError:
        os._exit(0)  # Nobody listens any more.


def failure(error):
    return {"kind": type(error).__name__, "message": str(error) or type(error).__name__}


def server_address():
    """Where the kit says the server's admin port is; None where it does not say."""
    with open(os.path.join(KIT, "startup", "fed_admin.json"), encoding="utf-8") as file:
        admin = json.load(file).get("admin", {})
    if admin.get("host") and admin.get("port"):
        return admin["host"], int(admin["port"])
    # Up to 2.6 the address is part of the overseer's argument, as host:port:admin_port.
    end_point = admin.get("overseer_agent", {}).get("args", {}).get("sp_end_point", "")
    parts = end_point.rsplit(":", 2)
    return (parts[0], int(parts[2])) if len(parts) == 3 else None


def hurry():
    """NVFlare asks the server for its identity while the connection is still being made, and when
    that fails waits a whole second to ask again: the larger part of what a connect takes."""
    from nvflare.fuel.hci.client import api

    original = api.Authenticator

    def authenticator(*args, **kwargs):
        made = original(*args, **kwargs)
        made.retry_interval = 0.05
        return made

    api.Authenticator = authenticator


class Admin:
    """A session that is opened when it is needed, and again when it was lost."""

    def __init__(self, flare_api):
        self.flare_api = flare_api
        self.session = None
        self.started = None
        self.deadline = 0.0

    def remaining(self):
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise OutOfTime("the time was up before the server was asked")
        return left

    def knock(self):
        # NVFlare waits for seconds before it says that nobody is there; the system knows at once.
        address = server_address()
        if address:
            try:
                socket.create_connection(address, min(self.remaining(), 3.0)).close()
            except OSError as error:
                self.drop()
                raise Unreachable(f"{address[0]}:{address[1]}: {error.strerror or error}") from None

    def connect(self):
        open_session = self.flare_api.new_secure_session
        options = {"timeout": min(self.remaining(), 10.0)}
        if "auto_login_max_tries" in open_session.__code__.co_varnames:
            options["auto_login_max_tries"] = 1
        self.session = open_session(USER, KIT, **options)
        self.started = self.server_start()

    def server_start(self):
        return self.session.get_system_info().server_info.start_time

    def drop(self):
        session, self.session = self.session, None
        if session:
            # Logging out waits for a server that may be gone.
            threading.Thread(target=quietly, args=(session.close,), daemon=True).start()

    def run(self, operation, arguments, limit):
        self.deadline = time.monotonic() + limit
        self.knock()
        fresh = self.session is None
        if fresh:
            self.connect()
        try:
            # A server that was started again takes commands of an old session, but no files.
            if not fresh and operation in (submit, download) and self.server_start() != self.started:
                raise self.flare_api.SessionClosed("the server was started again")
            return self.perform(operation, arguments)
        except Exception as error:
            if not self.lost(error):
                raise
            self.drop()
            # What may have reached the server is not sent twice, unless that does no harm.
            if fresh or not (operation in REPEATABLE or type(error).__name__ in REFUSED_SESSION):
                raise
        self.connect()
        return self.perform(operation, arguments)

    def perform(self, operation, arguments):
        # How long the server waits for its clients, and this side for the server.
        self.session.set_timeout(self.remaining())
        return operation(self, **arguments)

    def lost(self, error):
        api = getattr(self.session, "api", None)
        return type(error).__name__ in LOST or getattr(api, "closed", False)


# What the server answers when it does not know the session: the command was not carried out.
REFUSED_SESSION = {"SessionClosed", "SessionExpired", "AuthenticationError"}
# After these a session is of no more use.
LOST = REFUSED_SESSION | {"NoConnection"}


def quietly(function):
    try:
        function()
    except Exception:
        pass


def system_info(admin):
    info = admin.session.get_system_info()
    server = info.server_info
    return {
        "server": {"status": server.status, "started": server.start_time},
        "clients": [{"name": c.name, "last_connect": c.last_connect_time} for c in info.client_info],
    }


def jobs(admin):
    return admin.session.list_jobs()


def job(admin, job):
    return admin.session.get_job_meta(job)


def submit(admin, directory):
    return admin.session.submit_job(directory)


def abort(admin, job):
    return admin.session.abort_job(job)


def download(admin, job, into=None):
    location = admin.session.download_job_result(job)
    if into:
        os.makedirs(os.path.dirname(into), exist_ok=True)
        location = shutil.move(location, into)
    return os.path.abspath(location)


def shutdown(admin, target, clients=()):
    # Not Session.shutdown: it exists from 2.8 on only, while all lines know the command.
    reply = admin.session._do_command(" ".join(["shutdown", target, *clients]))
    if target != "client":
        admin.drop()
    return reply.get("meta", {}).get("info", "")


def remove_client(admin, client):
    # Not Session.remove_client: it exists in some lines only, while all know the command.
    admin.session._do_command("remove_client " + client)


OPERATIONS = {
    f.__name__: f
    for f in (system_info, jobs, job, submit, abort, download, shutdown, remove_client)
}
REPEATABLE = {system_info, jobs, job, abort, download, remove_client}


def serve(work):
    try:
        import nvflare
        from nvflare.fuel.flare_api import flare_api
    except BaseException as error:
        send({"fatal": dict(failure(error), traceback=traceback.format_exc().splitlines())})
        os._exit(1)
    quietly(hurry)  # Up to 2.6 there is no such step.
    send({"hello": {"nvflare": getattr(nvflare, "__version__", "")}})
    admin = Admin(flare_api)
    while True:
        request = work.get()
        number, name, limit = request.pop("id"), request.pop("op"), request.pop("limit")
        try:
            send({"id": number, "ok": admin.run(OPERATIONS[name], request, limit)})
        except Exception as error:
            send({"id": number, "error": failure(error)})


work = queue.Queue()
threading.Thread(target=serve, args=(work,), name="admin", daemon=True).start()
for line in requests:
    work.put(json.loads(line))
# NVFlare's threads would keep the process alive for minutes.
os._exit(0)
