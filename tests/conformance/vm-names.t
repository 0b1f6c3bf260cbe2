#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Each name of tests/vm/names is that of a case in tests/vm, or stands at one; and a plan that is not kept is seen.
# shellcheck source-path=SCRIPTDIR source=../tap.sh
. "$(dirname "$0")/../tap.sh"
mapfile -t names < <(grep -v '^#' tests/vm/names)
plan $((${#names[@]} + 1))
for name in "${names[@]}"; do
	# as a case's name, one of its other names, or a number in a comment
	ok "$name" grep -lqE "T\($name\)|ALSO\($name,|\"[^\"]*\b$name\b[^\"]*\"|/\*[^*]*\b$name\b" tests/vm/t_*.c
done
is "W9: a program that runs fewer cases than it planned fails" "not ok 2 - k: t: ran 1 of 2 cases" \
	"$(printf '# program t\n1..2\nok 1 - a\n# end t 0\n' | awk -v kernel=k -v wanted=1 -v status=0 -f scripts/vm/tap.awk | grep '^not ok 2')"
finish
