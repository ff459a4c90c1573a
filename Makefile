# Lifeboat. `make` alone explains itself.

VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS  := -s -w -X main.version=$(VERSION)
CACHE    ?= $(or $(LIFEBOAT_CACHE),$(XDG_CACHE_HOME),$(HOME)/.cache)/lifeboat
TOOLS    := $(CACHE)/tools
STACKDIR ?= $(CACHE)/dev-stack

# The stack's components, and its CSI driver, are a module of their own.
DRIVER   := test/stack/tools

# As in test/stack/build.go: with other settings everything would be compiled twice.
export CGO_ENABLED := 0

# For a quarter more memory the compiler takes 15 % less CPU time.
GOBUILD := GOGC=400 go build

# What a release is built with: the Go that the Dockerfile names.
RELEASEGO := go$(shell sed -n 's/^FROM golang:\([0-9.]*\)-.*/\1/p' Dockerfile)

# Of a run of all tests, a third of the CPU time was vet, which golangci-lint runs, too, and the
# linking of what only a debugger reads.
TESTFLAGS := -vet=off -ldflags='-s -w'

# gotestsum runs go test, counts the tests, and ends with what failed or was skipped.
GOTEST := $(TOOLS)/gotestsum -- $(TESTFLAGS)
export GOTESTSUM_FORMAT ?= pkgname-and-test-fails

# Tests with the tag `stack` run real components and wait for them far more than they
# work: two packages at a time keep two cores busy.
STACKTEST := $(GOTEST) -tags stack -p 2 -timeout 60m

# go test starts packages in the order of its arguments: what runs for minutes goes first, so
# that none of it is left to run alone at the end.
LONGEST := ./test/node ./test/e2e/volumes ./test/chaos ./test/drill ./test/e2e ./test/interop

.DEFAULT_GOAL := help

.PHONY: help
help: ## show this help
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## bin/lifeboat and bin/lifeboat-worker
	$(GOBUILD) -ldflags '$(LDFLAGS)' -o bin/lifeboat ./starter
	$(GOBUILD) -ldflags '$(LDFLAGS)' -o bin/lifeboat-worker ./worker

.PHONY: demo
demo: ## the whole story on real components: backup, loss, restore, comparison (DEMO_KEEP=1, DEMO_KUBECONFIG=...); DEMO=drill: a database drilled on a real node (Linux, root)
	@echo 'compiling the demo (on a fresh machine this downloads modules and takes some minutes)'
	@bash -o pipefail -c "$(GOBUILD) -v -o bin/demo ./test/demo 2>&1 | awk -v terminal=$$(test -t 1; echo $$?) '/ /{print; next} {++n} terminal == 0 {printf \"\r%d packages compiled\", n; fflush()} END {if (n) print \"\r\" n \" packages compiled\"}'"
	@VERSION='$(VERSION)' DEMO='$(DEMO)' bin/demo

.PHONY: test
test: $(TOOLS)/gotestsum node-build stack-build lint test-driver test-monitoring fuzz-short ## everything that proves it, on real components (builds them at the first run; Linux, root)
	$(STACKTEST) $(LONGEST) ./...

.PHONY: test-noroot
test-noroot: $(TOOLS)/gotestsum stack-build lint test-driver test-monitoring fuzz-short ## as test, without the tests that need a node (they want Linux and root)
	$(STACKTEST) $(filter-out ./test/node,$(LONGEST)) $$(go list -tags stack ./... | grep -v -e /test/node -e /test/compose -e /test/chart)

.PHONY: e2e
e2e: $(TOOLS)/gotestsum node-build stack-build ## real Pods with real data on a real node (Linux, root; installs what it needs)
	GOTESTSUM_FORMAT=standard-verbose $(STACKTEST) ./test/node/...

.PHONY: release-check
release-check: $(TOOLS)/gotestsum ## slow proofs before a release: the image built twice has one digest, the chart fits Kubernetes 1.30 to 1.37, deploy/terraform, the page of evidence in a browser (Linux, root; installs chromium and buildah)
	GOTESTSUM_FORMAT=standard-verbose $(GOTEST) -tags 'stack release' -timeout 90m -run '^Test(Image|ImageDigest|SchemaOfAllVersions|Format|Documents|Refusals|PageInBrowser.*)$$' ./test/compose ./deploy/helm ./test/terraform ./internal/drill/page

.PHONY: vulncheck
vulncheck: ## vulnerabilities known today that the programs reach, with a release's Go (VULNDB=pinned: by the database in tools/vulncheck, without network)
	@mkdir -p $(TOOLS)
	cd tools/vulncheck && GOTOOLCHAIN=$(RELEASEGO) $(GOBUILD) -o $(TOOLS)/ golang.org/x/vuln/cmd/govulncheck golang.org/x/vulndb/cmd/indexdb
	version=$$(test '$(VULNDB)' != pinned && echo latest || go list -C tools/vulncheck -m -f '{{.Version}}' golang.org/x/vulndb) && \
	  module=$$(go mod download -json golang.org/x/vulndb@$$version | sed -n 's/.*"Dir": "\(.*\)",*/\1/p') && \
	  rm -rf $(CACHE)/vulndb && $(TOOLS)/indexdb -vulns $$module/data/osv -out $(CACHE)/vulndb
	GOTOOLCHAIN=$(RELEASEGO) $(TOOLS)/govulncheck -db file://$(CACHE)/vulndb ./worker ./starter

.PHONY: archives-check
archives-check: ## .goreleaser.yaml by goreleaser itself, which then builds both programs for this machine (the checkout needs a remote)
	@mkdir -p $(TOOLS)
	cd tools/goreleaser && $(GOBUILD) -o $(TOOLS)/ github.com/goreleaser/goreleaser/v2
	$(TOOLS)/goreleaser check
	$(TOOLS)/goreleaser build --snapshot --single-target --clean

.PHONY: chart
chart: ## the chart of a release, which names its image by digest: dist/lifeboat-X.Y.Z.tgz (VERSION=vX.Y.Z DIGEST=sha256:..., needs helm)
	@echo '$(DIGEST)' | grep -Eqx 'sha256:[0-9a-f]{64}' || { echo 'DIGEST: "$(DIGEST)" is no digest; pushing the image prints it'; exit 1; }
	@echo '$(VERSION)' | grep -Eqx 'v[0-9]+\.[0-9]+\.[0-9]+(-[0-9a-z.]+)?' || { echo 'VERSION: "$(VERSION)" is no release, such as v1.2.3'; exit 1; }
	rm -rf dist/chart && mkdir -p dist && cp -r deploy/helm/lifeboat dist/chart
	sed -i 's|^  digest: ""$$|  digest: "$(DIGEST)"|' dist/chart/values.yaml && grep -q '$(DIGEST)' dist/chart/values.yaml
	helm package dist/chart --version '$(patsubst v%,%,$(VERSION))' --app-version '$(VERSION)' --destination dist

.PHONY: terraform-check
terraform-check: $(TOOLS)/gotestsum ## deploy/terraform made on an emulator of AWS (the AWS provider from its registry or TF_CLI_CONFIG_FILE, moto_server)
	GOTESTSUM_FORMAT=standard-verbose $(GOTEST) -tags 'stack release' -timeout 30m ./test/terraform

.PHONY: test-driver
test-driver: $(TOOLS)/gotestsum ## the stack's CSI driver (its own tests, the CSI specification's suite) and the tools
	cd tools && $(GOTEST) ./packagecheck ./sbom
	cd $(DRIVER) && $(GOTEST) ./...

.PHONY: test-monitoring
test-monitoring: $(TOOLS)/gotestsum ## alerts, dashboard, metrics and traces, by Prometheus's own code and a real Collector (needs stack-build)
	cd test/monitoring && $(GOTEST) -tags stack -timeout 20m ./...

.PHONY: test-unit
test-unit: ## tests without any process outside `go test`
	go test $(TESTFLAGS) ./...

.PHONY: bench
bench: build ## measure against bare API server, limits of EC2 and a real Velero; writes dist/bench.json (BENCH='-only volumes')
	go run ./test/bench $(BENCH)

# Go's fuzzer fails with "context deadline exceeded" if an input runs when the time is over
# (https://go.dev/issue/75804, mended in Go 1.27): that is no finding. One is written to a file, and says so.
.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME (default 20s); `make test` gives each 1s, `make soak` 2m
	@for dir in $$(grep -rl --include='*_test.go' '^func Fuzz' internal starter worker test | xargs -n 1 dirname | sort -u); do \
	  for f in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' $$dir/*_test.go); do \
	    echo "$$dir $$f"; out=$$(go test $(TESTFLAGS) -run '^$$' -fuzz "^$$f$$" -fuzztime $(or $(FUZZTIME),20s) -fuzzminimizetime 1s ./$$dir 2>&1) && continue; \
	    if echo "$$out" | grep -q 'Failing input\|panic\|build failed' || ! echo "$$out" | grep -q '^    context deadline exceeded'; then echo "$$out"; exit 1; fi; done; done

.PHONY: fuzz-short
fuzz-short: # a part of `make test`
	$(MAKE) fuzz FUZZTIME=1s

.PHONY: lint
lint: $(TOOLS)/golangci-lint $(TOOLS)/workflowcheck ## linters, layer rules, determinism of workflows
	$(TOOLS)/golangci-lint run --build-tags stack ./...
	cd $(DRIVER) && $(TOOLS)/golangci-lint run ./...
	cd test/monitoring && $(TOOLS)/golangci-lint run --build-tags stack ./...
	cd tools && $(TOOLS)/golangci-lint run ./...
	go -C tools run ./packagecheck "$(CURDIR)"
	$(TOOLS)/workflowcheck -test=false -show-pos ./workflows/...

.PHONY: fmt
fmt: $(TOOLS)/golangci-lint ## format the code
	$(TOOLS)/golangci-lint fmt ./...

$(TOOLS)/golangci-lint $(TOOLS)/workflowcheck $(TOOLS)/gotestsum &: tools/go.mod
	@mkdir -p $(TOOLS)
	cd tools && $(GOBUILD) -o $(TOOLS)/ github.com/golangci/golangci-lint/v2/cmd/golangci-lint go.temporal.io/sdk/contrib/tools/workflowcheck gotest.tools/gotestsum
	@touch $(TOOLS)/golangci-lint $(TOOLS)/workflowcheck $(TOOLS)/gotestsum

.PHONY: soak
soak: $(TOOLS)/gotestsum stack-build ## what `make test` takes a sample of: the worker killed at every request of a run and frozen at every staged write, due times in every zone, 2,000 backups beside a writer, 50 drills in a row, one killed and one cancelled in each phase, 80 volumes frozen at shipped rates, 200 restores held against their estimates
	LIFEBOAT_SOAK=1 $(GOTEST) -timeout 1h -run '^Test(RandomSequences|Faults|Size|ExplainMany|NoAlarm.*|ChangesAreFast|EveryAlteredByte)$$' ./internal/garbage/orphan ./internal/change ./internal/catalog ./internal/drill/evidence
	LIFEBOAT_SOAK=1 $(GOTEST) -tags stack -timeout 3h -run '^Test(Killed(Backup|Restore|Garbage)|FrozenAtStaged)$$' ./test/chaos
	LIFEBOAT_SOAK=1 $(GOTEST) -tags stack -timeout 3h ./internal/timing
	LIFEBOAT_SOAK=1 $(GOTEST) -tags stack -timeout 3h -run '^TestOneInstant$$' ./test/e2e
	LIFEBOAT_SOAK=1 $(GOTEST) -tags stack -timeout 3h -run '^Test(DrillsInARow|CollectMany|EitherDriver|FrozenAtShippedRates|Estimates)$$' ./test/e2e/volumes
	LIFEBOAT_SOAK=1 $(GOTEST) -tags stack -timeout 1h -run '^Test(Killed|Cancelled)InEachPhase$$' ./test/drill
	LIFEBOAT_SOAK=1 $(GOTEST) -tags stack -timeout 1h -run '^TestRecordedBuckets$$' ./test/interop
	$(MAKE) fuzz FUZZTIME=2m

.PHONY: record-histories
record-histories: $(TOOLS)/gotestsum ## record workflow histories and backups of this code for the tests of later code
	LIFEBOAT_RECORD=$(VERSION) $(STACKTEST) -run '^TestRecord(Histories|Release)' ./test/chaos ./test/e2e ./test/e2e/volumes

.PHONY: stack-build
stack-build: ## build the pinned components of the local stack into the cache
	go run ./test/stack/cmd/stack build --all

.PHONY: node-build
node-build: ## make this machine ready for a real node: packages and images (Linux, root)
	go run ./test/stack/cmd/stack build --node

.PHONY: up
up: ## start a local stack and leave it running (UP=--ebs for volumes, UP=--node for a real node)
	go run ./test/stack/cmd/stack up --kwok $(UP) --dir $(STACKDIR)

.PHONY: down
down: ## stop the local stack
	go run ./test/stack/cmd/stack down --dir $(STACKDIR)

.PHONY: clean
clean: ## remove build results (the cache of components stays)
	rm -rf bin dist
