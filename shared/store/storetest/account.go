package storetest

import (
	"sync"
	"testing"
	"time"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/store"
)

func accounts(t *testing.T, open OpenFunc) {
	cases(t, open, map[string]func(t *testing.T, s store.Store){
		"UsersComeBack": func(t *testing.T, s store.Store) {
			ctx, n := t.Context(), newUser("a")
			n.User.Image, n.User.EmailVerified = ptr(""), true
			ok(t, s.CreateUser(ctx, n))
			same(t, "by id", n.User, must[account.User](t)(s.User(ctx, n.User.ID)))
			same(t, "by e-mail", n.User, must[account.User](t)(s.UserByEmail(ctx, n.User.Email)))
			c := must[account.Credential](t)(s.Credential(ctx, n.User.ID))
			same(t, "credential", account.Credential{
				ID: n.CredentialID, UserID: n.User.ID, PasswordHash: &n.PasswordHash,
				CreatedAt: n.User.CreatedAt, UpdatedAt: n.User.UpdatedAt,
			}, c)
			later := n.User.UpdatedAt.Add(time.Hour)
			ok(t, s.SetPassword(ctx, n.User.ID, "new", later))
			c = must[account.Credential](t)(s.Credential(ctx, n.User.ID))
			if *c.PasswordHash != "new" || !c.UpdatedAt.Equal(later) {
				t.Fatalf("%+v", c)
			}
			u := n.User
			u.Name, u.Image, u.EmailVerified, u.UpdatedAt = "Ängström 🎉", nil, false, later
			ok(t, s.UpdateUser(ctx, u))
			same(t, "updated", u, must[account.User](t)(s.User(ctx, u.ID)))
			if users := must[int64](t)(s.CountUsers(ctx)); users != 1 {
				t.Fatal(users)
			}
		},
		"UnknownUsersAreNotFound": func(t *testing.T, s store.Store) {
			ctx := t.Context()
			_, err := s.User(ctx, "x")
			wantCode(t, err, fault.NotFound)
			_, err = s.UserByEmail(ctx, "x")
			wantCode(t, err, fault.NotFound)
			_, err = s.Credential(ctx, "x")
			wantCode(t, err, fault.NotFound)
			wantCode(t, s.SetPassword(ctx, "x", "h", start), fault.NotFound)
			wantCode(t, s.UpdateUser(ctx, account.User{ID: "x", UpdatedAt: start}), fault.NotFound)
		},
		"TakenEmailIsConflictAndStoresNothing": func(t *testing.T, s store.Store) {
			ctx, a, b := t.Context(), newUser("a"), newUser("b")
			ok(t, s.CreateUser(ctx, a))
			b.User.Email = a.User.Email
			wantCode(t, s.CreateUser(ctx, b), fault.Conflict)
			_, err := s.Project(ctx, b.Project.Project.ID)
			wantCode(t, err, fault.NotFound)
			// The last insert fails: nothing of the first stays.
			c := newUser("c")
			c.Project.Member.ID = a.Project.Member.ID
			wantCode(t, s.CreateUser(ctx, c), fault.Conflict)
			_, err = s.User(ctx, c.User.ID)
			wantCode(t, err, fault.NotFound)
			_, err = s.KeyByHash(ctx, c.Project.Key.Hash)
			wantCode(t, err, fault.NotFound)
		},
		"OnlyFirstLetsOneIn": func(t *testing.T, s store.Store) {
			ctx := t.Context()
			errs := make([]error, 4)
			var wg sync.WaitGroup
			for i, name := range []string{"a", "b", "c", "d"} {
				wg.Go(func() {
					n := newUser(name)
					n.OnlyFirst = true
					errs[i] = s.CreateUser(ctx, n)
				})
			}
			wg.Wait()
			in := 0
			for _, err := range errs {
				if err == nil {
					in++
					continue
				}
				wantCode(t, err, fault.Forbidden)
			}
			if users := must[int64](t)(s.CountUsers(ctx)); in != 1 || users != 1 {
				t.Fatalf("%d got in, %d are stored", in, users)
			}
		},
		"UserJoinsAProjectThatExists": func(t *testing.T, s store.Store) {
			ctx, a, b := t.Context(), newUser("a"), newUser("b")
			ok(t, s.CreateUser(ctx, a))
			b.Membership = &account.Membership{ID: "m", UserID: b.User.ID, ProjectID: a.Project.Project.ID, Role: account.RoleUser, CreatedAt: minute(60)}
			b.Project = nil
			ok(t, s.CreateUser(ctx, b))
			same(t, "members", []account.Member{
				{UserID: a.User.ID, Name: "a", Email: a.User.Email, Role: account.RoleAdmin, CreatedAt: a.Project.Member.CreatedAt},
				{UserID: b.User.ID, Name: "b", Email: b.User.Email, Role: account.RoleUser, CreatedAt: minute(60)},
			}, must[[]account.Member](t)(s.Members(ctx, a.Project.Project.ID)))
			c := newUser("c")
			c.Project, c.Membership = nil, &account.Membership{ID: "m2", UserID: c.User.ID, ProjectID: "nowhere", Role: account.RoleUser, CreatedAt: start}
			wantCode(t, s.CreateUser(ctx, c), fault.Invalid)
		},
		"SessionsComeBackAndEnd": func(t *testing.T, s store.Store) {
			ctx, a, b := t.Context(), newUser("a"), newUser("b")
			ok(t, s.CreateUser(ctx, a))
			ok(t, s.CreateUser(ctx, b))
			session := func(id string, user account.UserID, at time.Time) account.Session {
				se := account.Session{ID: id, UserID: user, Token: "token-" + id, ExpiresAt: at.Add(time.Hour), CreatedAt: at, UpdatedAt: at}
				ok(t, s.CreateSession(ctx, se))
				return se
			}
			two, one := session("2", a.User.ID, minute(2)), session("1", a.User.ID, minute(1))
			full := account.Session{
				ID: "3", UserID: b.User.ID, Token: "t3", ExpiresAt: minute(5), IPAddress: ptr(""), UserAgent: ptr("curl"),
				CreatedAt: minute(3), UpdatedAt: minute(4),
			}
			ok(t, s.CreateSession(ctx, full))
			got, user, err := s.SessionByToken(ctx, "t3")
			ok(t, err)
			same(t, "session", full, got)
			same(t, "user", b.User, user)
			_, _, err = s.SessionByToken(ctx, "absent")
			wantCode(t, err, fault.NotFound)
			wantCode(t, s.CreateSession(ctx, full), fault.Conflict)
			same(t, "oldest first", []account.Session{one, two}, must[[]account.Session](t)(s.UserSessions(ctx, a.User.ID)))

			ok(t, s.ExtendSession(ctx, one.Token, minute(900), minute(6)))
			one.ExpiresAt, one.UpdatedAt = minute(900), minute(6)
			got, _, err = s.SessionByToken(ctx, one.Token)
			ok(t, err)
			same(t, "extended", one, got)
			wantCode(t, s.ExtendSession(ctx, "absent", start, start), fault.NotFound)

			if purged := must[int64](t)(s.PurgeExpired(ctx, minute(5))); purged != 0 {
				t.Fatalf("%d sessions purged that had not ended", purged)
			}
			if purged := must[int64](t)(s.PurgeExpired(ctx, minute(5).Add(time.Millisecond))); purged != 1 {
				t.Fatalf("%d sessions purged, want the one that had ended", purged)
			}
			ok(t, s.DeleteUserSessions(ctx, a.User.ID, two.Token))
			same(t, "kept", []account.Session{two}, must[[]account.Session](t)(s.UserSessions(ctx, a.User.ID)))
			ok(t, s.DeleteSession(ctx, two.Token))
			ok(t, s.DeleteSession(ctx, two.Token))
			session("4", a.User.ID, minute(1))
			ok(t, s.DeleteUserSessions(ctx, a.User.ID, ""))
			same(t, "none", []account.Session{}, must[[]account.Session](t)(s.UserSessions(ctx, a.User.ID)))
		},
		"ProjectsAndRoles": func(t *testing.T, s store.Store) {
			ctx, a, b := t.Context(), newUser("a"), newUser("b")
			ok(t, s.CreateUser(ctx, a))
			ok(t, s.CreateUser(ctx, b))
			made := *newUser("z").Project
			made.Project.CreatedAt = minute(-5)
			made.Member.UserID = a.User.ID
			ok(t, s.CreateProject(ctx, made))
			same(t, "project", made.Project, must[account.Project](t)(s.Project(ctx, made.Project.ID)))
			same(t, "oldest first", []account.ProjectRole{{Project: made.Project, Role: account.RoleAdmin}, {Project: a.Project.Project, Role: account.RoleAdmin}},
				must[[]account.ProjectRole](t)(s.UserProjects(ctx, a.User.ID)))
			_, err := s.Role(ctx, made.Project.ID, b.User.ID)
			wantCode(t, err, fault.NotFound)
			_, err = s.Role(ctx, "nowhere", b.User.ID)
			wantCode(t, err, fault.NotFound)
			m := account.Membership{ID: "m", UserID: b.User.ID, ProjectID: made.Project.ID, Role: account.RoleUser, CreatedAt: start}
			ok(t, s.AddMember(ctx, m))
			if role := must[account.Role](t)(s.Role(ctx, made.Project.ID, b.User.ID)); role != account.RoleUser {
				t.Fatal(role)
			}
			m.ID = "m2"
			wantCode(t, s.AddMember(ctx, m), fault.Conflict)
			wantCode(t, s.CreateProject(ctx, made), fault.Conflict)
			_, err = s.Project(ctx, "nowhere")
			wantCode(t, err, fault.NotFound)
			same(t, "nobody's", []account.Member{}, must[[]account.Member](t)(s.Members(ctx, "nowhere")))
		},
		"Keys": func(t *testing.T, s store.Store) {
			ctx, a, b := t.Context(), newUser("a"), newUser("b")
			ok(t, s.CreateUser(ctx, a))
			ok(t, s.CreateUser(ctx, b))
			project, first := a.Project.Project.ID, a.Project.Key
			second := account.APIKey{ID: "k2", ProjectID: project, Hash: "hash2", Name: "ci", CreatedAt: minute(9), LastUsedAt: ptr(minute(10))}
			ok(t, s.CreateKey(ctx, second)) // not sealed
			same(t, "keys", []account.APIKey{first, second}, must[[]account.APIKey](t)(s.Keys(ctx, project)))
			same(t, "by hash", second, must[account.APIKey](t)(s.KeyByHash(ctx, "hash2")))
			_, err := s.KeyByHash(ctx, "absent")
			wantCode(t, err, fault.NotFound)
			twin := second
			twin.ID, twin.ProjectID = "k3", b.Project.Project.ID
			wantCode(t, s.CreateKey(ctx, twin), fault.Conflict)

			ok(t, s.TouchKey(ctx, first.ID, minute(11)))
			ok(t, s.RenameKey(ctx, project, first.ID, "renamed"))
			first.LastUsedAt, first.Name = ptr(minute(11)), "renamed"
			same(t, "changed", first, must[account.APIKey](t)(s.KeyByHash(ctx, first.Hash)))

			wantCode(t, s.RenameKey(ctx, b.Project.Project.ID, first.ID, "stolen"), fault.NotFound)
			_, err = s.DeleteKey(ctx, b.Project.Project.ID, first.ID)
			wantCode(t, err, fault.NotFound)
			same(t, "deleted", first, must[account.APIKey](t)(s.DeleteKey(ctx, project, first.ID)))
			_, err = s.DeleteKey(ctx, project, first.ID)
			wantCode(t, err, fault.NotFound)
			same(t, "left", []account.APIKey{second}, must[[]account.APIKey](t)(s.Keys(ctx, project)))
		},
	})
}
