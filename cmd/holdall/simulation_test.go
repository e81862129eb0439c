package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"holdall/internal/takeoversim"
)

// TestSimulation runs the program in invented worlds (package takeoversim), as a user would who runs "take"
// again until it is done or asks for a new link, and compares what they have then with the truth.
//
//	HOLDALL_SIM_TIME=2m          how long; else only worlds in which something went wrong once
//	HOLDALL_SIM_SEED=17          one world, with all that happens in it
//	HOLDALL_SIM_FROM=1           worlds from a seed on, instead of from a fresh one
//	HOLDALL_SIM_COUNT=20000      how many worlds; else as many as the time allows
//	HOLDALL_SIM_WITHOUT=a,b      leaves oddities out
//	HOLDALL_SIM_ONLY=dialect     leaves out all oddities but those of CSVs; or but those whose names begin so
//	HOLDALL_SIM_KEEP=yes         leaves the user's directory where it is
//	HOLDALL_SIM_SHRINK=no        does not make worlds small in which something goes wrong
func TestSimulation(t *testing.T) {
	chosen := takeoversim.Selection{
		Without: fields(os.Getenv("HOLDALL_SIM_WITHOUT")), Only: fields(os.Getenv("HOLDALL_SIM_ONLY")),
	}
	if !smallDisks(t) {
		chosen.Without = append(chosen.Without, takeoversim.FullDisks...)
	}
	if s := os.Getenv("HOLDALL_SIM_SEED"); s != "" {
		var err error
		if chosen.Seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
		for _, v := range (&simulation{t: t, Selection: chosen, loud: true}).violations() {
			t.Error(v)
		}
		return
	}
	if os.Getenv("HOLDALL_SIM_FROM") == "" {
		for _, one := range regressions(t) {
			one.Without = chosen.Without
			t.Run(fmt.Sprint("regression/", one.Seed), func(t *testing.T) { check(t, one) })
		}
	}
	limit, err := time.ParseDuration(orElse(os.Getenv("HOLDALL_SIM_TIME"), "0s"))
	if err != nil {
		t.Fatal(err)
	}
	first, err := strconv.ParseUint(orElse(os.Getenv("HOLDALL_SIM_FROM"), fmt.Sprint(rand.Uint32())), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	count, err := strconv.ParseUint(orElse(os.Getenv("HOLDALL_SIM_COUNT"), fmt.Sprint(1<<30)), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("worlds from seed %d on", first)
	fresh(t, chosen, first, count, limit)
}

// fresh checks worlds side by side until the time is over.
func fresh(t *testing.T, chosen takeoversim.Selection, first, count uint64, limit time.Duration) {
	end := time.Now().Add(limit)
	seeds := make(chan uint64)
	done := 0
	t.Run("fresh", func(t *testing.T) {
		for i := range runtime.GOMAXPROCS(0) {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				for seed := range seeds {
					one := chosen
					one.Seed = seed
					check(t, one)
				}
			})
		}
		go func() {
			defer close(seeds)
			for seed := first; seed < first+count && (os.Getenv("HOLDALL_SIM_COUNT") != "" ||
				time.Now().Before(end)); seed++ {
				seeds <- seed
				done++
			}
		}()
	})
	t.Logf("%d worlds", done)
}

// check runs one world. When it goes wrong there, the world is made as small as it can be while it still goes
// wrong.
func check(t *testing.T, chosen takeoversim.Selection) {
	found := (&simulation{t: t, Selection: chosen}).violations()
	if len(found) == 0 {
		return
	}
	if os.Getenv("HOLDALL_SIM_SHRINK") != "no" {
		chosen, found = shrink(t, chosen, found)
	}
	story := takeoversim.New(chosen).Story()
	command := fmt.Sprintf("HOLDALL_SIM_SEED=%d HOLDALL_SIM_ONLY=%s HOLDALL_SIM_WITHOUT=%s go test "+
		"./cmd/holdall -run TestSimulation -v",
		chosen.Seed, strings.Join(chosen.Only, ","), shellQuoted(strings.Join(chosen.Without, ",")))
	t.Errorf(
		"seed %d, %s:\n  %s\nagain: %s", chosen.Seed, strings.Join(story, " "), strings.Join(found, "\n  "),
		command,
	)
}

// maxShrinks bounds how long making a world small may take.
const maxShrinks = 40

// shrink leaves oddities out, one after the other, as long as something still goes wrong.
func shrink(t *testing.T, chosen takeoversim.Selection, found []string) (takeoversim.Selection, []string) {
	odds := takeoversim.New(chosen).Story()
	for _, odd := range odds[:min(len(odds), maxShrinks)] {
		fewer := chosen
		fewer.Without = append(append([]string{}, chosen.Without...), odd)
		if f := (&simulation{t: t, Selection: fewer}).violations(); len(f) > 0 {
			chosen, found = fewer, f
		}
	}
	return chosen, found
}

func fields(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' })
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func shellQuoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// regressions are worlds in which something went wrong once.
func regressions(t *testing.T) []takeoversim.Selection {
	b, err := os.ReadFile("testdata/simulation-seeds.txt")
	if err != nil {
		t.Fatal(err)
	}
	var all []takeoversim.Selection
	for line := range strings.Lines(string(b)) {
		line, _, _ = strings.Cut(line, "#")
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		n, err := strconv.ParseUint(words[0], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, takeoversim.Selection{Seed: n, Only: words[1:]})
	}
	return all
}
