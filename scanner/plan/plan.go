// Package plan holds what a scanner finds out before it can scan, found out
// ahead for the built-in rules: which texts the prefilter searches, and how. For
// any other rule it is found out at the start, with the same result.
package plan

import (
	"slices"
	"strings"
)

// A Table is what is known. The zero value knows nothing.
type Table struct {
	Regexes   List[Regex]
	Rules     List[[]Anchor] // by regex
	Sentences List[[]Anchor] // by text
	Sieves    List[[]Window] // by the sum of the literals and what the kernel knows of a byte

	Open bool // it takes in what it is asked for; it is not safe for concurrent use then
}

// A List is sorted by what its entries are about.
type List[T any] []Entry[T]

// An Entry is what is known of one text.
type Entry[T any] struct {
	Of string
	Is T
}

// A Regex is what reading an expression tells.
type Regex struct {
	Names []string  // of its groups, as package regexp has them
	Text  bool      // every match begins at the text's start
	Need  []Literal // of which one stands in every match; empty when there are none
}

// A Literal is a text in lower case and how many bytes of a match can stand
// before it at most; -1 for any number.
type Literal struct {
	Text string
	Back int
}

// An Anchor is a text that the prefilter searches, and what can stand around it.
type Anchor struct {
	Lit  string
	Head string    // what stands before it; where it is not a letter or digit, perhaps encoded
	Ends [2]uint64 // letters and digits that can stand before Head and Lit, a bit each
	Tail string    // the regex of what stands behind it; empty: anything may
	Word bool      // a letter or digit stands before Tail
}

// A Window is what a sieve searches of a literal: four bytes, or less.
type Window struct {
	At     uint16 // in the literal
	Bucket uint8
}

// Of returns what a list of a table knows of a text. What it does not know, find
// finds out.
func Of[T any](t *Table, l *List[T], text string, find func() (T, error)) (T, error) {
	at, ok := slices.BinarySearchFunc(*l, text, func(e Entry[T], text string) int { return strings.Compare(e.Of, text) })
	if ok {
		return (*l)[at].Is, nil
	}
	is, err := find()
	if err == nil && t.Open {
		*l = slices.Insert(*l, at, Entry[T]{text, is})
	}
	return is, err
}
