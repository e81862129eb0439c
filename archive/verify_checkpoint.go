package archive

import (
	"time"

	"holdall/internal/digest"
)

// A Checkpoint is how far a verification has come that is done in several runs. It says what the files were
// when they were read, and not whether that is right, which is decided when all have been. It holds for one
// bag as it is: a file of another size or time than then is read again.
type Checkpoint struct {
	TagManifest digest.Sum             `json:"tagmanifest_sha256"`
	Began       time.Time              `json:"began"`
	Files       map[string]CheckedFile `json:"files"` // by name
}

// A CheckedFile is a file that has been read.
type CheckedFile struct {
	SHA256   digest.Sum `json:"sha256"`
	Bytes    int64      `json:"bytes"`
	Modified time.Time  `json:"modified"`
}

// Bytes is how much has been read.
func (c *Checkpoint) Bytes() (n int64) {
	for _, f := range c.Files {
		n += f.Bytes
	}
	return n
}

// VerifyOptions are the settings of VerifyWith; the zero value is that of Verify.
type VerifyOptions struct {
	Progress func(done, total int64) // called with the bytes checked so far; may be nil
	// Until is when no further file is begun; zero: never. At least one file is read. It needs a Checkpoint,
	// and the level Full.
	Until      time.Time
	Checkpoint *Checkpoint // filled in, and used; nil: none
	// KnownContent reports whether the caller has decompressed a file and found content with this digest, so
	// that level Deep need not do it again. It is asked last, and may wait; nil: nothing is known.
	KnownContent func(name string, content digest.Sum) bool
}

// recall takes over what a checkpoint says of a file, if it is still the file that was read.
func (v *verifier) recall(name string) bool {
	if v.checkpoint == nil {
		return false
	}
	was, ok := v.checkpoint.Files[name]
	is := v.present[name]
	if !ok || was.Bytes != is.Size || !was.Modified.Equal(is.Modified) {
		return false
	}
	v.setActual(name, was.SHA256)
	v.mu.Lock()
	defer v.mu.Unlock()
	v.done += was.Bytes
	return true
}

// remember puts a file that has been read into the checkpoint.
func (v *verifier) remember(name string, sum digest.Sum) {
	if v.checkpoint == nil {
		return
	}
	is := v.present[name]
	v.mu.Lock()
	defer v.mu.Unlock()
	v.checkpoint.Files[name] = CheckedFile{SHA256: sum, Bytes: is.Size, Modified: is.Modified}
}

// prepareCheckpoint empties a checkpoint that is of another bag, or of this one as it was not.
func (v *verifier) prepareCheckpoint() {
	c := v.checkpoint
	if c == nil {
		return
	}
	if is := v.expected.sums[tagManifestName]; c.Files == nil || c.TagManifest != is {
		*c = Checkpoint{TagManifest: is, Began: time.Now().UTC(), Files: map[string]CheckedFile{}}
	}
}
