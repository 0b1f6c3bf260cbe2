#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# tlob watch: programs that run already, those that start later, one process, one control group, linked programs.
# shellcheck source-path=SCRIPTDIR source=../tap.sh
. "$(dirname "$0")/../tap.sh"
tlob=$BUILD/tlob
probee=$BUILD/tests/conformance/probee # begins once a byte can be read from descriptor 4
why=$("$tlob" doctor --usable bpf) || skip_all "engine bpf: $(head -n 1 <<<"$why")"
plan 37

watch() { # ARGUMENT...: in the background, text in $TMP/text, JSON in $TMP/json; returns when it watches
	rm -f "$TMP/json"
	"$tlob" watch -j "$TMP/json" "$@" >"$TMP/text" 2>"$TMP/err" &
	watcher=$!
	for _ in {1..300}; do
		grep -q '"type":"start"' "$TMP/json" 2>/dev/null && return
		sleep 0.1
	done
	echo "# did not begin to watch: $(<"$TMP/err")"
}

finished() { # wait for it; status in $status
	wait "$watcher"
	status=$?
	text=$(<"$TMP/text")
}

overruns() { # PATTERN: how many overrun objects match
	grep '"type":"overrun"' "$TMP/json" | grep -cE "$1"
}

late() { # a process whose work_sleep takes 20 ms, twice
	"$probee" sleep 2 20 4</dev/zero
}

watch -r "late=$probee:work_sleep@5ms"
late
kill -INT $watcher
finished
is "Ctrl-C: status" 0 $status
is "a program that starts later is watched" 2 "$(overruns '"region":"late".*"program":"probee"')"
is "text goes to standard output" 2 "$(grep -c ' late .*>5ms' <<<"$text")"
has "and so does the summary" "2 of 2 windows went over budget: " "$text"
is "nothing on standard error" "" "$(<"$TMP/err")"
is "JSON ends with its end" '"type":"end"' "$(tail -n 1 "$TMP/json" | grep -o '"type":"end"')"

begin=$SECONDS
watch -d 1s -r "late=$probee:work_sleep@5ms"
finished
is "-d: ends by itself" 0 $status
ok "-d: in time" test $((SECONDS - begin)) -le 4
has "nothing happened" "No window was measured." "$text"
"$tlob" watch -d 100ms -r "late=$probee:work_sleep@1us" >/dev/full 2>"$TMP/err"
is "text that does not arrive is an error" 1 $?
has "which is said" "the output is incomplete" "$(<"$TMP/err")"
has "a budget that the probe takes most of" "CLOSE: to measure late takes " \
	"$("$tlob" watch -d 100ms -r "late=$probee:work_sleep@1us" 2>&1)"

watch --fail -r "late=$probee:work_sleep@5ms"
late
kill -TERM $watcher
finished
is "--fail: status after an overrun" 2 $status

out=$("$tlob" watch -d 300ms -j - -r "late=$probee:work_sleep@5ms" 2>"$TMP/err")
is "-j -: standard output is JSON alone" 0 "$(grep -cv '^{' <<<"$out")"
has "-j -: text goes to standard error" "No window was measured." "$(<"$TMP/err")"

begin=$SECONDS
{
	for _ in {1..12}; do # attaching takes its time on a busy machine
		sleep 0.7
		late
	done
} &
"$tlob" watch -d 15s -j - -r "late=$probee:work_sleep@5ms" 2>/dev/null | head -n 1 >"$TMP/first"
ok "it ends when nobody reads any more" test $((SECONDS - begin)) -lt 10
wait

# ---- one process of two
mkfifo "$TMP/one" "$TMP/two"
"$probee" sleep 2 20 4<>"$TMP/one" &
one=$!
"$probee" sleep 2 20 4<>"$TMP/two" &
two=$!
watch -p $one -r "late=$probee:work_sleep@5ms"
echo go >"$TMP/one"
echo go >"$TMP/two"
wait $one $two
kill -INT $watcher
finished
# the record's own, not those of who was in the way
of='"program":"[^"]*","pid":'
# records have the numbers of the initial pid namespace, which nobody knows in a container
[[ $(stat -Lc %i /proc/self/ns/pid) == 4026531836 ]] && this="$of$one," || this=$of
is "-p: this process" 2 "$(overruns "$this")"
is "-p: no other" 0 "$(overruns "$of$two,")"
"$tlob" watch -d 1s -p 4194304 -r "late=$probee:work_sleep@5ms" 2>"$TMP/err"
is "-p: no such process: status" 1 $?
is "-p: no such process: message" "tlob watch: no process 4194304" "$(<"$TMP/err")"

# ---- one control group
root=$(awk '$0 ~ / - cgroup2 / { print $5; exit }' /proc/self/mountinfo)
group=tlob-test-$$
if [[ $root ]] && mkdir "$root/$group" 2>/dev/null; then
	watch -c "$group" -r "late=$probee:work_sleep@5ms"
	late
	(echo $BASHPID >"$root/$group/cgroup.procs"; exec "$probee" sleep 3 20 4</dev/zero)
	kill -INT $watcher
	finished
	is "-c: those inside, no other" "3 3" "$(overruns '"region":"late"') $(overruns .)"
	"$tlob" watch -d 200ms -c "$root/$group" -r "late=$probee:work_sleep@5ms" >/dev/null
	is "-c: an absolute path" 0 $?
	rmdir "$root/$group"
else
	skip "-c: those inside, no other" "cgroup2 is not writable here"
	skip "-c: an absolute path" "cgroup2 is not writable here"
fi
"$tlob" watch -d 1s -c no/such/group -r "late=$probee:work_sleep@5ms" 2>"$TMP/err"
is "-c: no such group: status" 1 $?
has "-c: no such group: message" "tlob watch: no control group 'no/such/group': $root/no/such/group: No such file" "$(<"$TMP/err")"

# ---- linked programs join by themselves
watch
"$BUILD/examples/hello" >/dev/null # five windows, budget 5 ms: the fifth takes 10 ms
kill -INT $watcher
finished
is "a linked program is watched" 1 "$(overruns '"region":"answer".*"program":"hello".*"tag":5,')"
has "and summed up" "of 5 windows went over budget" "$text"
is "without regions there are none in start" '"regions":[]' "$(grep -o '"regions":\[\]' "$TMP/json")"
watch -r answer@1s
"$BUILD/examples/hello" >/dev/null
kill -INT $watcher
finished
has "a budget may be changed from outside" "All 5 within budget." "$text"

# ---- a view that is drawn over itself
rm -f "$TMP/json"
TERM=xterm SHELL=/bin/bash script -qec "stty cols 100 rows 30; $tlob watch --top --color never -j $TMP/json -d 6s \
	-r late=$probee:work_sleep@5ms" /dev/null </dev/null >"$TMP/text" 2>"$TMP/err" &
watcher=$!
for _ in {1..100}; do
	grep -q '"type":"start"' "$TMP/json" 2>/dev/null && break
	sleep 0.1
done
late
finished
# each drawing begins at the top, the summary on an empty screen
mapfile -d $'\f' -t views < <(sed 's/\x1b\[H\x1b\[J/\f/; s/\x1b\[H/\f/g; s/\x1b\[[KJ]//g' "$TMP/text" | tr -d '\r')
has "--top: what it is" "tlob: engine bpf, watching for " "${views[1]-}"
ok "--top: over and over" test ${#views[@]} -ge 4
has "--top: regions while they are watched" "2 of 2 windows went over budget" "${views[-2]-}"
is "--top: overruns are not shown one by one" 0 "$(grep -c '>5ms' "$TMP/text")"
has "--top: the summary stays" "2 of 2 windows went over budget" "${views[-1]-}"
is "--top: not without a terminal" 64 "$("$tlob" watch --top -d 100ms >/dev/null 2>&1; echo $?)"

# ---- nothing is left
watch -r "late=$probee:work_sleep@5ms"
kill -KILL $watcher
wait $watcher 2>/dev/null
late
is "kill -9 leaves nothing attached: the program runs" 0 $?
watch -d 300ms -r "late=$probee:work_sleep@5ms"
finished
is "and the socket can be taken again" 0 $status
watch # says that it has begun once the socket is its own
"$tlob" watch -d 100ms >/dev/null 2>"$TMP/err"
is "two at once: the second is refused" 1 $?
kill -INT $watcher
finished
finish
