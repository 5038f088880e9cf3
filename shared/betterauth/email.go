package betterauth

import (
	"regexp"
	"strings"
)

// emailGrammar is the library's (zod's) grammar but for two rules that Go's
// regular expressions cannot say: no dot first, no two dots in a row.
var emailGrammar = regexp.MustCompile(`^[A-Za-z0-9_'+\-.]*[A-Za-z0-9_+\-]@([A-Za-z0-9][A-Za-z0-9\-]*\.)+[A-Za-z]{2,}$`)

// ValidEmail reports whether email is one that the library takes: much narrower
// than RFC 5322 (no blanks, no "%" or "!", no umlauts, no bare host names, no
// addresses). It does not trim. E-mails are stored and looked up in lower case.
func ValidEmail(email string) bool {
	return emailGrammar.MatchString(email) && email[0] != '.' && !strings.Contains(email, "..")
}
