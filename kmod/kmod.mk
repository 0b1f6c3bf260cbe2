# SPDX-License-Identifier: GPL-2.0-or-later
# make kmod       tlob.ko for the running kernel        make kmod-install   and for all who modprobe it
# make check-vm   the module on stock kernels, in QEMU  VM_KERNELS="6.1 6.12 6.12-rt 7.3"
KDIR ?= /lib/modules/$(shell uname -r)/build
VM_KERNELS ?= 6.1 6.12 6.12-rt 7.3

.PHONY: kmod kmod-install check-vm
kmod: $(B)/gen/tlob_model.h
	@test -e $(KDIR)/Makefile || { echo "make kmod: no kernel headers at $(KDIR); install linux-headers-$(shell uname -r), or give KDIR=" >&2; exit 1; }
	$(MAKE) -C $(KDIR) M=$(CURDIR)/kmod TLOB_TOP=$(CURDIR) TLOB_GEN=$(abspath $(B)/gen) modules

kmod-install: kmod
	$(MAKE) -C $(KDIR) M=$(CURDIR)/kmod modules_install

check-vm: $(B)/gen/tlob_model.h
	prove --merge -v --exec scripts/vm/test $(VM_KERNELS) > $(B)/check-vm.log 2>&1; status=$$?; \
	grep -E '^(not ok|# |Result|Files|.*(Failed|Wstat))' $(B)/check-vm.log; exit $$status

# ---- programs that run in the VM: static, so that its initramfs holds nothing else
$(B)/tests/vm/%: tests/vm/%.c $(wildcard tests/vm/*.h core/*.h include/tlob/*.h) $(B)/gen/tlob_model.h
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -O1 -g -Wall -Wextra -Itests/vm $(CPPFLAGS) -static -no-pie $< -o $@ -lpthread
