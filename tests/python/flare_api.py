"""FLARE API operations for the tests: `flare_api.py ADMIN_KIT OPERATION [ARGUMENT...]`.

Prints one JSON value. It uses nothing but NVFlare's documented API, the way its documentation does.
"""

import json
import os
import sys
from inspect import signature
from pathlib import Path

from nvflare.fuel.flare_api.flare_api import new_secure_session


def submit(session, job):
    return session.submit_job(job)


def wait(session, *jobs):
    """Waits for jobs to end and gives each one's status."""
    for job in jobs:
        session.monitor_job(job, timeout=100, poll_interval=0.2)
    return {job: session.get_job_meta(job)["status"] for job in jobs}


def wait_running(session, job):
    """Waits until a job runs on every site."""
    def started(session, job_id, meta):
        return meta["status"] != "RUNNING"

    session.monitor_job(job, timeout=60, poll_interval=0.2, cb=started)
    return session.get_job_meta(job)["status"]


def clients(session):
    return sorted(client.name for client in session.get_system_info().client_info)


def jobs(session):
    return {job["job_id"]: job["status"] for job in session.list_jobs()}


def model(session, job, directory):
    """Downloads a job's result and gives the global model in it."""
    import numpy

    # Up to 2.7 it goes to the admin's transfer directory, and no other can be named.
    can_be_named = "destination" in signature(session.download_job_result).parameters
    where = [directory] if can_be_named else []
    result = Path(session.download_job_result(job, *where))
    return numpy.load(result / "workspace" / "models" / "server.npy").tolist()


def main():
    kit, operation, *arguments = sys.argv[1:]
    # NVFlare prints to standard output as it connects; the answer shall be alone there.
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    session = new_secure_session(Path(kit).name, startup_kit_location=kit)
    try:
        print(json.dumps(globals()[operation](session, *arguments)), file=answer, flush=True)
    finally:
        session.close()
    # A session that was open once can keep the interpreter for minutes.
    os._exit(0)


if __name__ == "__main__":
    main()
