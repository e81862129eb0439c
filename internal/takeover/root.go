package takeover

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"holdall/fetch/failure"
)

// CheckRoot refuses a root that lies inside of an archive: whatever is written there makes that archive
// invalid. Nothing has been written yet.
func CheckRoot(root string) error {
	dir, err := filepath.Abs(root)
	if err != nil {
		return err
	}
	dir = resolve(dir)
	for at := dir; ; at = filepath.Dir(at) {
		if holdsAny(at, "bagit.txt", "bag-info.txt", "manifest-sha256.txt") {
			return insideError(root, "the archive "+at)
		}
		parent := filepath.Dir(at)
		ours := slices.Contains([]string{"exports", "ledger", "db", ".work", ".part"}, filepath.Base(at))
		if ours && parent != at && holdsAny(parent, ".lock", "ledger") {
			return insideError(root, "the folder "+filepath.Base(at)+" of the archives in "+parent)
		}
		if parent == at {
			return nil
		}
	}
}

func insideError(root, what string) error {
	return &failure.Error{
		Code:    failure.Usage,
		Message: fmt.Sprintf("%s is inside %s, which nothing may be added to", root, what),
		Hint:    "name the directory that holds the archives, or another one",
	}
}

func holdsAny(dir string, names ...string) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		_, err := os.Lstat(filepath.Join(dir, name))
		return err == nil
	})
}

// resolve follows the symbolic links in a path as far as it exists.
func resolve(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	parent := filepath.Dir(path)
	if parent == path {
		return path
	}
	return filepath.Join(resolve(parent), filepath.Base(path))
}
