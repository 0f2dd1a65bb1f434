#!/usr/bin/env bash
# Starts the server and the sites of this project in the background, each with its own start.sh.

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" >/dev/null && pwd) || exit 1
