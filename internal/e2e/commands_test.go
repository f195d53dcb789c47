// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tapo-exporter/tapo_exporter/internal/hometest"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

var (
	shellBlock = regexp.MustCompile("(?s)( *)```sh\n(.*?)```")
	namedFile  = regexp.MustCompile(`-f (\S+)`)

	// What cannot be run here: what needs the internet, a container engine or
	// somebody's shell, and the tests themselves.
	notHere = regexp.MustCompile(`^(git clone|cd|docker|sudo|go test)\b`)
	// What runs until it is stopped.
	serves = regexp.MustCompile(`^(go run \. --demo|\./tapo_exporter( --demo)?|(prometheus|alertmanager) --config\.file=.*)$`)
)

// TestCommands runs the commands of the documents, in a copy of the repository,
// with a simulated plug in targets.yml. Addresses are those of the test. Without
// E2E=1 Go compiles in the repository, where most is in its cache.
func TestCommands(t *testing.T) {
	t.Parallel()
	dir := copied(t)
	plug := &simulator.Plug{Username: "me@example.com", Password: "secret", Discovery: "127.0.0.1:0", Load: simulator.Fridge()}
	if err := plug.Start(); err != nil {
		t.Fatal(err)
	}
	defer plug.Close()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	targets := fmt.Sprintf("auths: {home: {username: me@example.com, password_file: password}}\ntargets: [{name: fridge, address: '%s'}]\nunlisted: {networks: []}\n", plug.Addr())
	write("password", "secret")
	write("targets.yml", targets)
	built, err := os.ReadFile(binary(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "tapo_exporter"), built, 0o700); err != nil {
		t.Fatal(err)
	}
	address := exporter(t, nil, "--config.file="+filepath.Join(dir, "targets.yml"))
	var server, victoria string
	if os.Getenv("E2E") == "1" {
		server, victoria = prometheus(t, "global: {}"), victoriaMetrics(t)
	}
	done := map[string]bool{}
	for _, path := range documents(t) {
		for _, block := range blocks(t, path, shellBlock) {
			for command := range strings.Lines(block) {
				command = strings.TrimSpace(command)
				if done[command] || command == "" {
					continue
				}
				done[command] = true
				program, _, _ := strings.Cut(command, " ")
				switch {
				case notHere.MatchString(command):
					for _, m := range namedFile.FindAllStringSubmatch(command, -1) {
						if _, err := os.Stat(filepath.Join(dir, m[1])); err != nil {
							t.Errorf("%s: %s: %v", path, command, err)
						}
					}
				case serves.MatchString(command):
					t.Run(command, func(t *testing.T) {
						if !strings.HasPrefix(program, "./") && program != "go" {
							command = strings.Replace(command, program, tool(t, program), 1)
						}
						serve(t, goDir(dir, program), command)
					})
				default:
					t.Run(command, func(t *testing.T) {
						if program == "promtool" || program == "curl" {
							tool(t, program)
						}
						if (strings.Contains(command, "localhost:9090") || strings.Contains(command, "localhost:8428")) && server == "" {
							t.Skip("no servers without E2E=1")
						}
						write("targets.yml", targets)
						command = strings.NewReplacer("localhost:9782", address, "http://localhost:9090", server, "http://localhost:8428", victoria, "curl -X", "curl --fail -X", "tapo_exporter discover", "tapo_exporter discover --timeout=300ms").Replace(command)
						command = regexp.MustCompile(`--address \S+`).ReplaceAllString(command, "")
						if strings.Contains(command, "discover") {
							command = strings.Replace(command, "--timeout=300ms", "--timeout=300ms --address="+plug.DiscoveryAddr().String(), 1)
						}
						if strings.HasPrefix(command, "tapo_exporter ") {
							command = "./" + command
						}
						if goDir(dir, program) != dir {
							command = strings.Replace(command, "go build", "go build -o "+dir, 1)
						}
						runs(t, goDir(dir, program), "sh", "-ec", command)
					})
				}
			}
		}
	}
	if len(done) < 20 {
		t.Errorf("%d commands", len(done))
	}
}

// goDir returns the directory for a command of a program, given that of the copy.
func goDir(dir, program string) string {
	if program == "go" && os.Getenv("E2E") != "1" {
		return root
	}
	return dir
}

// serve starts a command on free ports, waits until it listens, and stops it.
func serve(t *testing.T, dir, command string) {
	t.Helper()
	command += " --web.listen-address=" + freeAddress(t)
	if strings.Contains(command, "alertmanager --") {
		command += " --cluster.listen-address="
	}
	var out hometest.Buffer
	cmd := exec.CommandContext(t.Context(), "sh", "-c", command)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // with what it starts
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stopped := make(chan struct{})
	go func() {
		_ = cmd.Wait() // what matters is that it listened
		close(stopped)
	}()
	defer func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGINT)
		select {
		case <-stopped:
		case <-time.After(20 * time.Second):
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
			t.Errorf("%s does not stop\n%s", command, out.String())
		}
	}()
	eventually(t, time.Minute, func() string {
		if !strings.Contains(out.String(), "Listening on") {
			return command + " does not listen:\n" + out.String()
		}
		return ""
	})
}

// copied returns a copy of the repository's files.
func copied(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "tapo_exporter")
	source, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(source, func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(source, path)
		if err != nil {
			return err
		}
		switch {
		case entry.IsDir() && (relative == ".git" || relative == ".build" || relative == ".tarballs"):
			return filepath.SkipDir
		case entry.IsDir():
			return os.MkdirAll(filepath.Join(dir, relative), 0o700)
		case !entry.Type().IsRegular():
			return nil
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, relative), content, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
	return dir
}
