package exportsim

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// A Fault is a way in which the platform can misbehave.
type Fault struct {
	Name        string
	Description string // N stands for what "name=N" sets
}

// fault also says how.
type fault struct {
	Fault
	number int64
	alter  func(f *activeFault, o *object, nth int) *object // makes the object another one; nil: does not
	// makes the right answer a wrong one; nil: does not
	spoil func(f *activeFault, a *answer)
}

// An activeFault is a fault that a server has.
type activeFault struct {
	fault
	where string // a part, or a part of an object's name; "" means every object but the master CSV

	mu    sync.Mutex // guards what follows
	times map[string]int64
}

// FaultNames returns all faults. In Config.Faults each may be given as "name", with another N as "name=5",
// and for some objects only as "name@cvs", where what follows the @ is the name of a part or a piece of an
// object's name, such as master.csv. Several faults may be given; where two change the same thing, the later
// wins.
func FaultNames() []Fault {
	var all []Fault
	for _, f := range allFaults() {
		d := f.Description
		if f.number != 0 {
			d += fmt.Sprintf(" (N: %d)", f.number)
		}
		all = append(all, Fault{f.Name, d})
	}
	return all
}

func allFaults() []fault {
	return slices.Concat(
		rangeFaults, connectionFaults, statusFaults, linkFaults, objectFaults, listingFaults, masterFaults,
	)
}

// parseFaults reads Config.Faults.
func parseFaults(specs []string) ([]*activeFault, error) {
	var active []*activeFault
	all := allFaults()
	for _, spec := range specs {
		head, where, _ := strings.Cut(spec, "@")
		name, number, numbered := strings.Cut(head, "=")
		i := slices.IndexFunc(all, func(f fault) bool { return f.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("unknown fault %q", name)
		}
		f := &activeFault{fault: all[i], where: where, times: map[string]int64{}}
		if numbered {
			n, err := strconv.ParseInt(number, 10, 64)
			if err != nil || n < 0 {
				return nil, fmt.Errorf("fault %s: %q is not a number", name, number)
			}
			f.number = n
		}
		active = append(active, f)
	}
	return active, nil
}

func (f *activeFault) matches(o *object) bool {
	if f.where == "" {
		return o.part != "master"
	}
	return strings.Contains(o.name, f.where) || o.part == f.where
}

// once reports true the first number times that it is called for an object.
func (f *activeFault) once(name string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.times[name]++
	return f.times[name] <= f.number
}

// has reports whether the server has a fault.
func (s *Server) has(name string) bool {
	return slices.ContainsFunc(s.faults, func(f *activeFault) bool { return f.Name == name })
}
