package finding

import (
	"cmp"
	"encoding/json"
	"slices"
)

// Fields are what was captured beside a code: each name once, in the order of names,
// none without a value. In JSON they are an object.
type Fields []Field

// A Field is a name and its value.
type Field struct{ Name, Value string }

// Get returns the value of a name; "" where there is none.
func (f Fields) Get(name string) string {
	for i := range f {
		if f[i].Name == name {
			return f[i].Value
		}
	}
	return ""
}

// Set gives a name a value; none takes it away.
func (f *Fields) Set(name, value string) {
	at, there := slices.BinarySearchFunc(*f, name, func(x Field, name string) int { return cmp.Compare(x.Name, name) })
	switch {
	case value == "" && there:
		*f = slices.Delete(*f, at, at+1)
	case there:
		(*f)[at].Value = value
	case value != "":
		*f = slices.Insert(*f, at, Field{name, value})
	}
}

// MarshalJSON writes the object.
func (f Fields) MarshalJSON() ([]byte, error) {
	out := []byte{'{'}
	for i := range f {
		if i > 0 {
			out = append(out, ',')
		}
		name, err := json.Marshal(f[i].Name)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(f[i].Value)
		if err != nil {
			return nil, err
		}
		out = append(append(append(out, name...), ':'), value...)
	}
	return append(out, '}'), nil
}

// UnmarshalJSON reads it.
func (f *Fields) UnmarshalJSON(data []byte) error {
	var m map[string]string
	if err := json.Unmarshal(data, &m); err != nil {
		return err
	}
	*f = nil
	for name, value := range m {
		f.Set(name, value)
	}
	return nil
}
