package bagit_test

// infos are bags that differ in bag-info.txt.
var infos = []verdict{
	{name: "all that bag-info.txt may have", bag: with("bag-info.txt",
		"Source-Organization: Birkdale Ltd\nExternal-Description: A long text\n that goes on\n\tand on\n"+
			"Contact-Name: A\nContact-Name: B\npayload-oxum: 11.1\n")},
	{
		name:   "a Payload-Oxum that the payload does not make is a fault",
		bag:    with("bag-info.txt", "Payload-Oxum: 12.1\n"),
		faults: []string{"payload-mismatch bag-info.txt"},
	},
	{name: "a Payload-Oxum that is none is a fault", bag: with("bag-info.txt", "Payload-Oxum: eleven\n"),
		faults: []string{"info-invalid bag-info.txt"}},
	{
		name:   "two Payload-Oxums are a fault of 1.0",
		bag:    with("bag-info.txt", "Payload-Oxum: 11.1\nPayload-Oxum: 11.1\n"),
		faults: []string{"info-invalid bag-info.txt"},
		tool:   "it takes the first",
	},
	{
		name:   "a line without a colon is a fault",
		bag:    with("bag-info.txt", "Contact-Name: A\nand nothing else\n"),
		faults: []string{"info-invalid bag-info.txt"},
	},
	{
		name:   "a value that continues nothing is a fault",
		bag:    with("bag-info.txt", "  and so on\nContact-Name: A\n"),
		faults: []string{"info-invalid bag-info.txt"},
	},
	{name: "a blank before a colon is a fault of 1.0", bag: with("bag-info.txt", "Contact-Name : A\n"),
		faults: []string{"info-invalid bag-info.txt"}, tool: "it trims labels"},
}

// fetches are bags whose payload is, or was, partly elsewhere.
var fetches = []verdict{
	{name: "a file that has been fetched may stay in fetch.txt",
		bag: with("fetch.txt", "https://files.example.com/a.txt 11 data/a.txt\n")},
	{name: "a file that is still to be fetched makes the bag incomplete",
		bag: simple(func(b bag) {
			b["fetch.txt"] = "https://files.example.com/b.txt - data/b.txt\n"
			b["manifest-sha256.txt"] += line("sha256", "b", "data/b.txt")
		}), faults: []string{"not-fetched data/b.txt"}},
	{name: "a fetched file of another length is a fault",
		bag: with(
			"fetch.txt",
			"https://files.example.com/a.txt 12 data/a.txt\n",
		), faults: []string{"size-mismatch data/a.txt"},
		tool: "it does not compare lengths"},
	{name: "a file of fetch.txt that no manifest lists is a fault",
		bag: with("fetch.txt", "https://files.example.com/b.txt - data/b.txt\n"),
		faults: []string{
			"not-fetched data/b.txt",
			"fetch-invalid fetch.txt",
		}, tool: "it asks only for what manifests list"},
	{name: "fetch.txt must not list tag files",
		bag: with(
			"fetch.txt",
			"https://files.example.com/b.txt - bag-info.txt\n",
			"bag-info.txt",
			"Contact-Name: A\n",
		),
		faults: []string{
			"fetch-invalid fetch.txt",
			"fetch-invalid fetch.txt",
		}, tool: "it asks only for what manifests list"},
	{name: "a line of fetch.txt without a length is a fault",
		bag: with(
			"fetch.txt",
			"https://files.example.com/a.txt data/a.txt\n",
		), faults: []string{"fetch-invalid fetch.txt"}},
	{name: "a URL that is not absolute is a fault", bag: with("fetch.txt", "/a.txt 11 data/a.txt\n"),
		faults: []string{"fetch-invalid fetch.txt"}},
	{name: "a name of fetch.txt that leads out of the bag is a fault",
		bag: with(
			"fetch.txt",
			"https://files.example.com/a.txt 11 data/../../a.txt\n",
		), faults: []string{"path-unsafe fetch.txt"}},
	{name: "blanks in a name of fetch.txt belong to it",
		bag: simple(func(b bag) {
			b["data/b c.txt"] = "b"
			b["fetch.txt"] = "https://files.example.com/b%20c.txt\t1\tdata/b c.txt\n"
			b["manifest-sha256.txt"] += line("sha256", "b", "data/b c.txt")
		})},
}
