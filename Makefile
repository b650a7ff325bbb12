# Everything a developer types. "make" alone says what there is.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
COMMIT ?= $(shell git rev-parse HEAD 2>/dev/null)
# How long each fuzz test runs.
FUZZTIME ?= 20s
# What bench and faults are told, such as: make bench ARGS=get
ARGS ?=
# Parts of libraries that nothing here uses: gRPC's trace pages (their templates would also keep
# the linker from leaving unused methods out) and Gin's MessagePack. A third of the binary.
BUILD_TAGS := grpcnotrace,nomsgpack
GORELEASER := github.com/goreleaser/goreleaser/v2@v2.16.0

lint_tool := go tool -modfile=tools/lint/go.mod
# Modules beside the product's own: they hold tools.
modules := . $(patsubst %/go.mod,%,$(wildcard tools/*/go.mod))

.PHONY: help
help: ## Say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: ## Start the product on 127.0.0.1:8080 with nothing else installed
	go run cmd/main.go

.PHONY: build
build: ## Build bin/order-tracking
	CGO_ENABLED=0 go build -trimpath -tags $(BUILD_TAGS) -ldflags '-s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT)' -o bin/order-tracking ./cmd

.PHONY: test
test: ## Run the tests; those of PostgreSQL, Redis and Kafka are skipped
	go test ./...
	go -C tools/city test ./...

.PHONY: race
race: ## Run all tests with the race detector, on real PostgreSQL, Redis and Kafka
	scripts/services.sh up
	eval "$$(scripts/services.sh env)" && go test -race -gcflags=modernc.org/...=-race=false -timeout 25m ./...

WALK_SEED ?= 1

.PHONY: walk
walk: ## Walk 200 parcels through a carrier's faults, with three kills; WALK_SEED chooses them
	WALK_PARCELS=200 WALK_SEED=$(WALK_SEED) go test ./internal/shipping -v -count=1 -timeout 30m -run 'TestRandomWalkOfFaults|TestBadDays|TestNoStorm'

.PHONY: fuzz
fuzz: ## Run each fuzz test for FUZZTIME
	@grep -rl --include='*_test.go' '^func Fuzz' . | xargs -r -n 1 dirname | sort -u | while read -r dir; do \
	  grep -h -o '^func Fuzz[A-Za-z0-9_]*' "$$dir"/*_test.go | cut -c 6- | while read -r name; do \
	    echo "== $$dir $$name"; go test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) "$$dir" </dev/null; \
	  done; \
	done

.PHONY: forge
forge: ## Try a million forged keys and tokens
	go test -run '^TestForged' -count 1 -v ./internal/access -args -forge=1000000

.PHONY: bench
bench: ## Measure the product against limits and peers; ARGS=-h lists what there is
	go run ./tools/bench $(ARGS)

.PHONY: eta
eta: ## Measure the delivery-time estimates on recorded deliveries; DATA=DIR, TASK=A1 for one
	go run ./tools/realdata eta --validate $(DATA) $(if $(TASK),--task $(TASK))

.PHONY: faults
faults: ## Stop and kill parts of a running cluster and look at what is lost; ARGS=notify for one
	go run ./tools/faults $(ARGS)

.PHONY: offers
offers: ## Race couriers for offered orders over two replicas; RACES=100000
	OFFER_RACES=$(or $(RACES),100000) go test -count 1 -timeout 3h -run TestOffersHaveOneWinner ./internal/dispatch

.PHONY: board
board: ## The board with 10,000 couriers, 1,000 conflicting edits and a day of 500 orders; needs Chromium (scripts/services.sh)
	BOARD_LOAD=1 BOARD_EDITS=1000 BOARD_DAY=1 go test -count 1 -v -timeout 1h -run '^TestBoard(UnderLoad|sNeverOverwrite|sAgree)' ./tests

.PHONY: smoke
smoke: ## Start, use, stop and start the product as a stranger would
	scripts/smoke.sh

.PHONY: lint
lint: ## Look for mistakes in the Go code, the scripts and the workflows
	$(lint_tool) golangci-lint run
	go tool -modfile=tools/actionlint/go.mod actionlint
	shellcheck -x .ci/run scripts/*.sh scripts/http/lib.sh

.PHONY: lint-web
lint-web: ## Check the pages: format, lint, types, and that web/vendor is what is pinned; needs Node 20
	scripts/web.sh lint
	scripts/web.sh verify

.PHONY: test-web
test-web: ## Test what of the pages needs no browser; needs Node 20
	scripts/web.sh test

.PHONY: vulnerabilities
vulnerabilities: ## Ask the Go vulnerability database (needs the network)
	$(lint_tool) govulncheck ./...

.PHONY: generate
generate: ## Make the generated files anew
	scripts/generate.sh
	go generate ./...

# Compares the tree before and after, so that it also works on a tree with changes.
.PHONY: verify
verify: ## Check that generated files and modules are current
	@before=$$(git status --porcelain; git diff | cksum); \
	$(MAKE) --no-print-directory generate; \
	after=$$(git status --porcelain; git diff | cksum); \
	if [ "$$before" != "$$after" ]; then git --no-pager diff --stat; echo 'generated files were not current: commit what "make generate" made' >&2; exit 1; fi
	@for dir in $(modules); do (cd "$$dir" && go mod tidy -diff >/dev/null) || { echo "go.mod is not tidy: $$dir" >&2; exit 1; }; done

.PHONY: release-snapshot
release-snapshot: ## Build the archives of a release into dist/, and publish nothing
	GITHUB_REPOSITORY=order-tracking/order-tracking go run $(GORELEASER) release --snapshot --clean --skip=docker,sign,sbom
