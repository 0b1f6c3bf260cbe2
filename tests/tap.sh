# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# TAP for shell tests:  . tests/tap.sh; plan 3; ok NAME COMMAND...; is NAME WANT GOT; has NAME WORDS TEXT; finish
# It moves to the top of the tree and makes $TMP, which goes away at the end.

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
# shellcheck disable=SC2034 # for the test that reads this
BUILD=${TLOB_BUILD:-$PWD/build}
TMP=$(mktemp -d) || exit 1
export XDG_STATE_HOME=$TMP/state # no floor of this machine, unless a test measures one
trap 'rm -rf "$TMP"' EXIT
tap_planned=0 tap_run=0 tap_failed=0

plan() {
	tap_planned=$1
	echo "1..$1"
}

skip_all() { # REASON
	echo "1..0 # SKIP $*"
	exit 0
}

verdict() { # STATUS NAME
	tap_run=$((tap_run + 1))
	if (($1 == 0)); then
		echo "ok $tap_run - $2"
	else
		echo "not ok $tap_run - $2"
		tap_failed=1
	fi
	return "$1"
}

skip() { # NAME REASON
	tap_run=$((tap_run + 1))
	echo "ok $tap_run - $1 # SKIP $2"
}

ok() { # NAME COMMAND...: what it prints is shown if it fails
	local output status
	output=$("${@:2}" 2>&1)
	status=$?
	verdict $status "$1" || printf '# status %d: %s\n# %s\n' $status "${*:2}" "${output//$'\n'/$'\n# '}"
	return $status
}

is() { # NAME WANT GOT
	[[ $2 == "$3" ]]
	verdict $? "$1" || printf '# wanted: %s\n# got:    %s\n' "${2//$'\n'/$'\n#         '}" "${3//$'\n'/$'\n#         '}"
}

has() { # NAME WORDS TEXT
	[[ $3 == *"$2"* ]]
	verdict $? "$1" || printf '# wanted: ... %s ...\n# got:    %s\n' "$2" "${3//$'\n'/$'\n#         '}"
}

finish() {
	((tap_run == tap_planned)) || echo "# planned $tap_planned, ran $tap_run"
	exit $((tap_failed || tap_run != tap_planned))
}
