// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package config

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/tapo-exporter/tapo_exporter/tapo"
)

// Environment variables that define the account "default" where no file defines
// one.
const (
	envUsername     = "TAPO_USERNAME"
	envPassword     = "TAPO_PASSWORD"
	envPasswordFile = "TAPO_PASSWORD_FILE"

	envAuth = "default"
)

// Load reads, completes and checks a file. Without a path, the environment is
// all there is. lookupEnv is os.LookupEnv but in tests.
func Load(path string, lookupEnv func(string) (string, bool)) (*Config, error) {
	if path == "" {
		return parse(nil, ".", lookupEnv)
	}
	data, err := os.ReadFile(path) //nolint:gosec // the path is the operator's
	if err != nil {
		return nil, err
	}
	c, err := parse(data, filepath.Dir(path), lookupEnv)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// parse loads the content of a file that lies in dir.
func parse(data []byte, dir string, lookupEnv func(string) (string, bool)) (*Config, error) {
	c := &Config{}
	root, err := decode(data, c)
	if err != nil {
		return nil, err
	}
	l := loader{Config: c, root: root, dir: dir, lookupEnv: lookupEnv}
	l.completeAuths()
	l.checkTargets()
	l.checkDiscovery()
	l.checkUnlisted()
	if len(l.errs) > 0 {
		return nil, errors.Join(l.errs...)
	}
	c.indexed()
	return c, nil
}

// decode reads one YAML document strictly, and as a tree to find lines in.
func decode(data []byte, c *Config) (*yaml.Node, error) {
	root := &yaml.Node{}
	if err := yaml.Unmarshal(data, root); err != nil {
		return nil, syntaxError(err, data)
	}
	if line := taggedLine(root); line > 0 {
		return nil, fmt.Errorf("line %d: a value that starts with ! must be in quotes", line)
	}
	d := yaml.NewDecoder(bytes.NewReader(data))
	d.KnownFields(true)
	if err := d.Decode(c); err != nil && !errors.Is(err, io.EOF) {
		return nil, sanitize(err)
	}
	var second yaml.Node
	if err := d.Decode(&second); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("line %d: a second document: put everything into one", max(1, second.Line))
	}
	return root, nil
}

var (
	unknownKey = regexp.MustCompile(`(?s)^line (\d+): field (.*) not found in type config\.(\w+)$`)
	repeated   = regexp.MustCompile(`(?s)^line (\d+): mapping key ".*" already defined at line (\d+)$`)
	wrongKind  = regexp.MustCompile(`^line (\d+): cannot unmarshal !!(\w+)`)
	anyLine    = regexp.MustCompile(`^line \d+`)
	alias      = regexp.MustCompile(`unknown anchor .* referenced`)
	aliasLine  = regexp.MustCompile(`(?m)[:\[,-]\s*\*\S`)
	plainKey   = regexp.MustCompile(`^[A-Za-z0-9_-]*`)
)

// sanitize rewords an error about values without quoting any: a misplaced password is a
// value like any other. In an account it may even be taken for a key, such as the end of
// one with a comma.
func sanitize(err error) error {
	problems, ok := errors.AsType[*yaml.TypeError](err)
	if !ok { // the text may have a value in it
		return errors.New("a value is not understood: is there one that starts with & or * and is not in quotes?")
	}
	var errs []error
	for _, text := range problems.Errors {
		if m := unknownKey.FindStringSubmatch(text); m != nil && m[3] == "Auth" {
			errs = append(errs, fmt.Errorf("line %s: no such setting: an account has username, password and password_file (a blank after each colon? a password with special characters in quotes?)", m[1]))
		} else if m != nil {
			errs = append(errs, fmt.Errorf("line %s: %s: no such setting here", m[1], plainKey.FindString(m[2])))
		} else if m := repeated.FindStringSubmatch(text); m != nil {
			errs = append(errs, fmt.Errorf("line %s: the same key as in line %s", m[1], m[2]))
		} else if m := wrongKind.FindStringSubmatch(text); m != nil {
			errs = append(errs, fmt.Errorf("line %s: %s where something else belongs", m[1], cmp.Or(kinds[m[2]], "a value")))
		} else {
			errs = append(errs, fmt.Errorf("%s: not understood", anyLine.FindString(text)))
		}
	}
	return errors.Join(errs...)
}

// kinds are YAML's in words.
var kinds = map[string]string{"str": "a text", "seq": "a list", "map": "a mapping", "int": "a number", "float": "a number", "bool": "true or false"}

// taggedLine returns the first line with a tag, 0 if there is none. The decoder quotes
// values that do not fit their tags, and no setting needs one.
func taggedLine(node *yaml.Node) int {
	if node.Style&yaml.TaggedStyle != 0 && node.Tag != "!!str" {
		return node.Line
	}
	for _, n := range node.Content {
		if line := taggedLine(n); line > 0 {
			return line
		}
	}
	return 0
}

// syntaxError rewords what the parser says of a file that is no YAML. The only
// thing that it quotes is the name of an alias.
func syntaxError(err error, data []byte) error {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	if alias.MatchString(text) {
		line := 1
		if at := aliasLine.FindIndex(data); at != nil {
			line += bytes.Count(data[:at[1]], []byte("\n"))
		}
		return fmt.Errorf("line %d: a value that starts with * must be in quotes", line)
	}
	return fmt.Errorf("%s (a tab in place of blanks? a value with special characters that is not in quotes?)", text)
}

// loader gathers errors while it completes a configuration.
type loader struct {
	*Config
	root      *yaml.Node
	dir       string
	lookupEnv func(string) (string, bool)
	errs      []error
}

// fail adds an error about the place that path leads to: keys and indexes.
func (l *loader) fail(format string, args []any, path ...any) {
	err := fmt.Errorf(format, args...)
	if line := findLine(l.root, path); line > 0 {
		err = fmt.Errorf("line %d: %w", line, err)
	}
	l.errs = append(l.errs, err)
}

func (l *loader) warn(format string, args ...any) {
	l.Warnings = append(l.Warnings, fmt.Sprintf(format, args...))
}

// findLine returns the line of what a path leads to, or of the deepest part of
// the path that exists; 0 if there is none.
func findLine(root *yaml.Node, path []any) int {
	for ; len(path) > 0; path = path[:len(path)-1] {
		if node := find(root, path); node != nil {
			return node.Line
		}
	}
	if node := find(root, nil); node != nil {
		return node.Line
	}
	return 0
}

// find returns the node that a path of keys and indexes leads to, or nil.
func find(node *yaml.Node, path []any) *yaml.Node {
	if node != nil && node.Kind == yaml.DocumentNode && len(node.Content) > 0 {
		node = node.Content[0]
	}
	if node == nil || len(path) == 0 {
		return node
	}
	switch at := path[0].(type) {
	case int:
		if node.Kind == yaml.SequenceNode && at < len(node.Content) {
			return find(node.Content[at], path[1:])
		}
	case string:
		for pair := range slices.Chunk(node.Content, 2) { // key and value
			if node.Kind == yaml.MappingNode && pair[0].Value == at {
				return find(pair[1], path[1:])
			}
		}
	}
	return nil
}

// completeAuths reads password files, expands variables, and takes the account
// of the environment if the file has none.
func (l *loader) completeAuths() {
	for name, auth := range l.Auths {
		at := func(key string) []any { return []any{"auths", name, key} }
		l.warnOfComment(name)
		auth.Username = l.expand(auth.Username, at("username"))
		auth.Password = tapo.Secret(l.expand(string(auth.Password), at("password")))
		written := auth.PasswordFile
		auth.PasswordFile = l.expand(written, at("password_file"))
		l.Auths[name] = l.completeAuth(name, auth, written)
	}
	if len(l.Auths) == 0 {
		l.Auths = map[string]Auth{}
		auth, ok := l.envAuth()
		if !ok {
			l.fail("no account: define one under auths, or set %s and %s or %s", []any{envUsername, envPassword, envPasswordFile})
			return
		}
		l.Auths[envAuth] = l.completeAuth(envAuth, auth, envPasswordFile)
	}
}

// warnOfComment points out a password that may have lost its end.
func (l *loader) warnOfComment(auth string) {
	if node := find(l.root, []any{"auths", auth, "password"}); node != nil && len(node.LineComment) > 1 && node.LineComment[1] != ' ' {
		l.warn("line %d: auth %q: what follows # is a comment; if it is a part of the password, put that in quotes", node.Line, auth)
	}
}

// envAuth returns the account that the environment defines.
func (l *loader) envAuth() (Auth, bool) {
	username, hasUsername := l.lookupEnv(envUsername)
	password, hasPassword := l.lookupEnv(envPassword)
	file, hasFile := l.lookupEnv(envPasswordFile)
	return Auth{Username: username, Password: tapo.Secret(password), PasswordFile: file}, hasUsername && (hasPassword || hasFile)
}

// completeAuth checks an account and reads its password file. Errors name that file as it
// is written in the configuration: a variable may hold the password by mistake.
func (l *loader) completeAuth(name string, a Auth, passwordFile string) Auth {
	at := func(key string) []any { return []any{"auths", name, key} }
	switch {
	case a.Username == "":
		l.fail("auth %q: username is missing: the e-mail of the TP-Link account", []any{name}, at("username")...)
	case a.Password != "" && a.PasswordFile != "":
		l.fail("auth %q: both password and password_file", []any{name}, at("password_file")...)
	case a.PasswordFile != "":
		a.Password = l.readPassword(name, a.PasswordFile, passwordFile)
	case a.Password == "":
		l.fail("auth %q: password or password_file is missing (a password that starts with one of ! & # must be in quotes)", []any{name}, at("password")...)
	}
	return a
}

// readPassword reads a file, relative to the configuration's, without the line
// end that editors leave.
func (l *loader) readPassword(auth, file, written string) tapo.Secret {
	at := []any{"auths", auth, "password_file"}
	if !filepath.IsAbs(file) {
		file = filepath.Join(l.dir, file)
	}
	data, err := os.ReadFile(file) //nolint:gosec // the path is the operator's
	if err != nil {
		if failed, ok := errors.AsType[*fs.PathError](err); ok {
			err = failed.Err
		}
		l.fail("auth %q: password_file %s: %w", []any{auth, written, err}, at...)
		return ""
	}
	password := strings.TrimRight(string(data), "\r\n")
	if password == "" {
		l.fail("auth %q: password_file %s is empty", []any{auth, written}, at...)
	}
	return tapo.Secret(password)
}

// variable is ${NAME}; a second dollar in front makes it literal.
var variable = regexp.MustCompile(`\$?\$\{([A-Za-z_][A-Za-z0-9_]*)\}`)

// expand replaces ${NAME} by the variable's value. An error names the variable only if it
// is all of s: else it may be a part of the password.
func (l *loader) expand(s string, at []any) string {
	return variable.ReplaceAllStringFunc(s, func(v string) string {
		if strings.HasPrefix(v, "$$") {
			return v[1:]
		}
		name := v[2 : len(v)-1]
		value, ok := l.lookupEnv(name)
		switch {
		case !ok && v != s:
			l.fail("an environment variable within the text is not set (write $${NAME} for ${NAME} itself)", nil, at...)
		case !ok:
			l.fail("the environment variable %s is not set (write $${%s} for the text itself)", []any{name, name}, at...)
		}
		return value
	})
}
