#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# scripts/setup on machines that lack this and that. The package tools are played by scripts that note how they
# were called.
# shellcheck disable=SC2016 # their text is not for this shell
# shellcheck source-path=SCRIPTDIR source=../tap.sh
. "$(dirname "$0")/../tap.sh"
plan 21

mkdir "$TMP/bin"
tool() { # NAME BODY
	printf '#!/bin/sh\n%s\n' "$2" >"$TMP/bin/$1"
	chmod +x "$TMP/bin/$1"
}

# "${db:Status-Status} ${Package}" of every package asked for, but for those in $TMP/lacking
tool dpkg-query 'shift 3; status=0
for p; do grep -qx "$p" "$TMP/lacking" && { echo "no packages found matching $p" >&2; status=1; } || echo "installed $p"; done
exit $status'
tool id 'echo "${FAKE_UID:-0}"'
tool apt-cache 'exit "${UNKNOWN:-0}"'
tool apt-get 'echo "$@" >>"$TMP/called"; case "$*" in *install*) [ -e "$TMP/broken" ] && { echo "E: no space left"; exit 100; };; esac; exit 0'
mkdir "$TMP/lists"
touch "$TMP/lists/debian_Packages"
export TMP TLOB_APT_LISTS=$TMP/lists

setup() { # ARGUMENTS...: output in $out, status in $status, calls of apt-get in $calls
	rm -f "$TMP/called"
	out=$(PATH=$TMP/bin:$PATH scripts/setup "$@" 2>&1)
	status=$?
	calls=$(cat "$TMP/called" 2>/dev/null)
}

: >"$TMP/lacking"
setup --need check --need lint --need bench --need demo
is "all there: status 0" 0 $status
is "all there: no word" "" "$out"
is "all there: apt-get is not called" "" "$calls"

printf 'libdw-dev\nsqlite3\n' >"$TMP/lacking"
setup
is "one missing: status 0" 0 $status
has "one missing: says what for" "libdw-dev            finds symbols" "$out"
has "one missing: installs it" "install -y --no-install-recommends libdw-dev" "$calls"
[[ $calls != *sqlite3* ]]
verdict $? "what another group needs is left alone"
setup --need demo
has "a group includes build" "install -y --no-install-recommends libdw-dev sqlite3" "$calls"

UNKNOWN=100 setup
has "lists that do not know a package are renewed" "update" "$(head -n 1 <<<"$calls")"

TLOB_APT_LISTS=/nowhere setup
has "without lists they are fetched" "update" "$(head -n 1 <<<"$calls")"
setup
[[ $calls != *update* ]]
verdict $? "lists that serve are left alone"

FAKE_UID=1000 setup --need demo
is "without root: status 1" 1 $status
has "without root: the command to type" "apt-get update && apt-get install -y --no-install-recommends libdw-dev sqlite3" "$out"
is "without root: apt-get is not called" "" "$calls"

touch "$TMP/broken"
setup
is "install fails: status 1" 1 $status
has "install fails: apt's own words" "E: no space left" "$out"
is "install fails: tried once more with new lists" 2 "$(grep -c install <<<"$calls")"
has "install fails: lists were renewed" "update" "$calls"

setup --need nonsense
is "unknown group: usage" 64 $status
setup --need
is "no group: usage" 64 $status
setup extra
is "stray argument: usage" 64 $status
finish
