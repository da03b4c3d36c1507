# Every target sets up what it needs (see tools/setup.sh); nothing is done twice.
#   make PYTHON=python3.12 …   another interpreter for a new .venv
#   make test ARGS='-k oom'    arguments for pytest (test, slow) or names of benches (bench)
VENV ?= .venv
PYTHON ?=
ARGS ?=
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# Found something is what a demo of incidents should do: of check's exit codes 0 and 1 are both fine.
# (subject, namespace and recording; the four ways a pod does not run)
DEMO := pod/web:pend-cpu:Pending pod/web:wait-configmap:Waiting pod/api:crash-app:CrashLoopBackOff \
        pod/log:evict-emptydir:Evicted

.DEFAULT_GOAL := help
.PHONY: help setup demo test slow lint bench clean distclean

help:  ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{ printf "%-18s %s\n", $$1, $$2 }'

setup:  ## (re)make the environment, for instance after installing libsystemd-dev; the others do it by themselves
	@rm -f $(VENV)/.installed $(READY)
	@$(MAKE) --no-print-directory $(READY)

$(READY): pyproject.toml tools/setup.sh
	@VENV="$(VENV)" PYTHON="$(PYTHON)" sh tools/setup.sh
	@touch $@

demo: $(READY)  ## four recorded incidents, each named with its root cause
	@$(BIN)/k8sdiag --help >/dev/null
	@for incident in $(DEMO); do \
	    subject=$${incident%%:*}; rest=$${incident#*:}; recording=$${rest%%:*}; state=$${rest#*:}; \
	    set -- $(BIN)/k8sdiag check "$$subject" -n "$$recording" --from "recordings/$$recording"; \
	    printf '\n=== %s: %s\n\n' "$$state" "k8sdiag $${*#* }"; \
	    "$$@" || [ $$? -eq 1 ] || exit 1; \
	done

test: $(READY)  ## the tests, but for the slow ones
	$(BIN)/python -m pytest -n 2 -m "not slow" $(ARGS)

slow: $(READY)  ## the slow tests
	$(BIN)/python -m pytest -n 2 -m slow $(ARGS) || [ $$? -eq 5 ]  # 5: there are none

lint: $(READY)  ## ruff and mypy --strict, over source and tests
	$(BIN)/ruff check
	$(BIN)/mypy --strict k8sdiag tests bench

bench: $(READY)  ## how fast, how big, how precise: every bench, against its limits
	$(BIN)/python -m bench $(ARGS)

clean:  ## remove what builds and tests leave behind
	rm -rf build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis snapshot_report.html
	find . -path ./$(VENV) -prune -o -name __pycache__ -type d -exec rm -rf {} +

distclean: clean  ## the same and the environment
	rm -rf $(VENV)
