// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tapo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/lenient"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/plugerr"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/transport/passthrough"
)

// maxBatch is how many methods a plug takes in one batch.
const maxBatch = 5

// terminalUUID is a constant that apps send; any 16 bytes do.
const terminalUUID = "AAAAAAAAAAAAAAAAAAAAAA=="

// read asks the plug, over the standing session, for everything that a reading
// needs.
func (d *Device) read(ctx context.Context) (Reading, error) {
	var got replies
	if err := d.askPlug(ctx, &got); err != nil {
		return Reading{}, err
	}
	sockets, err := d.readSockets(ctx, &got)
	if err != nil {
		return Reading{}, err
	}
	return d.finish(&got, sockets), nil
}

// askPlug asks the plug itself, and makes sure that it is the one that is
// wanted.
func (d *Device) askPlug(ctx context.Context, got *replies) error {
	if err := d.askAll(ctx, &d.learnt.plug, got); err != nil {
		return err
	}
	if got.state[getDeviceInfo] == refused {
		return &plugerr.CodeError{Step: methodNames[getDeviceInfo], Code: got.code[getDeviceInfo]}
	}
	if mac := string(got.info.MAC); !d.isWanted(mac) {
		d.drop()
		return d.anotherPlug(mac)
	}
	return nil
}

// askAll asks a part for what got does not have: in one batch, and what that
// left unanswered one by one. A plug that turns out to be another one than
// before, to have other firmware, or to be a strip, is asked what it has got in
// a batch of its own.
func (d *Device) askAll(ctx context.Context, p *part, got *replies) error {
	for mayBatch, listsAsked := true, false; ; {
		methods := d.missing(p, got)
		if p.components["child_device"] > 0 && slices.Contains(methods, getChildDeviceList) {
			d.grant(stripExchanges)
		}
		if len(methods) == 0 || methods[0] != getDeviceInfo && d.wire.Left() == 0 {
			return nil // or the rest has to wait for the next read
		}
		lists := methods[0] == getChildDeviceList && !listsAsked
		batch := (mayBatch || lists) && d.takesBatch(p)
		if batch {
			methods = methods[:min(len(methods), maxBatch)]
		} else {
			methods = methods[:1]
		}
		if err := d.ask(ctx, p, methods, got); err != nil {
			return err
		}
		mayBatch, listsAsked = p.id == "" && d.isAnother(got), listsAsked || lists
	}
}

// takesBatch reports whether a part may be asked for several methods at once.
func (d *Device) takesBatch(p *part) bool {
	if d.memory.loginVer == passthrough.LoginClear && d.wire.Left() == 1 {
		return false // the oldest firmware may not take it, and there is no other try
	}
	return d.learnt.takesBatch(p, d.cfg.Now())
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
		fresh := part{components: got.components, powerInEnergy: got.energy.CurrentPower.Valid}
		for m, s := range got.state {
			fresh.answered[m] = s == answered
		}
		if fresh.answered[getProtectionPower] {
			fresh.protection = l.plug.protection
		}
		*l = learnt{plug: fresh}
	}
	l.deviceID, l.firmware = id, firmware
	l.hub = strings.Contains(string(got.info.Type), "HUB")
	l.plug.noBatch = l.plug.noBatch || hangsOnBatches(&got.info)
	return another
}

// answer is a reply to a method, alone or in a batch, or to a batch.
type answer struct {
	Method    lenient.Text   `json:"method"`
	ErrorCode lenient.Number `json:"error_code"`
	Result    answerResult   `json:"result"`
}

type answerResult struct {
	result
	Responses    []answer `json:"responses"`    // of multipleRequest
	ResponseData *answer  `json:"responseData"` // of control_child
}

func (a *answer) code() int { return int(a.ErrorCode.Value) }

// ask asks a part for a method, or for several in a batch, in one exchange. A
// plug that cannot do batches is remembered; then nothing is got, and no error
// returned.
func (d *Device) ask(ctx context.Context, p *part, methods []method, got *replies) error {
	step, batch := methodNames[methods[0]], len(methods) > 1
	if batch {
		step = "multipleRequest"
	}
	plain, err := d.roundTrip(ctx, d.request(p, methods, got))
	if code, ok := errors.AsType[*plugerr.CodeError](err); ok && batch && code.Code == plugerr.CodeJSONDecode && !errors.Is(err, plugerr.ErrRefused) {
		d.refuseBatch(ctx, p, code.Code)
		return nil
	}
	if err != nil {
		d.learnt.hanging = batch && d.wire.Silent()
		return err
	}
	if !batch {
		d.learnt.spoke(d.cfg.Now())
	}
	clear(d.batch[:cap(d.batch)])
	reply := &d.reply
	*reply = answer{Result: answerResult{Responses: d.batch[:0]}}
	if err := decodeLeniently(plain, reply); err != nil {
		if batch {
			return nil // some firmware garbles batches; one by one tells whether the session is in step
		}
		return fmt.Errorf("%s: %w", step, err)
	}
	if plugerr.LosesSession(reply.code()) {
		return fmt.Errorf("%s: %w: error_code %d", step, plugerr.ErrSessionLost, reply.code())
	}
	if p.id != "" {
		inner := reply.Result.ResponseData
		switch failed := reply.code() != 0 || inner == nil; {
		case failed && batch && !isBusy(reply.code()):
			d.refuseBatch(ctx, p, reply.code())
			return nil
		case failed:
			d.skip(ctx, p, reply.code(), got)
			return nil
		}
		reply = inner
	}
	if !batch {
		d.note(ctx, p, methods[0], reply.code(), &reply.Result.result, got)
		return nil
	}
	return d.noteBatch(ctx, p, methods, reply, got)
}

// noteBatch files the reply to a batch.
func (d *Device) noteBatch(ctx context.Context, p *part, methods []method, reply *answer, got *replies) error {
	d.batch = reply.Result.Responses
	switch code := reply.code(); {
	case isBusy(code) && p.id == "":
		return &plugerr.CodeError{Step: "multipleRequest", Code: code}
	case isBusy(code):
		d.skip(ctx, p, code, got)
		return nil
	case code != 0 || len(d.batch) == 0:
		d.refuseBatch(ctx, p, code)
		return nil
	}
	nameless, ended := false, false
	for i := range d.batch {
		r := &d.batch[i]
		m := method(slices.Index(methodNames[:], string(r.Method)))
		if r.Method == "" {
			nameless = true
			continue
		}
		if !slices.Contains(methods, m) {
			d.refuseBatch(ctx, p, 0) // it is not the reply to what we asked
			return nil
		}
		d.note(ctx, p, m, r.code(), &r.Result.result, got)
		ended = ended || r.code() != 0
	}
	if missed := slices.ContainsFunc(methods, func(m method) bool { return got.state[m] == unasked }); missed && !ended && nameless {
		d.refuseBatch(ctx, p, 0) // its replies cannot be matched with what was asked
		return nil
	}
	p.tookBatch, d.learnt.hung = true, 0
	return nil
}

// refuseBatch notes that a part takes no batches, or not now.
func (d *Device) refuseBatch(ctx context.Context, p *part, code int) {
	d.cfg.Logger.DebugContext(ctx, "The plug does not take batches, asking one by one", "error_code", code, "meaning", plugerr.CodeName(code))
	switch code {
	case 0, plugerr.CodeJSONDecode, plugerr.CodeUnknownMethod, plugerr.CodeParams, plugerr.CodeMultiRequestFailed:
		p.noBatch = true
	default:
		p.noBatchTill = d.cfg.Now().Add(unavailableLife)
	}
}

// isBusy reports whether an error code is about this moment, not about what was
// asked.
func isBusy(code int) bool {
	return code == plugerr.CodeBusy || code == plugerr.CodeCommandCancel || code == plugerr.CodeHTTPTransport
}

// skip leaves a socket that cannot be asked, whatever for, out of this read.
func (d *Device) skip(ctx context.Context, p *part, code int, got *replies) {
	d.cfg.Logger.DebugContext(ctx, "Socket refused", "error_code", code, "meaning", plugerr.CodeName(code))
	for m := range numMethods {
		if got.state[m] != unasked {
			continue
		}
		got.state[m], got.code[m] = refused, code
		if code == plugerr.CodeUnknownMethod || code == plugerr.CodeParams {
			p.refusedUntil[m] = d.cfg.Now().Add(unavailableLife)
		}
	}
}

// note files one method's reply.
func (d *Device) note(ctx context.Context, p *part, m method, code int, res *result, got *replies) {
	if code == 0 {
		got.take(m, res)
		got.state[m] = answered
		p.answered[m] = true
	} else {
		d.noteRefusal(ctx, p, m, code, got)
	}
	if d.cfg.Trace.Method != nil {
		d.cfg.Trace.Method(methodNames[m], code)
	}
	switch m {
	case componentNego:
		p.components = got.components
		if got.components == nil { // refused, or an answer without a list
			p.refusedUntil[m] = d.cfg.Now().Add(refusalLife)
		}
	case getEnergyUsage:
		p.powerInEnergy = got.energy.CurrentPower.Valid
	case getProtectionPower:
		limit := got.protection
		p.protection = &limit
	}
}

// noteRefusal files an error code. A method that the part has answered before it
// knows, whatever it says now.
func (d *Device) noteRefusal(ctx context.Context, p *part, m method, code int, got *replies) {
	d.cfg.Logger.DebugContext(ctx, "Method refused", "method", methodNames[m], "error_code", code, "meaning", plugerr.CodeName(code))
	if have, _ := got.listed(m); have > 0 {
		return // a further page: what is at hand stands
	}
	got.state[m], got.code[m] = refused, code
	switch {
	case (code == plugerr.CodeUnknownMethod || code == plugerr.CodeParams) && !p.answered[m]:
		p.refusedUntil[m] = d.cfg.Now().Add(refusalLife)
	case code == plugerr.CodeUnknownMethod, code == plugerr.CodeParams, code == plugerr.CodeUnspecific:
		p.answered[m] = false // it ends a batch, so that it goes last
		p.refusedUntil[m] = d.cfg.Now().Add(unavailableLife)
	}
}

// request writes the JSON that asks a part for methods.
func (d *Device) request(p *part, methods []method, got *replies) []byte {
	return d.envelope(p, func(b []byte) []byte { return appendCall(b, methods, got) })
}

// envelope writes the JSON that carries a call to a part.
func (d *Device) envelope(p *part, appendCall func([]byte) []byte) []byte {
	b := make([]byte, 0, 512)
	if p.id == "" {
		b = appendCall(b)
	} else {
		id, err := json.Marshal(p.id)
		if err != nil {
			panic(err) // of a string
		}
		b = append(append(b, `{"method":"control_child","params":{"device_id":`...), id...)
		b = append(appendCall(append(b, `,"requestData":`...)), "}}"...)
	}
	b = append(b[:len(b)-1], `,"request_time_milis":`...) // spelled so by plugs
	b = strconv.AppendInt(b, d.cfg.Now().UnixMilli(), 10)
	return append(b, `,"terminal_uuid":"`+terminalUUID+`"}`...)
}

// appendCall writes a call of a method, or of a batch.
func appendCall(b []byte, methods []method, got *replies) []byte {
	if len(methods) == 1 {
		return appendMethod(b, methods[0], got)
	}
	b = append(b, `{"method":"multipleRequest","params":{"requests":[`...)
	for i, m := range methods {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendMethod(b, m, got)
	}
	return append(b, "]}}"...)
}

// appendMethod writes a call of one method. What answers in pages is asked for
// what follows those at hand; others get no params, of which plugs differ on what
// they make.
func appendMethod(b []byte, m method, got *replies) []byte {
	b = append(append(append(b, `{"method":"`...), methodNames[m]...), '"')
	switch m {
	case getChildDeviceList:
		b = appendStart(b, got.received)
	case getChildComponentList:
		b = appendStart(b, got.gotComponents)
	}
	return append(b, '}')
}

func appendStart(b []byte, index int) []byte {
	return append(strconv.AppendInt(append(b, `,"params":{"start_index":`...), int64(index), 10), '}')
}
