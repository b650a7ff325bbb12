package domain

import (
	"maps"
	"slices"
	"strconv"
	"testing"

	"github.com/nyaruka/phonenumbers"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// The fast path returns what parsing would return.
func TestNumbersThatAreNotParsed(t *testing.T) {
	codes := slices.Sorted(maps.Keys(prefixes()))
	require.Len(t, codes, len(phonenumbers.GetSupportedCallingCodes()))
	unparsed := 0
	rapid.Check(t, func(t *rapid.T) {
		national := rapid.StringMatching(`[0-9]{4,13}`).Draw(t, "national")
		for _, code := range codes {
			s := "+" + strconv.Itoa(int(code)) + national
			if !isE164(s) {
				continue
			}
			unparsed++
			n, err := phonenumbers.Parse(s, "RU")
			require.NoError(t, err, s)
			require.Equal(t, s, phonenumbers.Format(n, phonenumbers.E164))
		}
	})
	require.Positive(t, unparsed)
	for region := range phonenumbers.GetSupportedRegions() {
		if n := phonenumbers.GetExampleNumber(region); n != nil {
			s := phonenumbers.Format(n, phonenumbers.E164)
			got, ok := NormalizePhone(s, "RU")
			require.True(t, ok, s)
			require.Equal(t, s, got)
		}
	}
	require.True(t, isE164("+79161234567"))
	for _, s := range []string{"", "+", "+7", "79161234567", "+7916123456", "+7 916 123-45-67", "+791612345678", "+4903012345", "+999123456789", "+7916123456x"} {
		require.False(t, isE164(s), s)
	}
}

// Numbers copied from pages and address books contain invisible characters.
func TestInvisibleCharactersInNumbers(t *testing.T) {
	for _, mark := range []string{"\u202a", "\u202b", "\u202c", "\u202d", "\u202e", "\u2066", "\u2067", "\u2068", "\u2069", "\ufe0f", "\u200e", "\u200b", "\ufeff"} {
		for _, s := range []string{mark + "+79161234567" + mark, "+7" + mark + " 916 123-45-67", mark + "8 916 123-45-67"} {
			got, ok := NormalizePhone(s, "RU")
			require.True(t, ok, "%q", s)
			require.Equal(t, "+79161234567", got, "%q", s)
		}
	}
	got, ok := NormalizePhone("\u202a", "RU")
	require.True(t, ok)
	require.Empty(t, got)
}

// A number without its extension reaches somebody else.
func TestExtensionsAreKept(t *testing.T) {
	for _, s := range []string{"+7 495 123-45-67 ext. 12", "+7 495 123-45-67 доб. 12", "+7 495 123-45-67;ext=12", "tel:+7-495-123-45-67;ext=12", "+74951234567x12"} {
		got, ok := NormalizePhone(s, "RU")
		require.True(t, ok, s)
		require.Equal(t, "+74951234567;ext=12", got)
		again, ok := NormalizePhone(got, "RU")
		require.True(t, ok)
		require.Equal(t, got, again, "it is read back as it was written")
	}
}
