# Pulse. `make` alone lists the targets. Go is all that most of them need.

MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help

GO      ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
# What the Lambda functions are built for: arm64 or amd64.
LAMBDA_ARCH ?= arm64
# Where build-lambda puts them.
LAMBDA_DIR  ?= dist/lambda
# How long each fuzz target runs, and how long the tests of one package may take.
FUZZTIME     ?= 30s
TEST_TIMEOUT ?= 20m
# How often test-crash kills the server.
CRASH_ROUNDS ?= 40

GOLANGCI_VERSION := v2.15.0
GOLANGCI         := .cache/bin/golangci-lint-$(GOLANGCI_VERSION)

# CGO is off everywhere but under the race detector, which cannot do without.
export CGO_ENABLED ?= 0

LDFLAGS     := -s -w -X main.version=$(VERSION)
BUILD_FLAGS := -trimpath
WITH_TESTPG := $(GO) run ./shared/testkit/testpg --

ifeq ($(shell command -v $(GO) 2>/dev/null),)
ifneq ($(filter-out help clean,$(or $(MAKECMDGOALS),help)),)
$(error Go is missing: install Go 1.26 or newer from https://go.dev/dl and put it in PATH)
endif
endif

.PHONY: help
help: ## list the targets
	@awk 'BEGIN { FS = ":.*## " } /^[a-z0-9-]+:.*## / { printf "  %-20s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: dist/pulse ## build, and start single mode on PORT (default 3000); needs no configuration
	@exec ./dist/pulse serve

.PHONY: build
build: dist/pulse dist/pulse-scale ## dist/pulse (single mode by default) and dist/pulse-scale (scale)

# The web pages, which the binaries and the web function embed. Without Node
# they are left out, and a line says so.
DASHBOARD       := dashboard/dist/index.html
WITH_DASHBOARD  := $(if $(shell command -v npm 2>/dev/null),$(DASHBOARD),without-dashboard)
DASHBOARD_FROM   = $(shell find dashboard/src dashboard/public dashboard/scripts dashboard/index.html dashboard/*.ts -type f ! -name routeTree.gen.ts)

.PHONY: dashboard
dashboard: $(DASHBOARD) ## build the web pages into dashboard/dist (needs Node 20 with npm)

$(DASHBOARD): dashboard/node_modules/.package-lock.json $(DASHBOARD_FROM)
	@echo "building the dashboard"
	@cd dashboard && npm run --silent build
	@touch $@

dashboard/node_modules/.package-lock.json: dashboard/package-lock.json
	@echo "installing what the dashboard is built with"
	@cd dashboard && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

.PHONY: without-dashboard
without-dashboard:
	@[ -e $(DASHBOARD) ] || echo "Node is missing: Pulse is built without its web pages. Install Node 20 or newer, and run this again."

.PHONY: e2e
e2e: dist/pulse ## check the web pages: types, units, and a real browser against dist/pulse (needs Node and Chromium)
	@GO='$(GO)' dashboard/scripts/test.sh

.PHONY: screenshots
screenshots: dist/pulse ## rewrite docs/images from the web pages
	@cd dashboard && npx playwright test --config playwright.screenshots.ts

# go build decides what is stale, quickly, so the files are always asked for.
.PHONY: dist/pulse dist/pulse-scale
dist/pulse dist/pulse-scale: | $(WITH_DASHBOARD)
dist/pulse:
	@[ -e $@ ] || echo "building $@ (about a minute the first time)"
	@$(GO) build $(BUILD_FLAGS) -ldflags '$(LDFLAGS)' -o $@ ./functions/pulse
dist/pulse-scale:
	@[ -e $@ ] || echo "building $@"
	@$(GO) build $(BUILD_FLAGS) -ldflags '$(LDFLAGS) -X main.defaultMode=scale' -o $@ ./functions/pulse

FUNCTIONS := ingest query dashboard auth web drain migrate
# -tags lambda.norpc leaves out a protocol that the runtime does not use.
BUILD_LAMBDA = CGO_ENABLED=0 GOOS=linux GOARCH=$(LAMBDA_ARCH) $(GO) build $(BUILD_FLAGS) -tags lambda.norpc \
  -ldflags '-s -w -X github.com/pulse-traces/pulse/shared/host/function.version=$(VERSION)'

.PHONY: build-lambda
build-lambda: $(WITH_DASHBOARD) ## dist/lambda/<function>/bootstrap of each function, for LAMBDA_ARCH (arm64)
	@for f in $(FUNCTIONS); do echo "building $(LAMBDA_DIR)/$$f/bootstrap ($(LAMBDA_ARCH))"; \
	  $(BUILD_LAMBDA) -o $(LAMBDA_DIR)/$$f/bootstrap ./functions/$$f || exit 1; done

# `sam build` calls build-<logical id> for each function of the template.
build-Ingest:    FUNCTION := ingest
build-Query:     FUNCTION := query
build-Dashboard: FUNCTION := dashboard
build-Auth:      FUNCTION := auth
build-Web:       FUNCTION := web
build-Drain:     FUNCTION := drain
build-Migrate:   FUNCTION := migrate
.PHONY: build-Ingest build-Query build-Dashboard build-Auth build-Web build-Drain build-Migrate
build-Ingest build-Query build-Dashboard build-Auth build-Web build-Drain build-Migrate:
	$(BUILD_LAMBDA) -o '$(ARTIFACTS_DIR)/bootstrap' ./functions/$(FUNCTION)

# The SAM command, in an environment of its own. Its loops (Fn::ForEach) are off
# unless asked for, and it would report home.
SAM_VERSION := 1.170.0
SAM         := .cache/sam-$(SAM_VERSION)/bin/sam
SAM_RUN     := SAM_CLI_TELEMETRY=0 SAM_CLI_ENABLE_LANGUAGE_EXTENSIONS=1 $(SAM)

$(SAM):
	@infra/scripts/install-sam.sh $(SAM_VERSION)

.PHONY: sam-validate
sam-validate: $(SAM) ## check template.yaml as CloudFormation reads it
	@$(SAM_RUN) validate --lint --region us-east-1

.PHONY: sam-build
sam-build: $(SAM) $(WITH_DASHBOARD) ## build the functions of template.yaml into .aws-sam, for LAMBDA_ARCH (arm64)
	@LAMBDA_ARCH=$(LAMBDA_ARCH) $(SAM_RUN) build --region us-east-1 --parameter-overrides Architecture=$(if $(filter amd64,$(LAMBDA_ARCH)),x86_64,$(LAMBDA_ARCH))

.PHONY: sam-local
sam-local: $(SAM) $(WITH_DASHBOARD) ## run template.yaml on this machine, on PORT (needs Docker)
	@exec env SAM=$(SAM) GO=$(GO) infra/scripts/sam-local.sh

.PHONY: sam-local-test
sam-local-test: $(SAM) $(WITH_DASHBOARD) ## the same, until a trace went all the way through
	@exec env SAM=$(SAM) GO=$(GO) infra/scripts/sam-local.sh test

# PROFILE is one of samconfig.toml: dev or prod.
PROFILE ?= dev

.PHONY: deploy
deploy: $(SAM) $(WITH_DASHBOARD) ## put PROFILE (dev) into your AWS account: docs/deploy-aws.md
	@SAM=$(SAM) VERSION='$(VERSION)' infra/scripts/deploy.sh $(PROFILE)

.PHONY: destroy
destroy: $(SAM) ## take PROFILE (dev) out of your AWS account; asks
	@SAM=$(SAM) infra/scripts/destroy.sh $(PROFILE)

.PHONY: test
test: $(WITH_DASHBOARD) ## run every test, with a Postgres of its own (or TEST_DATABASE_URL)
	$(WITH_TESTPG) $(GO) test -timeout $(TEST_TIMEOUT) ./...
	@$(MAKE) --no-print-directory sdk
	@$(MAKE) --no-print-directory e2e

.PHONY: sdk
sdk: dist/pulse ## build and test the SDKs whose languages are here
	@sdk/test.sh

.PHONY: race
race: export CGO_ENABLED = 1
race: $(WITH_DASHBOARD) ## run every test under the race detector (needs a C compiler)
	$(WITH_TESTPG) $(GO) test -race -timeout 60m ./...

.PHONY: test-crash
test-crash: ## the long crash suite: kill -9 under load, restart, count
	PULSE_CRASH_ROUNDS=$(CRASH_ROUNDS) $(WITH_TESTPG) $(GO) test -count 1 -timeout 60m -run '^TestCrash' -v ./functions/pulse/...

.PHONY: test-large
test-large: ## a trace of 100,000 spans, written and read in bounded memory
	PULSE_LONG=1 $(WITH_TESTPG) $(GO) test -count 1 -timeout 60m -run '^TestLargeTrace' -v ./functions/pulse

TEST_SERVERLESS = $(WITH_TESTPG) $(GO) test -count 1 -timeout 60m -v -run '^TestServerless' ./shared/testkit/serverless

.PHONY: test-integrations
test-integrations: ## run the program of each page of docs/integrations (needs pip and npm)
	PULSE_INTEGRATIONS=1 $(GO) test -count 1 -timeout 30m -run '^TestIntegrations$$' ./functions/pulse

.PHONY: test-serverless
test-serverless: ## the functions in Lambda's emulator, behind a gateway, on real queues and Postgres
	$(TEST_SERVERLESS)

.PHONY: test-serverless-long
test-serverless-long: ## the same with faults that last: a minute without Postgres, hundreds of kills
	PULSE_LONG=1 $(TEST_SERVERLESS)

.PHONY: fuzz
fuzz: ## run each fuzz target for FUZZTIME (30s)
	GO='$(GO)' FUZZTIME='$(FUZZTIME)' infra/scripts/fuzz.sh

.PHONY: bench
bench: dist/pulse ## measure against the limits of this machine; writes docs/benchmarks.md
	$(WITH_TESTPG) $(GO) run ./bench -binary dist/pulse -o docs/benchmarks.md

.PHONY: bench-init
bench-init: ## how long each function takes to start in Lambda's emulator, and its package's size
	$(GO) test -run '^$$' -bench '^BenchmarkInit$$' -benchtime 11x ./shared/testkit/serverless

.PHONY: migrate
migrate: dist/pulse ## bring the database of PULSE_MODE up to date
	./dist/pulse migrate

.PHONY: image
image: $(WITH_DASHBOARD) ## build the container image "pulse" from a Linux binary made here (needs Docker)
	GOOS=linux $(GO) build $(BUILD_FLAGS) -ldflags '$(LDFLAGS)' -o dist/image/pulse ./functions/pulse
	infra/scripts/build-image.sh pulse dist/image/pulse

.PHONY: images
images: ## build the image pulse-<function> of each function, as "image" does
	@$(MAKE) build-lambda LAMBDA_ARCH=$(shell $(GO) env GOARCH)
	@for f in $(FUNCTIONS); do infra/scripts/build-image.sh pulse-$$f dist/lambda/$$f/bootstrap || exit 1; done

.PHONY: compose-test
compose-test: image images ## go a short way through each profile of infra/compose.yaml (needs Docker)
	@for p in single scale cloud; do infra/scripts/compose-test.sh $$p || exit 1; done

.PHONY: lint
lint: $(GOLANGCI) ## run the linters of .golangci.yaml
	$(GOLANGCI) run ./...
	cd sdk/go && ../../$(GOLANGCI) run ./...

.PHONY: fmt
fmt: $(GOLANGCI) ## format the Go code
	$(GOLANGCI) fmt ./...

$(GOLANGCI):
	@mkdir -p $(@D)
	GOBIN='$(CURDIR)/$(@D)' $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)
	@mv $(@D)/golangci-lint $@

# Packages whose tests make files of the repository when run with -update.
GENERATED = $(shell grep -rl --include='*_test.go' 'flag.Bool."update"' shared functions bench migrations docs 2>/dev/null | xargs -r -n 1 dirname | sort -u | sed 's,^,./,')

.PHONY: generate
generate: ## rewrite generated documents and golden files
	$(WITH_TESTPG) $(GO) test -count 1 $(GENERATED) -update

.PHONY: prices
prices: ## rewrite the price data from the lists that shared/pricing/generate names (needs pip)
	$(GO) run ./shared/pricing/generate

.PHONY: verify
verify: ## fail if something is stale, unformatted or untidy
	@unformatted=$$(git ls-files -z -- '*.go' | xargs -0 gofmt -l); \
	  if [ -n "$$unformatted" ]; then echo "not formatted, run make fmt:"; echo "$$unformatted"; exit 1; fi
	$(GO) mod tidy -diff
	$(GO) mod verify
	$(GO) vet ./...
	$(WITH_TESTPG) $(GO) test -count 1 $(GENERATED)

.PHONY: clean
clean: ## remove what the other targets made
	rm -rf dist .cache .aws-sam dashboard/node_modules && git clean -fdqx dashboard/dist

.PHONY: ci
ci: verify lint test build ## everything that should pass before a push (CI runs .ci/run: only the tests)
