# Everything that is done to this project, in few words.
#
#   make demo     makes a registry and does the main job on real input, with each step's figure
#   make test     all tests, the documentation's examples and the real clients among them
#   make fuzz     noise for each parser of outside bytes, 20 s each; SECONDS_EACH=600 for longer
#   make prove    leaves out each sync, lock and check in turn: which test notices? GUARD=17, GUARD=100..149
#   make mutants  changes the engine's code one place at a time: which change does no test notice? Takes hours
#   make bench    the measurements, into benches/RESULTS.md; QUICK=1 makes them small
#   make crash    kills, failing disks and power cuts at every call of the real program, and how many
#   make simulate simulated worlds: SEEDS=a..b runs those seeds, SEED=n one, and tells all that happens
#   make soak     a server, command lines and linked programs at once, killed at random; EVENTS=100000, SEED=1
#   make lint     format, clippy, documentation, licences and sources of the dependencies
#   make docs     the API documentation, in target/doc
#
# Each does its own set-up. Cargo is asked for the whole workspace: a single package has other features of
# its dependencies turned on, and they would be built once more. The simulation alone has a profile of its
# own, with optimization, and needs few of them.

.PHONY: help demo test crash fuzz simulate soak bench lint docs prove mutants

# Tests and benchmarks are held to what is wrong, and not to what is only pedantic: helpers of a test
# may unwrap, index and be as visible as they like.
TESTS_MAY = -A clippy::pedantic -A clippy::unwrap_used -A clippy::indexing_slicing -A clippy::panic \
	-A clippy::future_not_send -A clippy::print_stdout -A clippy::exhaustive_structs \
	-A clippy::exhaustive_enums -A clippy::clone_on_ref_ptr -A clippy::missing_errors_doc \
	-A unreachable-pub -A missing-docs -A let-underscore-drop -A unfulfilled-lint-expectations

help:
	@sed -n 's/^#   make/make/p' Makefile

demo:
	scripts/install-packages
	scripts/install-clients
	scripts/demo

test:
	scripts/install-packages
	scripts/install-clients
	cargo test --workspace

crash:
	scripts/install-packages
	scripts/crash

SEEDS ?= 10000..20000

simulate:
	scripts/install-packages
	$(if $(SEED),SEED=$(SEED),SEEDS=$(SEEDS)) cargo test --profile simulate -p artifact-testkit --test simulate -- \
		--nocapture the_rules

EVENTS ?= 100000

soak:
	scripts/install-packages
	SOAK_EVENTS=$(EVENTS) SOAK_SEED=$(or $(SEED),1) cargo test --workspace --test soak -- --nocapture

fuzz:
	scripts/install-packages
	scripts/fuzz

prove:
	scripts/install-packages
	scripts/prove $(GUARD)

mutants:
	scripts/install-packages
	scripts/mutants $(FILE)

bench:
	scripts/install-packages
	cargo bench --workspace --benches

lint:
	scripts/install-packages
	cargo fmt --all --check
	"$$(scripts/install-cargo-deny)" --locked --workspace check bans licenses sources
	cargo clippy --workspace --lib --bins -- -D warnings
	cargo clippy --workspace --all-targets -- -D warnings $(TESTS_MAY)
	RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps
	RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --document-private-items

docs:
	scripts/install-packages
	RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps
