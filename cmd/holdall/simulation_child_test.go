package main

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"holdall/internal/takeoversim"
)

// An order is what a child process is to do.
type order struct {
	takeoversim.Selection
	State  []byte
	Dir    string
	Step   takeoversim.Step
	Renew  bool
	Code   int // filled in by the child when it comes to an end
	Stdout string
	Stderr string
	Ended  bool
}

// inChild runs take in a process that kills itself.
func (k *simulation) inChild(step takeoversim.Step, renew bool) *ran {
	path := filepath.Join(k.dir, "..", filepath.Base(k.dir)+".order")
	defer os.Remove(path)
	o := order{Selection: k.Selection, State: k.w.Save(), Dir: k.dir, Step: step, Renew: renew}
	if err := o.write(path); err != nil {
		k.t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestSimulationChild$")
	cmd.Env = append(os.Environ(), "HOLDALL_SIM_ORDER="+path)
	out, err := cmd.CombinedOutput()
	var died *exec.ExitError
	if err != nil && !(errors.As(err, &died) && died.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL) {
		k.violation("a run in a process of its own: %v\n%s", err, out)
	}
	if o, err = readOrder(path); err != nil {
		k.t.Fatal(err)
	}
	if err := k.w.Restore(o.State); err != nil {
		k.t.Fatal(err)
	}
	return &ran{code: o.Code, stdout: o.Stdout, stderr: o.Stderr, killed: !o.Ended}
}

func (o order) write(path string) error {
	b, err := json.Marshal(o)
	if err != nil {
		return err
	}
	return os.WriteFile(path, b, 0o600)
}

func readOrder(path string) (o order, err error) {
	b, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(b, &o)
	}
	return o, err
}

// TestSimulationChild is the process that inChild starts.
func TestSimulationChild(t *testing.T) {
	path := os.Getenv("HOLDALL_SIM_ORDER")
	if path == "" {
		t.SkipNow() // only TestSimulation runs it
	}
	o, err := readOrder(path)
	if err != nil {
		t.Fatal(err)
	}
	k := &simulation{t: t, Selection: o.Selection, dir: o.Dir, w: takeoversim.New(o.Selection)}
	if err := k.w.Restore(o.State); err != nil {
		t.Fatal(err)
	}
	r := k.bubble(o.Step, o.Renew, sync.OnceFunc(func() { // two chunks may end the process at the same time
		o.State = k.w.Save()
		if err := o.write(path); err == nil {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		}
		select {}
	}))
	o.State, o.Code, o.Stdout, o.Stderr, o.Ended = k.w.Save(), r.code, r.stdout, r.stderr, true
	if err := o.write(path); err != nil {
		t.Fatal(err)
	}
}
