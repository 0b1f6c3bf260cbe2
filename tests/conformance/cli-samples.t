#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What tlob run says of CPU samples, in words; and that it knows programs from inside of a pid namespace of its own.
# shellcheck source-path=SCRIPTDIR source=../tap.sh
. "$(dirname "$0")/../tap.sh"
tlob=$BUILD/tlob
why=$("$tlob" doctor --usable bpf 2>&1) || skip_all "engine bpf: $(head -n 1 <<<"$why")"
plan 11

subject=("$BUILD/tests/conformance/conf_samples" --subject paths)
sampled() { # COMMAND...: text in $err, as one line in $words
	err=$(timeout 60 "$@" -- "${subject[@]}" 2>&1 >/dev/null 3>/dev/null)
	words=$(tr -s '\n ' ' ' <<<"$err")
}

sampled "$tlob" run --why=samples --good-share=1
ok "what the end of a late window says" grep -qE '^ {14}on the CPU in slow_path (9[0-9]|100) %.* \([0-9]+ samples\)$' <<<"$err"
ok "what the summary says" grep -qE 'Late windows of work were on the CPU in slow_path [0-9]+ % \(good ones 0 %\)' <<<"$words"
ok "how many there were" grep -qE '[0-9]+ CPU samples \((cpu-clock|cycles), 999 Hz\) inside of windows: [0-9]+ in late ones, [1-9][0-9]* kept of good ones\.' <<<"$words"
has "and that none was lost" "Lost: 0 where nothing was mapped, 0 of unknown processes, 0 whole stacks, 0 in full buffers, 0 too many at once." "$words"

sampled "$tlob" run -q --why=samples --sample-rate=4000 --good-share=0
ok "another rate" grep -qE '4000 Hz\) inside of windows: [1-9],[0-9]{3} in late ones, 0 kept' <<<"$words"

sampled "$tlob" run -q --why=stacks
[[ $err != *samples* ]]
verdict $? "no word of samples where none were asked for"

sampled "$tlob" run -e user --why=samples
has "an engine that cannot says so" "No CPU samples: engine user " "$words"
[[ $err != *"CPU samples ("* ]]
verdict $? "and counts none"

if unshare -pf --mount-proc true 2>/dev/null; then
	sampled unshare -pf --mount-proc "$tlob" run --why=samples --good-share=1
	ok "inside of a pid namespace: the function" grep -qE '^ {14}on the CPU in slow_path (9[0-9]|100) %' <<<"$err"
	has "inside of a pid namespace: nothing lost" "Lost: 0 where nothing was mapped, 0 of unknown processes, 0 whole stacks" "$words"
	sampled unshare -pf --mount-proc "$tlob" run --why=stacks
	ok "and the stack at expiry" grep -qE '^ +at slow_path  conf_samples\.c:[0-9]+' <<<"$err"
else
	skip 3 "no pid namespace to be had"
fi
