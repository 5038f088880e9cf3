package apitest

// notSent marks examples that cannot be told again.
const notSent = -1

// deviations are where Pulse answers otherwise than the earlier service did, on
// purpose: by topic and place in its file, with the status that it gives. What
// is here is not compared further. One more holds everywhere: what no route
// takes was 404 in plain text, and is 404 or 405 in JSON.
var deviations = map[string]struct {
	status int
	why    string
}{
	"cors/5": {200, "* is no origin, and nothing else ever matched"},

	"static-dashboard/4":  {200, "the API's address is left to the page's own origin unless it was configured"},
	"static-dashboard/5":  {notSent, "which files there are is up to the build"},
	"static-dashboard/8":  {200, "an id with a dot is a page too"},
	"static-dashboard/14": {400, "a client's mistake was a 500"},
	"static-dashboard/16": {206, "ranges are served"},
	"static-dashboard/17": {notSent, "which files there are is up to the build"},
	"static-dashboard/18": {notSent, "which files there are is up to the build"},

	"routing-and-json-edge-cases/1":  {200, "a trailing slash is tolerated"},
	"routing-and-json-edge-cases/2":  {200, "doubled slashes are tolerated"},
	"routing-and-json-edge-cases/3":  {202, "doubled slashes are tolerated"},
	"routing-and-json-edge-cases/6":  {404, "the recording client took the dot out; sent as it is, it is another path"},
	"routing-and-json-edge-cases/12": {400, "a malformed request line never reaches the application"},
	"routing-and-json-edge-cases/21": {202, "numbers come back as they were written, not as doubles"},
	"routing-and-json-edge-cases/27": {200, "of equal times another may be first"},
	"routing-and-json-edge-cases/29": {200, "of equal times another may be first"},

	"traces-batch/14": {202, "a repeated id is stored once and is no error"},
	"traces-batch/16": {200, "what follows a repeated id is stored"},
	"traces-batch/17": {202, "a repeated id is stored once and is no error"},
	"traces-batch/18": {202, "another project's ids are its own"},
	"traces-batch/19": {200, "another project's ids are its own"},
	"traces-async/1":  {200, "a read waits for earlier writes"},
	"traces-async/12": {200, "another project's ids are its own"},
	"spans-batch/7":   {202, "a repeated id is stored once and is no error"},
	"spans-batch/8":   {200, "what follows a repeated id is stored"},
	"spans-batch/9":   {202, "another project's ids are its own"},

	"scale-mode-differences/0":  {400, "no SQL in answers"},
	"scale-mode-differences/1":  {202, "both engines hold fractions"},
	"scale-mode-differences/2":  {202, "both engines hold large numbers"},
	"scale-mode-differences/3":  {202, "both engines hold large numbers"},
	"scale-mode-differences/4":  {202, "both engines hold any payload"},
	"scale-mode-differences/5":  {202, "both engines hold any payload"},
	"scale-mode-differences/6":  {400, "times before 1970 are refused, not changed"},
	"scale-mode-differences/8":  {202, "both engines hold fractions"},
	"scale-mode-differences/10": {200, "what was acknowledged is stored"},
	"scale-mode-differences/11": {200, "more was stored than then"},
	"scale-mode-differences/12": {404, "a client's mistake was a 500"},

	"not-found-and-methods/6": {401, "it is a route since generation 2"},

	"gen2-otlp/4":  {200, "there are more kinds, and the message lists them"},
	"gen2-otlp/5":  {200, "there are more kinds, and the message lists them"},
	"gen2-otlp/8":  {200, "the names of protobuf are taken too"},
	"gen2-otlp/11": {200, "the reason is no longer one of JavaScript's"},
	"gen2-otlp/14": {200, "there may be 100,000 spans in a request"},
	"gen2-otlp/16": {200, "protobuf is taken"},
	"gen2-otlp/17": {notSent, "gzip is taken"},

	"signup/8":  {400, "a client's mistake was a 500"},
	"signup/10": {403, "sent without a content type, as a form of another site would be"},
	"signup/11": {400, "a client's mistake was a 500"},
	"signup/13": {403, "what a form of another site can send"},

	"auth-sign-in/8":       {400, "a client's mistake was a 500"},
	"auth-get-session/6":   {405, "the library's later versions have this route"},
	"auth-get-session/7":   {notSent, "the session's row had been changed by hand"},
	"auth-get-session/9":   {notSent, "the session's row had been changed by hand"},
	"auth-get-session/10":  {notSent, "the session's row had been changed by hand"},
	"auth-get-session/12":  {notSent, "the session's row had been changed by hand"},
	"auth-sign-up-email/0": {403, "it was meant to be closed"},
	"auth-sign-up-email/1": {403, "it was meant to be closed"},
	"auth-sign-up-email/3": {200, "the recorded list was cut"},

	"projects/9":  {400, "a client's mistake was a 500"},
	"projects/10": {403, "sent without a content type, as a form of another site would be"},
	"projects/11": {400, "a client's mistake was a 500"},
	"projects/13": {400, "projects can be deleted by now, with a body that confirms it"},
	"projects/14": {200, "projects come by age, not by their random ids"},
	"api-keys/3":  {notSent, "it succeeds now, as a test of dashboardapi shows; the recording goes on without the key that it makes"},
	"users/3":     {201, "the name of somebody else's account is not told"},
	"users/10":    {400, "a client's mistake was a 500"},
	"users/11":    {400, "a client's mistake was a 500"},

	"project-context-and-roles/17": {notSent, "the membership's row had been changed by hand"},
	"project-context-and-roles/18": {notSent, "the membership's row had been changed by hand"},
	"project-context-and-roles/19": {notSent, "the membership's row had been changed by hand"},

	"local-login/3":  {200, "projects come by age, not by their random ids"},
	"local-login/11": {201, "[::1] is this machine too"},
	"local-login/12": {400, "browsers are sent to http and https only"},
	"local-login/17": {401, "passwords are checked at once"},
	"local-login/18": {400, "there is no token for a wrong password"},
	"local-login/20": {400, "a client's mistake was a 500"},
	"local-login/21": {400, "a client's mistake was a 500"},
	"local-login/24": {201, "[::1] is this machine too"},
}
