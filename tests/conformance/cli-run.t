#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# tlob run around a program: exit status, its output, signals, files; with engine user, which works everywhere.
# shellcheck disable=SC2016 # what the programs run is not for this shell
# shellcheck source-path=SCRIPTDIR source=../tap.sh
. "$(dirname "$0")/../tap.sh"
plan 75
tlob=$BUILD/tlob
hello=$BUILD/examples/hello # its region "answer", budget 5 ms: five windows of 2 to 10 ms

run() { # ARGUMENT...: stdout in $out, stderr in $err, exit status in $status
	out=$(timeout 20 "$tlob" run -e user "$@" 2>"$TMP/err" </dev/null)
	status=$?
	err=$(<"$TMP/err")
}

# ---- the program's own exit status and output
run -- true
is "0 is passed through" 0 $status
run -- sh -c 'exit 3'
is "3 is passed through" 3 $status
has "and mentioned" "The program exited with status 3." "$err"
run -- sh -c 'kill -TERM $$'
is "death by a signal is 128 and the signal" 143 $status
has "and mentioned" "killed by signal 15 (Terminated)" "$err"
run -- "$TMP/nothing"
is "no such file: status" 127 $status
is "no such file: message" "tlob run: cannot execute '$TMP/nothing': No such file or directory" "$err"
run -- no-such-program-anywhere
is "no such program: status" 127 $status
has "a region without -r" "; a region is given with -r" "$("$tlob" run libc.so.6:write@1ms -- true 2>&1)"
is "no such program: message" "tlob run: no program 'no-such-program-anywhere' in PATH" "$err"
echo 'exit 0' >"$TMP/plain"
run -- "$TMP/plain"
is "not executable: status" 126 $status
is "not executable: message" "tlob run: cannot execute '$TMP/plain': Permission denied" "$err"
run -- "$TMP"
is "a folder: status" 126 $status
printf '#!/no/such/shell\n' >"$TMP/script" && chmod +x "$TMP/script"
run -- "$TMP/script"
is "a script without its shell: status" 127 $status
has "a script without its shell: message" "tlob run: cannot execute '$TMP/script': No such file or directory" "$err"

out=$(printf 'a\0b\n' | "$tlob" run -q -e user -- cat 2>/dev/null | od -An -c | tr -s ' ')
is "standard input and output are the program's" ' a \0 b \n' "$out"
run -- sh -c 'echo "$0 $*"' a "b  c" '*'
is "arguments arrive as they are" "a b  c *" "$out"
run -- sh -c 'trap - PIPE; kill -PIPE $$'
is "SIGPIPE is not ignored in the program" 141 $status
run -- sh -c 'grep SigBlk /proc/self/status'
is "no signal is blocked in the program" "$(grep SigBlk /proc/self/status)" "$out"
list='cd /proc/$$/fd && echo *'
run -- sh -c "$list"
is "no descriptor leaks into the program" "$(sh -c "$list" 2>/dev/null)" "$out"
ulimit -Sn 256
run -- sh -c 'ulimit -Sn; sed -n "s/^Max open files *//p" /proc/$PPID/limits'
is "tlob may open as many descriptors as it is let" "256 $(ulimit -Hn) $(ulimit -Hn) files" "$(xargs <<<"$out")"
run sh -c 'exit 5'
is "without -- the first operand is the program" 5 $status

# ---- overruns
run -r answer@1ms -- "$hello"
is "the program's output is untouched" "$("$hello" | wc -l)" "$(wc -l <<<"$out")"
is "one line when each budget expires" 5 "$(grep -c ' answer .* >1ms ' <<<"$err")"
is "one when each has ended" 5 "$(grep -c ' answer .* ended ' <<<"$err")"
has "they name the tag" "tag 5" "$err"
has "the summary has a row for the region" "answer     1ms        5         5" "$err"
has "and says it in words" "5 of 5 windows went over budget: " "$err"
is "status: the program's" 0 $status
run --fail -- "$hello"
is "--fail: 2 after an overrun" 2 $status
run --fail -r answer@1s -- "$hello"
is "--fail: 0 within budget" 0 $status
has "a budget on the command line counts" "All 5 within budget." "$err"
run --fail -r answer@1s -- sh -c '"$0"; exit 9' "$hello"
is "--fail: 1 if the program fails" 1 $status
run --fail -- sh -c '"$0"; exit 9' "$hello"
is "--fail: an overrun counts more than the program's failure" 2 $status
run -r answer@1s -r nowhere@1s -- "$hello"
has "a region that was never entered is named" "Never entered: nowhere." "$err"
run -- true
has "nothing measured is said" "No window was measured." "$err"
has "and what to do" "No program linked with libtlob entered a region." "$err"
run -r hullo@1ms -- true
has "a region that nobody marks" "entered a region of that name" "$err"
ok "tlob's share of a CPU is no more than one" awk '{
	if (match($0, /[0-9.]+ % of one CPU/) && substr($0, RSTART) + 0 >= 100) exit 1
}' <<<"$err"
run -- "$BUILD/tests/conformance/conf_life" --subject exit-over
has "a window that was left over its budget is one of one" "1 of 1 window went over budget: mostly " "$err"
is "its line has an end too" 1 "$(grep -c ' brief .* abandoned ' <<<"$err")"
run -q -- "$hello"
is "-q: no notice, no live lines" "region" "$(head -n 1 <<<"$err" | cut -d' ' -f1)"
[[ $err != *'>5ms'* && $err == *'of 5 windows'* ]]
verdict $? "-q: the summary is there"

# ---- too fast to read
run -j "$TMP/fast" -r capture@2us -- "$BUILD/examples/pipeline" -d 1
total=$(grep -c '"type":"overrun"' "$TMP/fast")
shown=$(grep -cE '^[0-9:.]+ +[a-z]+ +>' <<<"$err")
hidden=$(sed -nE 's/^[0-9:.]+ +([0-9,]+) more overruns in this second, counted but not shown$/\1/p' <<<"$err" | paste -sd+)
ok "all overruns are in the JSON" test "$total" -ge 90
ok "not all are shown" test "$shown" -le 60
is "shown and not shown are all" "$total" $((shown + hidden))
run -r capture@2us -r answer@1ms -- sh -c '"$0" -d 1 & sleep 0.5; "$1"; wait' "$BUILD/examples/pipeline" "$hello"
is "one that is late without end does not hide another" 5 "$(grep -c ' answer .* >1ms ' <<<"$err")"

# ---- colours
run -- "$hello"
[[ $err != *$'\e'* ]]
verdict $? "no colour in a file"
run --color=always -- "$hello"
has "--color=always: colour in a file" $'\e[1;31m>5ms' "$err"
terminal() { # COMMAND: on a terminal of 100 columns
	script -qec "stty cols ${COLUMNS_WANTED:-100}; $1" /dev/null </dev/null | tr -d '\r'
}
export TERM=xterm SHELL=/bin/bash # script(1) starts it; dash would give up at an interrupt
unset NO_COLOR
has "colour on a terminal" $'\e[1;31m>5ms' "$(terminal "$tlob run -e user -- $hello")"
[[ $(NO_COLOR=1 terminal "$tlob run -e user -- $hello") != *$'\e'* ]]
verdict $? "none with NO_COLOR"
out=$(COLUMNS_WANTED=80 NO_COLOR=1 terminal "$tlob run -e user -- $hello" | awk 'length > 80')
is "80 columns are enough" "" "$out"

# ---- files
run --json "$TMP/no/where" -- true
is "JSON file that cannot be written: status" 1 $status
is "JSON file that cannot be written: message" \
	"tlob run: cannot write '$TMP/no/where': No such file or directory" "$err"
run --json /dev/full -- true
is "JSON on a full disk: status" 1 $status
has "JSON on a full disk: message" "'/dev/full' is incomplete: No space left on device" "$err"
run -q --json - -- true
is "--json -: standard output" '{"type":"start"|{"type":"end"' "$(cut -d, -f1 <<<"$out" | paste -sd'|')"
run --hgrm "$TMP/h" -- "$hello"
has "--hgrm: a distribution that plotters read" "#[Mean" "$(cat "$TMP"/h/answer*.hgrm)"
has "--hgrm: with all windows" "Total count    =            5" "$(cat "$TMP"/h/answer*.hgrm)"
run --hgrm /proc/h -- true
is "--hgrm: folder that cannot be made" 1 $status

# ---- signals
interrupt() { # DELAY KEYS... on a terminal whose tlob runs "$1"; output in $out
	out=$({ sleep 1; printf '\003'; [[ ${2-} ]] && sleep 0.5 && printf '\003'; sleep 1; } |
		script -qec "$tlob run -e user -- $1; echo status \$?" /dev/null | tr -d '\r')
}
interrupt "sleep 10"
has "Ctrl-C ends the program and the summary follows" "No window was measured." "$out"
has "the status is that of the program" "status 130" "$out"
interrupt "sh -c 'trap \"echo bye; exit 4\" INT; sleep 10 & wait'"
has "a program may handle Ctrl-C" "bye" "$out"
has "and its status counts" "status 4" "$out"
interrupt "sh -c 'trap \"\" INT; sleep 3'" twice
has "a second Ctrl-C quits at once" "status 130" "$out"
[[ $out != *"No window"* ]]
verdict $? "without a summary"

kill_with() { # SIGNAL PROGRAM...: to tlob alone
	# a shell without job control makes its background ignore SIGINT
	env --default-signal=INT ${nohup:+nohup} "$tlob" run -e user -- "${@:2}" >"$TMP/out" 2>"$TMP/err" &
	sleep 0.7
	kill -"$1" $!
	wait $!
	status=$?
}
kill_with TERM sh -c 'trap "echo told; exit 6" TERM; sleep 5 & wait'
is "SIGTERM is passed on" "6 told" "$status $(<"$TMP/out")"
has "and the summary follows" "No window was measured." "$(<"$TMP/err")"
kill_with INT sh -c 'trap "echo told; exit 7" INT; sleep 5 & wait'
is "SIGINT that no terminal sent is passed on" "7 told" "$status $(<"$TMP/out")"
nohup=1 kill_with HUP sh -c 'sleep 1.5; exit 8'
is "nohup works" 8 $status
[[ $(<"$TMP/err") != *"waiting for the program"* ]]
verdict $? "and the signal is not even seen"

# ---- nobody else joins
run -- sh -c 'TLOB_AGENT=${TLOB_AGENT%,*} "$0"' "$hello"
has "who does not know the token is not let in" "No window was measured." "$err"
run -- sh -c 'TLOB_AGENT=${TLOB_AGENT%?}x "$0"' "$hello"
has "nor who knows it nearly" "No window was measured." "$err"

# ---- nothing is left
"$tlob" run -e user -- sleep 30 >"$TMP/out" 2>"$TMP/err" &
sleep 0.7
pid=$!
has "the agent's socket is abstract" "@tlob-run-$pid-" "$(cat /proc/net/unix)"
child=$(cat "/proc/$pid/task/$pid/children")
kill -KILL $pid
wait $pid 2>/dev/null
[[ $(cat /proc/net/unix) != *"@tlob-run-$pid-"* ]]
verdict $? "nothing is left of it after kill -9"
# shellcheck disable=SC2086 # ends in a blank
kill $child
finish
