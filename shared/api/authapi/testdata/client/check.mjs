// Drives the official better-auth client against a running server, as the
// dashboards do in a browser: cookies are kept and an Origin is sent. Every
// answer goes through the client's own parsing, so a date that it cannot read
// or a status that it takes for a failure shows here.
//
// TARGET: the server's address. ORIGIN: an origin that it trusts. EMAIL and
// PASSWORD: of a user called Ann Admin without sessions.
import assert from "node:assert/strict";
import { createAuthClient } from "better-auth/client";

const { TARGET, ORIGIN, EMAIL, PASSWORD } = process.env;

// browser makes a client with a cookie jar of its own.
function browser() {
  const jar = new Map();
  const fetchWithCookies = async (url, init = {}) => {
    const headers = new Headers(init.headers);
    headers.set("Origin", ORIGIN);
    if (jar.size > 0) headers.set("Cookie", [...jar].map(([k, v]) => `${k}=${v}`).join("; "));
    const res = await fetch(url, { ...init, headers });
    for (const line of res.headers.getSetCookie()) {
      const [pair, ...attributes] = line.split("; ");
      const at = pair.indexOf("=");
      if (attributes.includes("Max-Age=0")) jar.delete(pair.slice(0, at));
      else jar.set(pair.slice(0, at), pair.slice(at + 1));
    }
    return res;
  };
  const client = createAuthClient({ baseURL: TARGET, fetchOptions: { customFetchImpl: fetchWithCookies } });
  return { client, jar };
}

async function ok(promise) {
  const { data, error } = await promise;
  assert.equal(error, null);
  return data;
}

async function fails(promise, status, code, message) {
  const { data, error } = await promise;
  assert.equal(data, null);
  assert.equal(error.status, status);
  assert.equal(error.code, code);
  if (message) assert.equal(error.message, message);
}

const { client, jar } = browser();

// Signed out.
assert.equal(await ok(client.getSession()), null);
await fails(client.signIn.email({ email: EMAIL, password: "wrong" }), 401, "INVALID_EMAIL_OR_PASSWORD", "Invalid email or password");
await fails(client.signIn.email({ email: "bad", password: PASSWORD }), 400, "INVALID_EMAIL", "Invalid email");
await fails(client.signUp.email({ name: "x", email: "x@example.com", password: PASSWORD }), 403, "EMAIL_PASSWORD_SIGN_UP_DISABLED");
await fails(client.listSessions(), 401, "UNAUTHORIZED", "Unauthorized");
assert.deepEqual(await ok(client.signOut()), { success: true });

// Sign in.
const signedIn = await ok(client.signIn.email({ email: EMAIL.toUpperCase(), password: PASSWORD }));
assert.equal(signedIn.redirect, false);
assert.equal(signedIn.url, undefined);
assert.equal(signedIn.user.email, EMAIL);
assert.ok(signedIn.user.createdAt instanceof Date);
assert.ok(jar.has("better-auth.session_token"));

// Read the session.
const { session, user } = await ok(client.getSession());
assert.equal(session.token, signedIn.token);
assert.equal(session.userId, user.id);
assert.equal(user.name, "Ann Admin");
assert.equal(user.emailVerified, false);
assert.equal(user.image, null);
for (const date of [session.expiresAt, session.createdAt, session.updatedAt, user.createdAt, user.updatedAt]) {
  assert.ok(date instanceof Date && !Number.isNaN(date.valueOf()), `not a date: ${date}`);
}
const days = (session.expiresAt - Date.now()) / 86_400_000;
assert.ok(days > 6.99 && days <= 7, `session lives ${days} days`);

// Change the user.
assert.deepEqual(await ok(client.updateUser({ name: "Änn 😀", image: "https://example.com/a.png" })), { status: true });
const changed = await ok(client.getSession());
assert.equal(changed.user.name, "Änn 😀");
assert.equal(changed.user.image, "https://example.com/a.png");
await fails(client.changeEmail({ newEmail: "x@example.com" }), 400, "CHANGE_EMAIL_DISABLED");
const accounts = await ok(client.listAccounts());
assert.equal(accounts.length, 1);
assert.equal(accounts[0].providerId, "credential");

// Change the password; the session lives on.
await fails(client.changePassword({ currentPassword: "wrong", newPassword: "new password 2" }), 400, "INVALID_PASSWORD");
await fails(client.changePassword({ currentPassword: PASSWORD, newPassword: "short" }), 400, "PASSWORD_TOO_SHORT");
const kept = await ok(client.changePassword({ currentPassword: PASSWORD, newPassword: "new password 2" }));
assert.equal(kept.token, null);
await fails(client.signIn.email({ email: EMAIL, password: PASSWORD }), 401, "INVALID_EMAIL_OR_PASSWORD");

// Other browsers, one of them not to be remembered.
const second = browser();
const third = browser();
await ok(second.client.signIn.email({ email: EMAIL, password: "new password 2", rememberMe: false }));
assert.ok(second.jar.has("better-auth.dont_remember"));
const thirdToken = (await ok(third.client.signIn.email({ email: EMAIL, password: "new password 2" }))).token;
const sessions = await ok(client.listSessions());
assert.equal(sessions.length, 3);
assert.ok(sessions.every((s) => s.expiresAt instanceof Date));

// Revoke.
assert.deepEqual(await ok(client.revokeSession({ token: thirdToken })), { status: true });
assert.equal(await ok(third.client.getSession()), null);
assert.equal(third.jar.size, 0);
assert.deepEqual(await ok(client.revokeOtherSessions()), { status: true });
assert.equal(await ok(second.client.getSession()), null);
assert.equal((await ok(client.listSessions())).length, 1);

// Change the password and end every session but a new one.
const replaced = await ok(client.changePassword({ currentPassword: "new password 2", newPassword: PASSWORD, revokeOtherSessions: true }));
assert.notEqual(replaced.token, session.token);
assert.equal((await ok(client.getSession())).session.token, replaced.token);

// Sign out.
assert.deepEqual(await ok(client.signOut()), { success: true });
assert.equal(jar.size, 0);
assert.equal(await ok(client.getSession()), null);

// Sign in once more and end everything.
await ok(client.signIn.email({ email: EMAIL, password: PASSWORD }));
assert.deepEqual(await ok(client.revokeSessions()), { status: true });
assert.equal(await ok(client.getSession()), null);
console.log("ok");
