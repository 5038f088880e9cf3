package storetest

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/trace"
)

// join makes users members of a project in a role and gives their ids.
func join(t *testing.T, s store.Store, project account.ProjectID, role account.Role, names ...string) []account.UserID {
	t.Helper()
	ids := make([]account.UserID, len(names))
	for i, name := range names {
		n := newUser(name)
		n.Project, n.Membership = nil, &account.Membership{ID: "joined-" + name, UserID: n.User.ID, ProjectID: project, Role: role, CreatedAt: minute(i + 1)}
		ok(t, s.CreateUser(t.Context(), n))
		ids[i] = n.User.ID
	}
	return ids
}

func newInvite(id string, project account.ProjectID, by account.UserID) account.Invite {
	return account.Invite{
		ID: id, ProjectID: project, Hash: account.HashToken(id), Role: account.RoleUser, CreatedBy: by, CreatedAt: minute(0), ExpiresAt: minute(60),
	}
}

func controls(t *testing.T, open OpenFunc) {
	members(t, open)
	invites(t, open)
	views(t, open)
	settings(t, open)
	removals(t, open)
}

func members(t *testing.T, open OpenFunc) {
	cases(t, open, map[string]func(t *testing.T, s store.Store){
		"LastAdministratorStays": func(t *testing.T, s store.Store) {
			ctx, p, a := t.Context(), newProject(t, s, "a"), account.UserID("user-a")
			b := join(t, s, p, account.RoleUser, "b")[0]
			wantCode(t, s.SetRole(ctx, p, a, account.RoleUser), fault.Conflict)
			wantCode(t, s.RemoveMember(ctx, p, a), fault.Conflict)
			ok(t, s.SetRole(ctx, p, a, account.RoleAdmin))
			ok(t, s.SetRole(ctx, p, b, account.RoleAdmin))
			ok(t, s.SetRole(ctx, p, a, account.RoleUser))
			wantCode(t, s.RemoveMember(ctx, p, b), fault.Conflict)
			ok(t, s.RemoveMember(ctx, p, a))
			_, err := s.Role(ctx, p, a)
			wantCode(t, err, fault.NotFound)
			if role := must[account.Role](t)(s.Role(ctx, p, b)); role != account.RoleAdmin {
				t.Fatal(role)
			}
		},
		"OneAdministratorIsLeftOfTwoAtOnce": func(t *testing.T, s store.Store) {
			ctx, p := t.Context(), newProject(t, s, "a")
			admins := append(join(t, s, p, account.RoleAdmin, "b", "c", "d"), "user-a")
			errs := make([]error, len(admins))
			var wg sync.WaitGroup
			for i, id := range admins {
				wg.Go(func() {
					if i%2 == 0 {
						errs[i] = s.SetRole(ctx, p, id, account.RoleUser)
					} else {
						errs[i] = s.RemoveMember(ctx, p, id)
					}
				})
			}
			wg.Wait()
			refused := 0
			for _, err := range errs {
				if err != nil {
					wantCode(t, err, fault.Conflict)
					refused++
				}
			}
			left := 0
			for _, m := range must[[]account.Member](t)(s.Members(ctx, p)) {
				if m.Role == account.RoleAdmin {
					left++
				}
			}
			if refused != 1 || left != 1 {
				t.Fatalf("%d refused, %d administrators left", refused, left)
			}
		},
		"WhoIsNoMemberIsNotFound": func(t *testing.T, s store.Store) {
			ctx, p := t.Context(), newProject(t, s, "a")
			newProject(t, s, "b")
			for _, user := range []account.UserID{"user-b", "nobody"} {
				wantCode(t, s.SetRole(ctx, p, user, account.RoleUser), fault.NotFound)
				wantCode(t, s.SetRole(ctx, p, user, account.RoleAdmin), fault.NotFound)
				wantCode(t, s.RemoveMember(ctx, p, user), fault.NotFound)
			}
			wantCode(t, s.SetRole(ctx, "nowhere", "user-a", account.RoleUser), fault.NotFound)
		},
		"WhoGoesTakesInvitesAndViewsAlong": func(t *testing.T, s store.Store) {
			ctx, p := t.Context(), newProject(t, s, "a")
			ids := join(t, s, p, account.RoleAdmin, "b", "c")
			for _, id := range append(ids, "user-a") {
				ok(t, s.CreateInvite(ctx, newInvite("invite-"+string(id), p, id)))
				ok(t, s.CreateView(ctx, p, store.View{ID: "own-" + string(id), UserID: id, CreatedAt: start}))
				ok(t, s.CreateView(ctx, p, store.View{ID: "shared-" + string(id), UserID: id, Shared: true, CreatedAt: start}))
			}
			ok(t, s.RemoveMember(ctx, p, ids[0]))
			ok(t, s.SetRole(ctx, p, ids[1], account.RoleUser))
			left := must[[]account.Invite](t)(s.Invites(ctx, p, start))
			if len(left) != 1 || left[0].CreatedBy != "user-a" {
				t.Fatalf("%+v", left)
			}
			_, err := s.View(ctx, p, "own-user-b")
			wantCode(t, err, fault.NotFound)
			for _, id := range []string{"shared-user-b", "own-user-c"} {
				must[store.View](t)(s.View(ctx, p, id))
			}
		},
	})
}

func invites(t *testing.T, open OpenFunc) {
	use := func(i account.Invite, user account.UserID, at time.Time) store.InviteUse {
		return store.InviteUse{Hash: i.Hash, User: user, MembershipID: "m-" + string(user), Now: at}
	}
	cases(t, open, map[string]func(t *testing.T, s store.Store){
		"ComeBackWhilePending": func(t *testing.T, s store.Store) {
			ctx, p, q := t.Context(), newProject(t, s, "a"), newProject(t, s, "b")
			two, one := newInvite("2", p, "user-a"), newInvite("1", p, "user-a")
			one.Role, one.Email, one.ExpiresAt = account.RoleAdmin, "x@example.com", minute(30)
			ok(t, s.CreateInvite(ctx, two))
			ok(t, s.CreateInvite(ctx, one))
			same(t, "invites", []account.Invite{one, two}, must[[]account.Invite](t)(s.Invites(ctx, p, start)))
			same(t, "later", []account.Invite{two}, must[[]account.Invite](t)(s.Invites(ctx, p, minute(30))))
			same(t, "another's", []account.Invite{}, must[[]account.Invite](t)(s.Invites(ctx, q, start)))
			same(t, "by hash", one, must[account.Invite](t)(s.InviteByHash(ctx, one.Hash, start)))
			_, err := s.InviteByHash(ctx, one.Hash, minute(30))
			wantCode(t, err, fault.NotFound)
			_, err = s.InviteByHash(ctx, "absent", start)
			wantCode(t, err, fault.NotFound)
			wantCode(t, s.DeleteInvite(ctx, q, "1"), fault.NotFound)
			ok(t, s.DeleteInvite(ctx, p, "1"))
			wantCode(t, s.DeleteInvite(ctx, p, "1"), fault.NotFound)
			wantCode(t, s.CreateInvite(ctx, newInvite("3", "nowhere", "user-a")), fault.Invalid)
			must[int64](t)(s.PurgeExpired(ctx, minute(60)))
			must[account.Invite](t)(s.InviteByHash(ctx, two.Hash, start))
			must[int64](t)(s.PurgeExpired(ctx, minute(61)))
			_, err = s.InviteByHash(ctx, two.Hash, start)
			wantCode(t, err, fault.NotFound)
		},
		"LetOneIn": func(t *testing.T, s store.Store) {
			ctx, p := t.Context(), newProject(t, s, "a")
			for _, name := range []string{"b", "c", "d"} {
				newProject(t, s, name)
			}
			i := newInvite("1", p, "user-a")
			ok(t, s.CreateInvite(ctx, i))
			users := []account.UserID{"user-b", "user-c", "user-d"}
			errs := make([]error, len(users))
			var wg sync.WaitGroup
			for n, user := range users {
				wg.Go(func() { _, errs[n] = s.UseInvite(ctx, use(i, user, minute(1))) })
			}
			wg.Wait()
			var in account.UserID
			for n, err := range errs {
				if err == nil {
					in = users[n]
				} else {
					wantCode(t, err, fault.NotFound)
				}
			}
			if got := must[[]account.Member](t)(s.Members(ctx, p)); len(got) != 2 || got[1].UserID != in || got[1].Role != account.RoleUser || !got[1].CreatedAt.Equal(minute(1)) {
				t.Fatalf("%s got in: %+v", in, got)
			}
			// Whom it let in may come again, but not after having been removed.
			if got := must[account.ProjectID](t)(s.UseInvite(ctx, use(i, in, minute(2)))); got != p {
				t.Fatal(got)
			}
			same(t, "pending", []account.Invite{}, must[[]account.Invite](t)(s.Invites(ctx, p, start)))
			wantCode(t, s.DeleteInvite(ctx, p, i.ID), fault.NotFound)
			ok(t, s.RemoveMember(ctx, p, in))
			_, err := s.UseInvite(ctx, use(i, in, minute(3)))
			wantCode(t, err, fault.NotFound)
		},
		"OfAMemberStays": func(t *testing.T, s store.Store) {
			ctx, p := t.Context(), newProject(t, s, "a")
			i := newInvite("1", p, "user-a")
			ok(t, s.CreateInvite(ctx, i))
			if got := must[account.ProjectID](t)(s.UseInvite(ctx, use(i, "user-a", minute(1)))); got != p {
				t.Fatal(got)
			}
			if role := must[account.Role](t)(s.Role(ctx, p, "user-a")); role != account.RoleAdmin {
				t.Fatal(role)
			}
			same(t, "pending", []account.Invite{i}, must[[]account.Invite](t)(s.Invites(ctx, p, start)))
			_, err := s.UseInvite(ctx, use(i, "user-a", minute(60)))
			wantCode(t, err, fault.NotFound)
			_, err = s.UseInvite(ctx, store.InviteUse{Hash: "absent", User: "user-a", MembershipID: "m", Now: start})
			wantCode(t, err, fault.NotFound)
		},
		"MakeAccounts": func(t *testing.T, s store.Store) {
			ctx, p := t.Context(), newProject(t, s, "a")
			i := newInvite("1", p, "user-a")
			ok(t, s.CreateInvite(ctx, i))
			n := newUser("b")
			n.Project = nil
			n.User.Email = "a@example.com"
			u := use(i, n.User.ID, minute(1))
			u.New = &n
			_, err := s.UseInvite(ctx, u)
			wantCode(t, err, fault.Conflict)
			_, err = s.User(ctx, n.User.ID)
			wantCode(t, err, fault.NotFound)
			n.User.Email = "b@example.com"
			must[account.ProjectID](t)(s.UseInvite(ctx, u))
			same(t, "user", n.User, must[account.User](t)(s.UserByEmail(ctx, "b@example.com")))
			must[account.Credential](t)(s.Credential(ctx, n.User.ID))
			if role := must[account.Role](t)(s.Role(ctx, p, n.User.ID)); role != account.RoleUser {
				t.Fatal(role)
			}
		},
	})
}

func views(t *testing.T, open OpenFunc) {
	cases(t, open, map[string]func(t *testing.T, s store.Store){
		"OwnAndShared": func(t *testing.T, s store.Store) {
			ctx, p, q := t.Context(), newProject(t, s, "a"), newProject(t, s, "b")
			b := join(t, s, p, account.RoleUser, "c")[0]
			own := store.View{ID: "2", UserID: "user-a", Name: "Fehler 🎉", Page: "traces", Query: "q=status%3Aerror", CreatedAt: minute(1)}
			shared := store.View{ID: "1", UserID: "user-a", Name: "shared", Page: "analytics", Shared: true, CreatedAt: minute(1)}
			other := store.View{ID: "0", UserID: b, Name: "other", Page: "sessions", CreatedAt: minute(2)}
			for _, v := range []store.View{own, shared, other} {
				ok(t, s.CreateView(ctx, p, v))
			}
			same(t, "a's", []store.View{shared, own}, must[[]store.View](t)(s.Views(ctx, p, "user-a")))
			same(t, "c's", []store.View{shared, other}, must[[]store.View](t)(s.Views(ctx, p, b)))
			same(t, "in another project", []store.View{}, must[[]store.View](t)(s.Views(ctx, q, "user-a")))
			same(t, "one", own, must[store.View](t)(s.View(ctx, p, "2")))
			_, err := s.View(ctx, q, "2")
			wantCode(t, err, fault.NotFound)

			own.Name, own.Query, own.Shared = "new", "", true
			changed := own
			changed.Page, changed.UserID = "ignored", "ignored"
			ok(t, s.UpdateView(ctx, p, changed))
			same(t, "changed", own, must[store.View](t)(s.View(ctx, p, "2")))
			wantCode(t, s.UpdateView(ctx, q, own), fault.NotFound)
			wantCode(t, s.DeleteView(ctx, q, "2"), fault.NotFound)
			ok(t, s.DeleteView(ctx, p, "2"))
			wantCode(t, s.DeleteView(ctx, p, "2"), fault.NotFound)
			wantCode(t, s.CreateView(ctx, "nowhere", own), fault.Invalid)
			wantCode(t, s.CreateView(ctx, p, shared), fault.Conflict)
		},
		"AreBounded": func(t *testing.T, s store.Store) {
			ctx, p, q := t.Context(), newProject(t, s, "a"), newProject(t, s, "b")
			for i := range store.MaxViews - 1 {
				ok(t, s.CreateView(ctx, p, store.View{ID: numbered("v", i), UserID: "user-a", CreatedAt: start}))
			}
			errs := make([]error, 3)
			var wg sync.WaitGroup
			for i := range errs {
				wg.Go(func() {
					errs[i] = s.CreateView(ctx, p, store.View{ID: fmt.Sprint(i), UserID: "user-a", CreatedAt: start})
				})
			}
			wg.Wait()
			in := 0
			for _, err := range errs {
				if err == nil {
					in++
				} else {
					wantCode(t, err, fault.Conflict)
				}
			}
			if n := len(must[[]store.View](t)(s.Views(ctx, p, "user-a"))); in != 1 || n != store.MaxViews {
				t.Fatalf("%d got in, %d are stored", in, n)
			}
			ok(t, s.CreateView(ctx, p, store.View{ID: "b", UserID: "user-b", CreatedAt: start}))
			ok(t, s.CreateView(ctx, q, store.View{ID: "a", UserID: "user-a", CreatedAt: start}))
		},
	})
}

func settings(t *testing.T, open OpenFunc) {
	cases(t, open, map[string]func(t *testing.T, s store.Store){
		"ComeBack": func(t *testing.T, s store.Store) {
			ctx, p, q := t.Context(), newProject(t, s, "a"), newProject(t, s, "b")
			same(t, "unset", store.Settings{Name: "Project a"}, must[store.Settings](t)(s.Settings(ctx, p)))
			same(t, "retentions", []store.Retention{}, must[[]store.Retention](t)(s.Retentions(ctx)))
			for _, want := range []store.Settings{{Name: "new", RetentionDays: 30, TimeZone: "Europe/Berlin"}, {Name: "newer", RetentionDays: 7}} {
				ok(t, s.PutSettings(ctx, p, want, minute(1)))
				same(t, "settings", want, must[store.Settings](t)(s.Settings(ctx, p)))
				if mine := must[[]account.ProjectRole](t)(s.UserProjects(ctx, "user-a")); len(mine) != 1 || mine[0].Name != want.Name || mine[0].TimeZone != want.TimeZone {
					t.Fatalf("its member's projects: %+v", mine)
				}
				same(t, "retentions", []store.Retention{{Project: p, Days: want.RetentionDays}}, must[[]store.Retention](t)(s.Retentions(ctx)))
			}
			if got := must[account.Project](t)(s.Project(ctx, p)); got.Name != "newer" {
				t.Fatal(got)
			}
			same(t, "another's", store.Settings{Name: "Project b"}, must[store.Settings](t)(s.Settings(ctx, q)))
			ok(t, s.RenameProject(ctx, p, "newest"))
			same(t, "renamed", store.Settings{Name: "newest", RetentionDays: 7}, must[store.Settings](t)(s.Settings(ctx, p)))
			ok(t, s.PutSettings(ctx, p, store.Settings{Name: "x"}, minute(2)))
			same(t, "retentions", []store.Retention{}, must[[]store.Retention](t)(s.Retentions(ctx)))
			_, err := s.Settings(ctx, "nowhere")
			wantCode(t, err, fault.NotFound)
			wantCode(t, s.PutSettings(ctx, "nowhere", store.Settings{}, start), fault.NotFound)
			wantCode(t, s.RenameProject(ctx, "nowhere", "x"), fault.NotFound)
		},
		"RetainProjectLeavesOthers": func(t *testing.T, s store.Store) {
			p, q := newProject(t, s, "a"), newProject(t, s, "b")
			spans := randomSpans(rand.New(rand.NewPCG(14, 1)), 300)
			write(t, s, p, spans...)
			write(t, s, q, spans...)
			day, deleted := start.AddDate(0, 0, 1), int64(0)
			want, whole := model{}, model{}
			whole.add(spans...)
			for _, sp := range spans {
				if sp.Start.Before(day) {
					deleted++
					continue
				}
				sp.Payload = trace.Payload{} // all arrived on the first day
				want.add(sp)
			}
			if got := must[int64](t)(s.RetainProject(t.Context(), p, day.Add(13*time.Hour))); got != deleted || deleted == 0 {
				t.Fatalf("%d spans deleted, want %d", got, deleted)
			}
			want.check(t, s, p)
			whole.check(t, s, q)
			for _, id := range []account.ProjectID{p, "nowhere"} {
				if again := must[int64](t)(s.RetainProject(t.Context(), id, day)); again != 0 {
					t.Fatalf("%d spans deleted of %s", again, id)
				}
			}
		},
	})
}

func removals(t *testing.T, open OpenFunc) {
	cases(t, open, map[string]func(t *testing.T, s store.Store){
		"ProjectIsGoneAtOnceAndItsSpansBitByBit": func(t *testing.T, s store.Store) {
			ctx, p, q := t.Context(), newProject(t, s, "a"), newProject(t, s, "b")
			spans := randomSpans(rand.New(rand.NewPCG(15, 1)), 300)
			write(t, s, p, spans...)
			write(t, s, q, spans...)
			ok(t, s.CreateInvite(ctx, newInvite("1", p, "user-a")))
			ok(t, s.CreateView(ctx, p, store.View{ID: "v", UserID: "user-a", CreatedAt: start}))
			ok(t, s.PutSettings(ctx, p, store.Settings{Name: "a", RetentionDays: 3}, start))
			ok(t, s.PutPrice(ctx, p, store.Price{ID: "p", Data: []byte(`{}`), CreatedAt: start, UpdatedAt: start}))
			_, err := s.PurgeProject(ctx, p, 0)
			wantCode(t, err, fault.NotFound)
			_, err = s.RemovedBy(ctx, p)
			wantCode(t, err, fault.NotFound)

			ok(t, s.RemoveProject(ctx, p, "user-a", minute(1)))
			wantCode(t, s.RemoveProject(ctx, p, "user-a", minute(1)), fault.NotFound)
			_, err = s.Project(ctx, p)
			wantCode(t, err, fault.NotFound)
			_, err = s.Role(ctx, p, "user-a")
			wantCode(t, err, fault.NotFound)
			_, err = s.KeyByHash(ctx, newUser("a").Project.Key.Hash)
			wantCode(t, err, fault.NotFound)
			_, err = s.InviteByHash(ctx, account.HashToken("1"), start)
			wantCode(t, err, fault.NotFound)
			_, err = s.View(ctx, p, "v")
			wantCode(t, err, fault.NotFound)
			same(t, "prices", []store.Price{}, must[[]store.Price](t)(s.Prices(ctx, p)))
			same(t, "retentions", []store.Retention{}, must[[]store.Retention](t)(s.Retentions(ctx)))
			same(t, "projects", []account.ProjectID{q}, must[[]account.ProjectID](t)(s.Projects(ctx)))
			_, err = s.WriteBatches(ctx, []store.Batch{pack(p, []trace.Span{span("late", start)})})
			wantCode(t, err, fault.Invalid)
			if by := must[account.UserID](t)(s.RemovedBy(ctx, p)); by != "user-a" {
				t.Fatal(by)
			}
			same(t, "removed", []account.ProjectID{p}, must[[]account.ProjectID](t)(s.RemovedProjects(ctx)))

			r := newUser("c") // made meanwhile, it gets nothing of what p leaves
			ok(t, s.CreateUser(ctx, r))
			write(t, s, r.Project.Project.ID, spans[:5]...)
			deleted, calls := int64(0), 0
			for done := false; !done; calls++ {
				got := must[store.Purged](t)(s.PurgeProject(ctx, p, 1))
				deleted, done = deleted+got.Spans, got.Done
			}
			if deleted != int64(len(spans)) || calls < 2 {
				t.Fatalf("%d spans deleted in %d calls", deleted, calls)
			}
			_, err = s.PurgeProject(ctx, p, 0)
			wantCode(t, err, fault.NotFound)
			same(t, "removed", []account.ProjectID{}, must[[]account.ProjectID](t)(s.RemovedProjects(ctx)))
			m, few := model{}, model{}
			m.add(spans...)
			few.add(spans[:5]...)
			model{}.check(t, s, p)
			m.check(t, s, q)
			few.check(t, s, r.Project.Project.ID)
			must[account.User](t)(s.User(ctx, "user-a")) // who has no project now, and may make one
		},
		"ProjectWithoutSpans": func(t *testing.T, s store.Store) {
			p := newProject(t, s, "a")
			ok(t, s.RemoveProject(t.Context(), p, "user-a", start))
			same(t, "purged", store.Purged{Done: true}, must[store.Purged](t)(s.PurgeProject(t.Context(), p, time.Hour)))
		},
	})
}
