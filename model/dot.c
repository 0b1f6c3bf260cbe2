// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Reading a model. Its form is that of the kernel's runtime verification: one node per state, one edge per transition
 * labelled with its events (several joined by \n), the node __init_STATE pointing at the initial state, final states
 * drawn as double circles, and on the second line of a state's label an optional invariant "clock < BOUND". One thing
 * is added: the graph attribute "events" lists the events, so that a misspelt one is an error and not a new event.
 */
#include "dot.h"

#include <ctype.h>
#include <errno.h>
#include <graphviz/cgraph.h>
#include <regex.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INIT_PREFIX "__init_"

static struct model model;

/* What it is read from; the program reads one. */
static const char *path;
static char *text; /* comments blanked, so that line numbers can be looked up in it */
static Agraph_t *graph;
static Agnode_t *init;
static Agnode_t *nodes[MODEL_MAX_STATES];

static void __attribute__((noreturn, format(printf, 2, 3))) refuse(int line, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "%s:%d: ", path, line);
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

	for (const char *p = text; p < at; p++)
		line += *p == '\n';
	return line;
}

/* Line of the @nth match (from 0; the last one if there are fewer) of @pattern's second group; 0 if none. */
static int line_of_match(int nth, const char *pattern)
{
	const char *from = text, *found = NULL;
	regmatch_t m[3];
	regex_t re;

	if (regcomp(&re, pattern, REG_EXTENDED))
		return 0;
	for (; nth >= 0 && !regexec(&re, from, 3, m, from == text ? 0 : REG_NOTBOL); nth--) {
		found = from + m[2].rm_so;
		from = found + 1;
	}
	regfree(&re);
	return found ? line_of(found) : 0;
}

bool model_is_name(const char *s, size_t len)
{
	if (!len || len >= MODEL_NAME_BYTES || !islower((unsigned char)*s))
		return false;
	for (size_t i = 0; i < len; i++)
		if (!islower((unsigned char)s[i]) && !isdigit((unsigned char)s[i]) && s[i] != '_')
			return false;
	return true;
}

static int line_of_name(const char *name)
{
	const char *at = *name ? strstr(text, name) : NULL;

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

	for (Agedge_t *e = agfstout(graph, agtail(edge)); e != edge; e = agnxtout(graph, e))
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
	const char *at = text + strspn(text, " \t\r\n");

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
		if (!strncmp(p, "//", 2) || (*p == '#' && (p == text || p[-1] == '\n'))) {
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

static char *read_text(void)
{
	FILE *file = fopen(path, "r");
	char *got = NULL;
	size_t room = 0;
	ssize_t len;

	if (!file) {
		fprintf(stderr, "model-gen: cannot open %s: %s\n", path, strerror(errno));
		exit(1);
	}
	len = getdelim(&got, &room, '\0', file);
	if (len < 0 && ferror(file)) {
		fprintf(stderr, "model-gen: cannot read %s: %s\n", path, strerror(errno));
		exit(1);
	}
	if (len > 0 && strlen(got) != (size_t)len)
		refuse(1, "not a DOT graph: holds a NUL byte");
	fclose(file);
	if (len > 0)
		return got;
	free(got);
	return strdup("");
}

static void parse(void)
{
	FILE *file;

	text = read_text();
	if (!*text)
		refuse(1, "not a DOT graph: the file is empty");
	blank_comments(text);
	file = fmemopen(text, strlen(text), "r");
	if (!file) {
		perror("model-gen: fmemopen");
		exit(1);
	}
	agseterrf(keep_message);
	graph = agread(file, NULL);
	refuse_if_parser_complained();
	if (graph && agread(file, NULL))
		refuse(line_of_graph(), "more than one graph in the file");
	refuse_if_parser_complained();
	fclose(file);

	if (!graph)
		refuse(line_of_graph(), "not a DOT graph: nothing but comments");
	if (!agisdirected(graph))
		refuse(line_of_graph(), "an automaton is a digraph, this is an undirected graph");
	if (agisstrict(graph))
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
		if (nodes[s] == node)
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
	const char *list = agget(graph, (char *)"events");
	int line = line_of_attribute("events");
	size_t len;

	if (!list)
		refuse(line_of_graph(),
		       "the graph has no attribute \"events\" that lists the events");
	for (list += strspn(list, " "); *list; list += len + strspn(list + len, " ")) {
		len = strcspn(list, " ");
		if (!model_is_name(list, len))
			refuse(line, "event \"%.*s\": want lower case letters, digits and _",
			       (int)len, list);
		if (event_of(list, len) >= 0)
			refuse(line, "event \"%.*s\" is listed twice", (int)len, list);
		if (model.nevents == MODEL_MAX_EVENTS)
			refuse(line, "more than %d events", MODEL_MAX_EVENTS);
		memcpy(model.events[model.nevents++], list, len);
	}
	if (!model.nevents)
		refuse(line, "the list of events is empty");
}

static void take_invariant(int state, const char *part, size_t len)
{
	const char *name = model.states[state];
	int line = line_of_state(name);
	char invariant[sizeof(model.invariant)];
	regex_t re;
	int odd;

	snprintf(invariant, sizeof(invariant), "%.*s", (int)len, part);
	if (regcomp(&re, "^[a-z][a-z0-9_]* < [A-Z][A-Z0-9_]*(\\(\\))?$", REG_EXTENDED | REG_NOSUB))
		abort();
	odd = len >= sizeof(invariant) || regexec(&re, invariant, 0, NULL, 0);
	regfree(&re);
	if (odd)
		refuse(line,
		       "state \"%s\": invariant \"%.*s\" is not of the form \"clock < BOUND\"",
		       name, (int)len, part);
	if (*model.invariant && strcmp(model.invariant, invariant))
		refuse(line,
		       "state \"%s\": invariant \"%s\" differs from \"%s\" of a state before; a model has one clock",
		       name, invariant, model.invariant);
	strcpy(model.invariant, invariant);
	model.bounded[state] = true;
}

static void take_state(Agnode_t *node)
{
	const char *name = agnameof(node), *label = label_of(node), *part, *shape;
	size_t len;

	if (!model_is_name(name, strlen(name)))
		refuse(line_of_name(name), "state \"%s\": want lower case letters, digits and _",
		       name);
	if (!*label)
		refuse(line_of_state(name), "unknown state \"%s\": no statement gives it a label",
		       name);
	if (model.nstates == MODEL_MAX_STATES)
		refuse(line_of_state(name), "more than %d states", MODEL_MAX_STATES);
	nodes[model.nstates] = node;
	model.states[model.nstates] = name;
	shape = agget(node, (char *)"shape");
	model.final[model.nstates] = shape && !strcmp(shape, "doublecircle");
	model.nstates++;

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
	for (Agnode_t *node = agfstnode(graph); node; node = agnxtnode(graph, node)) {
		const char *name = agnameof(node);

		if (strncmp(name, INIT_PREFIX, strlen(INIT_PREFIX))) {
			take_state(node);
			continue;
		}
		if (init)
			refuse(line_of_name(name), "two initial states: \"%s\" and \"%s\"",
			       agnameof(init), name);
		init = node;
	}
	if (!model.nstates)
		refuse(line_of_graph(), "the graph has no states");
}

static void take_initial(void)
{
	Agedge_t *edge = init ? agfstout(graph, init) : NULL;

	if (!edge)
		refuse(line_of_graph(),
		       "no initial state: want an edge from \"" INIT_PREFIX "STATE\" to \"STATE\"");
	if (agnxtout(graph, edge))
		refuse(line_of_edge(agnxtout(graph, edge)), "two initial states");
	if (strcmp(agnameof(init) + strlen(INIT_PREFIX), agnameof(aghead(edge))))
		refuse(line_of_edge(edge), "initial state: \"%s\" points at \"%s\"", agnameof(init),
		       agnameof(aghead(edge)));
	if (*label_of(edge))
		refuse(line_of_edge(edge),
		       "the edge to the initial state has a label; no event leads there");
	model.initial = state_of(aghead(edge));
}

static void take_edge(Agedge_t *edge, bool *used)
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
		if (model.next[tail][event] != MODEL_NOT_ALLOWED)
			refuse(line_of_edge(edge),
			       "edge %s -> %s: event \"%.*s\" already leads from %s to %s", from,
			       to, (int)len, part, from, model.states[model.next[tail][event]]);
		model.next[tail][event] = head;
		used[event] = true;
	}
}

static void take_edges(void)
{
	bool used[MODEL_MAX_EVENTS] = {false};

	memset(model.next, MODEL_NOT_ALLOWED, sizeof(model.next));
	for (int s = 0; s < model.nstates; s++)
		for (Agedge_t *e = agfstout(graph, nodes[s]); e; e = agnxtout(graph, e))
			take_edge(e, used);
	for (int e = 0; e < model.nevents; e++)
		if (!used[e])
			refuse(line_of_attribute("events"),
			       "event \"%s\" is listed but labels no edge", model.events[e]);
}

static void check_reachable(void)
{
	bool reached[MODEL_MAX_STATES] = {false};

	reached[model.initial] = true;
	for (int round = 0; round < model.nstates; round++)
		for (int s = 0; s < model.nstates; s++)
			for (int e = 0; reached[s] && e < model.nevents; e++)
				if (model.next[s][e] != MODEL_NOT_ALLOWED)
					reached[model.next[s][e]] = true;
	for (int s = 0; s < model.nstates; s++)
		if (!reached[s])
			refuse(line_of_state(model.states[s]),
			       "state \"%s\" cannot be reached from \"%s\"", model.states[s],
			       model.states[model.initial]);
}

const struct model *model_read(const char *file)
{
	path = file;
	parse();
	take_events();
	take_states();
	take_initial();
	take_edges();
	check_reachable();
	return &model;
}
