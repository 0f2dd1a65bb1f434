#!/usr/bin/env bash
# Runs the FLARE @ROLE@ of this startup kit in a container, without poc: in the foreground, or with -d in
# the background.
#
#   MY_DATA_DIR  a directory with data, to be read as /data
#   GPU2USE      more arguments for `docker run`, such as --gpus device=0
set -euo pipefail

startup=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" >/dev/null && pwd)
kit=$(dirname -- "$startup")

case "${1:-}" in
    "") mode=(--rm) ;;
    -d) mode=(--detach --rm) ;;
    *) echo "usage: $0 [-d]" >&2; exit 2 ;;
esac
data=()
if [ -n "${MY_DATA_DIR:-}" ]; then
    data=(--mount "\"type=bind\",\"src=$(readlink -f -- "$MY_DATA_DIR")\",\"dst=/data\",readonly")
fi

# shellcheck disable=SC2086 # GPU2USE holds several words
exec docker run "${mode[@]}" --init --name @CONTAINER@ @LABELS@ --network=host --ipc=host \
    --user "$(id -u):$(id -g)" --env HOME=/tmp --workdir @MOUNT@ \
    --mount "\"type=bind\",\"src=$kit\",\"dst=@MOUNT@\"" "${data[@]}" ${GPU2USE:-} @IMAGE@ \
    python3 -u -m @MODULE@ -m @MOUNT@ -s @ROLE_FILE@ --set secure_train=true @IDENTITY@ config_folder=config
