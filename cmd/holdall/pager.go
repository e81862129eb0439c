package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"

	"holdall/internal/term"
)

// paged shows what do writes: through a pager where it is longer than the terminal is high, else as it is. Up
// to then it waits, so that a short result needs no key to be passed.
func paged(e *env, do func(io.Writer) error) error {
	p := &pagedWriter{env: e, height: term.Height(e.stdout)}
	err := do(p)
	return errors.Join(err, p.close())
}

// A pagedWriter holds the first screen back until it knows whether there are more.
type pagedWriter struct {
	env    *env
	height int
	held   bytes.Buffer
	lines  int
	to     io.Writer // once there is more than a screen
	pipe   io.WriteCloser
	pager  *exec.Cmd
}

func (p *pagedWriter) Write(b []byte) (int, error) {
	if p.to != nil {
		return p.pass(b)
	}
	p.held.Write(b)
	p.lines += bytes.Count(b, []byte("\n"))
	if p.lines < p.height-1 {
		return len(b), nil
	}
	p.start()
	if _, err := p.pass(p.held.Bytes()); err != nil {
		return 0, err
	}
	return len(b), nil
}

// pass hands on to the pager. That it was left before the end is not a failure.
func (p *pagedWriter) pass(b []byte) (int, error) {
	_, err := p.to.Write(b)
	if err != nil && p.pager != nil {
		p.to = io.Discard
	}
	if p.pager != nil {
		return len(b), nil
	}
	return len(b), err
}

// start starts the pager: HOLDALL_PAGER, else PAGER, else less. Where there is none, everything is shown at
// once.
func (p *pagedWriter) start() {
	p.to = p.env.stdout
	command := "less -SRFX"
	for _, name := range []string{"PAGER", "HOLDALL_PAGER"} {
		if value, ok := p.env.lookup(name); ok {
			command = value
		}
	}
	words := strings.Fields(command)
	if len(words) == 0 || words[0] == "cat" {
		return
	}
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Stdout, cmd.Stderr = p.env.stdout, os.Stderr
	pipe, err := cmd.StdinPipe()
	if err != nil || cmd.Start() != nil {
		return
	}
	p.pager, p.pipe, p.to = cmd, pipe, pipe
}

func (p *pagedWriter) close() error {
	if p.to == nil {
		_, err := p.env.stdout.Write(p.held.Bytes())
		return err
	}
	if p.pager == nil {
		return nil
	}
	p.pipe.Close()
	p.pager.Wait() // how it was left says nothing
	return nil
}
