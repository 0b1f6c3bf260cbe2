#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The generator: the DOT decides, the output never varies, and a wrong model is refused at the right line.
cd "$(dirname "$0")/../.." || exit 1
GEN=${BUILD:-build}/gen/model-gen
echo 1..49

make -s "$GEN" >/dev/null || [ -x "$GEN" ] || { echo "not ok 1 - cannot build $GEN"; exit 1; }
TMP=$(mktemp -d) || exit 1
trap 'rm -rf "$TMP"' EXIT

number=0 failed=0
verdict() { # STATUS NAME
	number=$((number + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $number - $2"
	else
		echo "not ok $number - $2"
		failed=1
	fi
}

# ask HEADER PREFIX C-EXPRESSION: print its value
ask() {
	printf '#include <stdio.h>\n#include <linux/types.h>\n#include "%s"\nint main(void) { printf("%%d\\n", (int)(%s)); return 0; }\n' \
		"$1" "$2" >"$TMP/ask.c"
	cc -Wall -Wextra -Werror -o "$TMP/ask" "$TMP/ask.c" && "$TMP/ask"
}

is() { # NAME WANT GOT
	[ "$2" = "$3" ]
	local status=$?
	verdict $status "$1"
	[ $status -eq 0 ] || printf '# wanted: %s\n# got:    %s\n' "$2" "$3"
}

# ---- the two models of the project
"$GEN" model/tlob.dot >"$TMP/tlob.h"
is "tlob.dot is accepted" 0 $?
"$GEN" model/tlob.dot >"$TMP/again.h"
cmp -s "$TMP/tlob.h" "$TMP/again.h"
verdict $? "the same model gives the same bytes"
is "preempt leads from running to waiting" 1 "$(ask "$TMP/tlob.h" 'tlob_model_next(0, TLOB_MODEL_EVENT_PREEMPT)')"
is "all states are bounded" 7 "$(ask "$TMP/tlob.h" 'tlob_model_bounded(0) | tlob_model_bounded(1) << 1 | tlob_model_bounded(2) << 2')"
"$GEN" -p wwnr model/wwnr.dot >"$TMP/wwnr.h"
is "wwnr.dot is accepted with a prefix of its own" 0 $?
is "wwnr: a wake-up while running is not allowed" 255 \
	"$(ask "$TMP/wwnr.h" 'wwnr_model_next(WWNR_MODEL_STATE_RUNNING, WWNR_MODEL_EVENT_WAKEUP)')"
is "wwnr: no state is bounded" 0 "$(ask "$TMP/wwnr.h" 'wwnr_model_bounded(0) | wwnr_model_bounded(1)')"
is "wwnr: only not_running is final" 1 "$(ask "$TMP/wwnr.h" 'wwnr_model_final(0) | wwnr_model_final(1) << 1')"
cat "$TMP/tlob.h" "$TMP/wwnr.h" >"$TMP/both.h"
is "both headers live in one file" 1 "$(ask "$TMP/both.h" 'tlob_model_next(0, 2) + wwnr_model_next(0, 0)')"

# ---- editing the DOT changes the table
edit() { # SED-SCRIPT
	sed "$1" model/tlob.dot >"$TMP/edited.dot"
	cmp -s model/tlob.dot "$TMP/edited.dot" && echo "# edit without effect: $1"
	"$GEN" "$TMP/edited.dot" >"$TMP/edited.h"
}
edit 's/"running" -> "waiting" \[ label = "preempt" \]/"running" -> "sleeping" [ label = "preempt" ]/'
is "edited: preempt leads to sleeping" 2 "$(ask "$TMP/edited.h" 'tlob_model_next(0, TLOB_MODEL_EVENT_PREEMPT)')"
edit 's/"waiting" -> "waiting" \[ label = "wakeup" \];//'
is "edited: a second wake-up is not allowed" 255 "$(ask "$TMP/edited.h" 'tlob_model_next(1, TLOB_MODEL_EVENT_WAKEUP)')"
edit 's/"sleeping\\nclk_elapsed < BUDGET_NS"/"sleeping"/'
is "edited: sleeping is not bounded" 0 "$(ask "$TMP/edited.h" 'tlob_model_bounded(TLOB_MODEL_STATE_SLEEPING)')"
is "edited: running still is" 1 "$(ask "$TMP/edited.h" 'tlob_model_bounded(TLOB_MODEL_STATE_RUNNING)')"
edit 's/__init_running/__init_sleeping/; s/"__init_running" -> "running"/"__init_sleeping" -> "sleeping"/; s/"__init_sleeping" -> "running"/"__init_sleeping" -> "sleeping"/'
is "edited: sleeping is the initial state" 2 "$(ask "$TMP/edited.h" 'TLOB_MODEL_INITIAL')"
edit 's/events = "start stop/events = "stop start/'
is "edited: the list of events numbers them" 1 "$(ask "$TMP/edited.h" 'TLOB_MODEL_EVENT_START')"

# ---- malformed models
refused() { # NAME LINE MESSAGE-PART, model on stdin
	local model="$TMP/$1.dot" got status want

	cat >"$model"
	want="$model:$2: "
	got=$("$GEN" "$model" 2>&1 >"$TMP/out")
	status=$?
	if [ $status -eq 1 ] && [ ! -s "$TMP/out" ] && [[ $got == "$want"*"$3"* && $got != *$'\n'* ]]; then
		verdict 0 "refused: $1"
	else
		verdict 1 "refused: $1"
		printf '# wanted status 1 and: %s...%s\n# got status %s and:    %s\n' "$want" "$3" "$status" "${got//$'\n'/ | }"
	fi
}

# A small model that is right, to be broken by one sed script each. Lines are numbered here:
cat >"$TMP/right.dot" <<'EOF'
/* 1: a "comment" -> with traps: "a" -> "b"
 * 2 */
digraph m {
	events = "go back";
	{node [shape = plaintext, label = ""] "__init_a"};
	"__init_a" -> "a";
	"a" [label = "a\nclk < LIMIT"];
	"b" [color = green3,
	     label = "b"];
	a -> b [
		label = "go"
	];
	"a" -> "a" [label = "back"]
	"b" -> "a" [label = "back"];
	# "b" -> "b" [label = "go"];
}
EOF
"$GEN" "$TMP/right.dot" >/dev/null
is "the small model is right before it is broken" 0 $?
broken() { # NAME LINE MESSAGE-PART SED-SCRIPT
	sed "$4" "$TMP/right.dot" >"$TMP/broken"
	refused "$1" "$2" "$3" <"$TMP/broken"
}

refused empty 1 'the file is empty' </dev/null
refused comment-only 1 'nothing but comments' < <(echo '// nothing here')
refused not-dot 1 "syntax error near 'int'" < <(echo 'int main(void) { return 0; }')
refused binary 1 'NUL byte' < <(head -c 300 "$GEN")
refused unclosed-bracket 3 'syntax error' < <(printf 'digraph m {\n\ta -> b [label = "x"\n}\n')
refused unclosed-graph 3 'syntax error' < <(printf 'digraph m {\n\ta -> b;\n')
refused unclosed-string 2 'missing endquote' < <(printf 'digraph m {\n\ta [label = "a];\n}\n')
refused undirected 2 'undirected' < <(printf '\ngraph m {\n\ta -- b;\n}\n')
broken strict 3 'strict' 's/^digraph/strict digraph/'
broken two-graphs 3 'more than one graph' 's/^}/} digraph n { }/'
refused no-states 1 'no states' < <(printf 'digraph m {\n\tevents = "x";\n}\n')
broken no-events 3 'no attribute "events"' '/events/d'
broken empty-events 4 'list of events is empty' 's/go back/ /'
broken odd-event 4 'event "Back": want lower case' 's/go back/go Back/'
broken event-twice 4 'event "go" is listed twice' 's/go back/go back go/'
broken event-unused 4 'event "again" is listed but' 's/go back/go back again/'
broken event-unknown 14 'edge b -> a: unknown event "bakc"' '14s/back/bakc/'
broken edge-with-two-events-one-wrong 14 'unknown event "og"' '14s/back/back\\nog/'
broken edge-without-label 13 'edge a -> a: no label' '13s/ \[.*\]//'
broken two-edges-one-event 14 'edge a -> b: event "back" already leads from a to a' '14s/"b" -> "a"/"a" -> "b"/'
broken chain 10 'edge a -> c: unknown event "og"' '10s/a -> b/a -> c -> b/; 11s/go/og/; 14a "c" [label = "c"];'
broken state-unknown 14 'unknown state "aa"' '14s/"a"/"aa"/'
broken state-odd-name 8 'state "B": want lower case' 's/"b"/"B"/; s/-> b/-> B/'
broken state-label 8 'state "b": its label begins with "c"' '9s/"b"/"c"/'
broken state-unreachable 15 'state "c" cannot be reached from "a"' '14a\	"c" [label = "c"];'
broken no-initial 3 'no initial state' '/__init_a/d'
broken initial-elsewhere 6 'points at "b"' '6s/"a"/"b"/'
broken invariant-empty 7 'invariant "" is not of the form' '7s/clk < LIMIT//'
broken invariant-odd 7 'invariant "clk > LIMIT" is not of the form' '7s/</>/'
broken invariant-two-lines 7 'more than one invariant' '7s/LIMIT/LIMIT\\nclk < LIMIT/'
broken invariant-differs 8 'differs from "clk < LIMIT"' '9s/"b"/"b\\nclk < OTHER"/'

# ---- use
"$GEN" >/dev/null 2>&1
is "no model: usage, status 64" 64 $?
got=$("$GEN" "$TMP/none.dot" 2>&1)
is "no such file: said so, status 1" "1 model-gen: cannot open $TMP/none.dot: No such file or directory" "$? $got"
exit $failed
