// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * See options.h. getopt_long does the parsing; its messages are replaced by ones that suggest the
 * nearest option.
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "nearest.h"
#include "options.h"

#define MAX_OPTIONS 24
#define LONG_BASE 256 /* values of long options, above all letters */

const struct cli_option cli_option_help = {'h', "help", NULL, .help = "show this text"};

struct getopt_tables {
	char letters[2 * MAX_OPTIONS + 3];
	struct option longs[MAX_OPTIONS + 1];
};

static void tables_init(struct getopt_tables *t, const struct cli_command *command)
{
	const struct cli_option *const *options = command->options;
	/*
	 * '+': stop at the first operand, what follows is the program's; ':': tell a missing value
	 * apart
	 */
	char *letter = stpcpy(t->letters, command->mixed ? ":" : "+:");

	memset(t->longs, 0, sizeof(t->longs));
	for (int i = 0; options[i] && i < MAX_OPTIONS; i++) {
		const struct cli_option *o = options[i];

		t->longs[i] = (struct option){o->name, o->arg ? required_argument : no_argument,
					      NULL, LONG_BASE + i};
		if (!o->letter)
			continue;
		*letter++ = o->letter;
		if (o->arg)
			*letter++ = ':';
	}
	*letter = '\0';
}

static const struct cli_option *option_of(const struct cli_option *const *options, int value)
{
	if (value >= LONG_BASE)
		return options[value - LONG_BASE];
	for (int i = 0; options[i]; i++)
		if (options[i]->letter == value)
			return options[i];
	return NULL;
}

static int unknown_option(const struct cli_option *const *options, const char *word)
{
	struct cli_nearest near;
	char name[64];

	if (optopt >= LONG_BASE)
		return cli_usage("option --%s takes no value", options[optopt - LONG_BASE]->name);
	if (optopt)
		return cli_usage("unknown option '-%c'", optopt);
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(word + 2, "="), word + 2);
	cli_nearest_init(&near, name);
	for (int i = 0; options[i]; i++)
		cli_nearest_offer(&near, options[i]->name);
	if (near.word)
		return cli_usage("unknown option '--%s'; did you mean --%s?", name, near.word);
	return cli_usage("unknown option '--%s'", name);
}

int cli_options_parse(const struct cli_command *command, int argc, char **argv, void *settings,
		      int *status)
{
	const struct cli_option *const *options = command->options;
	const struct cli_option *o;
	struct getopt_tables t;
	int value;

	tables_init(&t, command);
	opterr = 0;
	optind = 0; /* glibc: start afresh */
	while ((value = getopt_long(argc, argv, t.letters, t.longs, NULL)) != -1) {
		if (value == '?') {
			*status = unknown_option(options, argv[optind - 1]);
			return -1;
		}
		if (value == ':') {
			o = option_of(options, optopt);
			*status = cli_usage("option --%s needs a value: %s", o->name, o->arg);
			return -1;
		}
		o = option_of(options, value);
		if (o == &cli_option_help) {
			cli_options_help(command, stdout);
			*status = CLI_OK;
			return -1;
		}
		*status = o->set ? o->set(settings, optarg) :
				   o->put(o->name, optarg, (char *)settings + o->place);
		if (*status)
			return -1;
	}
	if (command->alone && optind < argc) {
		*status = cli_usage("unexpected '%s'", argv[optind]);
		return -1;
	}
	return optind;
}

#define HELP_COLUMN 26

static void option_help(const struct cli_option *o, FILE *out)
{
	char left[64];
	int n = 0;

	n += o->letter ? snprintf(left, sizeof(left), "  -%c, ", o->letter) :
			 snprintf(left, sizeof(left), "      ");
	snprintf(left + n, sizeof(left) - (size_t)n, "--%s%s%s", o->name, o->arg ? " " : "",
		 o->arg ? o->arg : "");
	fprintf(out, "%-*s", HELP_COLUMN, left);
	for (const char *line = o->help; line;) {
		const char *end = strchrnul(line, '\n');

		fprintf(out, "%.*s\n", (int)(end - line), line);
		line = *end ? end + 1 : NULL;
		if (line)
			fprintf(out, "%*s", HELP_COLUMN, "");
	}
}

void cli_options_help(const struct cli_command *command, FILE *out)
{
	fprintf(out, "Usage: tlob %s %s\n\n%s\n\nOptions:\n", command->name, command->synopsis,
		command->about);
	for (int i = 0; command->options[i]; i++)
		option_help(command->options[i], out);
	fprintf(out, "\nSee tlob-%s(1).\n", command->name);
}
