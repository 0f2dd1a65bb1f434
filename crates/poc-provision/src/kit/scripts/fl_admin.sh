#!/usr/bin/env bash
# Opens the FLARE console with this startup kit.

kit=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." >/dev/null && pwd) || exit 1
mkdir -p -- "$kit/transfer"
exec "${POC_PYTHON:-python3}" -m nvflare.fuel.hci.tools.admin -m "$kit" -s fed_admin.json "$@"
