// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package smart

import "time"

// maxBarren is the number of exchanges after which a read ends that has brought nothing:
// two batches, and the methods with values. It is not one method that fails.
const maxBarren = 5

// yield is what a session has brought in a conversation. It tells a method that fails from
// a plug that answers nothing. The zero value is that of a plug that has not been asked.
type yield struct {
	some       bool      // a method was answered
	barren     int       // exchanges before that
	nothing    int       // whole attempts in a row that have brought nothing
	sparseTill time.Time // one exchange is enough before this time, since there was nothing the last time
}

// sparse reports whether one exchange is enough: get_device_info shows whether the plug
// answers by now.
func (y *yield) sparse(now time.Time) bool { return !y.some && now.Before(y.sparseTill) }

// hopeless reports whether nothing has come, and will not.
func (y *yield) hopeless(now time.Time) bool {
	return !y.some && (y.barren >= maxBarren || y.barren > 0 && y.sparse(now))
}

// startOver begins another session or conversation. The next whole attempt is after a
// minute the first time, and after ten from then on.
func (y *yield) startOver(now time.Time) {
	switch {
	case y.some:
		y.nothing, y.sparseTill = 0, time.Time{}
	case y.barren > 1 && !y.sparse(now):
		y.nothing++
		y.sparseTill = now.Add(time.Minute)
		if y.nothing > 1 {
			y.sparseTill = now.Add(unavailableLife)
		}
	}
	y.some, y.barren = false, 0
}
