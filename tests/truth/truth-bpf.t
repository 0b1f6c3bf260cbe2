#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# What only engine bpf can know: who made a window late.
build=${TLOB_BUILD:-$(dirname "$0")/../../build}
if ! why=$("$build/tlob" doctor --usable bpf 2>&1); then
	echo "1..0 # SKIP engine bpf: $(echo "$why" | head -n 1)"
	exit 0
fi
exec "$build/tests/truth/truth" bpf
