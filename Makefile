# The two commands are `make demo` and `make test`; both do all the set-up that they need.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
TARGET := $(or $(CARGO_TARGET_DIR),target)
PYTHON := .venv/bin/python

SEED ?= 1
KILLS ?= 20
EVENTS ?= 20000
SOURCES ?=

.PHONY: help demo test crash bench check release tools app python chromium postgres brokers shots

help:
	@echo "make demo     示例校园：从原始导出到驾驶舱 / a synthetic campus, from raw exports to the cockpit on http://127.0.0.1:8080"
	@echo "make test     全部测试 / all tests"
	@echo "make crash    事件从各来源到达时反复杀掉进程（KILLS=次数 EVENTS=事件数 SOURCES=来源） / kills the server while events come by every source"
	@echo "make bench    与同类并排测量 / throughput beside the peers"
	@echo "make check    只检查文件 / checks files only"
	@echo "make release  发布版二进制 / the release binary at target/release/yizhan"
	@echo "make shots    为各页面拍图（需 Chromium）/ pictures of every page (needs Chromium)"

tools:
	@command -v cargo >/dev/null || { echo "缺少 Rust：请安装 rustup / Rust is missing: install rustup"; exit 1; }
	@command -v node >/dev/null || { echo "缺少 Node.js 20 或更新版本 / Node.js 20 or newer is missing"; exit 1; }
	@node -e 'if (parseInt(process.versions.node) < 20) { console.error("Node.js 20 or newer is needed, this is " + process.version); process.exit(1); }'

# Built again only when a source is newer than what was built.
app: tools
	@if [ ! -f dashboards/dist/assets/.built ] || [ -n "$$(find dashboards/src dashboards/index.html dashboards/package.json dashboards/public -newer dashboards/dist/assets/.built -print -quit)" ]; then \
	  cd dashboards && npm ci --no-audit --no-fund && npm run build && touch dist/assets/.built; fi

demo: app
	cargo build --workspace --bin yizhan
	$(TARGET)/debug/yizhan demo

# The documentation has no examples that run; looking for them in every crate takes minutes.
test: app python chromium postgres brokers
	cargo build --workspace --bins
	cargo run --quiet --package xtask -- tidy
	cd dashboards && npm test
	cargo test --workspace --lib --bins --tests
	node dashboards/test/pages.mjs $(TARGET)/debug/yizhan
	node dashboards/test/doors.mjs $(TARGET)/debug/yizhan

# Nothing that was answered for may be lost or doubled; the last line is `N passed, M failed`.
crash: app python postgres brokers
	cargo build --workspace --bins
	KILLS=$(KILLS) EVENTS=$(EVENTS) SOURCES=$(SOURCES) SEED=$(SEED) $(TARGET)/debug/crash

# Tests and benches read the lake with other readers, from a Python of their own.
python:
	@command -v python3 >/dev/null || { echo "缺少 Python 3 / Python 3 is missing"; exit 1; }
	@[ -x $(PYTHON) ] || python3 -m venv .venv || { echo "缺少 venv：apt-get install python3-venv / Python lacks venv"; exit 1; }
	@$(PYTHON) -m pip install --quiet -r tests/requirements.txt

chromium:
	@command -v $${CHROMIUM:-chromium} >/dev/null || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then apt-get update -qq && apt-get install -y -qq chromium fonts-noto-cjk >/dev/null; \
	  else echo "缺少 Chromium：apt-get install chromium fonts-noto-cjk，或用 CHROMIUM=路径 指明 / Chromium is missing: install it, or say CHROMIUM=path"; exit 1; fi; }

# Tests of the database door start a PostgreSQL of their own.
postgres:
	@ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then apt-get update -qq && apt-get install -y -qq postgresql >/dev/null; \
	  else echo "缺少 PostgreSQL：apt-get install postgresql / PostgreSQL is missing: install it"; exit 1; fi; }

# Tests of the stream's doors start brokers of their own, and sign certificates for them.
brokers:
	@for it in mosquitto mosquitto_passwd nats-server openssl; do \
	  PATH="$$PATH:/usr/sbin" command -v $$it >/dev/null && continue; \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq mosquitto nats-server openssl >/dev/null; break; \
	  else echo "缺少 $$it：apt-get install mosquitto nats-server openssl / $$it is missing: install it"; exit 1; fi; done

# Ratios are told of release builds only.
bench: tools python brokers release
	$(PYTHON) -m pip install --quiet --target .venv/bench -r benches/requirements.txt
	PYTHONPATH=.venv/bench $(PYTHON) benches/card_ingest.py --yizhan target/release/yizhan
	PYTHONPATH=.venv/bench $(PYTHON) benches/models.py --yizhan target/release/yizhan
	target/release/yizhan demo --students 40000 --build-only --data .venv/portrait
	$(PYTHON) benches/portrait.py --yizhan target/release/yizhan --data .venv/portrait
	PYTHONPATH=.venv/bench $(PYTHON) benches/models.py --yizhan target/release/yizhan --data .venv/portrait
	$(PYTHON) benches/day.py --yizhan target/release/yizhan --students 5000 --days 103
	target/release/yizhan --data .venv/offers --set transform.as_of_days=1 demo --students 2000 --days 103 --seed 2 --talks --build-only
	$(PYTHON) benches/offers.py --yizhan target/release/yizhan --data .venv/offers
	CARGO_TARGET_DIR=target cargo build --release --workspace --example measure_speed --example resample --example oulad --example measure_models
	$(PYTHON) benches/measures.py --example target/release/examples/measure_speed
	$(PYTHON) benches/visits.py --yizhan target/release/yizhan --example target/release/examples/resample --data .venv/portrait
	target/release/examples/measure_models
	target/release/yizhan demo --students 2000 --days 61 --build-only --data .venv/stream
	PYTHONPATH=.venv/bench $(PYTHON) benches/stream.py --yizhan target/release/yizhan --data .venv/stream
	@if [ -n "$${OULAD:-}" ]; then PYTHONPATH=.venv/bench $(PYTHON) benches/oulad.py --example target/release/examples/oulad --data "$$OULAD"; \
	  else echo "OULAD=目录 make bench 还比较公开数据 / also compares on the public data of that folder"; fi

check: tools
	cargo build --workspace --bin yizhan
	$(TARGET)/debug/yizhan check

release: app
	CARGO_TARGET_DIR=target cargo build --release --workspace --bin yizhan

# Pictures of every page into docs/shots, and the one that the README shows.
shots: app chromium
	cargo build --workspace --bin yizhan
	node dashboards/test/pages.mjs $(TARGET)/debug/yizhan docs/shots
	cp docs/shots/leader/cockpit-zh-CN-light-1920.png docs/cockpit.png
