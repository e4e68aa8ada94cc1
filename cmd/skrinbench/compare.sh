#!/bin/sh
# SPDX-License-Identifier: EUPL-1.2
#
# compare.sh FOLDER [WORKLOAD...] installs Community Solid Server and
# JavaScriptSolidServer from npm into a folder, and measures them and Skrin in turn,
# each workload at 64 connections; and what more members, grants and levels cost. The
# tables (tables.md as the report has them, table.txt with more), the figures, and a
# picture of the ratios, are written to the folder; how far it is, it tells meanwhile.
# It takes some twenty minutes, and needs Go, Node.js and npm. What the number of pods
# costs is told by "skrinbench scale", and PostgreSQL with S3 by "skrinbench cluster".
set -eu

folder=${1:?a folder to work in, which is made}
shift

mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
cd "$(dirname "$0")/../.."

# install FOLDER PACKAGE VERSION
install() {
	test -d "$folder/$1/node_modules/$2" || {
		echo "$(date -u +%T)  installing $2 $3" >&2
		npm install --silent --no-audit --no-fund --prefix "$folder/$1" "$2@$3"
	}
}
install css @solid/community-server 7.2.0
install jss javascript-solid-server 0.0.81

echo "$(date -u +%T)  building" >&2
CGO_ENABLED=0 go build -trimpath -o "$folder/skrin" ./cmd/skrin
go build -trimpath -o "$folder/skrinbench" ./cmd/skrinbench
scratch=$(mktemp -d "$folder/scratch-XXXXXX")
trap 'rm -rf "$scratch"' EXIT
"$folder/skrinbench" --skrin "$folder/skrin" --vs "css:$folder/css,jss:$folder/jss" --lasting 1s --pods 1000 --scratch "$scratch" \
	--note "$(nproc) cores, $(uname -sm)" --json "$folder/figures.json" --table "$folder/tables.md" --picture "$folder/picture.svg" "$@" >"$folder/table.txt"
cat "$folder/table.txt"
