# SPDX-License-Identifier: GPL-2.0-or-later
# In the VM: each test program with the module freshly loaded, and unloaded after it. A line "# program NAME" before each.
status=0
leaks=/sys/kernel/debug/kmemleak

# what the kernel has leaked, so far; its first look at an object is only to remember it
scan_for_leaks()
{
	echo scan >$leaks
	sleep 6
	echo scan >$leaks
}

# lockdep goes off with the first complaint of it or of KASAN; without it a run shows nothing of locks
locks_are_checked()
{
	! grep -q 'debug_locks: *0' /proc/lockdep_stats 2>/dev/null || { echo "# lockdep is off $1"; false; }
}

locks_are_checked "before the first program" || exit 93
dmesg -c >/dev/null # of the kernel's own start
[ ! -e $leaks ] || { scan_for_leaks && echo clear >$leaks; }
for program in ${PROGRAMS:-/t_*}; do
	name=${program#/}
	parameters=
	[ "$name" != t_limits ] || parameters=max_tasks=8
	echo "# program $name"
	# shellcheck disable=SC2086 # a list of parameters
	insmod /tlob.ko $parameters || exit 90
	"$program"
	result=$?
	[ $result = 0 ] || status=1
	rmmod tlob || exit 91
	echo "# end $name $result"
done
# what has come too late for any case
if dmesg | grep -E 'BUG:|WARNING:|Oops|Objects remaining|KASAN|refcount_t:|detected!'; then
	status=92
fi
locks_are_checked "behind the last program" || status=92
if [ -e $leaks ]; then
	scan_for_leaks
	if grep -A 12 unreferenced $leaks; then status=92; else echo "# kmemleak: nothing"; fi
fi
exit $status
