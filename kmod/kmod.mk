# SPDX-License-Identifier: GPL-2.0-only
# make kmod       tlob.ko for the running kernel        make kmod-install   and for all who modprobe it; DESTDIR= of a package
# make dkms           the sources as a DKMS tree, build/dkms/usr/src/tlob-VERSION (dkms add from there, or DESTDIR= of a package)
# make check-vm   the module on stock kernels, in QEMU  VM_KERNELS="6.1 6.12 6.12-rt 7.3"
KDIR ?= /lib/modules/$(shell uname -r)/build
VM_KERNELS ?= 6.1 6.12 6.12-rt 7.3

# ---- tables of the monitors' automata, from model/NAME.dot
KMOD_MODELS := $(B)/gen/tlob_model.h $(B)/gen/wwnr_model.h
$(B)/gen/wwnr_model.h: model/wwnr.dot $(B)/gen/model-gen
	$(B)/gen/model-gen -p wwnr $< > $@.tmp && mv $@.tmp $@

# In a tree of links, as scripts/vm/build does: objects in kmod/ itself would be taken for sources by the next build for another kernel.
# Headers that bring vmlinux make a module's BTF if they find pahole, and fail if they do not; the module needs none.
KMOD_OUT := $(abspath $(B))/kmod/host
KMOD_MAKE = $(MAKE) -C $(KDIR) M=$(KMOD_OUT) TLOB_TOP=$(CURDIR) TLOB_GEN=$(abspath $(B)/gen) \
	$(if $(shell command -v pahole),,CONFIG_DEBUG_INFO_BTF_MODULES=)

.PHONY: kmod kmod-install kmod-models dkms check-vm
kmod-models: $(KMOD_MODELS)

kmod: $(KMOD_MODELS)
	@test -e $(KDIR)/Makefile || { echo "make kmod: no kernel headers at $(KDIR); install linux-headers-$(shell uname -r), or give KDIR=" >&2; exit 1; }
	@mkdir -p $(KMOD_OUT)
	@find $(KMOD_OUT) -xtype l -delete
	@cp -rsf $(CURDIR)/kmod/. $(KMOD_OUT)/
	+$(KMOD_MAKE) modules
	@echo "kmod: $(KMOD_OUT)/tlob.ko"

kmod-install: kmod
	+$(KMOD_MAKE) $(if $(DESTDIR),INSTALL_MOD_PATH=$(abspath $(DESTDIR))) modules_install

# self-contained: the generated tables come along, so that the machine that builds needs no generator
DKMS := $(B)/dkms/usr/src/tlob-$(VERSION)
dkms: $(KMOD_MODELS)
	rm -rf $(DKMS)
	mkdir -p $(DKMS)/gen $(DKMS)/include
	cp -r kmod core $(DKMS)/
	cp -r include/tlob $(DKMS)/include/
	cp $(KMOD_MODELS) $(DKMS)/gen/
	rm $(DKMS)/core/*.c $(DKMS)/kmod/kmod.mk $(DKMS)/kmod/dkms.conf
	sed 's/@VERSION@/$(VERSION)/' kmod/dkms.conf > $(DKMS)/dkms.conf
	@echo "dkms: $(DKMS)"

check-vm: $(KMOD_MODELS)
	prove --merge -v --exec scripts/vm/test $(VM_KERNELS) > $(B)/check-vm.log 2>&1; status=$$?; \
	grep -E '^(not ok|# |Result|Files|.*(Failed|Wstat))' $(B)/check-vm.log; exit $$status
	scripts/vm/demo --tap $(firstword $(VM_KERNELS))
	scripts/vm/test-added-monitor $(lastword $(VM_KERNELS))

# the module at work, for people whose own machine loads none
.PHONY: demo-vm
demo-vm: $(KMOD_MODELS)
	scripts/vm/demo $(lastword $(VM_KERNELS))

# ---- programs that run in the VM: static, so that its initramfs holds nothing else
$(B)/tests/vm/%: tests/vm/%.c $(wildcard tests/vm/*.h core/*.h include/tlob/*.h) $(B)/gen/tlob_model.h
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -O1 -g -Wall -Wextra -Itests/vm $(CPPFLAGS) -static -no-pie $< -o $@ $(filter %.a,$^) -lpthread
$(B)/tests/vm/t_library: $(B)/libtlob.a
