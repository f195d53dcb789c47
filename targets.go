// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"

	"github.com/alecthomas/kingpin/v2"

	"github.com/tapo-exporter/tapo_exporter/internal/check"
	"github.com/tapo-exporter/tapo_exporter/internal/config"
	"github.com/tapo-exporter/tapo_exporter/tapo"
	"github.com/tapo-exporter/tapo_exporter/tapo/discovery"
)

const (
	// plugsAtATime is how many plugs a command reads at a time.
	plugsAtATime = 8
	// maxFound is how many plugs that are not listed a command reads: anybody can reply to a
	// search.
	maxFound = 64
)

// targetArgs name targets on the command line.
type targetArgs struct {
	names []string
	auth  string
}

func (a *targetArgs) register(cmd *kingpin.CmdClause, help string) {
	cmd.Flag("auth", "The account for targets that are not listed, if there are several.").StringVar(&a.auth)
	cmd.Arg("target", help).StringsVar(&a.names)
}

// choose returns the targets that are named, or all that are listed or found.
func (a *targetArgs) choose(ctx context.Context, cfg *config.Config, logger *slog.Logger) ([]config.Target, error) {
	if a.auth != "" {
		if _, known := cfg.Auths[a.auth]; !known {
			return nil, errUsage(fmt.Sprintf("unknown --auth %q", a.auth))
		}
	}
	if len(a.names) == 0 {
		return a.all(ctx, cfg, logger)
	}
	var targets []config.Target
	for _, name := range a.names {
		t, err := a.target(cfg, name)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(targets, func(other config.Target) bool { return other.Name == t.Name }) {
			targets = append(targets, t)
		}
	}
	return targets, nil
}

// all returns the targets that are listed and, where discovery is enabled, those
// that it finds.
func (a *targetArgs) all(ctx context.Context, cfg *config.Config, logger *slog.Logger) ([]config.Target, error) {
	targets, leftOut := slices.Clone(cfg.Targets), false
	if d := cfg.Discovery; d.Enabled {
		credentials := cfg.Auths[d.Auth].Credentials()
		err := discovery.Search{Addresses: d.Addresses, Timeout: check.SearchTime}.Run(ctx, func(found discovery.Device) {
			known := slices.ContainsFunc(targets, func(t config.Target) bool { return t.MAC == found.MAC || t.Address == shortAddress(found) })
			switch {
			case !found.IsPlug() || !found.MayBelongTo(credentials.Username) || known:
			case len(targets) == len(cfg.Targets)+maxFound:
				leftOut = true
			default:
				targets = append(targets, config.Target{Name: found.Name(), MAC: found.MAC, Auth: d.Auth, Credentials: credentials, Unlisted: true})
			}
		})
		if err != nil {
			return nil, fmt.Errorf("cannot search: %w", err)
		}
		if leftOut {
			logger.Warn("Some plugs that are not listed are left out: list them in targets.yml", "most", maxFound)
		}
		if len(targets) == 0 {
			return nil, errors.New("discovery has found no plug: see `" + program + " discover`")
		}
	}
	if len(targets) == 0 {
		return nil, errors.New("no targets are listed: name an address, or see `" + program + " discover`")
	}
	return targets, nil
}

// target returns the target of a name, an address or a MAC address. It need not be
// listed: a user of the command line may read any plug.
func (a *targetArgs) target(cfg *config.Config, name string) (config.Target, error) {
	mac := tapo.ParseMAC(name)
	t, listed := cfg.Target(name)
	for _, other := range cfg.Targets {
		if !listed && mac != "" && other.MAC == mac {
			t, listed = other, true
		}
	}
	if listed {
		if a.auth != "" && a.auth != t.Auth {
			return t, errUsage(fmt.Sprintf("target %q has auth %q, not %q", t.Name, t.Auth, a.auth))
		}
		return t, nil
	}
	if _, err := tapo.ParseAddress(name); err != nil || mac == "" && !strings.ContainsAny(name, ".:") && name != "localhost" {
		names := make([]string, len(cfg.Targets))
		for i, t := range cfg.Targets {
			names[i] = strconv.Quote(t.Name)
		}
		return t, errUsage(fmt.Sprintf("target %q is neither an address nor listed: %s", name, cmp.Or(strings.Join(names, " "), "nothing is")))
	}
	auth := a.auth
	if auth == "" {
		auth, _ = cfg.OnlyAuth()
	}
	if auth == "" {
		return t, errUsage("--auth is missing, and there are several accounts")
	}
	t = config.Target{Name: name, MAC: mac, Auth: auth, Credentials: cfg.Auths[auth].Credentials()}
	if mac == "" {
		t.Address = name
	}
	return t, nil
}
