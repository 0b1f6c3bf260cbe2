#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Regions that cannot be watched: one clear message, status 1, and the program is not started.
# shellcheck source-path=SCRIPTDIR source=../tap.sh
. "$(dirname "$0")/../tap.sh"
tlob=$BUILD/tlob
probee=$BUILD/tests/conformance/probee
why=$("$tlob" doctor --usable bpf) || skip_all "engine bpf: $(head -n 1 <<<"$why")"
plan 66

refused() { # NAME REGION WORDS...
	local name=$1 region=$2 out err status words
	shift 2
	out=$(timeout 20 "$tlob" run -r "$region" -- touch "$TMP/started" 2>"$TMP/err" </dev/null)
	status=$?
	err=$(<"$TMP/err")
	is "$name: status" 1 $status
	for words; do
		[[ $err == *"$words"* ]] || { err="$err
(wanted: $words)"; status=2; }
	done
	[[ $status == 1 && $err == 'tlob run: '* && $err != *$'\n'* && ! $out && ! -e $TMP/started ]]
	verdict $? "$name: one message, and no program" || printf '# %s\n' "${err//$'\n'/$'\n# '}"
}

refused "no unit" "$probee:work_sleep@5" "a duration needs a unit"
refused "unknown unit" "$probee:work_sleep@5sec" "unit"
refused "no budget" "$probee:work_sleep" "budget"
refused "zero budget" "$probee:work_sleep@0ms" "a budget lies between 1us and 1h"
refused "budget too long" "$probee:work_sleep@2h" "a budget lies between 1us and 1h"
refused "negative budget" "$probee:work_sleep@-5ms" "-5ms"
refused "no such binary" "/no/such/program:main@1ms" "/no/such/program" "No such file or directory"
refused "no such library" "libnosuchthing.so.7:main@1ms" "cannot find 'libnosuchthing.so.7'"
refused "relative path" "build/no/program:main@1ms" "cannot open $PWD/build/no/program: No such file"
refused "a folder" "/usr:main@1ms" "/usr is a directory"
printf '#!/bin/sh -e\ntrue\n' >"$TMP/script" && printf '#!/usr/bin/env python3\n' >"$TMP/script3"
refused "a script" "$TMP/script:main@1ms" "$TMP/script is a script" "its interpreter, /bin/sh:"
refused "a script of env" "$TMP/script3:main@1ms" "its interpreter, python3:"
refused "a text" "/etc/passwd:main@1ms" "/etc/passwd is not an ELF file"
refused "no such symbol" "$probee:work_slep@1ms" "has no function 'work_slep'" "work_sleep"
refused "no such start" "$probee:mark_x..mark_b@1ms" "has no function 'mark_x'" "mark_a"
refused "no such stop" "$probee:mark_a..mark_x@1ms" "has no function 'mark_x'"
refused "START is STOP" "$probee:mark_a..mark_a@1ms" "STOP must differ from START"
refused "START is STOP, written differently" \
	"$probee:mark_a..0x$(nm "$probee" | awk '/ mark_a$/ { print $1 }')@1ms" "same address"
refused "glob without a match" "$probee:nothing_*@1ms" "no function of $probee matches 'nothing_*'"
refused "glob in START" "$probee:mark_*..mark_b@1ms" "a glob is for BINARY:FUNCTION"
refused "offset outside of the symbol" "$probee:mark_a+0x10000..mark_b@1ms" "mark_a+0x10000 lies outside of 'mark_a'"
refused "offset outside of the code" "$probee:0x7fffffff..mark_b@1ms" "there is no code at file offset 0x7fffffff"
strip -o "$TMP/stripped" "$probee"
refused "stripped" "$TMP/stripped:no_such@1ms" "it is stripped" "debug symbols"
refused "a word" "nonsense" "nonsense"

# ---- several: the second is refused, so the first is not kept either
out=$("$tlob" run -r "$probee:work_sleep@1ms" -r "$probee:oops@1ms" -- touch "$TMP/started" 2>&1)
is "one of two: status" 1 $?
has "one of two: message" "has no function 'oops'" "$out"
ok "one of two: no program" test ! -e "$TMP/started"
out=$("$tlob" watch -d 1s -r "$probee:oops@1ms" 2>&1)
is "watch: status" 1 $?
has "watch: message" "tlob watch: " "$out"

# ---- engine user has no probes, and nobody else has the right
out=$("$tlob" run -e user -r "$probee:work_sleep@1ms" -- touch "$TMP/started" 2>&1)
is "engine user: status" 1 $?
has "engine user: message" "user" "$out"
ok "engine user: no program" test ! -e "$TMP/started"
chmod 711 "$TMP"
install -m 755 "$tlob" "$TMP/tlob"
nobody() {
	setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all "$TMP/tlob" "$@" 2>&1 </dev/null
}

# ---- chains of regions that are no probes
out=$("$tlob" run -r a@5ms -r b@5ms --chain 'c=a>b@5ms' -- touch "$TMP/chained" 2>&1)
is "a chain of a program's own regions: status" 1 $?
has "a chain of a program's own regions: what to do" \
	"region 'a' is one that programs mark themselves, and what is in time there nobody else sees; have the program call tlob_chain()" "$out"
ok "and nothing is started" test ! -e "$TMP/chained"

out=$(nobody run -r "/usr/bin/env:main@1ms" -- touch "$TMP/started")
is "without privilege: status" 1 $?
has "without privilege: says what to do" "root" "$out"
out=$(nobody run -e bpf -- true)
is "engine bpf without privilege: status" 1 $?
has "engine bpf without privilege: says what to do" "root" "$out"
out=$(nobody watch -d 100ms)
is "watch without privilege: status" 1 $?
has "watch without privilege: says what to do" "root" "$out"
nobody run -- true >/dev/null
is "a linked program needs none" 0 $?
finish
