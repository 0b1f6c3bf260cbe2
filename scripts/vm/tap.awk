# SPDX-License-Identifier: GPL-2.0-or-later
# The TAP of several programs in a VM, each between "# program NAME" and "# end NAME STATUS", as one stream with one plan.
/^# program / { program = $3; programs++; planned = seen = 0; next }
/^1\.\.[0-9]+$/ { planned = substr($0, 4) + 0; next }
/^(not )?ok [0-9]+ (- |# SKIP)/ {
	seen++
	bad = /^not/
	sub(/^(not )?ok [0-9]+ (- )?/, "")
	printf "%sok %d - %s: %s: %s\n", bad ? "not " : "", ++n, kernel, program, $0
	next
}
/^# end / {
	ended++
	if (seen == 0 || seen != planned)
		printf "not ok %d - %s: %s: ran %d of %d cases\n", ++n, kernel, program, seen, planned
	next
}
{ print /^#/ ? $0 : "# " $0 }
END {
	printf "%sok %d - %s: all %d programs ended, module unloaded, kernel log clean\n",
	       ended == wanted && (status == 0 || status == 1) ? "" : "not ", ++n, kernel, wanted
	print "1.." n
}
