#!/bin/sh
# Lets a pipeline go on only when a run was tested and did not fail.
#
#   pre-flight-gate.sh RUN BASELINE REGISTRY [OUT]
#
# RUN and BASELINE are folders of the run contract (run_meta.json, metrics.csv), REGISTRY is a metric registry, and OUT is
# the folder for the reports. HB names the program where it is not `hb` in the path. Ends with 0 when the gate is open, with
# 2 when it is closed, and with another code when it could not judge at all: that is closed as well.
set -eu

if [ $# -lt 3 ] || [ $# -gt 4 ]; then
  echo "usage: pre-flight-gate.sh RUN BASELINE REGISTRY [OUT]" >&2
  exit 64
fi
run=$1
baseline=$2
registry=$3
out=${4:-pre-flight}

exit_code=0
HB_GATE_FAIL_EXIT=1 "${HB:-hb}" analyze --run "$run" --baseline "$baseline" --registry "$registry" --out "$out" || exit_code=$?

case $exit_code in
  0) echo "pre-flight gate: open" ;;
  2) echo "pre-flight gate: CLOSED by the verdict; why: $out/drift_report.html" >&2 ;;
  *) echo "pre-flight gate: CLOSED because nothing could be judged (exit $exit_code)" >&2 ;;
esac
exit "$exit_code"
