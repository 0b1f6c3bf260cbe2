# SPDX-License-Identifier: GPL-2.0-or-later
# bash completion for tlob(1); scripts/check-docs compares it with the program.

# Options of each command, as its table has them.
declare -gA _tlob_options=(
	[run]='-r --region --chain -e --engine -j --json --hgrm --metrics --why --history --interrupts --sample-rate --good-share --fail -q --quiet --color -h --help'
	[watch]='-r --region --chain -p --pid -c --cgroup -d --duration --top -e --engine -j --json --hgrm --metrics --why --history --interrupts --sample-rate --good-share --fail -q --quiet --color -h --help'
	[timerlat]='-c --cpus -p --period -P --priority -d --duration -T --total -i --irq --why --history -b --backend --top --hist -j --json --hgrm --load --deep-idle -q --quiet --color -h --help'
	[ring]='-s --source -e --event -f --follow --count -o --output -i --input -d --duration --size --copy -q --quiet -h --help'
	[ls]='-p --pid -j --json --color -h --help'
	[add]='-q --quiet -h --help'
	[rm]='-a --all -h --help'
	[report]='-w --why --no-why -r --region -n --top -s --sort -f --flame -d --flame-diff -F --folded --of -t --trace -H --html -j --json --color -h --help'
	[doctor]='-j --json -u --usable --color -h --help'
	[help]='-h --help'
	[version]='-h --help'
)

_tlob_words() { # WORD...: those that begin with the word under the cursor
	mapfile -t COMPREPLY < <(compgen -W "$*" -- "${COMP_WORDS[COMP_CWORD]}")
}

_tlob_files() { # -f: files, -d: folders
	compopt -o filenames
	mapfile -t COMPREPLY < <(compgen "$1" -- "${COMP_WORDS[COMP_CWORD]}")
}

_tlob_cgroups() {
	local root
	root=$(awk '$0 ~ / - cgroup2 / { print $5; exit }' /proc/self/mountinfo 2>/dev/null)
	[[ $root ]] || return
	compopt -o filenames
	mapfile -t COMPREPLY < <(cd "$root" 2>/dev/null && compgen -d -- "${COMP_WORDS[COMP_CWORD]}")
}

# Where a region is being typed: the binary, until there is a colon after it.
_tlob_region() {
	local word=${COMP_WORDS[COMP_CWORD]}
	case $word in
	[=:@]) word= ;;
	esac
	compopt -o filenames -o nospace
	mapfile -t COMPREPLY < <(compgen -f -- "$word")
}

# Complete the value of option $1 of command $2; fails if it takes none.
_tlob_value() {
	case $2:$1 in
	*:--load) _tlob_words all cpu timer fork memory io rt ;;
	ring:-s | ring:--source) _tlob_words auto module kernel ;;
	ring:-e | ring:--event) _tlob_words switch wake record mark migrate sched:sched_switch sched:sched_waking ;;
	ring:-o | ring:--output | ring:-i | ring:--input) _tlob_files -f ;;
	ring:--size) _tlob_words 64 1024 8192 ;;
	timerlat:--why) _tlob_words culprit stacks none ;;
	timerlat:-c | timerlat:--cpus) _tlob_words "$(cat /sys/devices/system/cpu/online 2>/dev/null)" ;;
	timerlat:-p | timerlat:--period) _tlob_words 100us 200us 500us 1ms 10ms ;;
	timerlat:-P | timerlat:--priority) _tlob_words f:95 r:95 o:0 ;;
	timerlat:-T | timerlat:--total | timerlat:-i | timerlat:--irq) _tlob_words 50us 100us 200us 500us 1ms ;;
	*:-b | *:--backend) _tlob_words auto kernel module bpf plain ;;
	report:-r | report:--region | report:-n | report:--top) COMPREPLY=() ;;
	report:-s | report:--sort) _tlob_words overruns windows max p99 name ;;
	report:-f | report:--flame | report:-d | report:--flame-diff | report:-F | report:--folded | report:-t | report:--trace | report:-H | report:--html) _tlob_files -f ;;
	report:--of) _tlob_words late good slept late,good,slept ;;
	report:-[jw]) return 1 ;;
	*:-r | *:--region) _tlob_region ;;
	*:-e | *:--engine | *:-u | *:--usable) _tlob_words auto bpf kernel user ;;
	*:--why) _tlob_words culprit stacks samples none ;;
	*:--history) _tlob_words 8 64 256 2s 10s ;;
	*:--sample-rate) _tlob_words 99 999 4999 ;;
	*:--good-share) _tlob_words 0 1 10 100 ;;
	*:--color) _tlob_words auto always never ;;
	run:-j | run:--json | watch:-j | watch:--json | timerlat:-j | timerlat:--json) _tlob_files -f ;;
	*:--metrics) _tlob_files -f ;;
	*:--hgrm) _tlob_files -d ;;
	*:-p | *:--pid) _tlob_words "$(cd /proc && echo [0-9]*)" ;;
	*:-c | *:--cgroup) _tlob_cgroups ;;
	*:-d | *:--duration) _tlob_words 1s 10s 1m 10m 1h ;;
	*) return 1 ;;
	esac
}

# Index of the program that "tlob run" starts, 0 if it is not there yet.
_tlob_program() {
	local i
	for ((i = 2; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--) echo $((i + 1)) && return ;;
		-r | --region | --chain | -e | --engine | -j | --json | --hgrm | --metrics | --why | --history | --sample-rate | --good-share | --color) ((i++)) ;;
		-* | [=:@]) ;;
		# a region is several words to bash, which breaks them at colons
		*) [[ ${COMP_WORDS[i - 1]} == [=:@] || ${COMP_WORDS[i + 1]-} == [=:@] ]] || { echo "$i" && return; } ;;
		esac
	done
	echo 0
}

_tlob() {
	local command=${COMP_WORDS[1]} word=${COMP_WORDS[COMP_CWORD]} program
	COMPREPLY=()
	if ((COMP_CWORD == 1)); then
		_tlob_words "${!_tlob_options[@]}" --help --version
		return
	fi
	if [[ $command == run ]]; then
		program=$(_tlob_program)
		if ((program && COMP_CWORD >= program)); then
			if declare -F _command_offset >/dev/null; then
				_command_offset "$program"
			elif ((COMP_CWORD == program)); then
				mapfile -t COMPREPLY < <(compgen -c -- "$word")
			else
				_tlob_files -f
			fi
			return
		fi
	fi
	_tlob_value "${COMP_WORDS[COMP_CWORD - 1]}" "$command" && return
	[[ ${COMP_WORDS[COMP_CWORD - 1]} == [=:@] ]] && _tlob_region && return
	case $command:$word in
	*:-*) _tlob_words "${_tlob_options[$command]-}" ;;
	help:*) _tlob_words "${!_tlob_options[@]}" ;;
	add:* | rm:* | ls:*) _tlob_region ;;
	report:*) _tlob_files -f ;;
	run:*) mapfile -t COMPREPLY < <(compgen -c -- "$word") ;;
	esac
}
complete -F _tlob tlob
