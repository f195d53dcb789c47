// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

var yamlBlock = regexp.MustCompile("(?s)( *)```yaml\n(.*?)```")

// yamlBlocks returns the YAML in a document.
func yamlBlocks(t *testing.T, path string) (blocks []string) {
	t.Helper()
	document, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range yamlBlock.FindAllStringSubmatch(string(document), -1) {
		var b strings.Builder
		for line := range strings.Lines(m[2]) {
			b.WriteString(strings.TrimPrefix(line, m[1]))
		}
		blocks = append(blocks, b.String())
	}
	return blocks
}

// documentedConfig returns the scrape configuration of a document that contains
// a word, scraping every second, with other addresses of exporters.
func documentedConfig(t *testing.T, path, word string, addresses ...string) string {
	t.Helper()
	for _, text := range yamlBlocks(t, path) {
		if strings.Contains(text, "scrape_configs:") && strings.Contains(text, word) {
			text = strings.NewReplacer(addresses...).Replace(text)
			return "global: {scrape_interval: 1s, scrape_timeout: 1s}\n" + strings.ReplaceAll(text, "scrape_interval: 15s", "scrape_interval: 1s")
		}
	}
	t.Fatalf("no scrape configuration with %s in %s", word, path)
	return ""
}

var heading = regexp.MustCompile(`(?m)^#+ (.+)$`)

// headings returns the anchors of a document's headings, as GitHub makes them.
func headings(t *testing.T, path string) map[string]bool {
	t.Helper()
	document, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	anchors := map[string]bool{}
	for _, m := range heading.FindAllStringSubmatch(codeBlock.ReplaceAllString(string(document), ""), -1) {
		anchor := strings.ReplaceAll(strings.ToLower(m[1]), " ", "-")
		anchors[notInAnchors.ReplaceAllString(anchor, "")] = true
	}
	return anchors
}

var (
	codeBlock    = regexp.MustCompile("(?s)```.*?```")
	notInAnchors = regexp.MustCompile(`[^a-z0-9_-]`)
)
