# The two commands are `make demo` and `make test`; both do all the set-up that they need.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
TARGET := $(or $(CARGO_TARGET_DIR),target)
PYTHON := .venv/bin/python

.PHONY: help demo test bench check release tools app python shots

help:
	@echo "make demo     示例校园：从原始导出到驾驶舱 / a synthetic campus, from raw exports to the cockpit on http://127.0.0.1:8080"
	@echo "make test     全部测试 / all tests"
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

test: app
	cargo build --workspace --bins
	cd dashboards && npm test
	cargo test --workspace

python:
	@[ -x $(PYTHON) ] || python3 -m venv .venv
	@$(PYTHON) -m pip install --quiet -r benches/requirements.txt

bench: tools python
	cargo build --workspace --bin yizhan
	$(PYTHON) benches/card_ingest.py --yizhan $(TARGET)/debug/yizhan

check: tools
	cargo build --workspace --bin yizhan
	$(TARGET)/debug/yizhan check

release: app
	CARGO_TARGET_DIR=target cargo build --release --workspace --bin yizhan

# Needs a running `make demo` and Chromium (apt-get install chromium fonts-noto-cjk).
shots: app
	cd dashboards && node test/shots.mjs http://127.0.0.1:8080 leader yizhan-demo ../docs/shots
