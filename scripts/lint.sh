#!/usr/bin/env bash
# All static checks. Every check runs, so that one run shows all that is wrong; any failure fails the whole.
#
# MG_BREAKING_BASE: the commit that the protos must stay compatible with (default: the upstream branch if
# HEAD is not that, else the previous commit).
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit

failed=()

# check NAME COMMAND…
check() {
	local name=$1 start=$SECONDS
	shift
	if "$@"; then
		echo "ok    $name ($((SECONDS - start)) s)"
	else
		echo "FAIL  $name"
		failed+=("$name")
	fi
}

skip() { echo "skip  $1: $2"; }

go_files() { git ls-files -co --exclude-standard '*.go' | grep -v '^gen/go/'; }

formatted() {
	local found
	found=$(go_files | xargs gofmt -s -l)
	[ -z "$found" ] || { echo "not formatted (gofmt -s -w):"; echo "$found"; return 1; }
}

# Native code is allowed in the engines only: the server must keep running when one of them crashes.
cgo_in_engines_only() {
	local found
	found=$(go_files | xargs grep -lE '^\s*(import )?"C"$' | grep -v '^engines/[^/]*/')
	[ -z "$found" ] || { echo "cgo outside engines/*/:"; echo "$found"; return 1; }
}

# server_is_pure: the program of the server links no package that uses cgo, the standard library apart.
server_is_pure() {
	local found
	found=$(CGO_ENABLED=1 go list -deps -f '{{if and .CgoFiles (not .Standard)}}{{.ImportPath}}{{end}}' ./cmd/modelgateway)
	[ -z "$found" ] || { echo "the server links packages that use cgo:"; echo "$found"; return 1; }
}

files_are_short() {
	local found
	found=$(git ls-files -co --exclude-standard '*.go' '*.py' '*.ts' '*.tsx' '*.sh' | grep -v '^gen/' |
		xargs wc -l | awk '$2 != "total" && $1 > 500')
	[ -z "$found" ] || { echo "longer than 500 lines:"; echo "$found"; return 1; }
}

generated_is_current() {
	local tmp status
	tmp=$(mktemp -d)
	scripts/generate.sh "$tmp" && diff -r -q "$tmp/gen/go" gen/go && diff -r -q "$tmp/gen/openapi" gen/openapi &&
		diff -r -q -x __pycache__ "$tmp/gen/python" gen/python && diff -r -q "$tmp/gen/ts" gen/ts
	status=$?
	rm -rf "$tmp"
	[ $status = 0 ] || echo "run: make generate"
	return $status
}

# The page at /ui/ is bundled, so that nobody needs Node.js to build the server.
playground_is_current() {
	local tmp status
	tmp=$(mktemp -d)
	scripts/playground.sh "$tmp" && diff -r -q "$tmp" playground/dist
	status=$?
	rm -rf "$tmp"
	[ $status = 0 ] || echo "run: make playground"
	return $status
}

breaking_base() {
	local upstream
	if [ -n "${MG_BREAKING_BASE:-}" ]; then
		echo "$MG_BREAKING_BASE"
	elif upstream=$(git rev-parse -q --verify '@{upstream}' 2>/dev/null) && [ "$upstream" != "$(git rev-parse HEAD)" ]; then
		echo "$upstream"
	else
		git rev-parse -q --verify HEAD^
	fi
}

# The base has no third-party protos in git: today's stand in for them.
compatible_with() {
	local tmp status
	tmp=$(mktemp -d)
	mkdir "$tmp/build"
	git archive "$1" proto buf.yaml | tar -x -C "$tmp" && cp -r build/protodeps "$tmp/build/" && buf breaking --against "$tmp"
	status=$?
	rm -rf "$tmp"
	return $status
}

# The rules of CONTRIBUTING.md for messages hold for the commits after this one.
first_checked=c40badf165cc134beb88c7ebe5603c7bf2e1b72f

commit_messages() {
	local commit subject second body found=0
	for commit in $(git rev-list --no-merges "$first_checked..HEAD"); do
		subject=$(git log -1 --format=%s "$commit")
		second=$(git log -1 --format=%B "$commit" | sed -n 2p)
		body=$(git log -1 --format=%b "$commit")
		if [ "${#subject}" -le 72 ] && [[ $subject =~ ^[[:upper:]] ]] && [[ $subject != *. ]] && [ -z "$second" ] && [ -n "$body" ]; then
			continue
		fi
		echo "${commit:0:12} $subject"
		found=1
	done
	[ "$found" = 0 ] || echo "a subject is imperative, has at most 72 characters and no full stop; the body says why"
	return "$found"
}

# Users of the module see in go.mod at once what it depends on directly.
requirements_in_blocks() {
	awk '
		/^require \(/ { block++; next }
		/^\t/ && block && ($0 ~ /\/\/ indirect/) != (block == 2) { print FILENAME ":" FNR ": direct requirements go into the first block, indirect ones into the second"; bad = 1 }
		END { exit bad }' go.mod
}

# Tools with dependencies of their own are modules of their own, which ./... leaves out.
vet_nested_modules() {
	local file
	for file in $(git ls-files -co --exclude-standard '*/go.mod'); do
		go vet -C "$(dirname "$file")" ./... || return
	done
}

exports=$(scripts/native.sh env) || exit
eval "$exports"
tools=$(scripts/tools.sh buf golangci-lint python) || exit
export PATH=$tools:$PATH

check "gofmt" formatted
check "file length" files_are_short
check "cgo in engines only" cgo_in_engines_only
check "server without cgo" server_is_pure
check "go vet" go vet ./...
check "go vet of nested modules" vet_nested_modules
check "go.mod" requirements_in_blocks
check "golangci-lint" golangci-lint run ./...
check "allocations" go test -count=1 -run '^TestAllocationsOfCallsAndTokens$' ./server
check "ruff" ruff check --quiet --select E9,F --exclude gen --exclude node_modules .
check "generated code is current" generated_is_current
check "playground is current" playground_is_current
check "buf lint" buf lint
if base=$(breaking_base) && git cat-file -e "$base:proto" 2>/dev/null; then
	check "buf breaking against ${base:0:12}" compatible_with "$base"
else
	skip "buf breaking" "no earlier commit with protos to compare with"
fi
if git cat-file -e "$first_checked^{commit}" 2>/dev/null; then
	check "commit messages" commit_messages
else
	skip "commit messages" "the history is not complete"
fi
if found=$(scripts/vulncheck.sh 2>&1); then
	echo "ok    known vulnerabilities"
elif [ $? = 3 ]; then
	skip "known vulnerabilities" "${found##*$'\n'}"
else
	echo "$found"
	check "known vulnerabilities" false
fi
if command -v shellcheck >/dev/null; then
	check "shellcheck" shellcheck scripts/*.sh .ci/run
else
	skip "shellcheck" "it is not installed"
fi

[ ${#failed[@]} = 0 ] || { printf 'lint failed: %s\n' "${failed[*]}"; exit 1; }
