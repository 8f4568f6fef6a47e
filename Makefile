# Everything that is done to this project, in few words.
#
#   make demo     makes a registry and does the main job on real input, with each step's figure
#   make test     all tests, the documentation's examples and the real clients among them
#   make bench    the measurements of benches/RESULTS.md
#   make lint     format, clippy, documentation, licences and sources of the dependencies
#   make docs     the API documentation, in target/doc
#
# Each does its own set-up. Cargo is always asked for the whole workspace: a single package has
# other features of its dependencies turned on, and they would be built once more.

.PHONY: help demo test bench lint docs

help:
	@sed -n 's/^#   make/make/p' Makefile

demo:
	scripts/install-packages
	scripts/demo

test:
	scripts/install-packages
	scripts/install-clients
	cargo test --workspace

bench:
	scripts/install-packages
	cargo bench --workspace --benches

lint:
	scripts/install-packages
	cargo fmt --all --check
	"$$(scripts/install-cargo-deny)" --locked check bans licenses sources
	cargo clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps
	RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --document-private-items

docs:
	scripts/install-packages
	RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps
