#!/usr/bin/env bash
# Installs the tools that the tests need, then runs `go test -race` with the given arguments. Run `make build`
# first, because the end-to-end tests start the programs in bin/.
#
# Variables for the tests:
#   MG_…             see scripts/native.sh; MG_NATIVE_TOOLS has the reference programs, such as llama-server
#   MG_PYTHON        a Python with grpcio, pytest and mypy, for clients/python and the engines in Python
#   PATH             includes grpcurl, envoy and haproxy
# Results are in build/test.json and build/test.xml.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

scripts/native.sh tools >/dev/null
exports=$(scripts/native.sh env)
eval "$exports"
tools=$(scripts/tools.sh gotestsum grpcurl)
python=$(scripts/tools.sh python)
nodejs=$(scripts/tools.sh nodejs)
proxies=$(scripts/tools.sh envoy):$(scripts/native.sh haproxy)
scripts/system.sh chromium ffmpeg pocketsphinx-testdata ip
# Firefox plays nothing without a sound device, which pulseaudio imitates. Not every system has a package of this name.
scripts/system.sh firefox-esr pulseaudio || echo "test: tests in Firefox are skipped" >&2
# The engines' threads sleep while they wait for each other, as in workers (docs/operations.md): other programs on the
# machine must not make the tests ten times slower.
export OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-passive}
export PATH=$tools:$proxies:$nodejs${nodejs:+:}$PATH MG_PYTHON=$python/python3

# The npm package, and npm projects of tests; they are installed again only if their lock file changes.
for lock in clients/*/package-lock.json test/*/*/package-lock.json; do
	[ -e "$lock" ] || continue
	dir=$(dirname "$lock")
	scripts/npmci.sh "$dir"
	npm run --prefix "$dir" --silent build
done

# -count=1: results are not cached, because Go would hash gigabytes of models that tests open.
mkdir -p build
gotestsum --format "${GOTESTSUM_FORMAT:-pkgname}" --jsonfile build/test.json --junitfile build/test.xml -- \
	-race -count=1 -timeout 45m "$@"
