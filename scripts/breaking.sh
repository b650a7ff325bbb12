#!/bin/sh
# Says whether proto/ breaks callers of an earlier version: of main, or of what the
# argument names (https://buf.build/docs/reference/inputs), such as .git#tag=v1.0.0.
set -eu
cd "$(dirname "$0")/.."
exec go tool -modfile=tools/buf/go.mod buf breaking --against "${1:-.git#branch=main}"
