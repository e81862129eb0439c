package bagit_test

import "strings"

// declarations are bags that differ in bagit.txt, the encoding of their tag files, and their line ends.
var declarations = []verdict{
	{name: "a bag of version 1.0 is valid", bag: simple(nil)},
	{name: "a bag of version 0.97 is valid", bag: old(nil)},
	{
		name: "a bag of the first draft, 0.93, is valid",
		bag:  with("bagit.txt", strings.Replace(declared10, "1.0", "0.93", 1)),
	},
	{name: "an empty payload with an empty manifest is valid",
		bag: bag{"bagit.txt": declared10, "data/": "", "manifest-sha256.txt": ""}},
	{name: "without bagit.txt it is not a bag", bag: simple(func(b bag) { delete(b, "bagit.txt") }),
		faults: []string{"missing bagit.txt"}},
	{
		name:   "a version that does not exist is a fault",
		bag:    with("bagit.txt", strings.Replace(declared10, "1.0", "2.7", 1)),
		faults: []string{"declaration-invalid bagit.txt"},
	},
	{
		name:   "a version that is no number is a fault",
		bag:    with("bagit.txt", strings.Replace(declared10, "1.0", "one", 1)),
		faults: []string{"declaration-invalid bagit.txt"},
	},
	{name: "a declaration without an encoding is a fault", bag: with("bagit.txt", "BagIt-Version: 1.0\n"),
		faults: []string{"declaration-invalid bagit.txt", "declaration-invalid bagit.txt"}},
	{name: "an encoding that nobody knows is a fault",
		bag:    with("bagit.txt", strings.Replace(declared10, "UTF-8", "UTF-5", 1)),
		faults: []string{"declaration-invalid bagit.txt"}},
	{name: "a byte-order mark before the declaration is a fault", bag: with("bagit.txt", "\ufeff"+declared10),
		faults: []string{"declaration-invalid bagit.txt"}},
	{name: "a third line of the declaration is a fault", bag: with("bagit.txt", declared10+"Note: x\n"),
		faults: []string{"declaration-invalid bagit.txt"}, tool: "it takes any labels"},
	{name: "the two lines in the other order are a fault",
		bag: with("bagit.txt", "Tag-File-Character-Encoding: UTF-8\nBagIt-Version: 1.0\n"),
		faults: []string{
			"declaration-invalid bagit.txt",
			"declaration-invalid bagit.txt",
		}, tool: "it takes any order"},
	{
		name:   "a blank before the colon is a fault of 1.0",
		bag:    with("bagit.txt", strings.Replace(declared10, "Version:", "Version :", 1)),
		faults: []string{"declaration-invalid bagit.txt"},
		tool:   "it trims labels",
	},
	{name: "a blank before the colon is a note of 0.97",
		bag: old(
			func(b bag) { b["bagit.txt"] = strings.Replace(declared97, "Version:", "Version :", 1) },
		), note: "blanks"},
	{name: "CRLF ends lines", bag: simple(func(b bag) {
		for _, name := range []string{"bagit.txt", "manifest-sha256.txt"} {
			b[name] = strings.ReplaceAll(b[name], "\n", "\r\n")
		}
	})},
	{name: "CR alone ends lines", bag: simple(func(b bag) {
		b["data/b.txt"] = "b"
		b["manifest-sha256.txt"] += line("sha256", "b", "data/b.txt")
		for _, name := range []string{"bagit.txt", "manifest-sha256.txt"} {
			b[name] = strings.ReplaceAll(b[name], "\n", "\r")
		}
	})},
	{name: "the last line need not end",
		bag: with("bagit.txt", strings.TrimSuffix(declared10, "\n"), "manifest-sha256.txt",
			strings.TrimSuffix(line("sha256", letter, "data/a.txt"), "\n"))},
	{name: "tag files in UTF-16 are read", bag: bag{
		"bagit.txt": strings.Replace(declared10, "UTF-8", "UTF-16", 1), "data/Zeugnis ü.txt": letter,
		"manifest-sha256.txt": utf16le(line("sha256", letter, "data/Zeugnis ü.txt")),
		"bag-info.txt":        utf16le("Payload-Oxum: 11.1\nContact-Name: Ilse Vargä\n"),
	}},
	{name: "tag files in ISO-8859-1 are read", bag: bag{
		"bagit.txt": strings.Replace(declared10, "UTF-8", "ISO-8859-1", 1), "data/Zeugnis ü.txt": letter,
		"manifest-sha256.txt": latin1(line("sha256", letter, "data/Zeugnis ü.txt")),
	}},
	{name: "tag files that are not in the encoding that is declared are a fault", bag: bag{
		"bagit.txt": declared10, "data/Zeugnis ü.txt": letter,
		"manifest-sha256.txt": latin1(line("sha256", letter, "data/Zeugnis ü.txt")),
	}, faults: []string{
		"unexpected data/Zeugnis ü.txt", "missing data/Zeugnis \xfc.txt",
		"manifest-invalid manifest-sha256.txt",
	}},
	{name: "a byte-order mark in a manifest of UTF-8 is a note",
		bag: with(
			"manifest-sha256.txt",
			"\ufeff"+line("sha256", letter, "data/a.txt"),
		), note: "byte-order mark"},
}

// names are bags that differ in the names of their files.
var names = []verdict{
	{
		name: "a name with blanks is listed as it is",
		bag:  named("offer letter 2.txt", "data/offer letter 2.txt"),
	},
	{name: "a line feed in a name is %0A", bag: named("a\nb.txt", "data/a%0Ab.txt"), note: "on Windows"},
	{name: "a carriage return in a name is %0D, or %0d", bag: named("a\rb.txt", "data/a%0db.txt"),
		note: "on Windows", tool: "it decodes upper case only"},
	{
		name: "a percent sign in a name is %25",
		bag:  named("100%.txt", "data/100%25.txt"),
		tool: "it does not decode it",
	},
	{name: "%25 is decoded once", bag: named("a%0Ab.txt", "data/a%250Ab.txt"), tool: "it does not decode it"},
	{name: "an escape for another character is not decoded", bag: named("a%20b.txt", "data/a%20b.txt")},
	{
		name: "a name that would be decoded, and is there as it is, is a note",
		bag:  named("a%25b.txt", "data/a%25b.txt"),
		note: "percent sign is not encoded",
	},
	{name: "%25 of 0.97 is itself", bag: old(func(b bag) {
		delete(b, "data/a.txt")
		b["data/a%25.txt"], b["manifest-sha256.txt"] = letter, line("sha256", letter, "data/a%25.txt")
	})},
	{
		name: "a name in another Unicode form than the file's is a note",
		bag:  named("u\u0308ber.txt", "data/\u00fcber.txt"),
		note: "another Unicode form",
	},
	{
		name: "two names that differ only in case are a note",
		bag: with("data/A.txt", letter, "manifest-sha256.txt",
			line("sha256", letter, "data/a.txt")+line("sha256", letter, "data/A.txt")),
		note: "differ only in case",
	},
	{
		name: "two names that differ only in their Unicode form are two files, and a note",
		bag: with(
			"data/\u00fc",
			"one",
			"data/u\u0308",
			"two",
			"manifest-sha256.txt",
			line("sha256", letter, "data/a.txt")+
				line("sha256", "one", "data/\u00fc")+line("sha256", "two", "data/u\u0308"),
		),
		note: "differ only in their Unicode form",
		tool: "it gives up on such bags",
	},
	{
		name: "a name that Windows reserves is a note",
		bag:  named("aux.txt", "data/aux.txt"),
		note: "on Windows",
	},
	{name: "a bag in a bag is payload like any other", bag: with(
		"data/bag/bagit.txt",
		declared10,
		"data/bag/manifest-md5.txt",
		"0  data/none\n",
		"manifest-sha256.txt",
		line("sha256", letter, "data/a.txt")+line("sha256", declared10, "data/bag/bagit.txt")+
			line("sha256", "0  data/none\n", "data/bag/manifest-md5.txt"),
	)},
	{name: "a name with a shell's variable is only a name", bag: named("$HOME.txt", "data/$HOME.txt")},
	{name: `"./" before a name is a note`, bag: named("a.txt", "./data/a.txt"), note: `begins with "./"`},
	{
		name: `the "*" of md5sum is a note`,
		bag:  with("manifest-sha256.txt", sum("sha256", letter)+" *data/a.txt\n"),
		note: `"*" is before a name`,
	},
	{name: "a tab between checksum and name is as good as blanks",
		bag: with("manifest-sha256.txt", sum("sha256", letter)+"\t \tdata/a.txt\n")},
	{name: "digits of a checksum may be in upper case",
		bag: with("manifest-sha256.txt", strings.ToUpper(sum("sha256", letter))+"  data/a.txt\n"),
	},
	{name: "a backslash in place of a slash is a fault", bag: named("a.txt", `data\a.txt`),
		faults: []string{"manifest-invalid manifest-sha256.txt"}},
	{name: "a name that leads above the bag is a fault",
		bag: with("manifest-sha256.txt",
			line("sha256", letter, "data/a.txt")+line("sha256", letter, "data/../../bag/data/a.txt")),
		faults: []string{"path-unsafe manifest-sha256.txt"}, tool: "the name leads back into this bag"},
	{name: "an absolute name is a fault",
		bag: with(
			"manifest-sha256.txt",
			line("sha256", letter, "data/a.txt")+line("sha256", letter, "/etc/hostname"),
		),
		faults: []string{"path-unsafe manifest-sha256.txt"}},
	{name: "a name with a drive is a fault",
		bag: with(
			"manifest-sha256.txt",
			line("sha256", letter, "data/a.txt")+line("sha256", letter, `C:\data\a.txt`),
		),
		faults: []string{"path-unsafe manifest-sha256.txt"}},
	{name: "a name in somebody's home is a fault",
		bag: with(
			"manifest-sha256.txt",
			line("sha256", letter, "data/a.txt")+line("sha256", letter, "~/a.txt"),
		),
		faults: []string{"path-unsafe manifest-sha256.txt"}},
	{name: "a name that an escape leads above the bag is a fault",
		bag: with(
			"manifest-sha256.txt",
			line("sha256", letter, "data/a.txt")+line("sha256", letter, "data/x/../../../%0A"),
		),
		faults: []string{"path-unsafe manifest-sha256.txt"}},
}

// manifests are bags that differ in what their manifests list.
var manifests = []verdict{
	{name: "a changed file is a fault", bag: with("data/a.txt", strings.ToUpper(letter)),
		faults: []string{"hash-mismatch data/a.txt"}},
	{
		name:   "a file that is gone is a fault",
		bag:    simple(func(b bag) { delete(b, "data/a.txt"); b["data/"] = "" }),
		faults: []string{"missing data/a.txt"},
	},
	{name: "a payload file that no manifest lists is a fault", bag: with("data/b.txt", "b"),
		faults: []string{"unexpected data/b.txt"}},
	{name: "without a payload manifest there is nothing to check by",
		bag: simple(
			func(b bag) { delete(b, "manifest-sha256.txt") },
		), faults: []string{"missing manifest-sha256.txt"}},
	{name: "without the payload directory it is not a bag",
		bag: bag{"bagit.txt": declared10, "manifest-sha256.txt": ""}, faults: []string{"missing data"}},
	{name: "a file that is in one of two manifests of 1.0 is a fault", bag: twoManifests(declared10),
		faults: []string{
			"manifest-incomplete manifest-md5.txt",
		}, tool: "it demands one manifest, as of 0.97"},
	{
		name: "a file that is in one of two manifests of 0.97 is a note",
		bag:  twoManifests(declared97),
		note: "does not list",
	},
	{
		name:   "a file listed twice is a fault of 1.0",
		bag:    simple(func(b bag) { b["manifest-sha256.txt"] += b["manifest-sha256.txt"] }),
		faults: []string{"duplicate-entry manifest-sha256.txt"},
	},
	{name: "a file listed twice the same is a note of 0.97",
		bag: old(func(b bag) { b["manifest-sha256.txt"] += b["manifest-sha256.txt"] }), note: "twice"},
	{name: "a file listed twice with different checksums is a fault of any version",
		bag:    old(func(b bag) { b["manifest-sha256.txt"] += line("sha256", "other", "data/a.txt") }),
		faults: []string{"duplicate-entry manifest-sha256.txt"}},
	{name: `a file listed twice, once with "./", is listed twice`,
		bag:    simple(func(b bag) { b["manifest-sha256.txt"] += line("sha256", letter, "./data/a.txt") }),
		faults: []string{"duplicate-entry manifest-sha256.txt"}},
	{
		name:   "a line without a name is a fault",
		bag:    simple(func(b bag) { b["manifest-sha256.txt"] += sum("sha256", "x") + "\n" }),
		faults: []string{"manifest-invalid manifest-sha256.txt"},
		tool:   "it passes over such lines",
	},
	{
		name:   "a comment is a fault",
		bag:    simple(func(b bag) { b["manifest-sha256.txt"] += "# made by hand\n" }),
		faults: []string{"manifest-invalid manifest-sha256.txt"},
		tool:   "it passes over comments",
	},
	{
		name: "an empty line is a note",
		bag:  simple(func(b bag) { b["manifest-sha256.txt"] += "\n" }),
		note: "a line is empty",
	},
	{name: "a checksum of another length is a fault",
		bag:    with("manifest-sha256.txt", line("md5", letter, "data/a.txt")),
		faults: []string{"unexpected data/a.txt", "manifest-invalid manifest-sha256.txt"}},
	{name: "a payload manifest that lists a tag file is a fault",
		bag:    simple(func(b bag) { b["manifest-sha256.txt"] += line("sha256", declared10, "bagit.txt") }),
		faults: []string{"manifest-invalid manifest-sha256.txt"}, tool: "it takes any names"},
	{name: "the algorithm in a manifest's name is in lower case and without hyphens",
		bag: bag{
			"bagit.txt":            declared10,
			"data/a.txt":           letter,
			"manifest-SHA-256.txt": line("sha256", letter, "data/a.txt"),
		},
		faults: []string{"manifest-invalid manifest-SHA-256.txt"}},
	{name: "a payload that only an unknown algorithm describes cannot be checked",
		bag: bag{
			"bagit.txt":          declared10,
			"data/a.txt":         letter,
			"manifest-crc99.txt": "00ff  data/a.txt\n",
		},
		faults: []string{"manifest-invalid manifest-crc99.txt"}},
	{
		name: "an unknown algorithm beside a known one is a note",
		bag:  with("manifest-crc99.txt", "00ff  data/a.txt\n"),
		note: "algorithm is not known",
	},
	{name: "a tag file that is not what the tag manifest says is a fault",
		bag:    tagged(func(b bag) { b["bag-info.txt"] = "Contact-Name: Another\n" }),
		faults: []string{"hash-mismatch bag-info.txt"}},
	{name: "a tag file that the tag manifest lists and that is gone is a fault",
		bag: tagged(func(b bag) { delete(b, "bag-info.txt") }), faults: []string{"missing bag-info.txt"}},
	{name: "a tag manifest without the payload manifest is a fault of 1.0",
		bag:    with("tagmanifest-sha256.txt", line("sha256", declared10, "bagit.txt")),
		faults: []string{"manifest-incomplete tagmanifest-sha256.txt"}, tool: "it does not ask for it"},
	{name: "a tag manifest that lists a tag manifest is a fault",
		bag: tagged(func(b bag) {
			b["tagmanifest-md5.txt"] = line(
				"md5",
				b["manifest-sha256.txt"],
				"manifest-sha256.txt",
			) + line(
				"md5",
				declared10,
				"bagit.txt",
			) +
				line(
					"md5",
					b["bag-info.txt"],
					"bag-info.txt",
				)
			b["tagmanifest-sha256.txt"] += line("sha256", b["tagmanifest-md5.txt"], "tagmanifest-md5.txt")
		}), faults: []string{"manifest-invalid tagmanifest-sha256.txt"}, tool: "it takes any names"},
	{
		name: "a tag file that no tag manifest lists is a note",
		bag:  tagged(func(b bag) { b["readme.txt"] = "x" }),
		note: "does not list readme.txt",
	},
	{name: "tag files in directories are checked",
		bag: tagged(func(b bag) {
			b["metadata/a.xml"] = "<b/>"
			b["tagmanifest-sha256.txt"] += line("sha256", "<a/>", "metadata/a.xml")
		}),
		faults: []string{"hash-mismatch metadata/a.xml"}},
}

// twoManifests is a bag of two files, of which one manifest lists both and the other one.
func twoManifests(declaration string) bag {
	return bag{
		"bagit.txt": declaration, "data/a.txt": letter, "data/b.txt": "b",
		"manifest-sha256.txt": line("sha256", letter, "data/a.txt") + line("sha256", "b", "data/b.txt"),
		"manifest-md5.txt":    line("md5", letter, "data/a.txt"),
	}
}

// tagged is simple with bag-info.txt and a tag manifest, changed afterwards.
func tagged(change func(b bag)) bag {
	return simple(func(b bag) {
		b["bag-info.txt"] = "Contact-Name: Ilse Varga\nPayload-Oxum: 11.1\n"
		for _, name := range []string{"bag-info.txt", "bagit.txt", "manifest-sha256.txt"} {
			b["tagmanifest-sha256.txt"] += line("sha256", b[name], name)
		}
		change(b)
	})
}
