package main

import (
	"time"

	"github.com/spf13/pflag"

	"holdall/archive/s3store"
)

// s3Flags say how objects are kept in S3.
type s3Flags struct {
	retainUntil  string
	retainMode   string
	legalHold    bool
	kmsKey       string
	storageClass string
}

func (o *s3Flags) addFlags(f *pflag.FlagSet) {
	f.StringVar(&o.retainUntil, "retain-until", "", "in S3: no deletion before this `DATE` (Object Lock)")
	f.StringVar(&o.retainMode, "retain-mode", "governance", "`governance or compliance`, for --retain-until")
	f.BoolVar(&o.legalHold, "legal-hold", false, "in S3: put a legal hold on everything (Object Lock)")
	f.StringVar(&o.kmsKey, "sse-kms-key", "", "in S3: encrypt with the KMS key of this `ID`")
	f.StringVar(&o.storageClass, "storage-class", "", "in S3: the storage `CLASS`, such as STANDARD_IA")
}

// options checks the flags; to is the root that they are for.
func (o *s3Flags) options(to string) (s3store.Options, error) {
	s := s3store.Options{
		RetainMode: o.retainMode, LegalHold: o.legalHold, KMSKey: o.kmsKey, StorageClass: o.storageClass,
	}
	asked := o.retainUntil != "" || o.legalHold || o.kmsKey != "" || o.storageClass != ""
	if asked && !isS3(to) {
		return s, usagef("leave them out, or name a root s3://bucket/prefix",
			"--retain-until, --legal-hold, --sse-kms-key and --storage-class are for roots in S3")
	}
	if o.retainMode != "governance" && o.retainMode != "compliance" {
		return s, usagef("use governance or compliance", "unknown --retain-mode %q", o.retainMode)
	}
	if o.retainUntil == "" {
		return s, nil
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if at, err := time.Parse(layout, o.retainUntil); err == nil {
			s.RetainUntil = at.UTC()
			if at.Before(time.Now()) {
				return s, usagef("name a day to come", "--retain-until %s has passed", o.retainUntil)
			}
			return s, nil
		}
	}
	return s, usagef("write it as 2030-12-31", "--retain-until %q is not a date", o.retainUntil)
}
