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
*/
import "C"

func init() { C.few_arenas() }
