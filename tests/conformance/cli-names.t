#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Functions of a binary: how they are listed, that a region can be written with what is listed, and that one
# region has one name wherever it is shown.
# shellcheck source-path=SCRIPTDIR source=../tap.sh
. "$(dirname "$0")/../tap.sh"
tlob=$BUILD/tlob
why=$("$tlob" doctor --usable bpf) || skip_all "engine bpf: $(head -n 1 <<<"$why")"
command -v c++ >/dev/null || skip_all "there is no C++ compiler"
plan 29

cat >"$TMP/arm.cpp" <<'END'
#include <string>
#include <unistd.h>
#define KEEP __attribute__((noinline, noclone, used))
namespace robot {
struct Arm {
	KEEP int plan(int ms) { usleep(ms * 1000); return ms; }
	KEEP int plan(const std::string &s) { usleep(s.size() * 1000); return 1; }
};
}
extern "C" KEEP void a_name_of_more_than_the_47_bytes_that_a_marked_region_has(int ms) { usleep(ms * 1000); }
extern "C" KEEP void a_name_of_more_than_the_47_bytes_that_another_region_has(int ms) { usleep(ms * 1000); }
int main()
{
	robot::Arm arm;
	a_name_of_more_than_the_47_bytes_that_a_marked_region_has(3);
	a_name_of_more_than_the_47_bytes_that_another_region_has(3);
	return arm.plan(3) + arm.plan(std::string("abc")) < 0;
}
END
c++ -O1 -fno-exceptions -o "$TMP/arm" "$TMP/arm.cpp" || exit 1
strip -o "$TMP/stripped" "$TMP/arm"

# ---- listed
out=$("$tlob" ls "$TMP/arm:Arm::")
is "ls: status" 0 $?
is "ls: both, as the source has them" 2 "$(grep -c '  robot::Arm::plan(' <<<"$out")"
has "ls: how many" "2 functions of $TMP/arm." "$out"
out=$("$tlob" ls "$TMP/arm:robot::*(int)")
has "ls: a pattern" "1 function of " "$out"
out=$("$tlob" ls "$TMP/arm" | awk '$4 == "main" { print $3 }')
has "ls: what a probe costs" "$out" "emulated nop5 stepped"
out=$("$tlob" ls "$TMP/arm" | awk '$4 == "_start" { print $3 }')
is "ls: no return of this one" - "$out"
out=$("$tlob" ls "$TMP/stripped")
is "ls: stripped: status" 1 $?
has "ls: stripped: what to do" "debug symbols" "$out"
out=$("$tlob" ls "$TMP/nothing" 2>&1)
is "ls: no such file: status" 1 $?
has "ls: no such file" "cannot open $TMP/nothing: No such file" "$out"
out=$("$tlob" ls "$TMP/arm:main..exit" 2>&1)
is "ls: no function: status" 1 $?
has "ls: no function" "is no BINARY or BINARY:PATTERN" "$out"
"$tlob" ls libc.so.6 | head -n 1 >/dev/null
is "ls: a reader that has enough: no noise" "0" "$("$tlob" ls libc.so.6 2>&1 >/dev/full | grep -vc 'No space left')"
out=$(cd "$TMP" && "$tlob" ls -j ./arm:plan)
is "ls: JSON" 2 "$(grep -c '^{"type":"function",.*"start_probe":"[a-z0-9]*","unfit":null}$' <<<"$out")"
sleep 30 &
sleeper=$!
out=$("$tlob" ls -p "$sleeper" libc.so.6:nanosleep)
has "ls -p" "  nanosleep" "$out"
kill $sleeper

is "ls: no pattern yet" "$("$tlob" ls "$TMP/arm")" "$("$tlob" ls "$TMP/arm:")"

# ---- used
cd "$TMP" || exit 1
"$tlob" run -q --json names.ndjson -r './arm:a_name_of*@1ms' -r './arm:robot::Arm::plan(*)@1ms' -- ./arm 2>text
is "run: status" 0 $?
regions() { grep "^{\"type\":\"$1\"" names.ndjson | grep -o '"region":"[^"]*"' | sort -u; }
is "four regions are late" 4 "$(regions overrun | wc -l)"
is "they have the same names in the end" "$(regions overrun)" "$(regions summary)"
is "and none is cut" 1 "$(regions summary | grep -c '"a_name_of_more_than_the_47_bytes_that_a_marked_region_has"')"
has "the text has no room for all" " ~Arm::plan(int) " "$("$tlob" run -r './arm:robot::Arm::plan(int)@1ms' -- ./arm 2>&1)"
is "what is listed is a region" 0 "$(
	while read -r name; do
		"$tlob" run -q -r "one=./arm:$name@1s" -- true >/dev/null 2>&1 || echo "$name"
	done < <("$tlob" ls -j ./arm:plan | sed 's/.*"function":"\([^"]*\)".*/\1/') | wc -l)"

# ---- what is left by a jump to another function, where exceptions may pass
cat >tail.cpp <<'END'
#include <stdexcept>
#define KEEP __attribute__((noinline, noclone, used))
extern "C" KEEP int inner(int x) { if (x > 99) throw std::runtime_error("x"); return x * 3; }
extern "C" KEEP int outer(int x) { __asm__ volatile("" ::: "memory"); return inner(x + 1); }
int main(int argc, char **) { return outer(argc) == 0; }
END
c++ -O2 -o tail tail.cpp || exit 1
has "a function that ends as another one" "PART: outer may end in a jump to inner" "$(
	"$tlob" run -j tail.ndjson -r ./tail:outer@1ms -- ./tail 2>&1)"
has "which JSON says" '"onward":"inner"' "$(<tail.ndjson)"
is "and one that returns" "" "$("$tlob" run -r ./tail:inner@1ms -- ./tail 2>&1 | grep PART:)"

# ---- refused
out=$("$tlob" run -r './arm:robot::Arm::plan@1ms' -- true 2>&1)
is "which of them: status" 1 $?
has "which of them" "or all of them as 'robot::Arm::plan(*)'" "$out"
has "no such name: tlob ls" "tlob ls" "$("$tlob" run -r './arm:qwertyuiop@1ms' -- true 2>&1)"
has "never called: tlob ls" "tlob ls" "$("$tlob" run -r './arm:main@1ms' -- true 2>&1)"
finish
