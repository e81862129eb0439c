package query

/*
#include <stdlib.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

// DuckDB takes its memory from malloc. glibc gives every thread an arena of its own, up to eight for each
// core, and Go calls DuckDB on many threads: what one of them gives back, the others do not use.
static void few_arenas(void) {
#ifdef __GLIBC__
	mallopt(M_ARENA_MAX, 2);
#endif
}

// Freed memory that lies between what is still used stays with the process until it is asked for.
static void give_back(void) {
#ifdef __GLIBC__
	malloc_trim(0);
#endif
}
*/
import "C"

func init() { C.few_arenas() }

// giveBack returns to the system what DuckDB has freed. It takes some milliseconds, and is for the end of
// steps that needed much.
func giveBack() { C.give_back() }
