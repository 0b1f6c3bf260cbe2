#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# tlob ring on the kernel's own trace buffers: what it prints, counts and copies, and that nothing of it stays. The module's rings:
# tests/vm/t_pagering.c.
# shellcheck source-path=SCRIPTDIR source=../tap.sh
. "$(dirname "$0")/../tap.sh"
tlob=$BUILD/tlob
tracing=/sys/kernel/tracing
[[ $(id -u) == 0 ]] || skip_all "needs root"
mount | grep -q " on $tracing type tracefs" || skip_all "there is no tracefs at $tracing"
[[ -d $tracing/events/syscalls/sys_enter_getppid ]] || skip_all "this kernel does not trace system calls"
plan 56

# ring OPTION...: text in $out, messages in $err, its status in $status
ring() {
	out=$(timeout -k 5 60 "$tlob" ring "$@" 2>"$TMP/err" </dev/null)
	status=$?
	err=$(cat "$TMP/err")
}

instances() { # of us
	find $tracing/instances -maxdepth 1 -name 'tlob-ring-*' 2>/dev/null
}

# wait_for COMMAND...: until it succeeds, or five seconds
wait_for() {
	local i
	for ((i = 0; i < 100; i++)); do
		"$@" 2>/dev/null && return
		sleep 0.05
	done
	return 1
}

settings() { # everybody's
	cat $tracing/current_tracer $tracing/tracing_on $tracing/trace_clock $tracing/buffer_size_kb \
		$tracing/events/sched/enable $tracing/events/syscalls/sys_enter_getppid/enable
}

# A process that makes N system calls that hardly anybody else makes.
calls() { # N
	perl -e 'syscall(110) for 1..$ARGV[0]' "$1"
}

# recording N OPTION...: as ring, while N such calls are made; ended by Ctrl-C
recording() {
	local pid n=$1
	shift
	rm -f "$TMP/err"
	"$tlob" ring -s kernel -d 30s -e syscalls:sys_enter_getppid "$@" >"$TMP/out" 2>"$TMP/err" </dev/null &
	pid=$!
	wait_for grep -q buffers "$TMP/err"
	calls "$n"
	kill -INT $pid
	wait $pid
	status=$?
	out=$(cat "$TMP/out")
	err=$(cat "$TMP/err")
}

before=$(settings)
release=$(uname -r)
major=${release%%.*} minor=${release#*.}
minor=${minor%%[.-]*}
way=mapped # or by read()
((major > 6 || (major == 6 && minor >= 10))) || way='read'

# ---- prints
ring -s kernel -d 300ms
is "prints: status" 0 $status
has "prints: says from where and how" "the kernel's trace buffers, $way" "$err"
has "prints: switches" "sched_switch " "$out"
ok "prints: time, CPU, event, thread, text" grep -qE \
	'^[0-9:.]+ +[0-9]+\.[0-9]{6}  cpu[0-9]+ +sched_switch +[0-9]+ prev_comm=.* ==> next_comm=' <<<"$out"
has "prints: says how many" " events, 0 lost" "$err"
is "prints: as many lines" "$(sed -nE 's/.* ([0-9]+) events, .*/\1/p' <<<"$err")" "$(grep -c . <<<"$out")"
# shellcheck disable=SC2016 # the fields are awk's
ok "prints: in order of time on each CPU" awk '{ if ($2 + 0 < last[$3]) exit 1; last[$3] = $2 + 0 }' <<<"$out"
is "prints: the instance is gone" "" "$(instances)"
has "auto: the module, or says why not" "tlob ring: " "$("$tlob" ring -d 10ms 2>&1 >/dev/null)"

# ---- counts: every event, by both ways
for copy in "" --copy; do
	recording 20000 --count $copy
	n=$(awk '$1 == "all" && $2 == "(all)" { print $3 }' <<<"$out")
	ok "count $copy: all of 20000" test "${n:-0}" -ge 20000 -a "${n:-0}" -lt 20200
	is "count $copy: none lost" 0 "$(awk '$1 == "all" && $2 == "(lost)" { print $3 }' <<<"$out")"
	is "count $copy: its rows add up" "$n" "$(awk '$2 == "sys_enter_getppid" { n += $3 } END { print n + 0 }' <<<"$out")"
	has "count $copy: how they were read" "trace buffers, $([[ $copy ]] && echo read || echo $way)" "$err"
done
recording 60000 --size 64
n=$(grep -c . <<<"$out")
lost=$(sed -nE 's/.* events, ([0-9]+) lost.*/\1/p' <<<"$err")
ok "a small ring: the latest events" test "$n" -gt 100 -a "$n" -lt 30000
ok "a small ring: the others are counted" test $((n + lost)) -ge 60000 -a $((n + lost)) -lt 60200

# ---- copies: the events are in the file, as the kernel writes them
recording 5000 -o "$TMP/copy"
cat >"$TMP/parse" <<-'END'
	my ($n, $last) = (0, 0);
	for my $file (@ARGV) {
		open my $f, '<:raw', $file or die;
		$last = 0;
		while (read $f, my $page, 4096) {
			my ($time, $bytes) = unpack 'QQ', $page;
			for (my $at = 0; $at < $bytes;) {
				my ($head, $next) = unpack 'VV', substr $page, 16 + $at, 8;
				my ($type, $delta) = ($head & 31, $head >> 5);
				if ($type == 29) { last if !$delta; $at += $next + 4; next }
				if ($type >= 30) { $time = ($type == 30 ? $time : 0) + $delta + ($next << 27); $at += 8; next }
				$time += $delta;
				die "time runs back" if $time < $last;
				$last = $time;
				$at += $type ? 4 + 4 * $type : 4 + $next;
				$n++;
			}
		}
	}
	print "$n";
END
is "copies: status" 0 $status
is "copies: as many events are in the files" "$(sed -nE 's/.* ([0-9]+) events, .*/\1/p' <<<"$err")" \
	"$(perl "$TMP/parse" "$TMP"/copy.cpu*)"
ok "copies: all of 5000" test "$(perl "$TMP/parse" "$TMP"/copy.cpu*)" -ge 5000

# ---- recordings: what was copied, read back
n=$(sed -nE 's/.* ([0-9]+) events, .*/\1/p' <<<"$err")
ring -i "$TMP/copy"
is "reads back: status" 0 $status
is "reads back: every event" "$n" "$(grep -c . <<<"$out")"
# shellcheck disable=SC2016 # the fields are awk's
ok "reads back: in order of time, all CPUs" awk '{ if ($2 + 0 < last) exit 1; last = $2 + 0 }' <<<"$out"
has "reads back: says of what machine" "on Linux $release, $(uname -m), $(nproc) CPU" "$err"
has "reads back: says how many" "$n events, 0 lost" "$err"
ring -i "$TMP/copy" --count
is "reads back: counts" "$n" "$(awk '$1 == "all" && $2 == "(all)" { print $3 }' <<<"$out")"

# live and recorded at once: the same words
rm -f "$TMP/err"
"$tlob" ring -s kernel -f -e syscalls:sys_enter_getppid -e sched:sched_process_exec >"$TMP/live" 2>"$TMP/err2" </dev/null &
live=$!
"$tlob" ring -s kernel -o "$TMP/both" -e syscalls:sys_enter_getppid -e sched:sched_process_exec >/dev/null 2>"$TMP/err" </dev/null &
pid=$!
wait_for grep -q buffers "$TMP/err" && wait_for grep -q buffers "$TMP/err2"
perl -e 'syscall(110) for 1..200; exec "/bin/true"' &
caller=$!
wait $caller
kill -INT $live $pid
wait $live $pid
words() { # of the caller's events: without their times, which are two rings'
	awk -v pid=$caller '$5 == pid { $1 = $2 = ""; print }' "$1"
}
"$tlob" ring -q -i "$TMP/both" >"$TMP/again"
is "recorded: an exec among them" 1 "$(words "$TMP/again" | grep -c 'sched_process_exec .*filename=/bin/true')"
is "recorded: the same words as live" "$(words "$TMP/live")" "$(words "$TMP/again")"
ring -q -i "$TMP/both" -e 'sched:*exec'
is "by name: only that event" "sched_process_exec" "$(awk '{ print $4 }' <<<"$out" | sort -u)"
ring -i "$TMP/both" -e sched_switch
is "by name: an event that is not in it" \
	"1 tlob ring: '$TMP/both' has no event 'sched_switch'; there are sched_process_exec, sys_enter_getppid" "$status $err"

# killed: what there is, and that it was not ended
rm -f "$TMP/err"
"$tlob" ring -s kernel -o "$TMP/killed" -e syscalls:sys_enter_getppid >/dev/null 2>"$TMP/err" </dev/null &
pid=$!
wait_for grep -q buffers "$TMP/err"
calls 3000
some() { [[ $("$tlob" ring -q -i "$TMP/killed" | grep -c .) -ge 3000 ]]; }
ok "killed: it can be read meanwhile" wait_for some
{ kill -KILL $pid && wait $pid; } 2>/dev/null
ring -i "$TMP/killed"
is "killed: and after" 0 $status
has "killed: says so" "the recording was not ended" "$err"

# what is no recording, or not all of it
ring -i "$TMP/nosuch"
is "a recording that is not there" "1 tlob ring: cannot open '$TMP/nosuch': No such file or directory" "$status $err"
ring -i "$TMP/copy.cpu0"
is "pages instead of a recording" "1 tlob ring: '$TMP/copy.cpu0' has pages of one CPU; the recording is '$TMP/copy'" "$status $err"
ring -i "$TMP/parse"
is "another file" "1 tlob ring: '$TMP/parse' is no recording of tlob ring" "$status $err"
pages=$TMP/copy.cpu0
[[ -s $pages ]] || pages=$TMP/copy.cpu1
printf '\377\377\377\377\377\377' | dd of="$pages" bs=1 seek=8 conv=notrunc status=none
ring -i "$TMP/copy" --count
is "damaged pages" "1 tlob ring: '$pages' is corrupt: at byte 16, the page says that it is larger than it is" \
	"$status $(tail -n 1 <<<"$err")"
truncate -s -1 "$pages"
ring -i "$TMP/copy"
has "pages cut off" "'$pages' is truncated: " "$err"

# ---- follows; ends by Ctrl-C
rm -f "$TMP/err"
"$tlob" ring -s kernel -f -e sched:sched_process_exec >"$TMP/follow" 2>"$TMP/err" </dev/null &
pid=$!
wait_for grep -q buffers "$TMP/err"
cp /bin/true "$TMP/marker-of-ring"
"$TMP/marker-of-ring"
ok "follows: the event is there while it runs" wait_for grep -q marker-of-ring "$TMP/follow"
ok "follows: in an instance of its own" test -d "$(instances)"
kill -INT $pid
wait $pid
is "follows: Ctrl-C ends it well" 0 $?
has "follows: and it says how many" " lost" "$(cat "$TMP/err")"
# on a terminal each line is an event again: more come than can be printed
timeout -k 5 60 script -qec "timeout -s INT -k 5 2 $tlob ring -s kernel -f -e sched -e syscalls" /dev/null </dev/null |
	tail -n 1 >"$TMP/endless"
has "follows: Ctrl-C ends it also if there is no end of events" " events, " "$(cat "$TMP/endless")"
is "everybody's settings are as they were" "$before" "$(settings)"

# ---- killed
rm -f "$TMP/err"
"$tlob" ring -s kernel -f >/dev/null 2>"$TMP/err" </dev/null &
pid=$!
wait_for grep -q buffers "$TMP/err"
kill -KILL $pid
wait $pid 2>/dev/null
gone() { [[ -z $(instances) ]]; }
ok "killed: the instance goes as well" wait_for gone
stale=$tracing/instances/tlob-ring-$pid-1-0
mkdir "$stale"
ring -s kernel -d 10ms
is "killed with all its children: the next one cleans up" "" "$(instances)"

# ---- the example
instance=$tracing/instances/tlob-test-$$
mkdir "$instance"
echo 1 >"$instance/events/syscalls/sys_enter_getppid/enable"
calls 3000
echo 0 >"$instance/events/syscalls/sys_enter_getppid/enable"
if [[ $way == mapped ]]; then
	total=0 entries=0
	for cpu in "$instance"/per_cpu/cpu*; do
		entries=$((entries + $(awk '/^entries:/ { print $2 }' "$cpu/stats")))
		total=$((total + $("$BUILD/examples/ring_demo" "$cpu/trace_pipe_raw" | grep -c bytes)))
	done
	is "ring_demo: every event" "$entries" "$total"
else
	skip "ring_demo: every event" "Linux $release does not map trace buffers"
fi
rmdir "$instance"

# ---- what it refuses
"$tlob" ring -s kernel -d 10ms --count >/dev/full 2>"$TMP/err"
is "counts onto a full disk: status" 1 $?
has "counts onto a full disk: says so" "the output is incomplete: No space left on device" "$(cat "$TMP/err")"
ring -s kernel -e nosuch
is "unknown event" "1 tlob ring: this kernel has no event 'nosuch'" "$status ${err%%;*}"
ring -s kernle
is "unknown source" 64 $status
has "unknown source: what was meant" "did you mean kernel?" "$err"
ring -f --count
is "to follow and to count" 64 $status
ring -i "$TMP/both" -f
is "to follow a recording" 64 $status
finish
