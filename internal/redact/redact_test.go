package redact

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
)

func TestURL(t *testing.T) {
	for _, tc := range []struct{ name, link, want string }{
		{
			"signature in the query",
			"https://files.example.com/exports/attachments.zip?X-Amz-Signature=s3cr3t",
			"https://files.example.com/…/attachments.zip?…",
		},
		{"file at the top", "https://files.example.com/master.csv", "https://files.example.com/master.csv"},
		{
			"token in the path", "https://files.example.com/dl/9f8a7b6c5d4e3f2a1b/attachments.zip",
			"https://files.example.com/…/attachments.zip",
		},
		{
			"token as last element", "https://files.example.com/dl/9f8a7b6c5d4e3f2a1b",
			"https://files.example.com/…",
		},
		{
			"token that looks like a file", "https://files.example.com/dl/a9f8a7b6c5d4e3f2a1b.zip",
			"https://files.example.com/…",
		},
		{
			"password before the host", "https://me:s3cr3t@files.example.com/a.zip",
			"https://files.example.com/a.zip",
		},
		{
			"token in the host's name", "https://4f9a8b7c6d5e4f3a2b1c0d9e.files.example.com/a.zip",
			"https://….files.example.com/a.zip",
		},
		{
			"a long name of a host",
			"https://bucket-of-the-year-2026.s3.eu-central-1.amazonaws.example.com/a.zip",
			"https://bucket-of-the-year-2026.s3.eu-central-1.amazonaws.example.com/a.zip",
		},
		{
			"a number in parentheses, a date and accents",
			"https://files.example.com/d/2026-03-02%20Données%20(2).csv",
			"https://files.example.com/…/2026-03-02 Données (2).csv",
		},
		{
			"a long name",
			"https://files.example.com/northgate_recruitment_partners_candidates_2026-03-02.csv",
			"https://files.example.com/northgate_recruitment_partners_candidates_2026-03-02.csv",
		},
		{
			"a long token that looks like a file", "https://files.example.com/dl/" +
				"Zk3xQp-V7_tYb2LmNc8Rw_Ud4-Ho1JsEg6AiFy5Tq0.pdf",
			"https://files.example.com/…",
		},
		{"fragment", "https://files.example.com/a.zip#s3cr3t", "https://files.example.com/a.zip"},
		{"not a link", "s3cr3t", "…"},
		{"host only", "http://127.0.0.1:8080", "http://127.0.0.1:8080"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := URL(tc.link); got != tc.want {
				t.Errorf("URL(%q) = %q, want %q", tc.link, got, tc.want)
			}
		})
	}
}

func TestTextHidesEveryLink(t *testing.T) {
	in := `Attachments,"https://a.example/x/a.zip?sig=s3cr3t",=HYPERLINK("http://b.example/s3cr3t"),` +
		`https://nam.safelinks.protection.outlook.com/?url=https%3A%2F%2Fa.example%2Fs3cr3t&data=s3cr3t,` +
		`linkhttps://a.example/?sig=s3cr3t`
	got := Text(in)
	if strings.Contains(got, "s3cr3t") {
		t.Errorf("Text kept a secret: %s", got)
	}
	for _, want := range []string{
		`Attachments,"https://a.example/…/a.zip?…"`, `=HYPERLINK("http://b.example/…")`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("Text = %s, want it to contain %s", got, want)
		}
	}
}

// A link that was quoted by a JSON encoder, once or twice, ends no sooner than another one.
func TestTextHidesLinksThatJSONEscaped(t *testing.T) {
	for in, want := range map[string]string{
		`{"url":"https://a.example/x?verb=get\u0026X-Amz-Signature=s3cr3t"}`: `{"url":"https://a.example/…?…"}`,
		`"{\"url\":\"https://a.example/x?verb=get\\u0026sig=s3cr3t\"}"`:      `"{\"url\":\"https://a.example/…?…\"}"`,
		`{"url":"https:\/\/a.example\/s3cr3t?sig=s3cr3t"}`:                   `{"url":"https://a.example/…?…"}`,
	} {
		if got := Text(in); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
}

func TestErrorHidesTheLinkAndKeepsTheCause(t *testing.T) {
	err := fmt.Errorf(
		"probe: %w",
		&url.Error{Op: "Get", URL: "https://a.example/a.zip?sig=s3cr3t", Err: context.DeadlineExceeded},
	)
	got := Error(err)
	if strings.Contains(got.Error(), "s3cr3t") {
		t.Errorf("the error shows the secret: %v", got)
	}
	if !errors.Is(got, context.DeadlineExceeded) {
		t.Errorf("%v lost its cause", got)
	}
	var ue *url.Error
	if errors.As(got, &ue) {
		t.Errorf("the link is still reachable through %T", ue)
	}
}
