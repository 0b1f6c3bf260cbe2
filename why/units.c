// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * See units.h. libdw finds the unit of an address only where the compiler wrote .debug_aranges, which not all do, and
 * walks a whole unit for each address: here the units' ranges are collected when a file is opened, and the functions'
 * ranges of a unit when the first address in it is asked for.
 *
 * The information may be damaged or made to do harm: every walk has an end of its own.
 */
#include <dwarf.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "spans.h"
#include "units.h"

#define MAX_INLINED 32
#define MAX_DEPTH 64 /* of blocks, of name spaces */
#define MAX_UNITS (1u << 20)
#define MAX_FUNCTIONS (1u << 22)

struct unit {
	Dwarf_Die die;
	Dwarf_Die split; /* where the functions are if they are in a file of their own (.dwo), else as die */
	bool indexed;
	Dwarf_Die *functions;
	size_t nfunctions, room;
	struct why_spans spans; /* of functions, by index */
};

struct why_units {
	struct unit *list;
	size_t count, room;
	struct why_spans spans; /* of units, by index */
};

static int add_ranges(struct why_spans *spans, Dwarf_Die *die, size_t what)
{
	Dwarf_Addr base = 0, low, high;
	ptrdiff_t at = 0;

	while ((at = dwarf_ranges(die, at, &base, &low, &high)) > 0)
		if (why_spans_add(spans, low, high, (uint32_t)what, 0))
			return -1;
	return 0;
}

/* Siblings only lie behind in a sound file; a link back would be followed for ever. */
static bool next_sibling(Dwarf_Die *die)
{
	Dwarf_Die next;

	if (dwarf_siblingof(die, &next) || dwarf_dieoffset(&next) <= dwarf_dieoffset(die))
		return false;
	*die = next;
	return true;
}

static int add_unit(struct why_units *u, const Dwarf_Die *die, const Dwarf_Die *split)
{
	struct unit *unit;

	if (u->count == u->room) {
		size_t room = u->room ? u->room * 2 : 16;
		struct unit *more = reallocarray(u->list, room, sizeof(*more));

		if (!more)
			return -1;
		u->list = more;
		u->room = room;
	}
	unit = &u->list[u->count];
	*unit = (struct unit){.die = *die, .split = split->addr ? *split : *die};
	return add_ranges(&u->spans, &unit->die, u->count++);
}

struct why_units *why_units_new(Dwarf *dwarf, bool trusted)
{
	struct why_units *u = calloc(1, sizeof(*u));
	Dwarf_CU *cu = NULL;
	uint8_t kind;

	if (!u)
		return NULL;
	while (u->count < MAX_UNITS) {
		Dwarf_Die die, split;

		memset(&split, 0, sizeof(split));
		if (dwarf_get_units(dwarf, cu, &cu, NULL, &kind, &die, trusted ? &split : NULL))
			break;
		if (kind != DW_UT_compile && kind != DW_UT_skeleton)
			continue;
		if (add_unit(u, &die, &split)) {
			why_units_free(u);
			return NULL;
		}
	}
	why_spans_sort(&u->spans);
	return u;
}

void why_units_free(struct why_units *u)
{
	if (!u)
		return;
	for (size_t i = 0; i < u->count; i++) {
		free(u->list[i].functions);
		why_spans_deinit(&u->list[i].spans);
	}
	free(u->list);
	why_spans_deinit(&u->spans);
	free(u);
}

/* ---- the functions of a unit */

static int add_function(struct unit *unit, Dwarf_Die *die)
{
	if (unit->nfunctions == MAX_FUNCTIONS)
		return -1;
	if (unit->nfunctions == unit->room) {
		size_t room = unit->room ? unit->room * 2 : 64;
		Dwarf_Die *more = reallocarray(unit->functions, room, sizeof(*more));

		if (!more)
			return -1;
		unit->functions = more;
		unit->room = room;
	}
	unit->functions[unit->nfunctions] = *die;
	return add_ranges(&unit->spans, die, unit->nfunctions++);
}

static int collect(struct unit *unit, Dwarf_Die *parent, int depth)
{
	Dwarf_Die die;

	if (depth == MAX_DEPTH || dwarf_child(parent, &die))
		return 0;
	do {
		int err = 0;

		switch (dwarf_tag(&die)) {
		case DW_TAG_subprogram:
			err = add_function(unit, &die);
			break;
		case DW_TAG_namespace:
		case DW_TAG_module:
		case DW_TAG_structure_type:
		case DW_TAG_class_type:
		case DW_TAG_union_type:
		case DW_TAG_enumeration_type:
			err = collect(unit, &die, depth + 1);
			break;
		}
		if (err)
			return err;
	} while (next_sibling(&die));
	return 0;
}

static Dwarf_Die *function_at(struct unit *unit, Dwarf_Addr pc)
{
	const struct why_span *span;

	if (!unit->indexed) {
		unit->indexed = true;
		collect(unit, &unit->split, 0); /* without memory: those found so far */
		why_spans_sort(&unit->spans);
	}
	span = why_spans_find(&unit->spans, pc);
	return span ? &unit->functions[span->what] : NULL;
}

/* ---- what is inlined there */

struct chain {
	Dwarf_Die dies[MAX_INLINED + 1]; /* the function itself first */
	size_t count;
};

static bool has_no_range(Dwarf_Die *die)
{
	return !dwarf_hasattr(die, DW_AT_low_pc) && !dwarf_hasattr(die, DW_AT_ranges);
}

/* Appends what is inlined at @pc below @parent. False: nothing. */
static bool descend(Dwarf_Die *parent, Dwarf_Addr pc, struct chain *chain, int depth)
{
	Dwarf_Die die;

	if (depth == MAX_DEPTH || dwarf_child(parent, &die))
		return false;
	do {
		int tag = dwarf_tag(&die);

		if (tag == DW_TAG_inlined_subroutine && dwarf_haspc(&die, pc) == 1) {
			if (chain->count <= MAX_INLINED)
				chain->dies[chain->count++] = die;
			descend(&die, pc, chain, depth + 1);
			return true;
		}
		if (tag != DW_TAG_lexical_block && tag != DW_TAG_try_block &&
		    tag != DW_TAG_catch_block)
			continue;
		/* a block that has become no code of its own may still hold some */
		if ((dwarf_haspc(&die, pc) == 1 || has_no_range(&die)) &&
		    descend(&die, pc, chain, depth + 1))
			return true;
	} while (next_sibling(&die));
	return false;
}

/* The name that the linker knows says more only where it is mangled; elsewhere it is an alias of the library's own. */
static const char *name_of(Dwarf_Die *die)
{
	static const unsigned int linkage[] = {DW_AT_linkage_name, DW_AT_MIPS_linkage_name};
	const char *plain = dwarf_diename(die), *name;
	Dwarf_Attribute attr;

	for (size_t i = 0; i < 2; i++) {
		name = dwarf_attr_integrate(die, linkage[i], &attr) ? dwarf_formstring(&attr) :
								      NULL;
		if (name && (!plain || !strncmp(name, "_Z", 2) || !strncmp(name, "_R", 2)))
			return name;
	}
	return plain;
}

/* Where @inlined was called from. */
static void set_call(struct why_place *place, struct unit *unit, Dwarf_Die *inlined)
{
	Dwarf_Attribute attr;
	Dwarf_Files *files;
	Dwarf_Word number;
	size_t nfiles;

	if (!dwarf_formudata(dwarf_attr(inlined, DW_AT_call_line, &attr), &number))
		place->line = (unsigned int)number;
	if (!dwarf_formudata(dwarf_attr(inlined, DW_AT_call_file, &attr), &number) &&
	    !dwarf_getsrcfiles(&unit->split, &files, &nfiles) && number < nfiles)
		place->file = dwarf_filesrc(files, number, NULL, NULL);
}

static void set_line(struct why_place *place, struct unit *unit, Dwarf_Addr pc)
{
	Dwarf_Line *line = dwarf_getsrc_die(&unit->die, pc);
	int number;

	if (!line)
		return;
	place->file = dwarf_linesrc(line, NULL, NULL);
	if (!dwarf_lineno(line, &number) && number > 0)
		place->line = (unsigned int)number;
}

size_t why_units_find(struct why_units *u, Dwarf_Addr pc, struct why_place *places, size_t room)
{
	const struct why_span *span = why_spans_find(&u->spans, pc);
	struct chain chain = {.count = 0};
	Dwarf_Die *function;
	struct unit *unit;
	size_t n = 0;

	if (!span || !room)
		return 0;
	unit = &u->list[span->what];
	function = function_at(unit, pc);
	if (!function) {
		places[0] = (struct why_place){.function = NULL};
		set_line(&places[0], unit, pc);
		return places[0].file ? 1 : 0;
	}
	chain.dies[chain.count++] = *function;
	descend(function, pc, &chain, 0);
	for (size_t i = chain.count; i-- > 0 && n < room; n++) {
		const char *name = name_of(&chain.dies[i]);

		places[n] = (struct why_place){
			.function = name, .function_bytes = name ? strlen(name) : 0, .inlined = i};
		if (i + 1 == chain.count)
			set_line(&places[n], unit, pc);
		else
			set_call(&places[n], unit, &chain.dies[i + 1]);
	}
	return n;
}
