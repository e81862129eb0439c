package main

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain makes "holdall" a command of the scripts, run as a process of its own from this test binary.
func TestMain(m *testing.M) {
	testscript.Main(tidy{m}, map[string]func(){"holdall": func() { exit(Main()) }})
}

// tidy removes what the tests share.
type tidy struct{ *testing.M }

func (m tidy) Run() int {
	defer func() {
		if demoMade.Load() {
			root, _ := demoRoot()
			os.RemoveAll(root)
		}
	}()
	return m.M.Run()
}

// TestScripts runs the scripts of testdata/script: each is a session of a user.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/script",
		UpdateScripts: false,
		Setup: func(e *testscript.Env) error {
			e.Setenv("XDG_CACHE_HOME", e.WorkDir+"/cache")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits},
	})
}
