#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# tlob timerlat: what it prints and writes, what it refuses, and what it finds. Figures are for tests/bench.
# shellcheck source-path=SCRIPTDIR source=../tap.sh
. "$(dirname "$0")/../tap.sh"
plan 66
tlob=$BUILD/tlob
json=$TMP/json

# timerlat OPTION...: text in $out, messages in $err, JSON in $json, its status in $status
timerlat() {
	out=$(timeout -k 5 60 "$tlob" timerlat -j "$json" "$@" 2>"$TMP/err" </dev/null)
	status=$?
	err=$(cat "$TMP/err")
}

# number TYPE KEY: of the last object of that type
number() {
	sed -nE "/^\{\"type\":\"$1\"/s/.*\"$2\":([0-9]+).*/\1/p" "$json" | tail -n 1
}

cpus=$(grep -c . < <(taskset -cp $$ | sed 's/.*: //' | tr ',' '\n' |
	awk -F- '{ for (i = $1; i <= ($2 == "" ? $1 : $2); i++) print i }'))
first=$(taskset -cp $$ | sed -E 's/.*: ([0-9]+).*/\1/')

# ---- plain: what everybody gets
timerlat -b plain -d 1s
is "plain: status" 0 $status
has "plain: says which backend" "tlob timerlat: backend plain, every 1ms, " "$out"
has "plain: and what it lacks" "Backend plain measures the total only" "$out"
is "plain: a row for each CPU" "$cpus" "$(grep -cE '^ *[0-9]+  total ' <<<"$out")"
is "plain: an object for each CPU and one for all" "$((cpus + 1))" "$(grep -c '^{"type":"latency"' "$json")"
cycles=$(number latency cycles)
ok "plain: a cycle each millisecond, or it was skipped" \
	test $((cycles + $(number latency skipped))) -gt $((900 * cpus)) -a "$cycles" -lt $((1100 * cpus))
is "plain: the parts are not known" "$((cpus + 1))" "$(grep -c '"irq":null,"thread":null,"user_ret":null' "$json")"
is "plain: JSON begins and ends" "start end" \
	"$(sed -nE 's/^\{"type":"(start|end)".*/\1/p' "$json" | tr '\n' ' ' | sed 's/ $//')"

timerlat -b plain -d 300ms -c "$first" -p 500us -P o:3 -q --hist --hgrm "$TMP/hgrm"
is "one CPU: status" 0 $status
is "one CPU: one row" 1 "$(grep -cE '^ *[0-9]+  total ' <<<"$out")"
is "quiet: no notice" "" "$(grep -E 'backend|Ctrl-C' <<<"$out")"
has "--hist: heads" "  from  total" "$out"
is "--hist: counts every cycle" "$(number latency cycles)" \
	"$(sed -nE 's/^ *[0-9.]+[num]?s +([0-9,]+)  .*/\1/p' <<<"$out" | tr -d , | awk '{ n += $1 } END { print n }')"
is "--hgrm: files by CPU and part" "all-total.hgrm cpu$first-total.hgrm" \
	"$(find "$TMP/hgrm" -type f -printf '%f\n' | sort | tr '\n' ' ' | sed 's/ $//')"
has "--hgrm: with the same count" "Total count    = $(printf '%12d' "$(number latency cycles)")]" \
	"$(cat "$TMP/hgrm/all-total.hgrm")"
has "-P: in the JSON" '"scheduling":"other:3"' "$(cat "$json")"
is "-p: in the JSON" 500000 "$(number start period_ns)"

# ---- a limit
timerlat -b plain -c "$first" -T 1ns -d 20s
is "a limit passed: status" 2 $status
ok "a limit passed: it stopped at once" test "$(number end elapsed_ns)" -lt 10000000000

# ---- bpf: the parts
# median CPU PART: p50_ns of it
median() {
	sed -nE "/^\{\"type\":\"latency\",\"cpu\":$1,/s/.*\"$2\":\{[^}]*\"p50_ns\":([0-9]+).*/\1/p" "$json"
}

# split NAME: what a run that measures the parts has to fulfil
split() {
	local irq thread user total sum
	irq=$(median null irq) thread=$(median null thread) user=$(median null user_ret) total=$(median null total)
	is "$1: status" 0 $status
	has "$1: says which backend" "tlob timerlat: backend bpf" "$out"
	ok "$1: nearly every cycle is split" test "$(number latency unsplit)" -lt $(($(number latency cycles) / 20))
	# medians need not add up exactly, only the cycles do
	sum=$((irq + thread + user))
	ok "$1: the parts make up the total ($irq + $thread + $user to $total)" \
		test $((sum * 4)) -gt $((total * 3)) -a $((sum * 3)) -lt $((total * 4))
	ok "$1: each takes time" test "$irq" -gt 0 -a "$thread" -gt 0 -a "$user" -gt 0
}

if why=$("$tlob" doctor --usable bpf 2>&1); then
	timerlat -d 1s
	split bpf
	export TLOB_BPF_WITHOUT=tick # as where the interrupt of the timer has no tracepoint of its own
	timerlat -d 1s
	split "bpf, portable"
	unset TLOB_BPF_WITHOUT
else
	for i in 1 2 3 4 5 6 7 8 9 10; do
		skip "bpf $i" "engine bpf: $(head -n 1 <<<"$why")"
	done
fi

# ---- why
# hog PROGRAM: a thread of the highest priority on the first CPU that runs for 30 ms now and then; $hog is its process
hog() {
	taskset -c "$first" chrt -f 99 perl - "$1" <<-'END' &
		use Time::HiRes qw(clock_gettime sleep CLOCK_MONOTONIC);
		$0 = 'rt-hog';
		open my $urandom, '<:raw', '/dev/urandom' or die $!;
		for (1 .. 200) {
			sleep 0.2;
			my $end = clock_gettime(CLOCK_MONOTONIC) + 0.03;
			while (clock_gettime(CLOCK_MONOTONIC) < $end) {
				sysread $urandom, my $bytes, 1 << 20 if $ARGV[0] eq 'kernel';
			}
		}
	END
	hog=$!
}

if "$tlob" doctor --usable bpf >/dev/null 2>&1 && [[ $(id -u) == 0 ]]; then
	hog user
	timerlat -c "$first" -T 15ms -d 30s
	kill $hog
	is "a hog: status" 2 $status
	has "a hog is named" "Cause: waiting behind rt-hog." "$(tr -s '\n ' ' ' <<<"$out")"
	ok "and shown" grep -qE '^ {14}waited [0-9.]+ms behind rt-hog\[[0-9]+\] \(real-time\)' <<<"$out"
	ok "and what the timer interrupted" grep -qE '^A timer interrupted rt-hog\[[0-9]+\] in ' <<<"$out"
	has "JSON: the part, the limit and the reason" '"part":"total","limit_ns":15000000,' "$(grep '"type":"threshold"' "$json")"
	has "JSON: who was interrupted" '"reason":"waiting behind rt-hog","interrupted":{"comm":"rt-hog"' "$(cat "$json")"
	has "JSON: the window" '"why":{"reason":"waiting behind rt-hog"' "$(cat "$json")"
	hog kernel
	for i in 1 2 3; do # the interrupt may come in the few instructions between two calls
		timerlat -c "$first" -T 15ms -d 30s
		[[ $out == *"in the kernel:"* ]] && break
	done
	ok "a hog in the kernel: its functions" grep -qE '^    (.*random.*|chacha.*|vfs_read)$' <<<"$out"
	has "JSON: they are frames" '"object":"[kernel]"' "$(cat "$json")"
	for i in 1 2 3 4 5 6; do # or the hog begins together with the timer
		timerlat -c "$first" -T 1ms --why stacks -d 30s
		[[ $out == *"in the kernel:"* ]] && break
	done
	has "--why stacks: of delays shorter than a tick" "A timer interrupted rt-hog[" "$out"
	timerlat -b plain -c "$first" -T 15ms -d 30s
	kill $hog
	has "also with backend plain" "Cause: waiting behind rt-hog." "$(tr -s '\n ' ' ' <<<"$out")"
	timerlat -c "$first" -T 1ms --load rt,cpu -d 30s
	has "--load: what it makes is found" "Cause: waiting behind load-rt." "$(tr -s '\n ' ' ' <<<"$out")"
	has "--load: it is said that it disturbs" "Making load: this disturbs whatever runs here." "$out"
	is "--why none: nothing is said" "" "$("$tlob" timerlat -c "$first" -T 1ns --why none | grep Cause)"
else
	for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14; do
		skip "why $i" "needs root and engine bpf"
	done
fi

# ---- the floor
floor=$XDG_STATE_HOME/tlob/floor
ok "a short run is no floor" test ! -e "$floor"
timerlat -b plain -p 100us -d 2s
has "what was measured is kept" "Kept as this machine's floor: tlob run and tlob watch warn of budgets below " "$out"
is "with its percentile" "p99_9_ns $(sed -nE '/"cpu":null/s/.*"total":.*"p99_9_ns":([0-9]+).*/\1/p' "$json")" \
	"$(grep ^p99_9_ns "$floor")"
is "and nothing else beside it" floor "$(ls "$XDG_STATE_HOME/tlob")"
run() { # BUDGET: text of tlob run on a region that is never entered
	"$tlob" run -e user -j "$json" -r "r@$1" -- true 2>&1 >/dev/null | tr -s '\n ' ' '
}
sed -i 's/^p99_9_ns .*/p99_9_ns 100000/' "$floor"
text=$(run 299us)
has "tlob run warns of a budget close to it" "Close to this machine's own latency (p99.9 100us by tlob timerlat," "$text"
has "which it names" "keep 3 times that): r 299us." "$text"
is "its JSON has it" 100000 "$(number start floor_p99_9_ns)"
is "not of one that is not" "" "$(run 300us | grep Close)"
sed -i 's/^boot_id .*/boot_id 00000000-0000-0000-0000-000000000000/' "$floor"
is "nor by a floor of another boot" "" "$(run 299us | grep Close)"
has "which is none in JSON" '"floor_p99_9_ns":null' "$(cat "$json")"

# ---- load ends with tlob
threads() { # of the load of process $1
	local child
	child=$(pgrep -P "$1") && cat /proc/"$child"/task/*/comm 2>/dev/null | grep -c ^load-
}
"$tlob" timerlat -b plain -c "$first" -q --load all >/dev/null &
pid=$!
for ((i = 0; i < 100; i++)); do [[ $(threads $pid) == 6 ]] && break; sleep 0.1; done
is "--load all: a thread of each kind" 6 "$(threads $pid)"
load=$(pgrep -P $pid)
kill -9 $pid
for ((i = 0; i < 100; i++)); do [[ -e /proc/$load ]] || break; sleep 0.1; done
ok "--load ends with tlob, however that ends" test ! -e "/proc/$load"

# ---- the end
timerlat -b plain -c "$first" -p 5s -d 200ms
ok "it does not wait for a long period" test "$(number end elapsed_ns)" -lt 2000000000
has "and says that nothing was measured" "Nothing was measured." "$out"
timeout -s INT 1 "$tlob" timerlat -b plain -c "$first" >"$TMP/out" 2>&1
has "Ctrl-C stops and prints" "total" "$(tail -n 2 "$TMP/out")"
lines=$(timeout 10 "$tlob" timerlat -b plain -c "$first" --top | head -n 6 | grep -cE '^[0-9:.]{12} ')
ok "--top, not on a terminal: a line each second, and ends with its reader" test "$lines" -ge 2

# ---- what it refuses
timerlat -c 8000
is "a CPU that is not there: status" 1 $status
has "a CPU that is not there: which may be used" "cannot measure on CPU 8000: this process may use CPUs $first" "$err"
timerlat -p 50us
has "too short a period" "is too short: the shortest is 100 us" "$err"

"$tlob" timerlat -b plain -c "$first" -d 100ms >/dev/full 2>"$TMP/err"
is "results onto a full disk: status" 1 $?
has "results onto a full disk: says so" "the output is incomplete: No space left on device" "$(cat "$TMP/err")"

# ---- without privilege
if [[ $(id -u) == 0 ]] && command -v setpriv >/dev/null; then
	chmod 755 "$TMP"
	out=$(cd / && ulimit -r 0 && timeout 20 setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all \
		"$tlob" timerlat -d 300ms 2>&1)
	is "without privilege: it measures" 0 $?
	has "without privilege: and says what is lost" "Real-time priority 95 is not permitted" "$(tr '\n' ' ' <<<"$out")"
else
	skip "without privilege: it measures" "not root"
	skip "without privilege: and says what is lost" "not root"
fi
finish
