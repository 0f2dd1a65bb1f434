#!/usr/bin/env bash
# Runs the FLARE @ROLE@ of this startup kit and keeps it running. Usually called by start.sh.
#
#   sub_start.sh             start it, start it again when it dies, until shutdown.fl appears
#   sub_start.sh --once      run it in the foreground, once
#   sub_start.sh --verify    check the kit's signatures first
#
# Files in the kit, shared with NVFlare's own tools:
#   daemon_pid.fl  the process ID of this script     shutdown.fl  asks for a stop
#   pid.fl         the process ID of the @ROLE@      restart.fl   asks for a restart

startup=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" >/dev/null && pwd) || exit 1
kit=$(dirname -- "$startup")
python=${POC_PYTHON:-python3}

daemon_file=$kit/daemon_pid.fl
pid_file=$kit/pid.fl
shutdown_file=$kit/shutdown.fl
restart_file=$kit/restart.fl

once=no
for argument in "$@"; do
  case $argument in
    --once) once=yes ;;
    --verify)
      "$python" -m nvflare.tool.verify_startup_kits -f "$kit" -c "$startup/rootCA.pem" || {
        echo "The signatures of $kit do not verify, or there are none." >&2
        exit 1
      } ;;
    *)
      echo "Unknown option: $argument (known: --once, --verify)" >&2
      exit 2 ;;
  esac
done

mkdir -p -- "$kit/transfer"

# All participants of this machine would share the directory that it names.
unset NVFL_WORKSPACE
export PYTHONPATH=/local/custom${PYTHONPATH:+:$PYTHONPATH}

# Fewer arenas of glibc's allocator, so that freed memory goes back to the system.
export MALLOC_ARENA_MAX=${MALLOC_ARENA_MAX:-4}
if [[ ${NVFLARE_ENABLE_JEMALLOC_PRELOAD:-false} == true ]]; then
  for library in /usr/lib/*/libjemalloc.so.2 /usr/lib64/libjemalloc.so.2 /usr/local/lib/libjemalloc.so; do
    if [[ -f $library ]]; then
      export LD_PRELOAD=${LD_PRELOAD:+$LD_PRELOAD:}$library
      export MALLOC_CONF=${MALLOC_CONF:-dirty_decay_ms:5000,muzzy_decay_ms:5000}
      break
    fi
  done
fi

run_python() {
  exec "$python" -u -m @MODULE@ -m "$kit" -s @ROLE_FILE@ --set secure_train=true @IDENTITY@ config_folder=config
}

if [[ $once == yes ]]; then
  rm -f -- "$pid_file" "$shutdown_file" "$restart_file"
  run_python
fi

is_alive() {
  [[ $1 =~ ^[0-9]+$ ]] && kill -0 "$1" 2>/dev/null
}

# The @ROLE@ of this kit: alive, and with the kit on its command line. A process ID alone may by now
# belong to something else.
is_ours() {
  is_alive "$1" && tr '\0' '\n' <"/proc/$1/cmdline" 2>/dev/null | grep -Fxq -e "$kit"
}

# A link is made or refused in one step, so of two that start at once only one goes on.
claim() {
  echo $$ >"$daemon_file.$$" && ln -- "$daemon_file.$$" "$daemon_file" 2>/dev/null
  local outcome=$?
  rm -f -- "$daemon_file.$$"
  return "$outcome"
}

while true; do
  holder=$(cat -- "$daemon_file" 2>/dev/null)
  if is_alive "$holder" && [[ $holder != "$$" ]]; then
    echo "There seems to be one instance, pid=$holder, running."
    echo "If you are sure it's not the case, please kill process $holder and then remove daemon_pid.fl in $kit"
    exit 1
  fi
  # Left from an earlier run. What asks for something from here on asks this one.
  rm -f -- "$daemon_file" "$shutdown_file" "$restart_file"
  claim && break
  if [[ ! -w $kit ]]; then
    echo "$kit cannot be written to." >&2
    exit 1
  fi
done

asked_to_stop=no
trap 'asked_to_stop=yes' TERM INT

# A signal ends the wait at once; it would not end a sleep.
pause() { sleep "$1" & wait "$!"; }

python_pid=
[[ -f $pid_file ]] && python_pid=$(cat -- "$pid_file")
is_ours "$python_pid" || python_pid=

is_running() { [[ -n $python_pid ]] && is_alive "$python_pid"; }

# Waits up to $1 seconds for the process to end.
ended_within() {
  local deadline=$((SECONDS + $1))
  while is_running; do
    ((SECONDS < deadline)) || return 1
    pause 0.2
  done
}

# First it gets time to end by itself, as it does after a shutdown from the FLARE console.
stop_python() {
  if ! ended_within "$1"; then
    kill -TERM "$python_pid" 2>/dev/null
    ended_within 5 || kill -KILL "$python_pid" 2>/dev/null
    ended_within 5
  fi
  python_pid=
  rm -f -- "$pid_file"
}

# Started again at most 5 times within 300 s of the start before, each time a little later.
restarts=0
last_start=$SECONDS
not_before=0

start_python() {
  run_python 2>&1 &
  python_pid=$!
  last_start=$SECONDS
  echo "$python_pid" >"$pid_file.new" && mv -f -- "$pid_file.new" "$pid_file"
  echo "Started the @ROLE@, pid $python_pid."
}

status=0
[[ -n $python_pid ]] || start_python
while true; do
  if [[ $asked_to_stop == yes ]]; then
    stop_python 0
    break
  fi
  if [[ -e $shutdown_file ]]; then
    stop_python 5
    break
  fi
  if [[ -e $restart_file ]]; then
    echo "A restart was asked for."
    stop_python 5
    rm -f -- "$restart_file"
    restarts=0
    start_python
  elif ! is_running; then
    if [[ -n $python_pid ]]; then
      wait "$python_pid" 2>/dev/null
      echo "The @ROLE@ ended with status $?."
      python_pid=
      rm -f -- "$pid_file"
      ((SECONDS - last_start < 300)) || restarts=0
      restarts=$((restarts + 1))
      not_before=$((SECONDS + restarts))
    fi
    if ((restarts > 5)); then
      echo "It was started again 5 times and does not stay up. Giving up; its log says why: $kit/log.txt" >&2
      status=1
      break
    fi
    ((SECONDS < not_before)) || start_python
  fi
  pause 1
done

rm -f -- "$pid_file" "$shutdown_file" "$restart_file" "$daemon_file"
exit "$status"
