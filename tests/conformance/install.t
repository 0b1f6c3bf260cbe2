#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# make install into a folder, then build against what stands there: C and C++, shared and static.
# shellcheck source-path=SCRIPTDIR source=../tap.sh
. "$(dirname "$0")/../tap.sh"
plan 18

# the plain build, whatever is being tested; and not as a part of the make that runs this
plainly() {
	env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS make -s PREFIX=/usr DESTDIR="$TMP/x" "$@"
}

ok "make install" plainly install || finish
for file in bin/tlob lib/libtlob.so.0 lib/libtlobctl.so.0 include/tlob/abi.h share/bash-completion/completions/tlob \
	share/man/man1/tlob.1; do
	ok "there is $file" test -s "$TMP/x/usr/$file"
done
is "every man page is installed" "$(find man -name '*.[1-8]' -printf '%f\n' | sort)" \
	"$(find "$TMP/x/usr/share/man" -type f -printf '%f\n' | sort)"

export PKG_CONFIG_SYSROOT_DIR=$TMP/x PKG_CONFIG_LIBDIR=$TMP/x/usr/lib/pkgconfig
export LD_LIBRARY_PATH=$TMP/x/usr/lib
is "pkg-config knows the version" "$(sed -n 's/^VERSION := //p' Makefile)" "$(pkg-config --modversion libtlob)"

built() { # OUTPUT COMPILER ARGUMENTS...: compiles, runs, and wants output
	"${@:2}" -o "$TMP/$1" && TLOB=0 "$TMP/$1" | grep -q .
}

# shellcheck disable=SC2046 # flags are words
{
	ok "C, shared" built c-shared cc -std=gnu11 -D_GNU_SOURCE examples/hello.c $(pkg-config --cflags --libs libtlob)
	ok "C, static" built c-static cc -std=gnu11 -D_GNU_SOURCE -static examples/hello.c \
		$(pkg-config --static --cflags --libs libtlob)
	ok "C++, shared" built cxx-shared c++ -std=c++17 -pedantic -Werror examples/scope.cpp \
		$(pkg-config --cflags --libs libtlob)
	ok "C++, static" built cxx-static c++ -std=c++17 -static examples/scope.cpp \
		$(pkg-config --static --cflags --libs libtlob)
	cat >"$TMP/tool.c" <<-'END'
		#include <stdio.h>
		#include <tlob/ctl.h>
		int main(void)
		{
			struct tlobctl_opts opts = {.size = sizeof(opts), .engine = TLOBCTL_ENGINE_USER};
			struct tlobctl *ctl;

			if (tlobctl_open(&opts, &ctl))
				return 1;
			puts(tlobctl_engine_name(ctl));
			tlobctl_close(ctl);
			return 0;
		}
	END
	ok "libtlobctl, shared" built tool cc "$TMP/tool.c" $(pkg-config --cflags --libs libtlobctl)
	ok "libtlobctl, its archive" built tool-archive cc "$TMP/tool.c" $(pkg-config --cflags libtlobctl) \
		"$TMP/x/usr/lib/libtlobctl.a" $(pkg-config --static --libs-only-l libtlobctl | sed 's/-ltlobctl//')
}
has "the shared program needs libtlob by its soname" "libtlob.so.0" "$(readelf -d "$TMP/c-shared")"

ok "make uninstall" plainly uninstall
is "nothing is left" "" "$(find "$TMP/x" -type f -o -type l)"
finish
