#!/bin/sh
# Checks the proto files and generates their Go code. Run it after every change of
# proto/; the result is committed.
set -eu
cd "$(dirname "$0")/.."
buf() { go tool -modfile=tools/buf/go.mod buf "$@"; }
buf format --diff --exit-code
buf lint
buf generate
