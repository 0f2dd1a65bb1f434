#!/usr/bin/env bash
# Runs this startup kit in a container; see start_docker.sh.

startup=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" >/dev/null && pwd) || exit 1
exec "$startup/start_docker.sh" "$@"
