package fetch

var listingFaults = []faultCase{
	{
		name: "some links of a listing are dead", test: testListingDeadLinks,
		outcome: "the others arrive; each dead one is told with its name, and asked for again by the next " +
			"run",
	},
	{
		name: "a listing's links expire half-way", test: testListingExpires,
		outcome: "`link-expired`, with no more than one request a connection after it",
	},
	{
		name: "every link of a listing shows a sign-in page", test: testListingOfPages,
		outcome: "`not-the-export`",
	},
	{
		name: "the same link stands in a listing twice", test: testListingDuplicates,
		outcome: "every byte is right, fetched once",
	},
	{
		name: "files of no bytes, and of equal names, stand in a listing", test: testListingOddFiles,
		outcome: "every byte is right, each file by itself",
	},
	{
		name: "the listing itself breaks off again and again", test: testListingBreaks,
		outcome: "every byte is right",
	},
	{
		name: "a listing is signed anew while some files are missing", test: testFreshListing,
		outcome: "what is here is asked for and known by its ETag; only what is missing is read",
	},
	{
		name: "a large file of a listing breaks off", test: testListingLargeFiles,
		outcome: "every byte is right; large files go on where they were",
	},
	{
		name: "killed at any moment while the files of a listing arrive", test: testListingKilled,
		outcome: "every byte is right; nothing that was here is fetched again",
	},
}
