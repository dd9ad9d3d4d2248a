#!/usr/bin/env bash
# Writes lists of what the project is made of (SBOMs) to build/sbom/, in the format CycloneDX, and checks them against its
# schema:
#
#   go.cdx.json             Go modules, and the Go version
#   native.cdx.json         Debian packages of the native libraries: those in the private prefix, or the installed ones
#   python-FOLDER.cdx.json  Python packages of a requirements.txt: tools, tests, training; the programs need none
#   npm-FOLDER.cdx.json     npm packages of a package-lock.json: the page at /ui/ (npm-playground), the client, tools and tests
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

exports=$(scripts/native.sh env)
eval "$exports"
tools=$(scripts/tools.sh cyclonedx-gomod)
python=$(scripts/tools.sh sbom)
nodejs=$(scripts/tools.sh nodejs)
export PATH=$tools:$nodejs${nodejs:+:}$PATH

rm -rf build/sbom
mkdir -p build/sbom
# name FILE: prints its folder as a part of a file name.
name() { dirname "$1" | tr / -; }

cyclonedx-gomod mod -json -std -licenses -type application -output build/sbom/go.cdx.json . 2>build/sbom/log || { cat build/sbom/log >&2; exit 1; }
rm build/sbom/log
if [ "$MG_NATIVE" = prefix ]; then
	cat "$MG_NATIVE_PREFIX/packages"
else
	# Only what the lock knows: the rest of the system has nothing to do with the engines.
	# shellcheck disable=SC2016 # dpkg-query expands it
	cut -d' ' -f2 scripts/native.lock | sort -u | xargs dpkg-query --show --showformat='${Package} ${Version}\n' 2>/dev/null || true
fi | "$python/python3" scripts/sbom/native.py >build/sbom/native.cdx.json
for file in $(git ls-files '*requirements.txt'); do
	"$python/cyclonedx-py" requirements --output-reproducible --sv 1.6 --of JSON -o "build/sbom/python-$(name "$file").cdx.json" "$file" 2>/dev/null
done
for file in $(git ls-files '*package-lock.json'); do
	npm sbom --prefix "$(dirname "$file")" --package-lock-only --sbom-format cyclonedx >"build/sbom/npm-$(name "$file").cdx.json"
done
"$python/python3" scripts/sbom/validate.py build/sbom/*.cdx.json
