# SPDX-License-Identifier: EUPL-1.2
# "make test" installs what the tests need on a Debian machine with Go, and runs
# all of them. Everything else here is a part of it.

FUZZTIME ?= 2s
BIN := bin

.PHONY: all build sbom test deps check unit race screenshots fuzz bench clean

all: build

# What is used seldom is compiled without inlining: that saves more than a megabyte of 41.
SMALL := github.com/luikyv github.com/minio github.com/go-webauthn github.com/gogo google.golang.org \
	github.com/alecthomas github.com/prometheus github.com/cockroachdb/errors github.com/cockroachdb/redact github.com/getsentry \
	github.com/tinylib github.com/fxamacker github.com/google go.yaml.in go encoding/gob encoding/xml net/http/pprof internal/profile \
	html text/template encoding/asn1 archive/tar golang.org/x/net/html golang.org/x/text github.com/cayleygraph github.com/go-viper \
	github.com/klauspost github.com/coder

build:
	CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags='-s -w -buildid=' $(SMALL:%=-gcflags=%/...=-l) -o $(BIN)/skrin ./cmd/skrin

# What the binary is made of, as CycloneDX.
sbom: build
	go run ./cmd/skrin/sbom $(BIN)/skrin > $(BIN)/skrin.cdx.json

test: deps check unit race fuzz

# What the tests need besides Go: a real browser and Node.js to drive it, clients
# that others have written, PostgreSQL, and a server that speaks S3.
deps:
	fixtures/browser/install.sh
	fixtures/clients/install.sh
	fixtures/servers/install.sh

check:
	@unformatted=$$(gofmt -l acl auth ldp pod cmd fixtures); test -z "$$unformatted" || { echo "gofmt: $$unformatted"; exit 1; }
	go vet ./...
	go tool staticcheck ./...

# SKRIN_TEST_ALL makes a missing browser, client or server an error, not a skip.
unit:
	SKRIN_TEST_ALL=1 go test -timeout 15m ./...

# Pictures of every page in every state, to look at, in fixtures/browser/screenshots;
# of some with SKRIN_STOPS='^consent' SKRIN_VIEWS='sv.phone nb.desktop.dark'.
screenshots: deps
	rm -rf fixtures/browser/screenshots
	SKRIN_TEST_ALL=1 SKRIN_SCREENSHOTS=screenshots go test -count=1 -timeout 30m -run TestScreenshots ./cmd/skrin

# The packages in which requests meet.
race:
	go test -race -short -timeout 10m ./acl ./auth/... ./ldp ./pod ./pod/pebble ./pod/sealed ./pod/notify ./cmd/skrin/parties

# A short run of every fuzz target.
fuzz:
	fixtures/fuzz.sh $(FUZZTIME)

bench:
	go test -run '^$$' -bench . -benchmem ./...

clean:
	rm -rf $(BIN) fixtures/browser/screenshots fixtures/browser/node_modules fixtures/clients/node_modules
