package eploy

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Kept is what a pull that has not ended has received so far.
type Kept struct {
	Requests int   `json:"requests"`
	Records  int   `json:"records"`
	Files    int   `json:"files"` // whose content is here
	Bytes    int64 `json:"bytes"`
}

// KeptIn reads what the pull in a directory has received so far. It needs no lock, and may miss what comes
// while it reads.
func KeptIn(dir string) (k Kept, err error) {
	f, err := os.Open(filepath.Join(dir, receiptsName))
	if err != nil {
		return k, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	seen := map[string]bool{}
	for r := bufio.NewReaderSize(f, 1<<20); ; {
		line, err := r.ReadBytes('\n')
		if err == io.EOF {
			return k, nil
		}
		if err != nil {
			return k, err
		}
		var x Receipt
		if json.Unmarshal(line, &x) != nil {
			return k, nil // Pull says what is wrong with it
		}
		k.add(&x, seen)
	}
}

func (k *Kept) add(x *Receipt, seen map[string]bool) {
	k.Requests++
	if x.Rejected != "" {
		return
	}
	k.Bytes += x.Size
	if x.brought() && !seen[x.Step] {
		seen[x.Step] = true
		k.Files++
	}
	name, step, _ := strings.Cut(x.Step, "/")
	if !strings.HasPrefix(step, "pages/") {
		return
	}
	for _, id := range x.IDs {
		if !seen[name+"/"+id] {
			seen[name+"/"+id] = true
			k.Records++
		}
	}
}
