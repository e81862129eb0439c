package main

import "holdall/fetch/failure"

// hintOf says what the user can do about a failed fetch, with the flags that this command line has for it.
func hintOf(e *failure.Error) string {
	switch e.Reason {
	case failure.ReasonPrivateAddress:
		return "when you trust this link, allow it with --allow-private; else ask for a new master CSV"
	case failure.ReasonPlainHTTP:
		return "when you trust this link, allow it with --allow-http; else ask for a new master CSV"
	case failure.ReasonProxy:
		return "check the proxy in HTTPS_PROXY, with its user and password, and " + rerunHint
	case failure.ReasonCertificate:
		return "if your own network has a proxy in between, give its certificate with --ca-file; " +
			"otherwise stop here: the connection may be intercepted"
	case failure.ReasonSpoolFull:
		return "free space, or choose another directory with --spool, and run the same command again"
	case failure.ReasonSpoolLost:
		return "connect that disk or bring the directory back, or name where it is now with --spool; " +
			"--new begins again"
	case failure.ReasonSpoolUnusable:
		return "choose another directory with --spool"
	}
	if !e.ResumeAfter.IsZero() && e.Retryable() {
		return "run the same command again after " + e.ResumeAfter.Local().Format("2006-01-02 15:04") +
			", as the server asks"
	}
	return e.Hint
}
