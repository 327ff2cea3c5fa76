package sieve

import (
	"strings"
	"sync"
)

// Rarity guesses how often a text stands in logs: the chance at one place, a
// letter within a word being far likelier than at any place.
func Rarity(text string) float64 {
	if often, ok := frequent[strings.ToLower(text)]; ok {
		if text[0] >= 'A' && text[0] <= 'Z' {
			often /= 5 // at the start of a sentence only
		}
		return often
	}
	p := 1.0
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case i == 0:
			p *= Share[c]
		case c >= 0x80:
			p *= 0.2
		case c >= '0' && c <= '9' && wordByte(text[i-1]):
			p *= 0.1
		case c >= 'a' && c <= 'z' && wordByte(text[i-1]):
			p *= 0.25
		case c >= 'A' && c <= 'Z' && wordByte(text[i-1]):
			p *= 0.1
		default:
			p *= Share[c]
		}
	}
	return p
}

// frequent words of healthy logs, and how often one stands at one place.
var frequent = func() map[string]float64 {
	m := map[string]float64{}
	add := func(often float64, words string) {
		for _, w := range strings.Fields(words) {
			m[strings.ToLower(w)] = often
		}
	}
	add(1e-2, `type message user data code error time status info the and for not`)
	add(1e-3, `event token login send server request response failed webim easemob agora jmessage hyphenate 环信 声网 极光
		logger level debug warn thread http https host path method bytes trace client session service handler connection
		connect config work worker agent mozilla windows chrome safari gecko version java null true false exception timeout
		from file list room chat group member online device cache query text image audio value name count start stop open
		close closed been has was with this that other already limit invalid found empty success statusCode
		messages upload uploaded users devices requests published finished completed processed established loaded
		started stopped created updated deleted received address process static index page queue 8080`)
	return m
}()

// parts of frequent words, of a window's length or less, and how often one stands at one
// place.
var parts = sync.OnceValue(func() map[string]float64 {
	m := map[string]float64{}
	for w, often := range frequent {
		for from := range w {
			for to := from + 1; to <= min(from+Window, len(w)); to++ {
				m[w[from:to]] = max(m[w[from:to]], often)
			}
		}
	}
	return m
})

// Share is how often a byte stands in logs.
var Share = func() (share [256]float64) {
	for c := range share {
		switch {
		case c >= 0x80:
			share[c] = 0.002
		case c >= 'A' && c <= 'Z':
			share[c] = 0.004
		case c >= '0' && c <= '9':
			share[c] = 0.025
		case c > ' ':
			share[c] = 0.003
		default:
			share[c] = 0.0003
		}
	}
	for i, c := range []byte("etaoinsrhldcumfpgwybvkxjqz") { // as often as in English
		share[c] = []float64{.055, .045, .04, .035, .035, .035, .035, .033, .02, .022, .02, .018, .016, .015, .012, .014, .012, .01, .008, .008, .006, .004, .003, .001, .001, .001}[i]
	}
	for _, c := range []byte("\"/.-:,=_") {
		share[c] = 0.025
	}
	share[' '] = 0.06
	return share
}()

func wordByte(c byte) bool {
	return c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}
