package main

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// A history keeps the statements typed, oldest first, also between shells; without a place for it, only in
// memory. In its file each is a line, with \n for line ends and \\ for backslashes.
type history struct {
	lines []string
	path  string
	file  *os.File
	fresh bool // the file has just been made
}

const historyLines = 1000

func historyFile() (string, error) { return cacheDir("history") }

var (
	historyEscape   = strings.NewReplacer(`\`, `\\`, "\n", `\n`)
	historyUnescape = strings.NewReplacer(`\\`, `\`, `\n`, "\n")
)

func openHistory() *history {
	h := &history{}
	path, err := historyFile()
	if err != nil || os.MkdirAll(filepath.Dir(path), 0o700) != nil {
		return h
	}
	_, err = os.Stat(path)
	fresh := errors.Is(err, fs.ErrNotExist)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return h
	}
	s := bufio.NewScanner(f)
	s.Buffer(nil, 16<<20)
	for s.Scan() {
		h.lines = append(h.lines, historyUnescape.Replace(s.Text()))
	}
	h.lines = h.lines[max(0, len(h.lines)-historyLines):]
	h.path, h.file, h.fresh = path, f, fresh
	return h
}

// Write adds what was typed. It implements, with GetLine, Len and Dump, the line editor's source of history.
func (h *history) Write(text string) (int, error) {
	text = strings.TrimSpace(text)
	if text == "" || len(h.lines) > 0 && h.lines[len(h.lines)-1] == text {
		return len(h.lines), nil
	}
	h.lines = append(h.lines, text)
	if h.file != nil {
		fmt.Fprintln(h.file, historyEscape.Replace(text))
	}
	return len(h.lines), nil
}

// GetLine returns one statement; 0 is the oldest.
func (h *history) GetLine(i int) (string, error) {
	if i < 0 || i >= len(h.lines) {
		return "", fmt.Errorf("there is no line %d", i)
	}
	return h.lines[i], nil
}

// Len returns the number of statements.
func (h *history) Len() int { return len(h.lines) }

// Dump returns all statements.
func (h *history) Dump() any { return h.lines }

// Close closes the file.
func (h *history) Close() {
	if h.file != nil {
		h.file.Close()
	}
}
