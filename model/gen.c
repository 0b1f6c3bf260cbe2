// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * model-gen [-p PREFIX] MODEL.dot: a finite automaton in DOT in, a C header on stdout.
 *
 * The form of a model is that of the kernel's runtime verification: one node per state, one edge per transition
 * labelled with its events (several joined by \n), the node __init_STATE pointing at the initial state, final states
 * drawn as double circles, and on the second line of a state's label an optional invariant "clock < BOUND". One thing
 * is added: the graph attribute "events" lists the events, so that a misspelt one is an error and not a new event.
 *
 * A malformed model is refused with "file:line: message" and status 1, and nothing is printed on stdout.
 */
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <graphviz/cgraph.h>
#include <regex.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_STATES 15 /* four bits each in the generated columns; 15 means "not allowed" */
#define MAX_EVENTS 32
#define NOT_ALLOWED 15
#define INIT_PREFIX "__init_"
#define NAME_BYTES 64

struct model {
	const char *path;
	char *text; /* comments blanked, so that line numbers can be looked up in it */
	Agraph_t *graph;
	Agnode_t *init;
	Agnode_t *nodes[MAX_STATES];
	int nstates;
	char events[MAX_EVENTS][NAME_BYTES];
	bool event_used[MAX_EVENTS];
	int nevents;
	int initial;
	bool bounded[MAX_STATES];
	char invariant[2 * NAME_BYTES + 4]; /* the one of all bounded states */
	unsigned char next[MAX_STATES][MAX_EVENTS];
};

static struct model model;

static void __attribute__((noreturn, format(printf, 2, 3))) refuse(int line, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "%s:%d: ", model.path, line);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

/* ---- lines: libcgraph keeps none, so an object's statement is looked up in the text ------------------- */

static int line_of(const char *at)
{
	int line = 1;

	for (const char *p = model.text; p < at; p++)
		line += *p == '\n';
	return line;
}

/* Line of the @nth match (from 0; the last one if there are fewer) of @pattern's second group; 0 if none. */
static int line_of_match(int nth, const char *pattern)
{
	const char *from = model.text, *found = NULL;
	regmatch_t m[3];
	regex_t re;

	if (regcomp(&re, pattern, REG_EXTENDED))
		return 0;
	for (; nth >= 0 && !regexec(&re, from, 3, m, from == model.text ? 0 : REG_NOTBOL); nth--) {
		found = from + m[2].rm_so;
		from = found + 1;
	}
	regfree(&re);
	return found ? line_of(found) : 0;
}

static bool is_name(const char *s, size_t len)
{
	if (!len || len >= NAME_BYTES || !islower((unsigned char)*s))
		return false;
	for (size_t i = 0; i < len; i++)
		if (!islower((unsigned char)s[i]) && !isdigit((unsigned char)s[i]) && s[i] != '_')
			return false;
	return true;
}

static int line_of_name(const char *name)
{
	const char *at = *name ? strstr(model.text, name) : NULL;

	return at ? line_of(at) : 1;
}

#define NO_NAME "([^a-z0-9_])"

/* Where it gets its label: NAME [... label =, but not as the head of an edge. */
static int line_of_state(const char *name)
{
	char pattern[256];
	int line;

	snprintf(
		pattern, sizeof(pattern),
		"([^>a-z0-9_\"[:space:]][[:space:]]*|[a-z0-9_\"][[:space:]]+)(\"?%.64s\"?)[[:space:]]*\\[[^]]*label",
		name);
	line = line_of_match(1000, pattern);
	return line ? line : line_of_name(name);
}

static int line_of_edge(Agedge_t *edge)
{
	const char *tail = agnameof(agtail(edge)), *head = agnameof(aghead(edge));
	char pattern[256];
	int nth = 0, line;

	for (Agedge_t *e = agfstout(model.graph, agtail(edge)); e != edge;
	     e = agnxtout(model.graph, e))
		nth += aghead(e) == aghead(edge);
	snprintf(pattern, sizeof(pattern),
		 NO_NAME "(%.64s\"?[[:space:]]*->[[:space:]]*\"?%.64s)" NO_NAME, tail, head);
	line = line_of_match(nth, pattern);
	return line ? line : line_of_name(head);
}

static int line_of_attribute(const char *name)
{
	char pattern[128];

	snprintf(pattern, sizeof(pattern), NO_NAME "(%.64s)[[:space:]]*=", name);
	return line_of_match(0, pattern);
}

static int line_of_graph(void)
{
	const char *at = model.text + strspn(model.text, " \t\r\n");

	return *at ? line_of(at) : 1;
}

static void blank_comments(char *p)
{
	while (*p) {
		const char *end = NULL;

		if (*p == '"') {
			for (p++; *p && *p != '"'; p++)
				if (*p == '\\' && p[1])
					p++;
			p += *p == '"';
			continue;
		}
		if (!strncmp(p, "//", 2) || (*p == '#' && (p == model.text || p[-1] == '\n'))) {
			end = p + strcspn(p, "\n");
		} else if (!strncmp(p, "/*", 2)) {
			end = strstr(p + 2, "*/");
			end = end ? end + 2 : p + strlen(p);
		}
		if (!end)
			p++;
		for (; end && p < end; p++)
			if (*p != '\n')
				*p = ' ';
	}
}

/* ---- reading ----------------------------------------------------------------------------------------- */

static char parser_said[1024];

static int keep_message(char *piece)
{
	size_t len = strlen(parser_said);

	snprintf(parser_said + len, sizeof(parser_said) - len, "%s", piece);
	return 0;
}

static void refuse_if_parser_complained(void)
{
	const char *at = strstr(parser_said, "in line "), *near;
	int line;

	if (!*parser_said)
		return;
	parser_said[strcspn(parser_said, "\n")] = '\0';
	if (!at || sscanf(at, "in line %d", &line) != 1)
		refuse(line_of_graph(), "not a DOT graph: %s", parser_said);
	near = strchr(at + strlen("in line "), ' ');
	refuse(line, "not a DOT graph: syntax error%s", near ? near : "");
}

static char *read_text(const char *path)
{
	FILE *file = fopen(path, "r");
	char *text = NULL;
	size_t room = 0;
	ssize_t len;

	if (!file) {
		fprintf(stderr, "model-gen: cannot open %s: %s\n", path, strerror(errno));
		exit(1);
	}
	len = getdelim(&text, &room, '\0', file);
	if (len < 0 && ferror(file)) {
		fprintf(stderr, "model-gen: cannot read %s: %s\n", path, strerror(errno));
		exit(1);
	}
	if (len > 0 && strlen(text) != (size_t)len)
		refuse(1, "not a DOT graph: holds a NUL byte");
	fclose(file);
	if (len > 0)
		return text;
	free(text);
	return strdup("");
}

static void parse(void)
{
	FILE *file;

	model.text = read_text(model.path);
	if (!*model.text)
		refuse(1, "not a DOT graph: the file is empty");
	blank_comments(model.text);
	file = fmemopen(model.text, strlen(model.text), "r");
	if (!file) {
		perror("model-gen: fmemopen");
		exit(1);
	}
	agseterrf(keep_message);
	model.graph = agread(file, NULL);
	refuse_if_parser_complained();
	if (model.graph && agread(file, NULL))
		refuse(line_of_graph(), "more than one graph in the file");
	refuse_if_parser_complained();
	fclose(file);

	if (!model.graph)
		refuse(line_of_graph(), "not a DOT graph: nothing but comments");
	if (!agisdirected(model.graph))
		refuse(line_of_graph(), "an automaton is a digraph, this is an undirected graph");
	if (agisstrict(model.graph))
		refuse(line_of_graph(),
		       "a strict graph drops all but one of the edges between two states");
}

/* ---- meaning ----------------------------------------------------------------------------------------- */

/* Next of the parts of a DOT label that are joined by \n; NULL after the last. */
static const char *next_part(const char **label, size_t *len)
{
	const char *part = *label, *end;

	if (!part)
		return NULL;
	end = strstr(part, "\\n");
	*len = end ? (size_t)(end - part) : strlen(part);
	*label = end ? end + 2 : NULL;
	return part;
}

static const char *label_of(void *object)
{
	const char *label = agget(object, (char *)"label");

	return label && strcmp(label, "\\N") ? label : "";
}

static int state_of(const Agnode_t *node)
{
	for (int s = 0; s < model.nstates; s++)
		if (model.nodes[s] == node)
			return s;
	return -1;
}

static int event_of(const char *name, size_t len)
{
	for (int e = 0; e < model.nevents; e++)
		if (strlen(model.events[e]) == len && !strncmp(model.events[e], name, len))
			return e;
	return -1;
}

static void take_events(void)
{
	const char *list = agget(model.graph, (char *)"events");
	int line = line_of_attribute("events");
	size_t len;

	if (!list)
		refuse(line_of_graph(),
		       "the graph has no attribute \"events\" that lists the events");
	for (list += strspn(list, " "); *list; list += len + strspn(list + len, " ")) {
		len = strcspn(list, " ");
		if (!is_name(list, len))
			refuse(line, "event \"%.*s\": want lower case letters, digits and _",
			       (int)len, list);
		if (event_of(list, len) >= 0)
			refuse(line, "event \"%.*s\" is listed twice", (int)len, list);
		if (model.nevents == MAX_EVENTS)
			refuse(line, "more than %d events", MAX_EVENTS);
		memcpy(model.events[model.nevents++], list, len);
	}
	if (!model.nevents)
		refuse(line, "the list of events is empty");
}

static void take_invariant(int state, const char *text, size_t len)
{
	const char *name = agnameof(model.nodes[state]);
	int line = line_of_state(name);
	char invariant[sizeof(model.invariant)];
	regex_t re;
	int odd;

	snprintf(invariant, sizeof(invariant), "%.*s", (int)len, text);
	if (regcomp(&re, "^[a-z][a-z0-9_]* < [A-Z][A-Z0-9_]*(\\(\\))?$", REG_EXTENDED | REG_NOSUB))
		abort();
	odd = len >= sizeof(invariant) || regexec(&re, invariant, 0, NULL, 0);
	regfree(&re);
	if (odd)
		refuse(line,
		       "state \"%s\": invariant \"%.*s\" is not of the form \"clock < BOUND\"",
		       name, (int)len, text);
	if (*model.invariant && strcmp(model.invariant, invariant))
		refuse(line,
		       "state \"%s\": invariant \"%s\" differs from \"%s\" of a state before; a model has one clock",
		       name, invariant, model.invariant);
	strcpy(model.invariant, invariant);
	model.bounded[state] = true;
}

static void take_state(Agnode_t *node)
{
	const char *name = agnameof(node), *label = label_of(node), *part;
	size_t len;

	if (!is_name(name, strlen(name)))
		refuse(line_of_name(name), "state \"%s\": want lower case letters, digits and _",
		       name);
	if (!*label)
		refuse(line_of_state(name), "unknown state \"%s\": no statement gives it a label",
		       name);
	if (model.nstates == MAX_STATES)
		refuse(line_of_state(name), "more than %d states", MAX_STATES);
	model.nodes[model.nstates++] = node;

	part = next_part(&label, &len);
	if (strlen(name) != len || strncmp(part, name, len))
		refuse(line_of_state(name),
		       "state \"%s\": its label begins with \"%.*s\", not with its name", name,
		       (int)len, part);
	part = next_part(&label, &len);
	if (part)
		take_invariant(model.nstates - 1, part, len);
	if (next_part(&label, &len))
		refuse(line_of_state(name), "state \"%s\": more than one invariant", name);
}

static void take_states(void)
{
	for (Agnode_t *node = agfstnode(model.graph); node; node = agnxtnode(model.graph, node)) {
		const char *name = agnameof(node);

		if (strncmp(name, INIT_PREFIX, strlen(INIT_PREFIX))) {
			take_state(node);
			continue;
		}
		if (model.init)
			refuse(line_of_name(name), "two initial states: \"%s\" and \"%s\"",
			       agnameof(model.init), name);
		model.init = node;
	}
	if (!model.nstates)
		refuse(line_of_graph(), "the graph has no states");
}

static void take_initial(void)
{
	Agedge_t *edge = model.init ? agfstout(model.graph, model.init) : NULL;

	if (!edge)
		refuse(line_of_graph(),
		       "no initial state: want an edge from \"" INIT_PREFIX "STATE\" to \"STATE\"");
	if (agnxtout(model.graph, edge))
		refuse(line_of_edge(agnxtout(model.graph, edge)), "two initial states");
	if (strcmp(agnameof(model.init) + strlen(INIT_PREFIX), agnameof(aghead(edge))))
		refuse(line_of_edge(edge), "initial state: \"%s\" points at \"%s\"",
		       agnameof(model.init), agnameof(aghead(edge)));
	if (*label_of(edge))
		refuse(line_of_edge(edge),
		       "the edge to the initial state has a label; no event leads there");
	model.initial = state_of(aghead(edge));
}

static void take_edge(Agedge_t *edge)
{
	const char *from = agnameof(agtail(edge)), *to = agnameof(aghead(edge)),
		   *label = label_of(edge), *part;
	int tail = state_of(agtail(edge)), head = state_of(aghead(edge));
	size_t len;

	if (head < 0)
		refuse(line_of_edge(edge), "edge %s -> %s: leads to the mark of the initial state",
		       from, to);
	if (!*label)
		refuse(line_of_edge(edge), "edge %s -> %s: no label, so no event takes it", from,
		       to);
	while ((part = next_part(&label, &len))) {
		int event = event_of(part, len);

		if (event < 0)
			refuse(line_of_edge(edge),
			       "edge %s -> %s: unknown event \"%.*s\", not in the graph's \"events\"",
			       from, to, (int)len, part);
		if (model.next[tail][event] != NOT_ALLOWED)
			refuse(line_of_edge(edge),
			       "edge %s -> %s: event \"%.*s\" already leads from %s to %s", from,
			       to, (int)len, part, from,
			       agnameof(model.nodes[model.next[tail][event]]));
		model.next[tail][event] = head;
		model.event_used[event] = true;
	}
}

static void take_edges(void)
{
	memset(model.next, NOT_ALLOWED, sizeof(model.next));
	for (int s = 0; s < model.nstates; s++)
		for (Agedge_t *e = agfstout(model.graph, model.nodes[s]); e;
		     e = agnxtout(model.graph, e))
			take_edge(e);
	for (int e = 0; e < model.nevents; e++)
		if (!model.event_used[e])
			refuse(line_of_attribute("events"),
			       "event \"%s\" is listed but labels no edge", model.events[e]);
}

static void check_reachable(void)
{
	bool reached[MAX_STATES] = {false};

	reached[model.initial] = true;
	for (int round = 0; round < model.nstates; round++)
		for (int s = 0; s < model.nstates; s++)
			for (int e = 0; reached[s] && e < model.nevents; e++)
				if (model.next[s][e] != NOT_ALLOWED)
					reached[model.next[s][e]] = true;
	for (int s = 0; s < model.nstates; s++)
		if (!reached[s])
			refuse(line_of_state(agnameof(model.nodes[s])),
			       "state \"%s\" cannot be reached from \"%s\"",
			       agnameof(model.nodes[s]), agnameof(model.nodes[model.initial]));
}

/* ---- writing ----------------------------------------------------------------------------------------- */

static char prefix[32] = "tlob", upper_prefix[32];

static const char *upper(const char *name)
{
	static char out[NAME_BYTES];
	size_t i;

	for (i = 0; name[i] && i < sizeof(out) - 1; i++)
		out[i] = toupper((unsigned char)name[i]);
	out[i] = '\0';
	return out;
}

static void write_enum(void)
{
	printf("enum %s_model_state {\n", prefix);
	for (int s = 0; s < model.nstates; s++)
		printf("\t%s_MODEL_STATE_%s = %d,\n", upper_prefix, upper(agnameof(model.nodes[s])),
		       s);
	printf("\t%s_MODEL_STATES = %d,\n", upper_prefix, model.nstates);
	printf("\t%s_MODEL_INITIAL = %d,\n", upper_prefix, model.initial);
	printf("\t%s_MODEL_INVALID = 0xff,\n};\n\n", upper_prefix);

	printf("enum %s_model_event {\n", prefix);
	for (int e = 0; e < model.nevents; e++)
		printf("\t%s_MODEL_EVENT_%s = %d,\n", upper_prefix, upper(model.events[e]), e);
	printf("\t%s_MODEL_EVENTS = %d,\n};\n\n", upper_prefix, model.nevents);
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
	for (int e = 0; e < model.nevents; e++) {
		unsigned long long column = 0;

		for (int s = 0; s < model.nstates; s++)
			column |= (unsigned long long)model.next[s][e] << 4 * s;
		printf("\tcase %s_MODEL_EVENT_%s: /*", upper_prefix, upper(model.events[e]));
		for (int s = 0; s < model.nstates; s++)
			if (model.next[s][e] != NOT_ALLOWED)
				printf(" %s -> %s;", agnameof(model.nodes[s]),
				       agnameof(model.nodes[model.next[s][e]]));
		printf(" */\n\t\tcolumn = 0x%0*llxULL;\n\t\tbreak;\n", model.nstates, column);
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

	for (int s = 0; s < model.nstates; s++)
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
	for (int s = 0; s < model.nstates; s++)
		printf("\tcase %d:\n\t\treturn \"%s\";\n", s, agnameof(model.nodes[s]));
	printf("\tdefault:\n\t\treturn \"?\";\n\t}\n}\n\n");

	open_function("const char *", "event_name", "__u32 event");
	printf("\tswitch (event) {\n");
	for (int e = 0; e < model.nevents; e++)
		printf("\tcase %d:\n\t\treturn \"%s\";\n", e, model.events[e]);
	printf("\tdefault:\n\t\treturn \"?\";\n\t}\n}\n");
}

static void write_header(void)
{
	bool final[MAX_STATES];
	char comment[256];

	for (int s = 0; s < model.nstates; s++) {
		const char *shape = agget(model.nodes[s], (char *)"shape");

		final[s] = shape && !strcmp(shape, "doublecircle");
	}
	printf("/* SPDX-License-Identifier: LGPL-2.1-or-later */\n");
	printf("/* Made by model-gen; change the model instead. Wants __u32 and __u64 to be known. */\n");
	printf("#ifndef %s_MODEL_H\n#define %s_MODEL_H\n\n", upper_prefix, upper_prefix);
	write_enum();
	write_next();
	snprintf(comment, sizeof(comment), "Does the invariant (%s) bind in @state?",
		 *model.invariant ? model.invariant : "none in this model");
	write_mask("bounded", comment, model.bounded);
	write_mask("final", "Is @state one in which a trace may end?", final);
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
		if (option != 'p' || !is_name(optarg, strlen(optarg)) ||
		    strlen(optarg) >= sizeof(prefix))
			return usage();
		strcpy(prefix, optarg);
	}
	if (optind != argc - 1)
		return usage();
	strcpy(upper_prefix, upper(prefix));
	model.path = argv[optind];

	parse();
	take_events();
	take_states();
	take_initial();
	take_edges();
	check_reachable();
	write_header();
	if (fflush(stdout) || ferror(stdout)) {
		fprintf(stderr, "model-gen: cannot write the header: %s\n", strerror(errno));
		return 1;
	}
	return 0;
}
