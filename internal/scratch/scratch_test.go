package scratch

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

func TestWhatADeadProcessLeftIsTold(t *testing.T) {
	parent := t.TempDir()
	live, err := Make(parent, "work-")
	if err != nil {
		t.Fatal(err)
	}
	died, err := Make(parent, "work-")
	if err != nil {
		t.Fatal(err)
	}
	died.lock.Close() // as the system does when a process ends
	old, fresh := filepath.Join(parent, "work-old"), filepath.Join(parent, "work-fresh")
	for _, dir := range []string{old, fresh, filepath.Join(parent, "other")} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	long := time.Now().Add(-25 * time.Hour)
	if err := os.Chtimes(old, long, long); err != nil {
		t.Fatal(err)
	}
	want := []string{died.Path, old}
	slices.Sort(want)
	if got := Dead(parent, "work-"); !slices.Equal(got, want) {
		t.Errorf("dead: %q, want %q", got, want)
	}
	if err := live.Remove(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(live.Path); err == nil {
		t.Error("the directory is still there")
	}
}
