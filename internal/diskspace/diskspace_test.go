package diskspace

import (
	"path/filepath"
	"testing"
)

func TestADirectoryThatIsNotThereYetHasTheSpaceOfTheOneAboveIt(t *testing.T) {
	dir := t.TempDir()
	here, ok := Of(dir)
	if !ok || here.Free <= 0 || here.Device == "" {
		t.Fatalf("space of %s: %+v, %v", dir, here, ok)
	}
	below, ok := Of(filepath.Join(dir, "archives", "later"))
	if !ok || below.Device != here.Device {
		t.Errorf("space of a directory to be made: %+v, %v, want that of %s: %+v", below, ok, dir, here)
	}
}
