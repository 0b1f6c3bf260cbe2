# SPDX-License-Identifier: GPL-2.0-or-later
# In the VM: each test program with the module freshly loaded, and unloaded after it. A line "# program NAME" before each.
status=0
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
exit $status
