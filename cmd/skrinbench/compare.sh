#!/bin/sh
# SPDX-License-Identifier: EUPL-1.2
#
# compare.sh FOLDER [WORKLOAD...] installs Community Solid Server from npm into a
# folder, and measures it and Skrin in turn. The figures, and a picture of their
# ratios, are written to the folder. Without workloads it takes those that both have,
# in some 25 minutes; it needs Node.js and npm.
set -eu

folder=${1:?a folder to work in, which is made}
shift
[ $# -gt 0 ] || set -- get-turtle get-jsonld get-dpop put-new put-over patch-n3 patch-n3-one patch-sparql delete \
	token list-100 list-1000 upload download pod-create mixed

mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
cd "$(dirname "$0")/../.."

test -d "$folder/css/node_modules/@solid/community-server" ||
	npm install --silent --no-audit --no-fund --prefix "$folder/css" @solid/community-server@7.2.0

go build -trimpath -o "$folder/skrin" ./cmd/skrin
go build -trimpath -o "$folder/skrinbench" ./cmd/skrinbench
mkdir -p "$folder/scratch"
exec "$folder/skrinbench" --skrin "$folder/skrin" --vs "css:$folder/css" --users 16 --scratch "$folder/scratch" \
	--json "$folder/figures.json" --picture "$folder/picture.svg" "$@"
