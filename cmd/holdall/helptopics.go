package main

import (
	"embed"
	"path"
	"strings"

	"github.com/spf13/cobra"
)

// A topic's first line is its summary; the rest is its text.
//
//go:embed topics/*.txt
var topicTexts embed.FS

// topics returns a help topic for each text: "holdall help exit-codes".
func topics() []*cobra.Command {
	var all []*cobra.Command
	names, err := topicTexts.ReadDir("topics")
	if err != nil {
		panic(err) // embedded: cannot fail
	}
	for _, n := range names {
		text, err := topicTexts.ReadFile(path.Join("topics", n.Name()))
		if err != nil {
			panic(err)
		}
		summary, body, _ := strings.Cut(string(text), "\n")
		all = append(all, &cobra.Command{
			Use:   strings.TrimSuffix(n.Name(), ".txt"),
			Short: summary,
			Long:  summary + "\n" + strings.TrimRight(body, "\n"),
		})
	}
	return all
}
