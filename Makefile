# What is done by hand often. .ci/run is what must pass.
.PHONY: test race invariants lint fuzz crash power flip long bench cover ci

N ?= 1000
FUZZTIME ?= 30s
BENCH ?= .
SEARCHES ?= 1000000
OVERLOAD ?= 600
KILLS ?= 20
WRITES ?= 20000

test: ## every test, as the README says
	go test ./...

race: ## the same under the race detector
	go test -race -timeout 60m ./...

invariants: ## with the assertions compiled in
	go test -tags invariants ./...

lint: ## format, vet, staticcheck, and the house rules
	.ci/run format vet staticcheck
	go test -run 'Imports|Arrows|Forbidden|Doc|Short|Later' .

fuzz: ## every fuzz target for FUZZTIME
	@for p in $$(go list ./...); do \
		for f in $$(go test -list '^Fuzz' $$p | grep '^Fuzz'); do \
			echo "$$p $$f"; go test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) $$p || exit 1; \
		done; \
	done

crash: ## N kills of each kind in the middle of writes
	TARN_KILLS=$(N) TARN_SEED=$${TARN_SEED:-$$(date +%s)} go test -timeout 0 -v -run '^TestA.*Kills' . ./internal/crashtest

power: ## N power cuts over every step of a store, and as many on a disk that fails
	TARN_CUTS=$(N) TARN_SEED=$${TARN_SEED:-$$(date +%s)} go test -timeout 0 -v -run PowerCutAtEveryStep .
	TARN_WAL_CUTS=$(N) go test -timeout 0 -v -run PowerCutAtEveryStep ./wal

flip: ## every single bit of a store of 50 points, and of a small backup, which is cut at every length too
	TARN_FLIP_STEP=1 go test -timeout 0 -v -run 'C17|CutShortOrFlipped' .

long: ## the long forms of what the delta and rebuilds promise: SEARCHES, OVERLOAD in seconds, KILLS at each step, WRITES beside rebuilds
	TARN_ACK_SEARCHES=$(SEARCHES) TARN_MOVING_SEARCHES=$(SEARCHES) TARN_HISTORIES=1000 TARN_OVERLOAD_SECONDS=$(OVERLOAD) TARN_KILLS=$(KILLS) TARN_REBUILD_STOPS=1 TARN_FIELD_WRITES=$(WRITES) \
		go test -timeout 0 -v -run '^TestD18_EachAcknowledged|^TestD17_APointThatMoves|^TestD10_D11|^TestD20_WritersFaster|^TestA04_A03|ARebuildThatIs|^TestD16_D17_Fields' .

bench: ## benchmarks that match BENCH
	go test -run '^$$' -bench '$(BENCH)' ./bench

cover: ## coverage of everything by everything, as a page
	go test -coverpkg ./... -coverprofile cover.out ./...
	go tool cover -html cover.out -o cover.html

ci: ## what must pass
	.ci/run
