#!/usr/bin/env bash
# Starts the FLARE @ROLE@ of this startup kit in the background; see sub_start.sh.

startup=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" >/dev/null && pwd) || exit 1
"$startup/sub_start.sh" "$@" &
