"""NVFlare's own readers as judges of our files: JSON lines in, one JSON line out for each.

    {"op": "config", "text": ...}                       does pyhocon read it?
    {"op": "written", "text": ...}                      how does pyhocon write it?
    {"op": "edited", "before": ..., "after": ..., "directory": ...,
     "set": [[path, value]], "gone": [path], "touched": [path]}
                                                        does it read what was set, and the rest as before?
    {"op": "project", "text": ...}                      does NVFlare 2.9 take it for a POC's project?

A reply is {"ok": ...} or {"error": "..."}.
"""

import io
import json
import logging
import os
import re
import sys
import tempfile

from pyhocon import ConfigFactory, ConfigTree, HOCONConverter

replies = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)
logging.disable(logging.CRITICAL)


def read(text, directory="/nonexistent"):
    return ConfigFactory.parse_string(text, basedir=directory)


def plain_key(key):
    """pyhocon keeps the quotes of a key with a dot or another special character."""
    quoted = len(key) >= 2 and key[0] == key[-1] == '"'
    return key[1:-1] if quoted else key


def leaves(tree, path=()):
    """Every value by its path."""
    found = {}
    for key, value in tree.items():
        here = path + (plain_key(key),)
        if isinstance(value, ConfigTree) and value:
            found.update(leaves(value, here))
        else:
            # Some of pyhocon's own show where they lie in memory.
            found[here] = re.sub(r" at 0x[0-9a-f]+", "", repr(value))
    return found


def begins(path, prefix):
    return path[: len(prefix)] == prefix


def config(text):
    read(text)


def written(text):
    """The file as pyhocon itself writes it, and so NVFlare's own tools do."""
    return HOCONConverter.to_hocon(read(text))


def edited(before, after, directory, set, gone, touched):
    try:
        old = leaves(read(before, directory))
    except Exception as error:
        return {"unreadable": f"{type(error).__name__}: {error}"[:300]}
    new = leaves(read(after, directory))
    touched = [tuple(path) for path in touched]
    # Plain text where the key needs an object gives way, and shadows nothing any more.
    touched += [path[:length] for path in touched for length in range(1, len(path)) if path[:length] in old]
    for path, value in set:
        if new.get(tuple(path)) != repr(value):
            raise ValueError(f"{path} is {new.get(tuple(path))}, not {value!r}")
    for path in map(tuple, gone):
        if any(begins(key, path) for key in new):
            raise ValueError(f"{path} is still there")
    for path in old.keys() | new.keys():
        if any(begins(path, other) or begins(other, path) for other in touched):
            continue
        if old.get(path) != new.get(path):
            raise ValueError(f"{path} was {old.get(path)}, is {new.get(path)}")
    return {"values": len(new)}


def project(text):
    from nvflare.lighter.provision import prepare_builders, prepare_packager, prepare_project
    from nvflare.lighter.utils import load_yaml
    from nvflare.tool.poc import poc_commands

    with tempfile.NamedTemporaryFile("w", suffix=".yml", encoding="utf-8", newline="") as file:
        file.write(text)
        file.flush()
        # The way of `nvflare poc prepare -i`, up to where it would write kits.
        loaded = load_yaml(file.name)
        if not loaded:
            raise ValueError("empty or invalid project config")
        loaded = poc_commands.update_server_default_host(loaded, "localhost")
        poc_commands.get_service_config(loaded)
        made = prepare_project(loaded)
        prepare_builders(loaded)
        prepare_packager(loaded)
    return sorted([one.name, one.type, one.org] for one in made.get_all_participants())


for line in io.TextIOWrapper(sys.stdin.buffer, encoding="utf-8"):
    request = json.loads(line)
    operation = globals()[request.pop("op")]
    try:
        reply = {"ok": operation(**request)}
    except RecursionError as error:
        reply = {"error": f"RecursionError: {error}"}
    except Exception as error:
        reply = {"error": f"{type(error).__name__}: {error}"[:1000]}
    replies.write(json.dumps(reply, default=str) + "\n")
    replies.flush()
