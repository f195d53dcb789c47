// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tapo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/passthrough"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/wire"
)

// method is one of the plug's methods that a read uses.
type method int

const (
	getDeviceInfo method = iota
	componentNego
	getProtectionPower
	getCurrentPower
	getEmeterData
	getEnergyUsage
	numMethods
)

var methodNames = [numMethods]string{
	"get_device_info", "component_nego", "get_protection_power", "get_current_power", "get_emeter_data", "get_energy_usage",
}

// A batch ends at the first refusal. So methods that the plug has answered
// before go first, among them last the one that fails while the clock is not
// set; those of which we do not know yet follow, the likeliest refusal last.
var (
	settledOrder = []method{getDeviceInfo, componentNego, getProtectionPower, getCurrentPower, getEmeterData, getEnergyUsage}
	untriedOrder = []method{getDeviceInfo, componentNego, getEnergyUsage, getProtectionPower, getCurrentPower, getEmeterData}
)

// maxBatch is how many methods a plug takes in one batch.
const maxBatch = 5

const (
	// refusalLife is how long a method is not asked again that is not known.
	refusalLife = 24 * time.Hour
	// unavailableLife is the same for one that is known but not available now.
	unavailableLife = 10 * time.Minute
)

// terminalUUID is a constant that apps send; any 16 bytes do.
const terminalUUID = "AAAAAAAAAAAAAAAAAAAAAA=="

// learnt is what the replies have told about a plug. It holds for one device
// with one firmware.
type learnt struct {
	deviceID      string // "" before the first read
	firmware      string
	components    map[string]int // id to version; nil while unknown
	answered      [numMethods]bool
	refusedUntil  [numMethods]time.Time
	noBatch       bool
	powerInEnergy bool // get_energy_usage gives the power, so that get_current_power is of no use
	zone          zone
}

// has reports whether the plug may have a component in a version or later; an
// unknown list may have anything.
func (l *learnt) has(component string, version int) bool {
	return l.components == nil || l.components[component] >= version
}

// read asks the plug, over the standing session, for everything that a reading
// needs: in one batch, and what that left unanswered one by one. A plug that
// turns out to be another one than before, or to have other firmware, is asked
// what it has got in a batch of its own.
func (d *Device) read(ctx context.Context) (Reading, error) {
	var got replies
	for mayBatch := true; ; mayBatch = d.isAnother(&got) {
		methods := d.missing(&got)
		if len(methods) == 0 {
			break
		}
		batch := mayBatch && !d.learnt.noBatch && len(methods) > 1
		if d.memory.loginVer == passthrough.LoginClear && d.wire.Left() == 1 {
			batch = false // the oldest firmware may not take it, and there is no other try
		}
		if !batch {
			methods = methods[:1]
		}
		if methods[0] != getDeviceInfo && d.wire.Left() == 0 {
			break // the rest has to wait for the next read
		}
		var err error
		if batch {
			err = d.askBatch(ctx, methods[:min(len(methods), maxBatch)], &got)
		} else {
			err = d.askSingle(ctx, methods[0], &got)
		}
		if err != nil {
			return Reading{}, err
		}
	}
	if got.state[getDeviceInfo] == refused {
		return Reading{}, &wire.CodeError{Step: methodNames[getDeviceInfo], Code: got.code[getDeviceInfo]}
	}
	return d.finish(&got), nil
}

// isAnother reports whether the replies are the first of another plug, or of
// other firmware, than what was learnt is about; which is forgotten then.
func (d *Device) isAnother(got *replies) bool {
	l := &d.learnt
	id, firmware := string(got.info.DeviceID), string(got.info.Firmware)
	if got.state[getDeviceInfo] != answered || l.deviceID == id && l.firmware == firmware {
		return false
	}
	another := l.deviceID+l.firmware != ""
	if another {
		*l = learnt{components: got.components, powerInEnergy: got.energy.CurrentPower.Valid}
		for m, s := range got.state {
			l.answered[m] = s == answered
		}
		if got.state[getProtectionPower] != answered {
			d.session.protection = nil
		}
	}
	l.deviceID, l.firmware = id, firmware
	return another
}

// missing returns the methods to ask that got does not have yet, in the order
// to ask them.
func (d *Device) missing(got *replies) []method {
	methods := make([]method, 0, numMethods)
	for _, m := range settledOrder {
		if d.learnt.answered[m] && d.wants(m, got) {
			methods = append(methods, m)
		}
	}
	for _, m := range untriedOrder {
		if !d.learnt.answered[m] && d.wants(m, got) {
			methods = append(methods, m)
		}
	}
	return methods
}

// wants reports whether a method is worth asking.
func (d *Device) wants(m method, got *replies) bool {
	l := &d.learnt
	if got.state[m] != unasked || m != getDeviceInfo && d.refuses(m) {
		return false
	}
	switch m {
	case componentNego:
		return l.components == nil
	case getProtectionPower:
		return d.session.protection == nil && l.has("power_protection", 1)
	case getEnergyUsage:
		return l.has("energy_monitoring", 1)
	case getEmeterData:
		return l.has("energy_monitoring", 2)
	case getCurrentPower: // the coarsest source of the three
		finer := l.powerInEnergy || got.state[getEmeterData] == answered || l.has("energy_monitoring", 2) && !d.refuses(getEmeterData)
		return l.has("energy_monitoring", 1) && !finer
	}
	return true
}

func (d *Device) refuses(m method) bool { return d.cfg.Now().Before(d.learnt.refusedUntil[m]) }

// reply is a method's reply, alone or in a batch.
type reply struct {
	Method    wire.Text   `json:"method"`
	ErrorCode wire.Number `json:"error_code"`
	Result    result      `json:"result"`
}

// askSingle asks for one method.
func (d *Device) askSingle(ctx context.Context, m method, got *replies) error {
	plain, err := d.roundTrip(ctx, d.request(m))
	if err != nil {
		return err
	}
	var r reply
	if err := decodeLeniently(plain, &r); err != nil {
		return fmt.Errorf("%s: %w", methodNames[m], err)
	}
	code := int(r.ErrorCode.Value)
	if wire.LosesSession(code) {
		return fmt.Errorf("%s: %w: error_code %d", methodNames[m], wire.ErrSessionLost, code)
	}
	d.note(ctx, m, code, &r.Result, got)
	return nil
}

// askBatch asks for several methods in one exchange. A plug that cannot do that
// is remembered; then nothing is got, and no error returned.
func (d *Device) askBatch(ctx context.Context, methods []method, got *replies) error {
	plain, err := d.roundTrip(ctx, d.request(methods...))
	if code, ok := errors.AsType[*wire.CodeError](err); ok && code.Code == wire.CodeJSONDecode && !errors.Is(err, wire.ErrRefused) {
		return d.refuseBatch(ctx, code.Code)
	}
	if err != nil {
		return err
	}
	var batch struct {
		ErrorCode wire.Number `json:"error_code"`
		Result    struct {
			Responses []reply `json:"responses"`
		} `json:"result"`
	}
	clear(d.batch[:cap(d.batch)])
	batch.Result.Responses = d.batch[:0]
	if decodeLeniently(plain, &batch) != nil {
		return nil //nolint:nilerr // some firmware garbles batches; one by one tells whether the session is in step
	}
	d.batch = batch.Result.Responses
	switch code := int(batch.ErrorCode.Value); {
	case wire.LosesSession(code):
		return fmt.Errorf("multipleRequest: %w: error_code %d", wire.ErrSessionLost, code)
	case code == wire.CodeBusy, code == wire.CodeCommandCancel, code == wire.CodeHTTPTransport:
		return &wire.CodeError{Step: "multipleRequest", Code: code}
	case code != 0 || len(batch.Result.Responses) == 0:
		return d.refuseBatch(ctx, code)
	}
	for i := range batch.Result.Responses {
		r := &batch.Result.Responses[i]
		m := method(slices.Index(methodNames[:], string(r.Method)))
		if !slices.Contains(methods, m) {
			return d.refuseBatch(ctx, 0) // a reply that names nothing we asked cannot be matched
		}
		d.note(ctx, m, int(r.ErrorCode.Value), &r.Result, got)
	}
	return nil
}

func (d *Device) refuseBatch(ctx context.Context, code int) error {
	d.cfg.Logger.DebugContext(ctx, "The plug does not take batches, asking one by one", "error_code", code)
	d.learnt.noBatch = true
	return nil
}

// note files one method's reply.
func (d *Device) note(ctx context.Context, m method, code int, res *result, got *replies) {
	if code == 0 {
		got.take(m, res)
		got.state[m] = answered
		d.learnt.answered[m] = true
	} else {
		d.cfg.Logger.DebugContext(ctx, "Method refused", "method", methodNames[m], "error_code", code, "meaning", wire.CodeName(code))
		got.state[m], got.code[m] = refused, code
		switch code {
		case wire.CodeUnknownMethod, wire.CodeParams:
			d.learnt.answered[m] = false
			d.learnt.refusedUntil[m] = d.cfg.Now().Add(refusalLife)
		case wire.CodeUnspecific:
			d.learnt.refusedUntil[m] = d.cfg.Now().Add(unavailableLife)
		}
	}
	switch m {
	case componentNego:
		d.learnt.components = got.components
		if got.components == nil { // refused, or an answer without a list
			d.learnt.refusedUntil[m] = d.cfg.Now().Add(refusalLife)
		}
	case getEnergyUsage:
		d.learnt.powerInEnergy = got.energy.CurrentPower.Valid
	case getProtectionPower:
		limit := got.protection
		d.session.protection = &limit
	}
}

// request writes the JSON of one method, or of a batch.
func (d *Device) request(methods ...method) []byte {
	b := make([]byte, 0, 384)
	if len(methods) == 1 {
		b = append(append(b, `{"method":"`...), methodNames[methods[0]]...)
		b = append(b, `",`...)
	} else {
		b = append(b, `{"method":"multipleRequest","params":{"requests":[`...)
		for i, m := range methods {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(append(append(b, `{"method":"`...), methodNames[m]...), `"}`...)
		}
		b = append(b, `]},`...)
	}
	b = append(b, `"request_time_milis":`...) // spelled so by plugs
	b = strconv.AppendInt(b, d.cfg.Now().UnixMilli(), 10)
	return append(b, `,"terminal_uuid":"`+terminalUUID+`"}`...)
}

// finish turns the replies of one read into a reading.
func (d *Device) finish(got *replies) Reading {
	info := got.info.info()
	region, timeDiff := string(got.info.Region), optional(got.info.TimeDiff)
	if z := d.learnt.zone; z.region != region || z.timeDiff != timeDiff {
		d.learnt.zone = newZone(region, timeDiff)
	}
	if d.session.protection != nil {
		got.protection = *d.session.protection
	}
	now := d.cfg.Now()
	clk := readClock(string(got.energy.LocalTime), d.learnt.zone, now)
	return Reading{
		Time:        now,
		Protocol:    d.session.protocol,
		Info:        info,
		Outlets:     []Outlet{got.outlet(info.Name, clk.wrong)},
		RSSI:        optional(got.info.RSSI),
		ClockOffset: clk.offset,
	}
}
