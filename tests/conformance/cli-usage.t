#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What a person may mistype: one message that says what is wrong, on standard error, and status 64; and help.
# shellcheck source-path=SCRIPTDIR source=../tap.sh
. "$(dirname "$0")/../tap.sh"
plan 180
tlob=$BUILD/tlob

# wrong COMMAND WORDS ARGUMENT...: "tlob COMMAND: ...WORDS..." and where to read more, nothing else
wrong() {
	local command=${1:+ $1} words=$2 out status
	shift 2
	out=$("$tlob" "$@" 2>"$TMP/err" </dev/null)
	status=$?
	is "tlob $*: status" 64 $status
	has "tlob $*: says why" "$words" "$(head -n 1 "$TMP/err")"
	is "tlob $*: that, and where to read more" "tlob$command: |Try 'tlob help$command'.|" \
		"$(sed "1s/^\(tlob[a-z ]*: \).*/\1/" "$TMP/err" | tr '\n' '|')$out"
}

wrong '' "no command given"
wrong '' "unknown command 'runn'; did you mean run?" runn
wrong '' "unknown command 'frobnicate'" frobnicate
wrong '' "unknown option '--hlep'; did you mean --help?" --hlep
wrong help "unknown command 'wacth'; did you mean watch?" help wacth
wrong help "one command at a time, not 'watch' too" help run watch
wrong version "unexpected 'now'" version now
wrong doctor "unexpected 'bpf'" doctor bpf
wrong doctor "unknown engine 'bfp'; did you mean bpf?" doctor --usable bfp
wrong doctor "option --usable needs a value: ENGINE" doctor -u

wrong ls "one binary at a time, not '/bin/sh' too" ls /bin/true /bin/sh
wrong ls "--pid needs a binary: tlob ls -p PID BINARY" ls -p 1
wrong ls "--pid is the number of a process, not 'init'" ls -p init libc.so.6
wrong add "no region given: tlob add BINARY:FUNCTION@BUDGET" add -q
wrong rm "no region given: tlob rm BINARY:FUNCTION, or --all" rm
wrong rm "with --all there is nothing to name, as '/bin/app:main'" rm --all /bin/app:main

wrong run "no program to run" run
wrong run "no program to run" run -q --
wrong run "--why is none, culprit, stacks or samples, not 'all'" run --why=all -- true
wrong run "--sample-rate is a number per second, from 10 to 20000, not '5'" run --sample-rate=5 -- true
wrong run "--sample-rate is a number per second, from 10 to 20000, not '99k'" run --sample-rate 99k -- true
wrong watch "--sample-rate is a number per second, from 10 to 20000, not '-1'" watch --sample-rate=-1
wrong run "--good-share is a number: one in so many good windows, 0 for none, not ''" run --good-share= -- true
wrong watch "--good-share is a number: one in so many good windows, 0 for none, not 'x'" watch --good-share x
wrong run "unknown option '--fial'; did you mean --fail?" run --fial -- true
wrong run "unknown option '--engien'; did you mean --engine?" run --engien=bpf -- true
wrong run "unknown option '--colour-me'" run --colour-me -- true
wrong run "unknown option '-z'" run -z -- true
wrong run "option --region needs a value: REGION" run -r
wrong run "option --engine needs a value: ENGINE" run --engine
wrong run "option --fail takes no value" run --fail=2 -- true
wrong run "unknown engine 'usre'; did you mean user?" run -e usre -- true
wrong run "unknown engine 'ebpf-vm'; there are auto, bpf, kernel and user" run -e ebpf-vm -- true
wrong run "--color is auto, always or never, not 'red'" run --color red -- true

wrong watch "unexpected './program'; to start a program use tlob run" watch ./program
wrong watch "--pid is the number of a process, not 'init'" watch -p init
wrong watch "--pid is the number of a process, not '-1'" watch -p -1
wrong watch "--pid is the number of a process, not '99999999999'" watch -p 99999999999
wrong watch "--duration '10':" watch -d 10
wrong watch "--duration '0s' is no time at all" watch -d 0s
wrong watch "--duration 'soon':" watch -d soon

wrong timerlat "unexpected 'now'" timerlat now
wrong timerlat "--cpus '3-1': a range goes from the lower to the higher number, at '3-1'" timerlat -c 3-1
wrong timerlat "--cpus '0,x': the number of a CPU was expected, at 'x'" timerlat -c 0,x
wrong timerlat "--period '100':" timerlat -p 100
wrong timerlat "--total '0us' is no time at all" timerlat -T 0us
wrong timerlat "--priority is f:1 to f:99, r:1 to r:99 or o:-20 to o:19, not 'f'" timerlat -P f
wrong timerlat "--priority 'f:100': it goes from 1 to 99" timerlat -P f:100
wrong timerlat "--priority 'o:-21': it goes from -20 to 19" timerlat -P o:-21
wrong timerlat "unknown backend 'plainly'; did you mean plain?" timerlat -b plainly
wrong timerlat "unknown load 'forks'; did you mean fork?" timerlat --load cpu,forks
wrong timerlat "--why is none, culprit or stacks, not 'who'" timerlat --why who

# ---- help
for command in run watch timerlat doctor help version; do
	out=$("$tlob" help $command)
	is "help $command: status" 0 $?
	is "$command --help says the same" "$out" "$("$tlob" $command --help)"
	has "help $command: how it is used" "Usage: tlob $command" "$out"
done
out=$("$tlob" help)
is "help and --help and -h are one" "$out|$out" "$("$tlob" --help)|$("$tlob" -h)"
is "version and --version and -V are one" "$(sed -n 's/^VERSION := /tlob /p' Makefile)" \
	"$("$tlob" version; "$tlob" --version >"$TMP/v1"; "$tlob" -V | diff - "$TMP/v1")"
is "all help fits 80 columns" "" \
	"$(for command in '' run watch timerlat doctor help version; do "$tlob" help $command; done | awk 'length > 80')"
"$tlob" help >/dev/full 2>"$TMP/err"
is "help onto a full disk: status" 1 $?
has "help onto a full disk: says so" "cannot write to standard output: No space left on device" "$(cat "$TMP/err")"
is "an option's long name may be shortened" 0 "$("$tlob" doctor --js >/dev/null; echo $?)"
finish
