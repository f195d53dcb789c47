# What the README and .ci/run do, by name.

.PHONY: build test check demo bench load golden image

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
	go test -run '^$$' -bench . ./collector ./tapo ./tapo/internal/tpap

load: ## a real Prometheus on 10, 100 and 1,000 simulated plugs: the table of docs/operations.md
	go run ./internal/load --plugs 10,100,1000 --duration 2m

golden: ## write the golden expositions, the tables of faults and docs/models.md anew; look at the difference
	go test ./collector -run 'TestGolden|TestModels' -update
	go test ./tapo -run TestFaults -update
	go test ./internal/check -run 'TestFaults|TestSituations' -update

image:
	docker build --build-arg VERSION=$(version) --build-arg REVISION=$(shell git rev-parse HEAD) -t tapo-exporter .
