package otlp

import (
	"encoding/hex"
	"strings"
	"time"
	"unsafe"

	"github.com/imwatch/imwatch/internal/annotator"
	"github.com/imwatch/imwatch/internal/sink"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	logs "go.opentelemetry.io/proto/otlp/logs/v1"
	resource "go.opentelemetry.io/proto/otlp/resource/v1"
	"google.golang.org/protobuf/proto"
)

// records makes log records of events, in memory that it uses again.
type records struct {
	version string

	fields  []annotator.Field
	pairs   []*pair
	used    int
	encoded map[fixedKey][]byte
	bytes   []byte // what is encoded, of all events
}

// A pair is an attribute with a text, in one piece.
type pair struct {
	kv    common.KeyValue
	value common.AnyValue
	text  common.AnyValue_StringValue
}

var severities = map[string]logs.SeverityNumber{
	"info":     logs.SeverityNumber_SEVERITY_NUMBER_INFO,
	"warn":     logs.SeverityNumber_SEVERITY_NUMBER_WARN,
	"error":    logs.SeverityNumber_SEVERITY_NUMBER_ERROR,
	"critical": logs.SeverityNumber_SEVERITY_NUMBER_FATAL,
}

// renamed are fields that OpenTelemetry has another name for; to "": they stand
// elsewhere in the record.
var renamed = map[string]string{
	"event.id":       "log.record.uid",
	"event.original": "log.record.original",
	"@timestamp":     "",
	"event.created":  "",
	"event.action":   "",
	"message":        "",
	"log.level":      "",
	"service.name":   "",
	"host.name":      "",
	"host.id":        "",
}

// of returns the events as logs: those of a service are a resource of their
// own. What it returns is valid until it is called again.
func (r *records) of(events []sink.Event) *logs.LogsData {
	r.used, r.bytes = 0, r.bytes[:0]
	data := &logs.LogsData{}
	byService := map[string]*logs.ScopeLogs{}
	for i := range events {
		e := &events[i]
		r.fields = e.Fields(r.fields[:0])
		scope := byService[e.Finding.Service]
		if scope == nil {
			scope = &logs.ScopeLogs{Scope: &common.InstrumentationScope{Name: "imwatch", Version: r.version}}
			byService[e.Finding.Service] = scope
			data.ResourceLogs = append(data.ResourceLogs, &logs.ResourceLogs{Resource: r.resource(), ScopeLogs: []*logs.ScopeLogs{scope}})
		}
		scope.LogRecords = append(scope.LogRecords, r.record(e))
	}
	return data
}

// resource is what the events of a service share.
func (r *records) resource() *resource.Resource {
	x := &resource.Resource{}
	service := "imwatch"
	for _, f := range r.fields {
		switch v, _ := f.Value.(string); f.Name {
		case "service.name":
			service = v
		case "host.name", "host.id":
			x.Attributes = append(x.Attributes, r.pair(f.Name, v))
		}
	}
	x.Attributes = append(x.Attributes, r.pair("service.name", service))
	return x
}

func (r *records) record(e *sink.Event) *logs.LogRecord {
	f := e.Finding
	x := &logs.LogRecord{ObservedTimeUnixNano: nanos(f.Created), SeverityNumber: severities[e.Level], SeverityText: e.Level, EventName: f.Action,
		Body: &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: valid(e.Message())}}, Attributes: make([]*common.KeyValue, 0, len(r.fields))}
	if f.TimeBasis != "read" && f.TimeBasis != "clamped" { // else the time is that of reading
		x.TimeUnixNano = nanos(f.Time)
	}
	start := len(r.bytes)
	for _, field := range r.fields {
		name, ok := renamed[field.Name]
		if !ok {
			name = valid(field.Name)
		}
		if name == "" || field.Name == "trace.id" && trace(x, field.Value) {
			continue
		}
		switch v := field.Value.(type) {
		case string:
			x.Attributes = append(x.Attributes, r.pair(name, v))
		case int64:
			x.Attributes = append(x.Attributes, &common.KeyValue{Key: name, Value: &common.AnyValue{Value: &common.AnyValue_IntValue{IntValue: v}}})
		case time.Time:
			x.Attributes = append(x.Attributes, r.pair(name, v.UTC().Format(time.RFC3339Nano)))
		case []string:
			if isFixed(field.Name) {
				r.bytes = r.fixed(r.bytes, field.Name, v)
				continue
			}
			x.Attributes = append(x.Attributes, &common.KeyValue{Key: name, Value: list(v)})
		}
	}
	x.ProtoReflect().SetUnknown(r.bytes[start:len(r.bytes):len(r.bytes)]) // which is written as it is
	return x
}

// valid makes UTF-8 of a text, for protobuf takes no other.
func valid(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

// trace takes a trace's id of the form that OpenTelemetry has.
func trace(x *logs.LogRecord, v any) bool {
	id, err := hex.DecodeString(v.(string))
	if err != nil || len(id) != 16 {
		return false
	}
	x.TraceId = id
	return true
}

func nanos(t time.Time) uint64 {
	if t.Unix() <= 0 {
		return 0
	}
	return uint64(t.UnixNano())
}

// pair is an attribute with a text.
func (r *records) pair(name, value string) *common.KeyValue {
	if r.used == len(r.pairs) {
		p := new(pair)
		p.value.Value, p.kv.Value = &p.text, &p.value
		r.pairs = append(r.pairs, p)
	}
	p := r.pairs[r.used]
	r.used++
	p.kv.Key, p.text.StringValue = name, valid(value)
	return &p.kv
}

// fixed appends an attribute of the catalogue's, encoded. They are the same in
// every event of a code, and half of an event's bytes: each is encoded once.
func (r *records) fixed(b []byte, name string, values []string) []byte {
	key := fixedKey{name, unsafe.SliceData(values), len(values)}
	if known := r.encoded[key]; known != nil {
		return append(b, known...)
	}
	one, err := proto.Marshal(&logs.LogRecord{Attributes: []*common.KeyValue{{Key: name, Value: list(values)}}})
	if err != nil { // not with what list makes
		return b
	}
	if r.encoded == nil {
		r.encoded = map[fixedKey][]byte{}
	}
	if len(r.encoded) < 8192 {
		r.encoded[key] = one
	}
	return append(b, one...)
}

// isFixed tells whether a field is the catalogue's.
func isFixed(name string) bool {
	return strings.HasPrefix(name, "im.hints") || strings.HasPrefix(name, "im.causes")
}

// A fixedKey is which slice it is; as a key it keeps the slice alive.
type fixedKey struct {
	name  string
	first *string
	n     int
}

func list(values []string) *common.AnyValue {
	a := &common.ArrayValue{}
	for _, v := range values {
		a.Values = append(a.Values, &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: valid(v)}})
	}
	return &common.AnyValue{Value: &common.AnyValue_ArrayValue{ArrayValue: a}}
}
