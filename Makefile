# What the README and .ci/run do, by name.

.PHONY: build test check demo bench load golden picture release image images

version = $(shell cat VERSION)
pkg = github.com/prometheus/common/version

build: ## the binary, with its version
	CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X $(pkg).Version=$(version) -X $(pkg).Revision=$(shell git rev-parse HEAD) -X $(pkg).Branch=$(shell git rev-parse --abbrev-ref HEAD)" -o tapo_exporter .

test: ## the tests that need Go alone
	go test ./...

check: ## everything, as before a change lands; installs what it needs
	.ci/run

demo: ## serve simulated plugs
	go run . --demo

bench: ## reads and probes of a plug beside a bare HTTP exchange
	go test -run '^$$' -bench . ./collector ./tapo ./tapo/internal/transport/tpap

load: ## a real Prometheus on 10, 100 and 1,000 simulated plugs: the table of docs/operations.md
	go run ./internal/load --plugs 10,100,1000 --duration 2m

golden: ## write the golden expositions, the tables of faults, docs/models.md and the table of docs/troubleshooting.md anew; look at the difference
	go test ./collector -run 'TestGolden|TestModels|TestKinds' -update
	go test ./tapo -run TestFaults -update
	go test ./internal/check -run 'TestFaults|TestSituations' -update

picture: ## take the pictures of README.md and docs/backfill.md anew; needs chromium and prometheus
	E2E=1 go test ./internal/e2e -run "TestPagesInChromium|TestBackfill$$" -update

release: ## tarballs for all platforms of .promu.yml, with checksums and what is in them, in .tarballs
	.ci/release

image: ## an image for this machine
	docker build --build-arg VERSION=$(version) --build-arg REVISION=$(shell git rev-parse HEAD) -t tapo-exporter .

images: ## one for amd64, arm64 and arm/v7; needs docker buildx
	docker buildx build --platform linux/amd64,linux/arm64,linux/arm/v7 --build-arg VERSION=$(version) --build-arg REVISION=$(shell git rev-parse HEAD) -t tapo-exporter .
