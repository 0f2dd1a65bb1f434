#!/usr/bin/env bash
# Stops the FLARE @ROLE@ of this startup kit, however it was started.
#
#   stop_fl.sh       asks first
#   stop_fl.sh -y    does not

kit=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." >/dev/null && pwd) || exit 1

is_running() {
  local file pid
  for file in pid.fl daemon_pid.fl; do
    pid=$(cat -- "$kit/$file" 2>/dev/null)
    [[ $pid =~ ^[0-9]+$ ]] && kill -0 "$pid" 2>/dev/null && return
  done
  return 1
}

if ! is_running; then
  echo "Nothing is running in $kit."
  exit 0
fi

if [[ ${1:-} != -y ]]; then
  echo "This stops the @ROLE@ on this machine alone, and any job that runs on it."
  echo "The FLARE console's shutdown command tells the rest of the federation too."
  read -rn1 -p "Stop it (y/N)? " answer
  echo
  [[ $answer == [yY] ]] || exit 0
fi

touch -- "$kit/shutdown.fl" || exit 1
echo "Asked it to stop; waiting."
deadline=$((SECONDS + 30))
while is_running; do
  if ((SECONDS >= deadline)); then
    echo "It still runs after 30 s." >&2
    exit 1
  fi
  sleep 0.2
done
echo "Stopped."
