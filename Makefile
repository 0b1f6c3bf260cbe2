# SPDX-License-Identifier: GPL-2.0-or-later
# make          build everything into build/          make demo     show the main job on real programs
# make check    run all tests                         make bench    print the figures of docs/performance.md
# make lint     format, spelling, shell, licence      make install  PREFIX=/usr/local DESTDIR=
# CROSS_COMPILE=aarch64-linux-gnu- [SYSROOT=DIR] for another machine; into build/aarch64-linux-gnu
# SAN=1 address and undefined-behaviour sanitizers · TSAN=1 thread sanitizer · COV=1 coverage · WERROR=1
# Missing packages are installed by demo, check, bench and lint themselves (scripts/setup).

VERSION := 0.1.0
PREFIX ?= /usr/local
HOSTCC ?= gcc
ifdef CROSS_COMPILE
CC := $(CROSS_COMPILE)gcc $(if $(SYSROOT),--sysroot=$(SYSROOT))
CXX := $(CROSS_COMPILE)g++ $(if $(SYSROOT),--sysroot=$(SYSROOT))
AR := $(CROSS_COMPILE)ar
else
CC ?= gcc
endif
CLANG ?= clang-14
BPFTOOL ?= $(or $(shell command -v bpftool 2>/dev/null),/usr/sbin/bpftool)
TARGET := $(shell $(CC) -dumpmachine)
ARCH := $(subst aarch64,arm64,$(subst x86_64,x86,$(firstword $(subst -, ,$(TARGET)))))

B := build$(if $(CROSS_COMPILE),/$(patsubst %-,%,$(CROSS_COMPILE)))
ifdef SAN
B := $(B)/san
EXTRA := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
endif
ifdef TSAN
B := $(B)/tsan
EXTRA := -fsanitize=thread -Wno-tsan
endif
ifdef COV
B := $(B)/cov
EXTRA := --coverage
endif
ifdef WERROR # apart, so that nothing built before hides a warning
B := $(B)/werror
EXTRA := -Werror
endif

CFLAGS ?= -O2 -g
CPPFLAGS += -Iinclude -Icore -I$(B)/gen -D_GNU_SOURCE -DTLOB_VERSION='"$(VERSION)"'
ALL_CFLAGS = -std=gnu11 -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wpointer-arith \
	-fvisibility=hidden -fPIC $(CFLAGS) $(EXTRA) -MMD -MP
ALL_LDFLAGS = $(LDFLAGS) $(EXTRA)

CORE := $(patsubst core/%.c,$(B)/core/%.o,$(wildcard core/*.c))
LIB := $(patsubst lib/%.c,$(B)/lib/%.o,$(wildcard lib/*.c))
CTL := $(patsubst ctl/%.c,$(B)/ctl/%.o,$(wildcard ctl/*.c)) $(patsubst why/%.c,$(B)/why/%.o,$(wildcard why/*.c))
REPORT := $(patsubst report/%.c,$(B)/report/%.o,$(wildcard report/*.c))
CLI := $(patsubst cli/%.c,$(B)/cli/%.o,$(wildcard cli/*.c)) $(REPORT)
SKEL := $(patsubst bpf/%.bpf.c,$(B)/gen/%.skel.h,$(wildcard bpf/*.bpf.c))
GEN := $(B)/gen/tlob_model.h $(SKEL)
EXAMPLES := $(patsubst examples/%,$(B)/examples/%,$(basename $(wildcard examples/*.c examples/*.cpp)))

CTL_LIBS := -lbpf -ldw -lelf -lz -liberty -ltraceevent
.DEFAULT_GOAL := all
.PHONY: all
all: $(B)/tlob $(B)/libtlob.so.0 $(B)/libtlob.a $(B)/libtlobctl.so.0 $(B)/libtlobctl.a $(EXAMPLES)

# ---- the model: DOT in, C table out
$(B)/gen/model-gen: model/gen.c model/dot.c model/dot.h
	@mkdir -p $(@D)
	$(HOSTCC) -std=gnu11 -Wall -Wextra $(CFLAGS) $(filter %.c,$^) -o $@ $(shell pkg-config --cflags --libs libcgraph 2>/dev/null || echo -lcgraph)

$(B)/gen/tlob_model.h: model/tlob.dot $(B)/gen/model-gen
	$(B)/gen/model-gen $< > $@.tmp && mv $@.tmp $@

# ---- BPF
$(B)/gen/%.bpf.o: bpf/%.bpf.c $(wildcard bpf/*.h core/*.h include/tlob/abi.h) $(B)/gen/tlob_model.h
	@mkdir -p $(@D)
	$(CLANG) -target bpf -mcpu=v3 -O2 -g -Wall -Wextra -D__TARGET_ARCH_$(ARCH) -Ibpf -Iinclude -Icore -I$(B)/gen \
		-idirafter $(SYSROOT)/usr/include/$(shell $(CC) -print-multiarch) $(filter -Werror,$(EXTRA)) -c $< -o $@

$(B)/gen/%.skel.h: $(B)/gen/%.bpf.o
	$(BPFTOOL) gen skeleton $< name $(subst -,_,$*) > $@.tmp && mv $@.tmp $@

.SECONDARY: $(SKEL) $(SKEL:.skel.h=.bpf.o)

# ---- objects
$(B)/%.o: %.c | $(GEN)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -c $< -o $@

$(B)/libtlob.a: $(LIB) $(CORE)
	rm -f $@ && $(AR) rcs $@ $^
$(B)/libtlob.so.0: $(LIB) $(CORE) lib/libtlob.map
	$(CC) -shared -Wl,-soname,libtlob.so.0 -Wl,-z,nodelete -Wl,--version-script=lib/libtlob.map $(ALL_LDFLAGS) $(LIB) $(CORE) -o $@ -lpthread
	ln -sf libtlob.so.0 $(B)/libtlob.so
$(B)/libtlobctl.a: $(CTL) $(CORE)
	rm -f $@ && $(AR) rcs $@ $^
$(B)/libtlobctl.so.0: $(CTL) $(CORE) ctl/libtlobctl.map
	$(CC) -shared -Wl,-soname,libtlobctl.so.0 -Wl,--version-script=ctl/libtlobctl.map $(ALL_LDFLAGS) $(CTL) $(CORE) -o $@ $(CTL_LIBS)
	ln -sf libtlobctl.so.0 $(B)/libtlobctl.so
$(B)/tlob: $(CLI) $(B)/libtlobctl.a
	$(CC) $(ALL_LDFLAGS) $^ -o $@ $(CTL_LIBS) -ljson-c -lm

# ---- examples: one program per file
$(B)/examples/%: examples/%.c $(B)/libtlob.a | $(GEN)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(ALL_CFLAGS) $(ALL_LDFLAGS) $< -o $@ $(B)/libtlob.a -lpthread -lm
$(B)/examples/%: examples/%.cpp $(B)/libtlob.a
	@mkdir -p $(@D)
	$(CXX) -Iinclude -std=c++17 -Wall -Wextra -pedantic $(CFLAGS) $(EXTRA) -MMD -MP $(LDFLAGS) $< -o $@ $(B)/libtlob.a -lpthread

include kmod/kmod.mk

# ---- what people type; these fetch missing packages first
PARALLEL = $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(shell nproc))

.PHONY: demo lint clean
demo:
	@scripts/setup --need demo
	@mkdir -p $(B)
	@$(MAKE) -sq --no-print-directory all 2>/dev/null || echo 'building; the log is $(B)/build.log'
	@$(MAKE) --no-print-directory $(PARALLEL) all >$(B)/build.log 2>&1 || { tail -n 20 $(B)/build.log >&2; exit 1; }
	@scripts/demo $(B)
lint:
	@scripts/setup --need lint --need check # it compiles the tests, too
	@scripts/lint
clean:
	rm -rf build

include tests/tests.mk
include scripts/install.mk

-include $(shell find $(B) -name '*.d' 2>/dev/null)
