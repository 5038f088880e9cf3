// Package betterauth is the e-mail and password core of Better Auth 1.7
// (https://better-auth.com), so that browsers, cookies and databases of a Node
// server that ran the library go on working unchanged: session life, cookie
// signatures, password hashes, ids, the e-mail grammar, the origin rules and the
// wording of its errors.
//
// It knows neither routes nor SQL. shared/api/authapi puts it behind
// /api/auth/*, and the session guard of the dashboard's routes, sign-up and the
// local login use the same Service.
package betterauth
