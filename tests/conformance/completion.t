#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Bash completion, as the shell calls it.
# shellcheck source-path=SCRIPTDIR source=../tap.sh
. "$(dirname "$0")/../tap.sh"
# shellcheck source-path=SCRIPTDIR source=../../completions/tlob.bash
. completions/tlob.bash
plan 17

# What follows "tlob WORD...", the last word being under the cursor; bash breaks words at : = @ too.
complete_line() {
	COMP_WORDS=(tlob "$@")
	COMP_CWORD=$#
	compopt() { :; }
	_tlob
	printf '%s\n' "${COMPREPLY[@]}" | sort -u | paste -sd' '
}

is "commands" "--help --version add doctor help ls report ring rm run timerlat version watch" "$(complete_line '')"
is "a command begun" "watch" "$(complete_line wa)"
is "options of run" "--chain --color --engine --fail --good-share --help --hgrm --history --interrupts --json --metrics --quiet --region --sample-rate --why -e -h -j -q -r" "$(complete_line run -)"
is "a long option begun" "--cgroup --chain --color" "$(complete_line watch --c)"
is "engines" "auto bpf kernel user" "$(complete_line run -e '')"
is "an engine begun" "bpf" "$(complete_line run --engine b)"
is "an engine after an equals sign is no program" "" "$(complete_line run --engine = zzz)"
is "what to find out" "culprit none samples stacks" "$(complete_line run --why '')"
is "when to colour" "always auto never" "$(complete_line watch --color '')"
is "engine to ask the doctor about" "user" "$(complete_line doctor -u us)"
is "order of a report" "max" "$(complete_line report --sort m)"
is "help of a command" "add doctor help ls report ring rm run timerlat version watch" "$(complete_line help '')"
is "process" "$$" "$(complete_line watch -p $$ | tr ' ' '\n' | grep -x $$)"
is "a program after --" "prove" "$(complete_line run -q -- prov | tr ' ' '\n' | grep -x prove)"
is "a program without --" "prove" "$(complete_line run -e user prov | tr ' ' '\n' | grep -x prove)"
is "its arguments are its own" "Makefile" "$(complete_line run -q -- cat Makef)"
is "the binary of a region" "/usr/bin/env" "$(complete_line run -r /usr/bin/env | tr ' ' '\n' | grep -x /usr/bin/env)"
finish
