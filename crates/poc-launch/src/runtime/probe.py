"""What a Python is and has, as one line of JSON. Runs on any Python 3, so it uses little."""

import sys

# `python -c` puts the working directory in front, and what lies there is no package.
sys.path[:] = [entry for entry in sys.path if entry]

import json

found = {"python": list(sys.version_info[:2]), "executable": sys.executable or "", "lacks": []}
if sys.version_info >= (3, 8):
    from importlib import metadata, util

    for name in ("nvflare", "nvflare-nightly"):
        try:
            package = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        found.update(nvflare=package.version, site=str(package.locate_file("")))
        break
    found["lacks"] = [name for name in ("venv", "ensurepip") if not util.find_spec(name)]
print("\npoc-probe:" + json.dumps(found))
