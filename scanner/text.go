package scanner

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
)

// textOf appends a regex that matches what the node does, without its groups'
// names. Package syntax has such a one, which asks of every character of a class
// for its other cases: it takes milliseconds.
func textOf(b *strings.Builder, n *syntax.Regexp) {
	switch n.Op {
	case syntax.OpLiteral:
		text := regexp.QuoteMeta(string(n.Rune))
		if n.Flags&syntax.FoldCase != 0 {
			text = "(?i:" + text + ")"
		}
		b.WriteString(text)
	case syntax.OpCharClass:
		if len(n.Rune) == 0 {
			b.WriteString(signs[syntax.OpNoMatch])
			return
		}
		b.WriteByte('[')
		for i := 0; i+1 < len(n.Rune); i += 2 {
			char(b, n.Rune[i])
			if n.Rune[i+1] > n.Rune[i] {
				b.WriteByte('-')
				char(b, n.Rune[i+1])
			}
		}
		b.WriteByte(']')
	case syntax.OpStar, syntax.OpPlus, syntax.OpQuest:
		group(b, n.Sub, "")
		b.WriteString(signs[n.Op])
	case syntax.OpAlternate:
		group(b, n.Sub, "|")
	case syntax.OpConcat, syntax.OpCapture, syntax.OpEmptyMatch:
		group(b, n.Sub, "")
	default:
		b.WriteString(signs[n.Op])
	}
}

// signs are what is written without more; repetitions have been spelt out.
var signs = map[syntax.Op]string{
	syntax.OpStar: "*", syntax.OpPlus: "+", syntax.OpQuest: "?", syntax.OpNoMatch: `[^\x{0}-\x{10ffff}]`, syntax.OpAnyCharNotNL: `(?-s:.)`, syntax.OpAnyChar: `(?s:.)`,
	syntax.OpBeginLine: `(?m:^)`, syntax.OpEndLine: `(?m:$)`, syntax.OpBeginText: `\A`, syntax.OpEndText: `\z`, syntax.OpWordBoundary: `\b`, syntax.OpNoWordBoundary: `\B`,
}

// char appends a character of a class.
func char(b *strings.Builder, r rune) {
	if isWord(r) {
		b.WriteRune(r)
	} else {
		fmt.Fprintf(b, `\x{%x}`, r)
	}
}

func group(b *strings.Builder, list []*syntax.Regexp, between string) {
	b.WriteString("(?:")
	for i, n := range list {
		if i > 0 {
			b.WriteString(between)
		}
		textOf(b, n)
	}
	b.WriteByte(')')
}
