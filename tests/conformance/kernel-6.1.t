#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Engine bpf on the kernel of Debian 12, in a virtual machine: what tlob doctor says, and conformance cases that do not depend on
# the time, which an emulated machine does not have; VM_PROGRAMS="windows probes nesting" runs more. Only where
# scripts/vm/fetch has been before: this is no place for downloads.
top=$(cd "$(dirname "$0")/../.." && pwd)
build=${TLOB_BUILD:-$top/build}
cache=${TLOB_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tlob}
programs=${VM_PROGRAMS:-nesting}

for set in qemu 6.1; do
	if ! compgen -G "$cache/root/$set-*/.complete" >/dev/null; then
		echo "1..0 # SKIP no $set in $cache; scripts/vm/fetch $set gets it"
		exit 0
	fi
done

work=$(mktemp -d "${TMPDIR:-/tmp}/tlob-kernel.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/ram/usr/bin" "$work/ram/mnt" "$work/out"
files=("$build/tlob" "$build/tests/conformance/probee" "$build/tests/conformance/probee_throw" "$build/tests/truth/truth")
for program in $programs; do files+=("$build/tests/conformance/conf_$program"); done
cp "${files[@]}" "$work/ram/"
cp "$("$top/scripts/vm/fetch" qemu)/usr/bin/busybox" "$work/ram/usr/bin/unshare"
# libgcc_s is opened by pthread_exit()
libgcc=$(gcc -print-file-name=libgcc_s.so.1)
for library in $(ldd "${files[@]}" | grep -o '/[^ :]*\.so[^ :]*' | sort -u) "$libgcc"; do
	folder=$work/ram/lib
	[[ $library == *ld-linux* ]] && folder=$work/ram$(dirname "$library")
	mkdir -p "$folder"
	cp -L "$library" "$folder/"
done
cat >"$work/ram/run.sh" <<EOF
export LD_LIBRARY_PATH=/lib
mkdir -p /run /tmp
/tlob doctor --usable bpf && echo "# usable"
echo "# program interrupts"
/tlob run --interrupts --json /tmp/interrupts -- /truth --subject case spin
grep -o '"cause":"interrupted","who":{"comm":"[a-z_]*"' /tmp/interrupts | sort -u
echo "# end interrupts"
for program in $programs; do
	echo "# program \$program"
	timeout 120 /conf_\$program bpf
	echo "# end \$program \$?"
done
EOF
VM_SECONDS=${VM_SECONDS:-280} "$top/scripts/vm/run" 6.1 "$work/out" "$work/ram" >"$work/output" 2>&1
sed 's/^/# /' "$work/output"
n=0
check() # TEXT PATTERN
{
	n=$((n + 1))
	if grep -qx "$2" "$work/output"; then echo "ok $n - $1"; else echo "not ok $n - $1"; fi
}
check "Linux 6.1: engine bpf is usable" "# usable"
check "Linux 6.1: interrupts are seen" '"cause":"interrupted","who":{"comm":"local_timer"'
for program in $programs; do check "Linux 6.1: conf_$program" "# end $program 0"; done
n=$((n + 1))
if grep -qE 'WARNING:|BUG:|Oops' "$work/out/console.log"; then echo "not ok $n - Linux 6.1: its log is clean"; else echo "ok $n - Linux 6.1: its log is clean"; fi
echo "1..$n"
