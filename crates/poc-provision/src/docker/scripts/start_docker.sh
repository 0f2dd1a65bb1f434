#!/usr/bin/env bash
# Runs the FLARE @ROLE@ of this startup kit in a container, without poc: in the foreground, or with -d in
# the background. Its jobs run in containers of their own, which it starts through the Docker socket.
#
#   NVFL_P_IMAGE      another image than the kit's
#   NVFL_DOCKER_SOCK  where the Docker socket is, if DOCKER_HOST does not tell
#   GPU2USE           more arguments for `docker run`, such as --gpus device=0
set -euo pipefail

startup=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" >/dev/null && pwd)
kit=$(dirname -- "$startup")
image=${NVFL_P_IMAGE:-@IMAGE@}
network=@NETWORK@

case "${1:-}" in
    "") mode=(--rm) ;;
    -d) mode=(--detach --rm) ;;
    *) echo "usage: $0 [-d]" >&2; exit 2 ;;
esac

socket=${NVFL_DOCKER_SOCK:-}
if [ -z "$socket" ]; then
    case "${DOCKER_HOST:-}" in
        "") socket=/var/run/docker.sock ;;
        unix://*) socket=${DOCKER_HOST#unix://} ;;
        *) echo "DOCKER_HOST=$DOCKER_HOST is another machine's Docker: this kit would not be there" >&2; exit 1 ;;
    esac
fi
socket=$(readlink -f -- "$socket")
if [ ! -S "$socket" ]; then
    echo "there is no Docker socket at $socket: is Docker running? NVFL_DOCKER_SOCK names another" >&2
    exit 1
fi

if ! docker network inspect "$network" >/dev/null 2>&1; then
    docker network create --label @NETWORK_LABEL@ "$network" >/dev/null
fi
rm -f -- "$kit/daemon_pid.fl"

# shellcheck disable=SC2086 # GPU2USE holds several words
exec docker run "${mode[@]}" --init --name @CONTAINER@ @LABELS@ \
    --network "$network" --network-alias @ALIAS@ @PUBLISH@ \
    --user "$(id -u):$(id -g)" --group-add "$(stat -c %g -- "$socket")" \
    --env HOME=/tmp --env "NVFL_DOCKER_WORKSPACE=$kit" \
    --mount "\"type=bind\",\"src=$kit\",\"dst=@MOUNT@\"" \
    --mount "\"type=bind\",\"src=$socket\",\"dst=/var/run/docker.sock\"" \
    ${GPU2USE:-} "$image" \
    python3 -u -m @MODULE@ -m @MOUNT@ -s @ROLE_FILE@ --set secure_train=true @IDENTITY@ config_folder=config
