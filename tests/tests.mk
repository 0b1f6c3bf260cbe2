# SPDX-License-Identifier: GPL-2.0-or-later
# Test programs, one per file, and the targets that run them: check, bench.
# make check STEPS="unit model" runs some steps only; tests/run lists them.

UNIT := $(patsubst tests/unit/%.c,$(B)/tests/unit/%,$(wildcard tests/unit/test_*.c))
CONFORMANCE := $(patsubst tests/conformance/%.c,$(B)/tests/conformance/%,$(wildcard tests/conformance/conf_*.c))
TRUTH := $(B)/tests/truth/truth
HARNESS := $(B)/tests/conformance/harness.o $(B)/tests/conformance/subject.o
FUZZ := $(patsubst tests/fuzz/%.c,$(B)/tests/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
BENCH := $(patsubst tests/bench/%.c,$(B)/tests/bench/%,$(wildcard tests/bench/bench_*.c))

# callbacks of cmocka, pthread and the like, which say everywhere what few need
$(B)/tests/%: private ALL_CFLAGS += -Wno-unused-parameter
$(B)/tests/unit/test_stack_tree: $(REPORT)
$(B)/tests/unit/%: tests/unit/%.c $(B)/libtlobctl.a $(B)/libtlob.a | $(GEN)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) -I. $(ALL_CFLAGS) $(ALL_LDFLAGS) $< $(filter %.o,$^) -o $@ $(B)/libtlobctl.a $(B)/libtlob.a -lcmocka -lpthread -lm $(CTL_LIBS)
$(B)/tests/conformance/conf_%: tests/conformance/conf_%.c $(HARNESS) $(B)/libtlob.a $(B)/libtlobctl.a | $(GEN)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) -I. $(ALL_CFLAGS) $(ALL_LDFLAGS) $< $(HARNESS) -o $@ $(B)/libtlobctl.a $(B)/libtlob.a -lpthread -lm $(CTL_LIBS) -ldl
$(B)/tests/truth/truth: $(patsubst %.c,$(B)/%.o,$(wildcard tests/truth/*.c)) $(HARNESS) $(B)/libtlob.a $(B)/libtlobctl.a
	$(CC) $(ALL_LDFLAGS) $^ -o $@ -lpthread -lm $(CTL_LIBS) -ldl
$(TRUTH): | $(B)/tests/truth/closed.so
$(B)/tests/truth/closed.so: tests/truth/library/closed.c
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -Wall -Wextra $(CFLAGS) -fomit-frame-pointer -shared -fPIC $< -o $@
$(B)/tests/conformance/probee: tests/conformance/probee.c # knows nothing of tlob
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -Wall -Wextra $(CFLAGS) $< -o $@ -lpthread
$(B)/tests/conformance/probee_throw: tests/conformance/probee_throw.cpp # nor does this
	@mkdir -p $(@D)
	$(CXX) -std=c++17 -Wall -Wextra $(CFLAGS) $< -o $@
$(B)/tests/conformance/visitor.so: tests/conformance/visitor.c # nor this
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -Wall -Wextra $(CFLAGS) -shared -fPIC $< -o $@
$(B)/tests/bench/bench_lttng: BENCH_LIBS := -llttng-ust
$(B)/tests/bench/bench_%: tests/bench/bench_%.c $(B)/tests/bench/bench.o $(B)/libtlob.a $(B)/libtlobctl.a | $(GEN)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) -I. $(ALL_CFLAGS) $(ALL_LDFLAGS) $< $(B)/tests/bench/bench.o -o $@ $(B)/libtlobctl.a \
		$(B)/libtlob.a -lpthread -lm $(CTL_LIBS) $(BENCH_LIBS) -ldl
$(B)/tests/fuzz/fuzz_ring: FUZZ_WITH := $(wildcard ctl/ring*.c) ctl/error.c -ltraceevent -lz
$(B)/tests/fuzz/%: tests/fuzz/%.c $(wildcard core/*.[ch] ctl/*.[ch]) | $(GEN)
	@mkdir -p $(@D)
	$(CLANG) $(CPPFLAGS) -I. -std=gnu11 -g -O1 -fsanitize=fuzzer,address,undefined $< $(wildcard core/*.c) $(FUZZ_WITH) -o $@

.SECONDARY: $(HARNESS) $(B)/tests/bench/bench.o
.PHONY: tests check bench
tests: $(UNIT) $(CONFORMANCE) $(TRUTH) $(B)/tests/conformance/probee $(B)/tests/conformance/probee_throw \
	$(B)/tests/conformance/visitor.so $(FUZZ)

check:
	@scripts/setup --need check
	@BUILD=$(B) JOBS=$(PARALLEL) MAKE='$(MAKE)' tests/run $(STEPS)
bench:
	@scripts/setup --need bench
	@$(MAKE) --no-print-directory $(PARALLEL) all $(BENCH) $(TRUTH)
	@tests/bench/run $(B)
