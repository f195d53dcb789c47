// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package plug

// Optional is a value that the plug may not have given.
type Optional[T any] struct {
	value T
	ok    bool
}

// Some returns an optional that has a value.
func Some[T any](v T) Optional[T] { return Optional[T]{v, true} }

// Get returns the value; ok is false when there is none.
func (o Optional[T]) Get() (v T, ok bool) { return o.value, o.ok }

// Maybe returns an optional that has the value v if ok is true.
func Maybe[T any](v T, ok bool) Optional[T] {
	if !ok {
		return Optional[T]{}
	}
	return Some(v)
}
