package database

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// Searches compare folded text: words in lower case, each after a space. Characters that people use or leave out inside a
// word (dashes, underscores, apostrophes) are dropped; what follows one is also a word of its own, so that its beginning is
// found. Everything else that is neither letter nor digit separates words. Text that an older version of the program stored
// does not start with a space.

// foldedMark starts folded text.
const foldedMark = " "

// normal removes what two spellings of one word differ in: case, composition, compatibility
// forms and marks above letters, so that ё is е. The breve stays, since й is not и.
func normal(s string) string {
	if isASCII(s) {
		return strings.ToLower(s)
	}
	s = strings.Map(func(r rune) rune {
		if r != '\u0306' && unicode.Is(unicode.Mn, r) || unicode.Is(unicode.Cf, r) {
			return -1
		}
		return unicode.ToLower(r)
	}, norm.NFKD.String(s))
	return norm.NFC.String(s)
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// soft reports whether a character may be left out of a word.
func soft(r rune) bool {
	return r == '\'' || r == '’' || r == 'ʼ' || unicode.In(r, unicode.Pd, unicode.Pc)
}

// plain reports whether a character belongs to a word.
func plain(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) || r == '\u0306' }

// words splits normal text into words that still have their soft characters.
func words(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return !plain(r) && !soft(r) })
}

// squash drops everything that is neither letter nor digit.
func squash(s string) string {
	return strings.Map(func(r rune) rune {
		if plain(r) {
			return r
		}
		return -1
	}, s)
}

// folder builds folded text.
type folder struct{ strings.Builder }

func (f *folder) word(w string) {
	if w != "" {
		f.WriteString(foldedMark)
		f.WriteString(w)
	}
}

// text adds each word, and the parts after its soft characters. It returns the number of words.
func (f *folder) text(s string) (n int) {
	for _, w := range words(normal(s)) {
		parts := strings.FieldsFunc(w, soft)
		if len(parts) == 0 {
			continue
		}
		n++
		f.word(strings.Join(parts, ""))
		for _, p := range parts[1:] {
			f.word(p)
		}
	}
	return n
}

// code adds text that is also found without any of its separators.
func (f *folder) code(s string) {
	if f.text(s) > 1 {
		f.word(squash(normal(s)))
	}
}

// orderSearch is the folded text that OrderFilter.Search matches.
func orderSearch(o *domain.Order) string {
	f := &folder{}
	f.code(o.Number)
	f.code(o.ExternalID)
	f.code(o.Customer.Phone)
	f.text(o.Customer.Name)
	f.text(o.Dropoff.Address)
	if o.Pickup != nil {
		f.text(o.Pickup.Address)
	}
	return f.String()
}

// courierSearch is the folded text that CourierFilter.Search matches.
func courierSearch(c *domain.Courier) string {
	f := &folder{}
	f.text(c.Name)
	f.code(c.Phone)
	return f.String()
}

// searchTerms are the words of a query, each found in the same text. A word of one or two
// characters is the beginning of a word, a longer one part of a word.
type searchTerms []string

// parseSearch returns the alternatives of which one has to match; none match nothing. People
// write numbers with separators of their own, so the whole query is also tried as one word.
func parseSearch(q string) (alternatives []searchTerms) {
	q = normal(q)
	var all searchTerms
	for _, w := range words(q) {
		if w = squash(w); w != "" {
			all = append(all, w)
		}
	}
	if len(all) == 0 {
		return nil
	}
	whole := squash(q)
	if len(whole) == 11 && whole[0] == '8' && strings.Trim(whole, "0123456789") == "" {
		whole = whole[1:] // a Russian phone number as dialled inside the country
	}
	alternatives = append(alternatives, all)
	// What has the whole has its long words too, but a brief one has to begin a word.
	brief := func(word string) bool { return !long(word) }
	if long(whole) && (whole != strings.Join(all, "") || slices.ContainsFunc(all, brief)) {
		alternatives = append(alternatives, searchTerms{whole})
	}
	return alternatives
}

// long reports whether a term is looked for inside words too.
func long(term string) bool { return utf8.RuneCountInString(term) > 2 }

// needle is what folded text contains if the term matches.
func needle(term string) string {
	if long(term) {
		return term
	}
	return foldedMark + term
}

// matches reports whether folded text has all terms of one of the alternatives.
func matches(text string, alternatives []searchTerms) bool {
	for _, terms := range alternatives {
		all := true
		for _, t := range terms {
			all = all && strings.Contains(text, needle(t))
		}
		if all {
			return true
		}
	}
	return false
}

// searchCondition is the SQL of matches for folded text, and a condition for text of older programs.
func (l *listing) searchCondition(position, old string, alternatives []searchTerms) string {
	either := []string{"substr(search, 1, 1) <> ' ' AND " + old}
	for _, terms := range alternatives {
		all := domain.Each(terms, func(t string) string { return position + "(search, " + l.arg(needle(t)) + ") > 0" })
		either = append(either, strings.Join(all, " AND "))
	}
	return "(" + strings.Join(either, " OR ") + ")"
}
