// Package takeoversim invents whole takeovers, each from a seed: an export with its truth, the odd ways in
// which it is written and wrapped, and a server and network that misbehave in bounded ways. A test runs the
// program against such a World, again and again as its user would, and then asks Judge whether what came of
// it is true.
//
// Start with New, which returns the World of a seed. World.Master is the master CSV at the moment;
// World.Serve answers one connection of the in-memory network (Network). World.Judge compares an archive with
// the truth, without using any code of the program: it reads the bag with the standard library and zstd, as a
// stranger would.
//
// Every odd thing has a name ("zip-joined", "cvs:reset"). A World can be made with some of them left out,
// which does not change the others: that is how a failing seed is made small.
//
// Time is whatever package time says. Under testing/synctest minutes of waiting cost microseconds.
package takeoversim
