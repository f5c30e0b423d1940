# SPDX-License-Identifier: Apache-2.0
# weir. `make help` lists the targets; V=1 shows commands; B is the build folder.
#
# One folder of objects a flavour: SAN=address (with undefined), SAN=thread, or
# none. MODE=release is what is installed and measured.

CC ?= gcc
B ?= build
V ?= 0
Q := $(if $(filter 1,$(V)),,@)
PREFIX ?= /usr/local
DESTDIR ?=
PYTHON ?= python3

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wpointer-arith -Wcast-qual -Wwrite-strings -Wformat=2 -Wvla -Wundef \
	-Wimplicit-fallthrough $(if $(DEVELOPER),-Werror)
OPT ?= -O2 -g -fno-omit-frame-pointer
HARDEN := -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fPIE
LDHARDEN := -pie -Wl,-z,relro,-z,now
ifeq ($(SAN),address)
O := $(B)/asan
SANFLAGS := -fsanitize=address,undefined -fno-sanitize-recover=undefined
HARDEN := -fPIE
else ifeq ($(SAN),thread)
O := $(B)/tsan
SANFLAGS := -fsanitize=thread
HARDEN := -fPIE
else
O := $(B)/obj
endif
CFLAGS ?=
ALL_CFLAGS = -std=c11 -D_GNU_SOURCE $(OPT) $(WARN) $(HARDEN) $(SANFLAGS) \
	-I. -I$(B)/gen $(CFLAGS)
LIBS := -levent_core -levent_extra -levent_openssl -lssl -lcrypto -ljansson -lhiredis -lpthread

BASE := $(patsubst %.c,%,$(wildcard gateway/base/*.c))
WIRE := $(filter-out gateway/wire/schemac,$(patsubst %.c,%,$(wildcard gateway/wire/*.c)))
NET := $(patsubst %.c,%,$(wildcard gateway/net/*.c))
ROUTING := $(patsubst %.c,%,$(wildcard routing/*.c))
AUTH := $(patsubst %.c,%,$(wildcard auth/*.c))
QUOTA := $(patsubst %.c,%,$(wildcard quota/*.c))
GATEWAY := $(filter-out gateway/main gateway/weirctl,$(patsubst %.c,%,$(wildcard gateway/*.c)))
QUOTA_LUA := $(sort $(wildcard quota/lua/*.lua))
SCHEMAS := $(sort $(wildcard gateway/wire/schema/*.schema))
LIB_OBJS := $(patsubst %,$(O)/%.o,$(BASE) $(WIRE) $(NET) $(AUTH) $(QUOTA) $(ROUTING) $(GATEWAY)) \
	$(O)/gen/messages.o $(O)/gen/quota_scripts.o
UNIT_TESTS := $(sort $(patsubst tests/unit/%.c,%,$(wildcard tests/unit/test_*.c)))
UNIT_HELPERS := $(patsubst %.c,$(O)/%.o,$(filter-out tests/unit/test_%,$(wildcard tests/unit/*.c)))
FUZZERS := $(sort $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c)))
# The programs: what `make` leaves in build/. A sanitized one stays beside its objects.
BIN := $(if $(SAN),$(O),$(B))

.PHONY: all help check test unit scenario asan tsan valgrind system test-matrix \
	wire fuzz fuzz-replay fuzz-seeds bench demo lint tags man install dist clean \
	analyze coverage setup setup-test simulate
.DELETE_ON_ERROR:
.SECONDARY:

all: $(BIN)/weir $(BIN)/weirctl ## build/weir and build/weirctl

help: ## this list
	@sed -n 's/^\([a-z][a-z-]*\):.*## \(.*\)/  \1\t\2/p' Makefile | expand -t 16

# ---- what is generated ----

$(B)/schemac: gateway/wire/schemac.c gateway/wire/meanings.def
	@mkdir -p $(@D)
	$(Q)$(CC) -std=c11 -D_GNU_SOURCE -O1 -g $(WARN) -I. $< -o $@

$(B)/gen/.made: $(B)/schemac $(SCHEMAS)
	@mkdir -p $(B)/gen/wire
	@echo "  SCHEMA  $(B)/gen/wire"
	$(Q)$(B)/schemac $(SCHEMAS) $(B)/gen
	@touch $@

$(O)/gen/messages.o: $(B)/gen/.made
	@mkdir -p $(@D)
	@echo "  CC      wire/messages.c"
	$(Q)$(CC) $(ALL_CFLAGS) -c $(B)/gen/wire/messages.c -o $@

# The store's scripts as strings: store_beat of beat.lua and so on.
$(B)/gen/quota_scripts.c: $(QUOTA_LUA)
	@mkdir -p $(@D)
	@echo "  LUA     $@"
	$(Q){ echo '#include "quota/store.h"'; for f in $(QUOTA_LUA); do \
		n=$$(basename $$f .lua); \
		echo "static const char $$n[] ="; \
		sed 's/\\/\\\\/g; s/"/\\"/g; s/.*/"&\\n"/' $$f; \
		echo ";"; \
		echo "const struct store_script store_$$n = { \"$$n\", $$n, sizeof($$n) - 1 };"; \
		done; } > $@

$(O)/gen/quota_scripts.o: $(B)/gen/quota_scripts.c quota/store.h
	@mkdir -p $(@D)
	@echo "  CC      gen/quota_scripts.c"
	$(Q)$(CC) $(ALL_CFLAGS) -c $< -o $@

# ---- objects and programs ----

$(O)/%.o: %.c $(B)/gen/.made
	@mkdir -p $(@D)
	@echo "  CC      $<"
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c $< -o $@

$(O)/libweir.a: $(LIB_OBJS)
	@rm -f $@
	$(Q)ar rcs $@ $^

$(BIN)/weir: $(O)/gateway/main.o $(O)/libweir.a
	@echo "  LD      $@"
	$(Q)$(CC) $(SANFLAGS) $(LDHARDEN) $^ -o $@ $(LIBS)

$(BIN)/weirctl: $(O)/gateway/weirctl.o $(O)/libweir.a
	@echo "  LD      $@"
	$(Q)$(CC) $(SANFLAGS) $(LDHARDEN) $^ -o $@ $(LIBS)

# A test that includes a module's .c, or stands in for a function of another
# module, goes before the library and wins.
$(O)/unit/%: $(O)/tests/unit/%.o $(UNIT_HELPERS) $(O)/libweir.a
	@mkdir -p $(@D)
	$(Q)$(CC) $(SANFLAGS) $(LDHARDEN) -Wl,-z,muldefs $< $(UNIT_HELPERS) \
		$(O)/libweir.a -o $@ -lcmocka $(LIBS)

# The fleet on virtual time, with Redis's Lua.
SIMULATE_OBJS := $(addprefix $(O)/tests/simulate/,fleet.o lua_redis.o world.o)

$(O)/unit/test_lease $(O)/unit/test_fleet: $(O)/unit/%: $(O)/tests/unit/%.o \
		$(SIMULATE_OBJS) $(O)/libweir.a
	@mkdir -p $(@D)
	$(Q)$(CC) $(SANFLAGS) $(LDHARDEN) $^ -o $@ -lcmocka -llua5.1 $(LIBS)

$(O)/simulate: $(addprefix $(O)/tests/simulate/,simulate.o small.o large.o plot.o) \
		$(SIMULATE_OBJS) $(O)/libweir.a
	$(Q)$(CC) $(SANFLAGS) $(LDHARDEN) $^ -o $@ -llua5.1 $(LIBS)

$(O)/bench/%: $(O)/tests/bench/%.o $(O)/libweir.a
	@mkdir -p $(@D)
	$(Q)$(CC) $(SANFLAGS) $< $(O)/libweir.a -o $@ $(LIBS) -lm

# Weir's sockets end in the runner.
SCENARIO_WRAP := $(foreach f,connect recv readv sendmsg,-Wl,--wrap=$(f))
SCENARIO_OBJS := $(patsubst %.c,$(O)/%.o,$(wildcard tests/scenario/*.c))

$(O)/scenario: $(SCENARIO_OBJS) $(O)/libweir.a
	$(Q)$(CC) $(SANFLAGS) $(SCENARIO_WRAP) $^ -o $@ $(LIBS)

$(O)/wire/%: $(O)/tests/wire/%.o $(O)/libweir.a
	@mkdir -p $(@D)
	$(Q)$(CC) $(SANFLAGS) $^ -o $@ $(LIBS)

# The fuzz targets' replay: the same function over the committed corpora.
$(O)/replay/%: $(O)/tests/fuzz/fuzz_%.o $(O)/tests/fuzz/replay.o $(O)/libweir.a
	@mkdir -p $(@D)
	$(Q)$(CC) $(SANFLAGS) $^ -o $@ $(LIBS)

$(O)/seeds: $(O)/tests/fuzz/seeds.o $(O)/tests/unit/codec_random.o $(O)/libweir.a
	$(Q)$(CC) $(SANFLAGS) $^ -o $@ $(LIBS)

-include $(shell find $(O) -name '*.d' 2>/dev/null)

# ---- tests ----

unit-programs: $(UNIT_TESTS:%=$(O)/unit/%)

unit: ## unit tests, under ASan and UBSan
	@$(MAKE) --no-print-directory SAN=address unit-programs all
	@tests/unit/run $(B)/asan/unit

tsan: ## unit tests under ThreadSanitizer
	@$(MAKE) --no-print-directory SAN=thread unit-programs
	@tests/unit/run $(B)/tsan/unit

asan: unit

valgrind: unit-programs ## unit tests under valgrind
	@WRAP="valgrind -q --error-exitcode=9 --leak-check=full" tests/unit/run $(O)/unit

wire: $(B)/schemac ## the schema and codec against Kafka's own classes
	@$(MAKE) --no-print-directory SAN=address $(B)/asan/wire/golden \
		$(B)/asan/wire/regex
	@tests/wire/run $(B)

replay-programs: $(FUZZERS:%=$(O)/replay/%)

fuzz-replay: ## every fuzz target over its corpus, under ASan and UBSan
	@$(MAKE) --no-print-directory SAN=address replay-programs
	@tests/fuzz/run-replay $(B)/asan/replay

fuzz-seeds: $(O)/seeds ## write the fuzz corpora anew
	@$(O)/seeds tests/fuzz/corpus

fuzz: ## libFuzzer, SECONDS each (default 60)
	@tests/fuzz/run-fuzz $(B) $(or $(SECONDS),60)

# Whole, byte by byte, and cut short at each step.
scenario: ## weir's own code in a replay of events, under ASan and UBSan
	@$(MAKE) --no-print-directory SAN=address $(B)/asan/scenario
	@$(PYTHON) tests/run_all.py '$(B)/asan/scenario tests/scenario' \
		'$(B)/asan/scenario --segment 1 tests/scenario' \
		'$(B)/asan/scenario --cut tests/scenario'

lint: ## layers, headers, formats, documentation
	@tests/lint/run

check: lint unit scenario fuzz-replay ## what needs no network

# What the system tests drive line by line.
$(O)/system/%: $(O)/tests/system/clients/%.o $(O)/libweir.a
	@mkdir -p $(@D)
	$(Q)$(CC) $(SANFLAGS) $^ -o $@ $(LIBS)

$(B)/obj/system/moved_clock.so: tests/system/clients/moved_clock.c
	@mkdir -p $(@D)
	$(Q)$(CC) -std=c11 -O1 -Wall -Wextra -Werror -fPIC -shared $< -o $@

FOR_SYSTEM = $(O)/system/redis_driver $(B)/obj/system/moved_clock.so

system: all $(FOR_SYSTEM) ## real Kafka, real clients, real faults
	@$(PYTHON) tests/system/run.py $(ARGS)

test-matrix: setup all $(FOR_SYSTEM) ## the system tests in front of Kafka 3.9.1 too
	@tests/setup/setup.sh matrix
	@$(PYTHON) tests/run_all.py \
		'$(PYTHON) tests/system/run.py --kafka 4.3.1' \
		'$(PYTHON) tests/system/run.py --kafka 3.9.1'

setup:
	@tests/setup/setup.sh build

setup-test:
	@tests/setup/setup.sh test

test: setup-test ## everything
	@$(MAKE) --no-print-directory all
	@$(PYTHON) tests/run_all.py \
		'$(MAKE) --no-print-directory lint' \
		'$(MAKE) --no-print-directory unit' \
		'$(MAKE) --no-print-directory scenario' \
		'$(MAKE) --no-print-directory tsan' \
		'$(MAKE) --no-print-directory fuzz-replay' \
		'$(MAKE) --no-print-directory wire' \
		'$(MAKE) --no-print-directory system'

demo: ## a tour with a real cluster; ONCE=1 ends after it
	@tests/setup/setup.sh demo
	@$(MAKE) --no-print-directory all
	@$(PYTHON) tests/demo/demo.py

bench: all ## direct, HAProxy and weir side by side
	@tests/setup/setup.sh test
	@$(MAKE) --no-print-directory $(O)/bench/load $(O)/bench/bench_codec \
		$(O)/bench/bench_auth $(O)/bench/bench_jwt $(O)/bench/bench_policy \
		$(O)/bench/bench_authorize $(O)/bench/bench_tenancy \
		$(O)/bench/bench_throttle
	@$(O)/bench/bench_codec
	@$(O)/bench/bench_auth
	@$(O)/bench/bench_authorize
	@$(O)/bench/bench_tenancy
	@$(O)/bench/bench_throttle
	@$(O)/bench/bench_jwt
	@$(O)/bench/bench_policy
	@$(PYTHON) tests/bench/run.py $(ARGS)

simulate: ## limits of a fleet on virtual time; ARGS=--small leaves the large one out
	@$(MAKE) --no-print-directory $(O)/simulate
	@$(O)/simulate $(ARGS) quota/simulation.svg

analyze: ## gcc's static analyzer
	$(Q)for f in $$(ls gateway/*.c gateway/*/*.c auth/*.c quota/*.c routing/*.c); do \
		$(CC) $(ALL_CFLAGS) -fanalyzer -c $$f -o /dev/null || exit 1; done

coverage: ## line coverage of the unit tests, by gcov
	@$(MAKE) --no-print-directory B=$(B)/cov OPT="-O0 -g --coverage" \
		LDHARDEN=--coverage unit-programs
	@tests/unit/run $(B)/cov/obj/unit
	@cd $(B)/cov && gcov -r $$(find . -name '*.gcno') | \
		grep -A1 "^File '\(gateway\|auth\|quota\|routing\)"

# ---- the rest ----

tags: ## Universal Ctags
	$(Q)ctags -R gateway routing auth quota

man: $(B)/weir ## the options' manual page from the option rows
	$(Q)conf/man/make-options $(B)/weir > $(B)/weir.json.5

install: all man ## to $(DESTDIR)$(PREFIX)
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/man/man8 \
		$(DESTDIR)$(PREFIX)/share/man/man5 \
		$(DESTDIR)$(PREFIX)/share/weir/policies \
		$(DESTDIR)$(PREFIX)/share/weir/tenants.d
	install -m 755 $(B)/weir $(B)/weirctl $(DESTDIR)$(PREFIX)/bin/
	install -m 644 conf/man/*.8 $(DESTDIR)$(PREFIX)/share/man/man8/
	install -m 644 $(B)/weir.json.5 $(DESTDIR)$(PREFIX)/share/man/man5/
	install -m 644 conf/*.json conf/systemd/weir.service \
		$(DESTDIR)$(PREFIX)/share/weir/
	install -m 644 conf/policies/*.json \
		$(DESTDIR)$(PREFIX)/share/weir/policies/
	install -m 644 conf/tenants.d/*.json \
		$(DESTDIR)$(PREFIX)/share/weir/tenants.d/

dist: ## weir.tar.gz of what is committed, the same bytes each time
	$(Q)git archive --format=tar --prefix=weir/ HEAD | gzip -n9 > $(B)/weir.tar.gz

clean: ## all but what was downloaded (build/deps)
	$(Q)find $(B) -mindepth 1 -maxdepth 1 ! -name deps -exec rm -rf {} +
