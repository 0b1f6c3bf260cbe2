# SPDX-License-Identifier: GPL-2.0-or-later
# make install, make uninstall: PREFIX=/usr/local DESTDIR=

BINDIR ?= $(PREFIX)/bin
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
MANDIR ?= $(PREFIX)/share/man
COMPLETIONDIR ?= $(PREFIX)/share/bash-completion/completions

HEADERS := $(wildcard include/tlob/*.h)
MANPAGES := $(wildcard man/*.[1-8])
LIBRARIES := libtlob libtlobctl
PC := sed -e 's|@PREFIX@|$(PREFIX)|;s|@VERSION@|$(VERSION)|' \
	-e 's|@LIBDIR@|$(LIBDIR:$(PREFIX)/%=$${prefix}/%)|;s|@INCLUDEDIR@|$(INCLUDEDIR:$(PREFIX)/%=$${prefix}/%)|'
INSTALLED = $(BINDIR)/tlob $(COMPLETIONDIR)/tlob \
	$(foreach l,$(LIBRARIES),$(LIBDIR)/$l.a $(LIBDIR)/$l.so $(LIBDIR)/$l.so.0 $(LIBDIR)/pkgconfig/$l.pc) \
	$(HEADERS:include/%=$(INCLUDEDIR)/%) $(foreach m,$(MANPAGES),$(MANDIR)/man$(subst .,,$(suffix $m))/$(notdir $m))

.PHONY: install uninstall
install: all
	install -d $(addprefix $(DESTDIR),$(sort $(dir $(INSTALLED))))
	install -m 755 $(B)/tlob $(DESTDIR)$(BINDIR)
	install -m 644 completions/tlob.bash $(DESTDIR)$(COMPLETIONDIR)/tlob
	install -m 644 $(HEADERS) $(DESTDIR)$(INCLUDEDIR)/tlob
	install -m 644 $(LIBRARIES:%=$(B)/%.a) $(DESTDIR)$(LIBDIR)
	install -m 755 $(LIBRARIES:%=$(B)/%.so.0) $(DESTDIR)$(LIBDIR)
	$(foreach l,$(LIBRARIES),ln -sf $l.so.0 $(DESTDIR)$(LIBDIR)/$l.so &&) true
	$(PC) lib/libtlob.pc.in > $(DESTDIR)$(LIBDIR)/pkgconfig/libtlob.pc
	$(PC) ctl/libtlobctl.pc.in > $(DESTDIR)$(LIBDIR)/pkgconfig/libtlobctl.pc
	$(foreach m,$(MANPAGES),install -m 644 $m $(DESTDIR)$(MANDIR)/man$(subst .,,$(suffix $m)) &&) true
	test -n "$(DESTDIR)" || ldconfig || echo 'install: ldconfig needs root; programs find libtlob.so after it has run' >&2
uninstall:
	rm -f $(addprefix $(DESTDIR),$(INSTALLED))
	-rmdir $(DESTDIR)$(INCLUDEDIR)/tlob 2>/dev/null
