package elasticsearch_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/imwatch/imwatch/internal/sink/sinktest"
)

// A server takes bulk requests into one data stream as Elasticsearch does, and
// refuses the rest in its words:
//
//   - the form of a bulk request, its content type and last newline:
//     elastic.co/docs/api/doc/elasticsearch/operation/operation-bulk
//   - only create in a data stream, and @timestamp in each document:
//     elastic.co/docs/manage-data/data-store/data-streams
//   - dynamic: strict, and what a field's type takes:
//     elastic.co/docs/manage-data/data-store/mapping/dynamic-field-mapping,
//     elastic.co/docs/reference/elasticsearch/mapping-reference/field-data-types
type server struct {
	mapping property

	sinktest.Book
	docs    map[string]map[string]any
	busy    map[string]bool // ids that are answered with 429, once
	offends string          // the status and type of every item, such as 403 cluster_block_exception
}

// property is a part of a mapping.
type property struct {
	Type       string              `json:"type"`
	Properties map[string]property `json:"properties"`
	Dynamic    any                 `json:"dynamic"`
	Index      *bool               `json:"index"`
	DocValues  *bool               `json:"doc_values"`
	Above      int                 `json:"ignore_above"`
}

const templateFile = "../../../configs/aggregators/elasticsearch-template.json"

// newServer reads the template that we ship.
func newServer(t testing.TB) *server {
	t.Helper()
	data, err := os.ReadFile(templateFile)
	if err != nil {
		t.Fatal(err)
	}
	var template struct {
		IndexPatterns []string       `json:"index_patterns"`
		Priority      int            `json:"priority"`
		DataStream    map[string]any `json:"data_stream"`
		Meta          map[string]any `json:"_meta"`
		Template      struct {
			Settings map[string]any `json:"settings"`
			Mappings struct {
				property
				Templates []any `json:"dynamic_templates"`
			} `json:"mappings"`
		} `json:"template"`
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&template); err != nil {
		t.Fatalf("%s: %v", templateFile, err)
	}
	// Elasticsearch's own template for logs-*-* has the priority 100.
	if template.DataStream == nil || template.Priority <= 100 || !slices.Contains(template.IndexPatterns, "logs-imwatch-*") || template.Template.Mappings.Dynamic != "strict" {
		t.Fatalf("%s: data stream %v, priority %d, patterns %v, dynamic %v", templateFile, template.DataStream, template.Priority, template.IndexPatterns, template.Template.Mappings.Dynamic)
	}
	return &server{mapping: template.Template.Mappings.property, docs: map[string]map[string]any{}, busy: map[string]bool{}}
}

func fail(w http.ResponseWriter, status int, typ, reason string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{"type": typ, "reason": reason}, "status": status})
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	if r.URL.Path != "/logs-imwatch-default/_bulk" {
		fail(w, 404, "index_not_found_exception", "no such index ["+r.URL.Path+"]")
		return
	}
	for k := range r.URL.Query() {
		if !slices.Contains([]string{"filter_path", "refresh", "timeout", "pipeline", "routing", "wait_for_active_shards", "require_alias", "_source"}, k) {
			fail(w, 400, "illegal_argument_exception", fmt.Sprintf("request [%s] contains unrecognized parameter: [%s]", r.URL.Path, k))
			return
		}
	}
	if ct, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); ct != "application/x-ndjson" && ct != "application/json" {
		fail(w, 406, "media_type_header_exception", "Content-Type header ["+ct+"] is not supported")
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil || len(body) == 0 || body[len(body)-1] != '\n' {
		fail(w, 400, "illegal_argument_exception", "The bulk request must be terminated by a newline [\\n]")
		return
	}
	lines := bytes.Split(bytes.TrimSuffix(body, []byte("\n")), []byte("\n"))
	if len(lines)%2 != 0 || !utf8.Valid(body) {
		fail(w, 400, "x_content_parse_exception", "a create without a document, or bytes that are no UTF-8")
		return
	}
	var items []any
	errors := false
	for i := 0; i < len(lines); i += 2 {
		id, ok := action(w, lines[i])
		if !ok {
			return
		}
		status, typ, reason := s.create(id, lines[i+1])
		item := map[string]any{"status": status}
		if typ != "" {
			errors = true
			item["error"] = map[string]any{"type": typ, "reason": reason}
		}
		items = append(items, map[string]any{"create": item})
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(map[string]any{"errors": errors, "items": items})
}

func action(w http.ResponseWriter, line []byte) (id string, ok bool) {
	var a map[string]map[string]string
	if err := json.Unmarshal(line, &a); err != nil || len(a) != 1 {
		fail(w, 400, "illegal_argument_exception", "Malformed action/metadata line, expected field")
		return "", false
	}
	c, ok := a["create"]
	if !ok {
		fail(w, 400, "illegal_argument_exception", "only write ops with an op_type of create are allowed in data streams")
		return "", false
	}
	for k := range c {
		if k != "_id" && k != "_index" {
			fail(w, 400, "illegal_argument_exception", "Action/metadata line contains an unknown parameter ["+k+"]")
			return "", false
		}
	}
	return c["_id"], true
}

// create answers about one document.
func (s *server) create(id string, source []byte) (status int, typ, reason string) {
	if s.offends != "" {
		fmt.Sscan(s.offends, &status, &typ)
		return status, typ, "everything is answered so"
	}
	if s.busy[id] {
		delete(s.busy, id)
		return 429, "es_rejected_execution_exception", "rejected execution of coordinating operation"
	}
	if len(id) > 512 {
		return 400, "illegal_argument_exception", "id is too long, must be no longer than 512 bytes"
	}
	if s.docs[id] != nil {
		return 409, "version_conflict_engine_exception", "[" + id + "]: version conflict, document already exists"
	}
	var doc map[string]any
	d := json.NewDecoder(bytes.NewReader(source))
	d.UseNumber()
	if err := d.Decode(&doc); err != nil {
		return 400, "document_parsing_exception", err.Error()
	}
	if id == s.Poison {
		return 400, "document_parsing_exception", "failed to parse field [x] of type [long]"
	}
	if _, ok := doc["@timestamp"].(string); !ok {
		return 400, "document_parsing_exception", "data stream timestamp field [@timestamp] is missing"
	}
	if err := s.mapping.check("", doc, "strict"); err != nil {
		typ = "document_parsing_exception"
		if strings.Contains(err.Error(), "dynamic introduction") {
			typ = "strict_dynamic_mapping_exception"
		}
		return 400, typ, err.Error()
	}
	s.docs[id] = doc
	s.IDs = append(s.IDs, id)
	return 201, "", ""
}

// check holds an object against the mapping.
func (p property) check(path string, doc map[string]any, dynamic any) error {
	if p.Dynamic != nil {
		dynamic = p.Dynamic
	}
	for k, v := range doc {
		name := strings.TrimPrefix(path+"."+k, ".")
		sub, known := p.Properties[k]
		if !known && dynamic == "strict" {
			return fmt.Errorf("mapping set to strict, dynamic introduction of [%s] within [%s] is not allowed", k, path)
		}
		if !known { // by the dynamic template of labels
			sub = property{Type: "keyword"}
		}
		if err := sub.value(name, v, dynamic); err != nil {
			return err
		}
	}
	return nil
}

func (p property) value(name string, v any, dynamic any) error {
	if list, ok := v.([]any); ok { // every field may hold many
		for _, x := range list {
			if err := p.value(name, x, dynamic); err != nil {
				return err
			}
		}
		return nil
	}
	bad := fmt.Errorf("failed to parse field [%s] of type [%s]: %v", name, p.Type, v)
	if o, ok := v.(map[string]any); ok {
		if p.Type != "" && p.Type != "object" {
			return bad
		}
		return p.check(name, o, dynamic)
	}
	switch p.Type {
	case "keyword":
		s, ok := v.(string)
		indexed := p.Index == nil || *p.Index || p.DocValues == nil || *p.DocValues
		if !ok || indexed && p.Above == 0 && len(s) > 32766 {
			return bad
		}
	case "text":
		if _, ok := v.(string); !ok {
			return bad
		}
	case "long":
		n, ok := v.(json.Number)
		if !ok {
			return bad
		}
		if _, err := n.Int64(); err != nil {
			return bad
		}
	case "date":
		s, ok := v.(string)
		if !ok {
			return bad
		}
		if _, err := time.Parse(time.RFC3339Nano, s); err != nil {
			return bad
		}
	default:
		return fmt.Errorf("object mapping for [%s] tried to parse field as object, but found a concrete value", name)
	}
	return nil
}
