#!/bin/sh
# SPDX-License-Identifier: EUPL-1.2
#
# compare.sh FOLDER [WORKLOAD...] installs Community Solid Server from npm into a
# folder, and measures it and Skrin in turn, each workload at 64 connections; and what
# more members, grants and levels cost. The table, the figures, and a picture of the
# ratios, are written to the folder. It takes a quarter of an hour, and needs Go,
# Node.js and npm. What the number of pods costs is told by "skrinbench scale".
set -eu

folder=${1:?a folder to work in, which is made}
shift

mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
cd "$(dirname "$0")/../.."

test -d "$folder/css/node_modules/@solid/community-server" ||
	npm install --silent --no-audit --no-fund --prefix "$folder/css" @solid/community-server@7.2.0

go build -trimpath -o "$folder/skrin" ./cmd/skrin
go build -trimpath -o "$folder/skrinbench" ./cmd/skrinbench
scratch=$(mktemp -d "$folder/scratch-XXXXXX")
trap 'rm -rf "$scratch"' EXIT
"$folder/skrinbench" --skrin "$folder/skrin" --vs "css:$folder/css" --lasting 1s --pods 1000 --scratch "$scratch" \
	--note "$(nproc) cores, $(uname -sm)" --json "$folder/figures.json" --picture "$folder/picture.svg" "$@" >"$folder/table.txt"
cat "$folder/table.txt"
