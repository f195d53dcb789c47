// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tapo

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// ParseAddress checks a plug's address, a host or host:port, and returns it
// with the port, the same for all spellings.
func ParseAddress(address string) (string, error) {
	switch {
	case strings.Contains(address, "@"): // perhaps with a password in front, so it is not quoted
		return "", errors.New("the address has a user in it: want a host or host:port")
	case strings.Contains(address, "/"):
		return "", fmt.Errorf("address %q: want a host or host:port, without http:// and without a path", address)
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil { // no port
		host, port = strings.TrimSuffix(strings.TrimPrefix(address, "["), "]"), "80"
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return "", fmt.Errorf("address %q: the port must be a number from 1 to 65535", address)
	}
	if strings.Contains(host, ":") || strings.Trim(host, "0123456789.") == "" {
		ip, err := netip.ParseAddr(host)
		if err != nil {
			return "", fmt.Errorf("address %q: not an IP address", address)
		}
		host = ip.Unmap().String()
	} else if strings.ContainsAny(host, "?#%[]\\ \t\r\n") {
		return "", fmt.Errorf("address %q: not a host name", address)
	}
	return net.JoinHostPort(strings.ToLower(strings.TrimSuffix(host, ".")), strconv.FormatUint(n, 10)), nil
}
