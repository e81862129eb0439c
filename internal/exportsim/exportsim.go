// Package exportsim is a sample recruitment platform. It invents an agency from a seed, with its people,
// jobs, e-mails and documents, makes the full export of it, and serves that over HTTP behind signed links
// that expire. It misbehaves on request.
//
// It exists for two readers. A person rehearses a takeover with it before asking for the real export; a test
// takes over an export whose every byte is known. Call [Prepare] first: it writes the export's objects to
// disk, the same bytes for the same [Config] each time. [Export.Serve] then serves them; [Export.Truth] and
// [Export.Documents] say what was made and what was spoilt on purpose, so that findings can be compared with
// the truth.
//
// Everyone in it is invented. Mail domains, phone numbers and national insurance numbers come from ranges
// that belong to nobody (RFC 2606; Ofcom's, ARCEP's and the NANP's numbers for drama; the prefix QQ).
//
// People are made in blocks of fifty that know one another: their companies, jobs, pipelines, tasks and
// history. A block depends on the seed and its number only, and one block at a time is in memory, so a
// million people take no more of it than a hundred.
package exportsim

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"holdall/schemas"
)

// A Shape is the form in which the export's parts are served.
type Shape string

// The shapes that exports are known, or feared, to have.
const (
	ShapeZIP Shape = "zip" // one ZIP a part: data.zip, attachments.zip, cvs.zip
	// data.zip; attachments and CVs in several ZIPs each, every one a link of its own in the master CSV
	ShapeParts Shape = "parts"
	// data.zip; a CSV of links to single attachments, a JSON of links to single CVs
	ShapeListing Shape = "listing"
	ShapeTar     Shape = "tar" // data.zip; attachments.tar; cvs.tar.gz
)

// Shapes returns all shapes, the default first.
func Shapes() []Shape { return []Shape{ShapeZIP, ShapeParts, ShapeListing, ShapeTar} }

// DefaultNow is the moment of an export that names no other: the agency's data end here.
var DefaultNow = time.Date(2026, 3, 31, 17, 30, 0, 0, time.UTC)

// MaxPeople is the largest agency that can be invented without two people sharing what must be their own.
const MaxPeople = 1_000_000

// DefaultExpire is how long links live when Config does not say: the vendor's seven days.
const DefaultExpire = 7 * 24 * time.Hour

// Config says what to invent and how to serve it. The zero Config is 500 people of seed 0 in the default
// shape and dialect.
type Config struct {
	Seed    uint64
	People  int             // candidates; 0 means 500
	Shape   Shape           // "" means ShapeZIP
	Dialect schemas.Dialect // "" means schemas.Title
	// bytes that half of the documents are larger than, as far as their text leaves room; 0 means 50,000
	DocumentSize int

	Expire  time.Duration // lifetime of the links; 0 means DefaultExpire
	Rate    int64         // bytes a second for each connection; 0 means no limit
	Latency time.Duration // waited before each answer
	Faults  []string      // see FaultNames; "name", "name=number", "name@path part", "name=number@path part"

	Mistakes bool // spoil the export itself: see Truth.Mistakes
	// form of ShapeListing's listings: csv, json, xml, html; "" means CSV for attachments, JSON for CVs
	Listing string
	// where the objects are kept and found again; "" means a temporary directory that Close removes
	Dir string
	Now time.Time // the moment of the export; zero means DefaultNow
}

// withDefaults returns c with every zero value replaced by what it means, or an error that names a value out
// of range.
func (c Config) withDefaults() (Config, error) {
	if c.People == 0 {
		c.People = 500
	}
	if c.Shape == "" {
		c.Shape = ShapeZIP
	}
	if c.Dialect == "" {
		c.Dialect = schemas.Title
	}
	if c.DocumentSize == 0 {
		c.DocumentSize = defaultDocumentSize
	}
	if c.Expire == 0 {
		c.Expire = DefaultExpire
	}
	if c.Now.IsZero() {
		c.Now = DefaultNow
	}
	c.Now = c.Now.UTC().Truncate(time.Second)
	return c, c.check()
}

func (c Config) check() error {
	switch c.Shape {
	case ShapeZIP, ShapeParts, ShapeListing, ShapeTar:
	default:
		return fmt.Errorf("unknown shape %q: want zip, parts, listing or tar", c.Shape)
	}
	switch c.Dialect {
	case schemas.Title, schemas.Camel, schemas.Snake:
	default:
		return fmt.Errorf("unknown dialect %q: want title, camel or snake", c.Dialect)
	}
	switch c.Listing {
	case "", "csv", "json", "xml", "html":
	default:
		return fmt.Errorf("unknown listing form %q: want csv, json, xml or html", c.Listing)
	}
	if c.People < 1 || c.People > MaxPeople {
		return fmt.Errorf("cannot invent %d people: want 1 to %d", c.People, MaxPeople)
	}
	if c.DocumentSize < 1 || c.DocumentSize > defaultDocumentSize {
		return fmt.Errorf(
			"cannot make documents of %d bytes: want 1 to %d", c.DocumentSize, defaultDocumentSize,
		)
	}
	if c.Expire < 0 || c.Rate < 0 || c.Latency < 0 {
		return errors.New("expire, rate and latency must not be negative")
	}
	if c.Now.Year() < 2015 {
		return fmt.Errorf(
			"the export cannot be of %s: the agency must have had a history by then",
			c.Now.Format(time.DateOnly),
		)
	}
	_, err := parseFaults(c.Faults)
	return err
}

// Export is a made-up export whose objects lie in a directory. Its methods may be used by several goroutines.
type Export struct {
	cfg   Config
	dir   string // holds the objects, their index and the truth
	temp  bool   // dir is ours to remove
	truth Truth
}

// Prepare makes the objects of the export, or finds them where an earlier Prepare with the same seed, people,
// shape, dialect, mistakes and moment left them. The caller must Close the Export. After an error nothing
// usable is left behind.
func Prepare(ctx context.Context, cfg Config) (*Export, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("prepare sample export: %w", err)
	}
	e := &Export{cfg: cfg, temp: cfg.Dir == ""}
	if e.temp {
		e.dir, err = os.MkdirTemp("", "holdall-sample-")
		if err == nil {
			e.truth, err = build(ctx, cfg, e.dir)
		}
		if err != nil && e.dir != "" {
			err = errors.Join(err, os.RemoveAll(e.dir))
		}
	} else {
		e.dir = filepath.Join(cfg.Dir, cfg.key())
		e.truth, err = findOrBuild(ctx, cfg, e.dir)
	}
	if err != nil {
		return nil, fmt.Errorf("prepare sample export: %w", err)
	}
	return e, nil
}

// findOrBuild returns what lies in dir if it is complete; else it builds next to dir and renames, so that two
// builders at a time do no harm.
func findOrBuild(ctx context.Context, cfg Config, dir string) (Truth, error) {
	if t, err := loadTruth(dir); err == nil {
		return t, nil
	}
	if err := os.MkdirAll(cfg.Dir, 0o755); err != nil {
		return Truth{}, err
	}
	part, err := os.MkdirTemp(cfg.Dir, cfg.key()+".part-")
	if err != nil {
		return Truth{}, err
	}
	defer os.RemoveAll(part)
	t, err := build(ctx, cfg, part)
	if err != nil {
		return Truth{}, err
	}
	if err := os.Rename(part, dir); err == nil {
		return t, nil
	}
	if t, err := loadTruth(dir); err == nil { // another builder was faster
		return t, nil
	}
	if err := os.RemoveAll(dir); err != nil {
		return Truth{}, err
	}
	return t, os.Rename(part, dir)
}

// key names the directory of all exports whose objects have the same bytes.
func (c Config) key() string {
	further := ""
	if c.Mistakes {
		further = "-mistakes"
	}
	if c.DocumentSize != defaultDocumentSize {
		further += fmt.Sprintf("-size%d", c.DocumentSize)
	}
	return fmt.Sprintf(
		"v%d-seed%d-people%d-%s-%s-%s%s", formatVersion, c.Seed, c.People, c.Shape, c.Dialect,
		c.Now.Format("20060102T150405"), further,
	)
}

// formatVersion changes whenever the same Config would make other bytes than before.
const formatVersion = 4

// Close removes the objects if they lie in a temporary directory. Close the servers first.
func (e *Export) Close() error {
	if e.temp {
		return os.RemoveAll(e.dir)
	}
	return nil
}
