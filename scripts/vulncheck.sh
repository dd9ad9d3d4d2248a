#!/usr/bin/env bash
# Looks for known vulnerabilities in the Go code that the programs really call: vulncheck.sh [PACKAGE…] (default: ./...)
#
# Variable that is read: MG_VULNDB, the database (https://… or file:///…; default: the one of the Go project).
# Exit status 0: none; 1: some, or the check failed; 3: the database cannot be reached, so nothing was checked.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

tools=$(scripts/tools.sh govulncheck)
export PATH=$tools:$PATH
database=(${MG_VULNDB:+-db "$MG_VULNDB"})
# Without its database the tool would say so only after it has read all packages.
about=$(timeout 30 govulncheck "${database[@]}" -version 2>/dev/null) || true
if [[ $about != *"DB updated:"* ]]; then
	echo "vulnerabilities were not looked for: the database cannot be reached (MG_VULNDB names another, such as file:///srv/vulndb)"
	exit 3
fi
[ $# -gt 0 ] || set -- ./...
govulncheck "${database[@]}" "$@" || exit 1
