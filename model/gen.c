// SPDX-License-Identifier: LGPL-2.1-or-later
/* model-gen [-p PREFIX] MODEL.dot: a finite automaton in DOT in, a C header on stdout. */
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "dot.h"

static const struct model *model;
static char prefix[32] = "tlob", upper_prefix[32];

static const char *upper(const char *name)
{
	static char out[MODEL_NAME_BYTES];
	size_t i;

	for (i = 0; name[i] && i < sizeof(out) - 1; i++)
		out[i] = toupper((unsigned char)name[i]);
	out[i] = '\0';
	return out;
}

static void write_enum(void)
{
	printf("enum %s_model_state {\n", prefix);
	for (int s = 0; s < model->nstates; s++)
		printf("\t%s_MODEL_STATE_%s = %d,\n", upper_prefix, upper(model->states[s]), s);
	printf("\t%s_MODEL_STATES = %d,\n", upper_prefix, model->nstates);
	printf("\t%s_MODEL_INITIAL = %d,\n", upper_prefix, model->initial);
	printf("\t%s_MODEL_INVALID = 0xff,\n};\n\n", upper_prefix);

	printf("enum %s_model_event {\n", prefix);
	for (int e = 0; e < model->nevents; e++)
		printf("\t%s_MODEL_EVENT_%s = %d,\n", upper_prefix, upper(model->events[e]), e);
	printf("\t%s_MODEL_EVENTS = %d,\n};\n\n", upper_prefix, model->nevents);
}

static void open_function(const char *type, const char *noun, const char *parameters)
{
	printf("static inline __attribute__((always_inline)) %s%s_model_%s(%s)\n{\n", type, prefix,
	       noun, parameters);
}

/* One column of the table per event: arithmetic only, so nothing for the BPF verifier to doubt or the kernel to load. */
static void write_next(void)
{
	printf("/* The state after @event in @state; %s_MODEL_INVALID if the model does not allow it. Any argument is safe.\n",
	       upper_prefix);
	printf(" * Four bits for each state, the first lowest; f where the event is not allowed. */\n");
	open_function("__u32 ", "next", "__u32 state, __u32 event");
	printf("\t__u64 column;\n\t__u32 next;\n\n\tswitch (event) {\n");
	for (int e = 0; e < model->nevents; e++) {
		unsigned long long column = 0;

		for (int s = 0; s < model->nstates; s++)
			column |= (unsigned long long)model->next[s][e] << 4 * s;
		printf("\tcase %s_MODEL_EVENT_%s: /*", upper_prefix, upper(model->events[e]));
		for (int s = 0; s < model->nstates; s++)
			if (model->next[s][e] != MODEL_NOT_ALLOWED)
				printf(" %s -> %s;", model->states[s],
				       model->states[model->next[s][e]]);
		printf(" */\n\t\tcolumn = 0x%0*llxULL;\n\t\tbreak;\n", model->nstates, column);
	}
	printf("\tdefault:\n\t\treturn %s_MODEL_INVALID;\n\t}\n", upper_prefix);
	printf("\tif (state >= %s_MODEL_STATES)\n\t\treturn %s_MODEL_INVALID;\n", upper_prefix,
	       upper_prefix);
	printf("\tnext = column >> (state * 4) & 0xf;\n");
	printf("\treturn next < %s_MODEL_STATES ? next : %s_MODEL_INVALID;\n}\n\n", upper_prefix,
	       upper_prefix);
}

static void write_mask(const char *noun, const char *comment, const bool *member)
{
	unsigned int mask = 0;

	for (int s = 0; s < model->nstates; s++)
		mask |= (unsigned int)member[s] << s;
	printf("/* %s */\n", comment);
	open_function("int ", noun, "__u32 state");
	printf("\treturn state < %s_MODEL_STATES && (0x%xu >> state & 1);\n}\n\n", upper_prefix,
	       mask);
}

static void write_names(void)
{
	open_function("const char *", "state_name", "__u32 state");
	printf("\tswitch (state) {\n");
	for (int s = 0; s < model->nstates; s++)
		printf("\tcase %d:\n\t\treturn \"%s\";\n", s, model->states[s]);
	printf("\tdefault:\n\t\treturn \"?\";\n\t}\n}\n\n");

	open_function("const char *", "event_name", "__u32 event");
	printf("\tswitch (event) {\n");
	for (int e = 0; e < model->nevents; e++)
		printf("\tcase %d:\n\t\treturn \"%s\";\n", e, model->events[e]);
	printf("\tdefault:\n\t\treturn \"?\";\n\t}\n}\n");
}

static void write_header(void)
{
	char comment[256];

	printf("/* SPDX-License-Identifier: LGPL-2.1-or-later */\n");
	printf("/* Made by model-gen; change the model instead. Wants __u32 and __u64 to be known. */\n");
	printf("#ifndef %s_MODEL_H\n#define %s_MODEL_H\n\n", upper_prefix, upper_prefix);
	write_enum();
	write_next();
	snprintf(comment, sizeof(comment), "Does the invariant (%s) bind in @state?",
		 *model->invariant ? model->invariant : "none in this model");
	write_mask("bounded", comment, model->bounded);
	write_mask("final", "Is @state one in which a trace may end?", model->final);
	printf("#ifndef __bpf__\n");
	write_names();
	printf("#endif\n\n#endif\n");
}

static int usage(void)
{
	fprintf(stderr, "usage: model-gen [-p PREFIX] MODEL.dot > HEADER.h\n");
	return 64;
}

int main(int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "p:")) != -1) {
		if (option != 'p' || !model_is_name(optarg, strlen(optarg)) ||
		    strlen(optarg) >= sizeof(prefix))
			return usage();
		strcpy(prefix, optarg);
	}
	if (optind != argc - 1)
		return usage();
	strcpy(upper_prefix, upper(prefix));
	model = model_read(argv[optind]);
	write_header();
	if (fflush(stdout) || ferror(stdout)) {
		fprintf(stderr, "model-gen: cannot write the header: %s\n", strerror(errno));
		return 1;
	}
	return 0;
}
