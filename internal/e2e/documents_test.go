// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tapo-exporter/tapo_exporter/tapo"
)

// documents returns the paths of all documents.
func documents(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, pattern := range []string{root + "/*.md", root + "/docs/*.md"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, found...)
	}
	if len(all) < 12 {
		t.Fatalf("%d documents", len(all))
	}
	return all
}

var (
	link         = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading      = regexp.MustCompile(`(?m)^#+ (.+)$`)
	codeBlock    = regexp.MustCompile("(?s)```.*?```")
	notInAnchors = regexp.MustCompile(`[^\p{L}\p{N}_-]`)
)

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

// TestLinks follows every link that does not leave the repository.
func TestLinks(t *testing.T) {
	followed := 0
	for _, path := range documents(t) {
		document, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(codeBlock.ReplaceAllString(string(document), ""), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			followed++
			file, anchor, _ := strings.Cut(m[1], "#")
			to := path
			if file != "" {
				to = filepath.Join(filepath.Dir(path), file)
			}
			if _, err := os.Stat(to); err != nil {
				t.Errorf("%s: %v", path, err)
			} else if anchor != "" && !headings(t, to)[anchor] {
				t.Errorf("%s: %s has no heading #%s", path, to, anchor)
			}
		}
	}
	if followed < 50 {
		t.Errorf("%d links", followed)
	}
}

// TestEveryReasonHasAHelp wants a heading of docs/troubleshooting.md for each.
func TestEveryReasonHasAHelp(t *testing.T) {
	there := headings(t, root+"/docs/troubleshooting.md")
	for _, reason := range tapo.Reasons() {
		if !there[string(reason)] {
			t.Errorf("no help with %s", reason)
		}
	}
}

var yamlBlock = regexp.MustCompile("(?s)( *)```yaml\n(.*?)```")

// yamlBlocks returns the YAML in a document.
func yamlBlocks(t *testing.T, path string) []string { return blocks(t, path, yamlBlock) }

// blocks returns what is in the fenced blocks of a document, without their
// indentation.
func blocks(t *testing.T, path string, fence *regexp.Regexp) (all []string) {
	t.Helper()
	document, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range fence.FindAllStringSubmatch(string(document), -1) {
		var b strings.Builder
		for line := range strings.Lines(m[2]) {
			b.WriteString(strings.TrimPrefix(line, m[1]))
		}
		all = append(all, b.String())
	}
	return all
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

// TestDocumentedConfigs has the program load the targets of documents.
func TestDocumentedConfigs(t *testing.T) {
	t.Parallel()
	loaded := 0
	for _, path := range documents(t) {
		for _, text := range yamlBlocks(t, path) {
			if !strings.Contains(text, "auths:") {
				continue
			}
			loaded++
			password := filepath.Join(t.TempDir(), "password")
			if err := os.WriteFile(password, []byte("secret"), 0o600); err != nil {
				t.Fatal(err)
			}
			text = regexp.MustCompile(`password_file: \S+`).ReplaceAllString(text, "password_file: "+password)
			checkConfig(t, text, nil)
		}
	}
	if loaded < 3 {
		t.Errorf("%d configurations", loaded)
	}
}

// TestSolarAlert has promtool check the alert of docs/solar.md.
func TestSolarAlert(t *testing.T) {
	promtool := tool(t, "promtool")
	texts := yamlBlocks(t, root+"/docs/solar.md")
	if len(texts) != 1 {
		t.Fatalf("%d blocks", len(texts))
	}
	path := filepath.Join(t.TempDir(), "balcony.yml")
	if err := os.WriteFile(path, []byte(texts[0]), 0o600); err != nil {
		t.Fatal(err)
	}
	runs(t, ".", promtool, "check", "rules", path)
}

// TestMigration has promtool check the rules that keep old names.
func TestMigration(t *testing.T) {
	promtool := tool(t, "promtool")
	texts := yamlBlocks(t, root+"/docs/migrating.md")
	i := slices.IndexFunc(texts, func(text string) bool { return strings.Contains(text, "record: tapo_current_power") })
	if i < 0 {
		t.Fatal("no rules")
	}
	path := filepath.Join(t.TempDir(), "rules.yml")
	if err := os.WriteFile(path, []byte(texts[i]), 0o600); err != nil {
		t.Fatal(err)
	}
	runs(t, ".", promtool, "check", "rules", path)
}
