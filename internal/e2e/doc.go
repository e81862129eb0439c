// Package e2e has no code, only tests that run the built program as a user does: over real servers, with
// input that other programs made, killed at random moments, and with stock tools reading what it leaves
// behind.
//
// They take a minute or two. The full ordeal is run by hand:
//
//	HOLDALL_TEST_KILLS=200 HOLDALL_TEST_KILL_PEOPLE=1200 go test -run Killed -timeout 3h -v ./internal/e2e
package e2e
