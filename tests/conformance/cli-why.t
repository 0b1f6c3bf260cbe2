#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What tlob run says about the causes of overruns, in words. Whether they are right is for tests/truth.
# shellcheck source-path=SCRIPTDIR source=../tap.sh
. "$(dirname "$0")/../tap.sh"
tlob=$BUILD/tlob
why=$("$tlob" doctor --usable bpf 2>&1) || skip_all "engine bpf: $(head -n 1 <<<"$why")"
plan 54

lacks() { # NAME WORDS
	[[ $err != *"$2"* ]]
	verdict $? "$1" || echo "# got: ${err//$'\n'/$'\n# '}"
}

# late CASE [OPTION]...: the case of tests/truth below tlob run; text in $err. Others may take the CPU in the middle of
# it: then once more.
late() { # CASE PATTERN [OPTION]...
	local i
	for i in 1 2 3 4; do
		err=$(timeout 30 "$tlob" run "${@:3}" -- "$BUILD/tests/truth/truth" --subject case "$1" 2>&1 >/dev/null)
		[[ ! $2 || $err =~ $2 ]] && return
	done
	echo "# after $i attempts"
}

late mutex 'holder was running'
has "who woke it, and in which call it slept" "in futex until holder[" "$err"
ok "and what that one did" grep -qE '; holder was running (3[0-9]|4[0-9])\.[0-9]ms of that' <<<"$err"
ok "a bar of the time" grep -qE '^ {14}\[_{30,72}\] [0-9.]+ms: # ran, - waited, _ slept$' <<<"$err"
has "the causes of the region" "late was over budget once: sleeping in futex until holder woke it." "$err"
ok "what it cost" grep -qE '^tlob itself took .* of CPU time \([0-9.]+ % of one CPU\), .* of it to find out why\.$' <<<"$err"

late fifo 'behind rt-hog'
ok "behind whom it waited" grep -qE '^ {14}waited [0-9.]+ms behind rt-hog\[[0-9]+\] \(real-time\) (3|4)[0-9]\.[0-9]ms' <<<"$err"
ok "which is in the bar" grep -qE '^ {14}\[#?-{20,}[#-]+\] ' <<<"$err"
ok "also while it is still open" grep -qE '^ {14}so far: [0-9.]+ms waiting behind rt-hog$' <<<"$err"
has "and in the ranking" "late was over budget once: waiting behind rt-hog." "$err"

late pool 'worker \(4 threads'
ok "threads of one name are one" grep -qE 'behind worker \(4 threads\) \(real-time\) (3|4)[0-9]\.[0-9]ms' <<<"$(tr -s '\n ' ' ' <<<"$err")"

late nap 'clock_nanosleep'
has "by the clock" "in clock_nanosleep until an interrupt (timer or device) woke it" "$err"
has "needs no words in the ranking" "once: sleeping in clock_nanosleep." "$err"

late holder-preempted 'holder was waiting'
ok "a holder that is kept from the CPU" grep -qE 'until holder\[[0-9]+\] woke it; holder was waiting [0-9.]+ms' \
	<<<"$(tr -s '\n ' ' ' <<<"$err")"

late stopped 'let it go on'
has "stopped by a signal" "by a signal until stopper[" "$err"

late spin ''
ok "who ran all the time" grep -qE '^ {14}\[[#-]+\] ' <<<"$err"

# ---- interrupts
late interrupts 'interrupts took' --interrupts
why=$("$BUILD/tests/truth/truth" --subject case interrupts 2>&1 >/dev/null)
if [[ $? == 77 ]]; then
	for what in "what interrupts took" "also while it is still open" "and in the ranking"; do
		skip "$what" "${why#\# interrupts: }"
	done
else
	ok "what interrupts took" grep -qE ' interrupts took [234][0-9]\.[0-9]ms of its running time: net_rx [23][0-9]\.[0-9]ms' \
		<<<"$(tr -s '\n ' ' ' <<<"$err")"
	ok "also while it is still open" grep -qE '^ {14}so far: [0-9.]+ms interrupted \(net_rx\)$' <<<"$err"
	has "and in the ranking" "late was over budget once: interrupted (net_rx)." "$err"
fi
late interrupts ''
lacks "without --interrupts there is no word of them" "interrupt"
has "JSON says that they are known" '"interrupts":true' "$("$tlob" run --interrupts -q --json - -- true 2>/dev/null | head -n 1)"
err=$("$tlob" run --interrupts --engine user -- true 2>&1)
has "engine user says that it does not see them" "No interrupts: engine user does not see them" "$err"
has "and so does its JSON" '"interrupts":false' "$("$tlob" run --interrupts --engine user -q --json - -- true 2>/dev/null | head -n 1)"
err=$("$tlob" run --interrupts --why=none -- true 2>&1)
is "they need the history: exit status" 64 $?
has "they need the history: why" "--interrupts needs the history of --why=culprit" "$err"

# ---- where its code was
late inlined 'spin_inlined' --why=stacks
ok "the function, its line, and that it is inlined" grep -qE '^ {14}at spin_inlined  cases_where\.c:[0-9]+ \(inlined\)$' <<<"$err"
ok "who called it" grep -qE '^ {17}around_inlined  cases_where\.c:[0-9]+$' <<<"$err"
ok "up to main, no further" grep -qE '^ {17}main  harness\.c:[0-9]+$' <<<"$err"
lacks "nothing of an interrupt" "asm_sysvec"

late early 'slept [0-9.]+ms at' --why=stacks
ok "a long sleep, when the window has ended" grep -qE '^ {14}slept [45]\.[0-9]+ms at kernel: .*nanosleep' <<<"$err"
ok "and the function that slept" grep -qE '^ +nap_early  cases_where\.c:[0-9]+$' <<<"$err"
ok "beside where it is late" grep -qE '^ {14}at early_sleep  cases_where\.c:[0-9]+' <<<"$err"

# the probe on its return has taken the place of the address that it returns to
late inlined 'in_inlined' --why=stacks -r "fn=$BUILD/tests/truth/truth:in_inlined@10ms"
ok "a function that returns into a probe" grep -qE '^ +in_inlined  cases_where\.c:[0-9]+$' <<<"$err"
ok "and its callers" grep -qE '^ +main  harness\.c:[0-9]+$' <<<"$err"

late spin '' --why=culprit
lacks "only if asked for" "  cases_cpu.c:"

late spin '' --why=stacks --engine=user
has "engine user cannot, and says so" "No stacks: engine user does not have them" "$err"
late spin '' --engine=user
lacks "but only if asked for" "does not have them"

# ---- without
late mutex 'sleeping' --why=none
has "without: the end of the window" "  ended  " "$err"
lacks "without: no bar" "# ran, - waited"
lacks "without: no ranking" "over budget once"
late mutex '' -e user
lacks "engine user: no bar" "# ran, - waited"
late mutex '' -q
lacks "quiet: no bar" "# ran, - waited"
has "quiet: but the ranking" "late was over budget once:" "$err"

# ---- memory for the history
late mutex 'holder' --history 1
has "little memory is enough for a short window" "until holder[" "$err"
late mutex 'holder' --history 1s
has "or little time" "until holder[" "$err"
group=/sys/fs/cgroup/memory/tlob-why-$$
if mkdir $group 2>/dev/null && echo 100M >$group/memory.limit_in_bytes; then
	err=$(
		echo $BASHPID >$group/cgroup.procs
		timeout 20 "$tlob" run --history 1024 -- true 2>&1
	)
	has "no memory for it is said, and is no failure" "No causes: the history of context switches cannot be kept" "$err"
else
	skip "no memory for it is said" "no memory control groups of version 1"
fi
rmdir $group 2>/dev/null
for value in 0 -1 x 5000 1k 0s 257s ''; do
	err=$("$tlob" run --history="$value" -- true 2>&1)
	is "no such history: '$value'" 64 $?
done
err=$("$tlob" run --why=culprits -- true 2>&1)
is "no such why" 64 $?
finish
