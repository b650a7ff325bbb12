package carrier

import (
	"embed"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/order-tracking/order-tracking/internal/domain"
)

//go:embed tables/*.txt
var tables embed.FS

// numberForm is a row of tables/numbers.txt.
type numberForm struct {
	company string
	form    *regexp.Regexp
	check   string
	sure    bool
}

var (
	numberForms = func() (out []numberForm) {
		for _, r := range Table(tables, "tables/numbers.txt") {
			out = append(out, numberForm{r[0], regexp.MustCompile(`^(?:` + r[1] + `)$`), r[2], r[3] == "sure"})
		}
		return out
	}()
	posts = LoadWords(tables, "tables/posts.txt")
)

// DetectNumber returns the companies whose tracking number it may be, likeliest first. A
// guess is certain only where the form and the check digit leave no other company.
func DetectNumber(number string) []domain.NumberGuess {
	plain := strings.Map(func(r rune) rune {
		if r == ' ' || r == '-' {
			return -1
		}
		return r
	}, number)
	upper := strings.ToUpper(plain)
	var out []domain.NumberGuess
	for _, f := range numberForms {
		text := upper
		if f.company == "yandex" {
			text = strings.ToLower(plain)
		}
		if !f.form.MatchString(text) || !checked(f.check, text) {
			continue
		}
		g := domain.NumberGuess{Company: f.company, Number: text, Certain: f.sure}
		if g.Company == "*" {
			country := text[len(text)-2:]
			if g.Company = posts[country]; g.Company == "" {
				g.Company = "post_" + strings.ToLower(country)
			}
		}
		if !slices.ContainsFunc(out, func(known domain.NumberGuess) bool { return known.Company == g.Company }) {
			out = append(out, g)
		}
	}
	if len(out) > 1 {
		for i := range out {
			out[i].Certain = false
		}
	}
	return out
}

// checked verifies the check digit of a number; "" is none.
func checked(kind, s string) bool {
	switch kind {
	case "":
		return true
	case "ups":
		return upsDigit(s[2:17]) == s[17]
	case "s10":
		return s10Digit(s[2:10]) == s[10]
	case "mod10":
		return mod10(strings.TrimPrefix(s, zip(s)))
	case "mod10tail22":
		return mod10(s[len(s)-22:])
	case "mod10tail15":
		return mod10(s[len(s)-15:])
	case "mod7":
		n, err := strconv.Atoi(s[:9])
		return err == nil && n%7 == int(s[9]-'0')
	case "fedex":
		return fedexDigit(s[:11]) == s[11]
	}
	return false
}

// zip is the ZIP code with its 420 in front of a USPS number of 30 digits, or "".
func zip(s string) string {
	if len(s) == 30 && strings.HasPrefix(s, "420") {
		return s[:8]
	}
	return ""
}

// mod10 is the check of GS1 (General Specifications, 7.9): from the right, behind the check
// digit, weights 3 and 1.
func mod10(s string) bool {
	sum := 0
	for i := range len(s) {
		d := int(s[len(s)-1-i] - '0')
		if i%2 == 1 {
			d *= 3
		}
		sum += d
	}
	return sum%10 == 0
}

// s10Digit is the check digit of UPU S10 for a serial number of eight digits.
func s10Digit(serial string) byte {
	sum := 0
	for i, w := range []int{8, 6, 4, 2, 3, 5, 9, 7} {
		sum += w * int(serial[i]-'0')
	}
	switch c := 11 - sum%11; c {
	case 10:
		return '0'
	case 11:
		return '5'
	default:
		return byte('0' + c)
	}
}

// upsDigit is the check digit of a UPS number behind 1Z: letters count as two to eleven
// modulo ten, every second character twice.
func upsDigit(s string) byte {
	sum := 0
	for i, r := range s {
		v := int(r - '0')
		if r >= 'A' {
			v = (int(r-'A') + 2) % 10
		}
		if i%2 == 1 {
			v *= 2
		}
		sum += v
	}
	return byte('0' + (10-sum%10)%10)
}

// fedexDigit is the check digit of a FedEx Express number: weights 1, 3, 7 from the right,
// modulo 11, then 10.
func fedexDigit(s string) byte {
	sum := 0
	for i := range len(s) {
		sum += int(s[len(s)-1-i]-'0') * []int{1, 3, 7}[i%3]
	}
	return byte('0' + sum%11%10)
}
