package failure

import "testing"

func TestEveryCodeHasItsConsequences(t *testing.T) {
	for code, f := range codes {
		if (f.exit == 3 || f.exit == 130) != f.retryable || code.Exit() != f.exit ||
			code.Retryable() != f.retryable {
			t.Errorf("%s: exit %d, retryable %v", code, f.exit, f.retryable)
		}
	}
	if Code("unheard-of").Exit() != 1 {
		t.Error("a code that nobody knows is not a failure")
	}
}
