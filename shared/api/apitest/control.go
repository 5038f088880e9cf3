package apitest

import (
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/google/uuid"
)

// control administers a project from its settings to its end.
func (s *suite) control(t *testing.T) {
	t.Parallel()
	const prefix = "/dashboard/api"
	ann, bob := s.signUp(t), s.signUp(t)
	guest := bob
	guest.project = ann.project

	settings := fmt.Sprintf(`{"name":%q,"retentionDays":30,"timeZone":"Europe/Berlin"}`, "Aurora 🎉")
	s.want(t, ann, http.MethodPut, prefix+"/settings", settings, http.StatusOK, nil)
	var set struct {
		Name          string
		RetentionDays int
	}
	s.want(t, ann, http.MethodGet, prefix+"/settings", "", http.StatusOK, &set)
	if set.Name != "Aurora 🎉" || set.RetentionDays != 30 {
		t.Errorf("settings: %+v", set)
	}
	var mine struct {
		Projects []struct{ ID, Name, TimeZone string }
	}
	s.want(t, ann, http.MethodGet, prefix+"/projects", "", http.StatusOK, &mine)
	if i := slices.IndexFunc(mine.Projects, func(p struct{ ID, Name, TimeZone string }) bool { return p.ID == ann.project }); i < 0 || mine.Projects[i].Name != set.Name || mine.Projects[i].TimeZone != "Europe/Berlin" {
		t.Errorf("projects: %+v", mine)
	}
	s.want(t, ann, http.MethodPatch, prefix+"/projects/"+ann.project, `{"name":"Renamed"}`, http.StatusOK, nil)

	// Bob comes by one invite, somebody new by another; a third is revoked.
	var first, second, third struct{ ID, Token string }
	for _, made := range []any{&first, &second, &third} {
		s.want(t, ann, http.MethodPost, prefix+"/invites", `{"role":"user","expiresInDays":1}`, http.StatusCreated, made)
	}
	var shown struct{ ProjectName string }
	s.want(t, person{}, http.MethodGet, prefix+"/invites/"+first.Token, "", http.StatusOK, &shown)
	if shown.ProjectName != "Renamed" {
		t.Errorf("the invite is to %q", shown.ProjectName)
	}
	var joined struct{ ProjectID string }
	s.want(t, bob, http.MethodPost, prefix+"/invites/"+first.Token+"/accept", `{}`, http.StatusOK, &joined)
	if joined.ProjectID != ann.project {
		t.Errorf("joined %q", joined.ProjectID)
	}
	s.want(t, person{}, http.MethodGet, prefix+"/invites/"+first.Token, "", http.StatusNotFound, nil)
	email := uuid.NewString() + "@example.com"
	account := fmt.Sprintf(`{"name":"Cid","email":%q,"password":%q}`, email, password)
	s.want(t, person{}, http.MethodPost, prefix+"/invites/"+second.Token+"/accept", account, http.StatusCreated, nil)
	cid := person{email: email, cookie: s.signIn(t, email, password), project: ann.project}
	s.want(t, cid, http.MethodGet, prefix+"/traces", "", http.StatusOK, nil)
	s.want(t, ann, http.MethodDelete, prefix+"/invites/"+third.ID, "", http.StatusOK, nil)
	s.want(t, cid, http.MethodPost, prefix+"/invites/"+third.Token+"/accept", `{}`, http.StatusNotFound, nil)

	var list struct {
		Users []struct{ UserID, Email string }
	}
	s.want(t, ann, http.MethodGet, prefix+"/users", "", http.StatusOK, &list)
	ids := map[string]string{}
	for _, u := range list.Users {
		ids[u.Email] = u.UserID
	}
	if len(ids) != 3 {
		t.Fatalf("members: %v", ids)
	}
	s.want(t, ann, http.MethodPatch, prefix+"/users/"+ids[ann.email], `{"role":"user"}`, http.StatusConflict, nil)
	s.want(t, ann, http.MethodPatch, prefix+"/users/"+ids[bob.email], `{"role":"admin"}`, http.StatusOK, nil)
	s.want(t, guest, http.MethodDelete, prefix+"/users/"+ids[cid.email], "", http.StatusOK, nil)
	s.want(t, cid, http.MethodGet, prefix+"/traces", "", http.StatusForbidden, nil)

	var saved struct{ ID, Query string }
	s.want(t, ann, http.MethodPost, prefix+"/views", `{"name":"Errors","page":"traces","query":"q=status%3Aerror"}`, http.StatusCreated, &saved)
	var views struct{ Views []struct{ ID string } }
	s.want(t, guest, http.MethodGet, prefix+"/views", "", http.StatusOK, &views)
	if len(views.Views) != 0 {
		t.Errorf("somebody else's views: %v", views)
	}
	s.want(t, ann, http.MethodPatch, prefix+"/views/"+saved.ID, `{"shared":true}`, http.StatusOK, nil)
	s.want(t, guest, http.MethodGet, prefix+"/views", "", http.StatusOK, &views)
	if len(views.Views) != 1 || views.Views[0].ID != saved.ID {
		t.Errorf("views: %v", views)
	}
	s.want(t, guest, http.MethodDelete, prefix+"/views/"+saved.ID, "", http.StatusOK, nil) // an administrator by now

	s.want(t, ann, http.MethodPost, "/v1/traces/batch", "["+traceRecord(uuid.NewString())+"]", http.StatusAccepted, nil)
	s.want(t, ann, http.MethodDelete, prefix+"/projects/"+ann.project, `{"name":"renamed"}`, http.StatusBadRequest, nil)
	var left struct{ Done bool }
	for !left.Done {
		s.want(t, ann, http.MethodDelete, prefix+"/projects/"+ann.project, `{"name":"Renamed"}`, http.StatusOK, &left)
	}
	s.want(t, guest, http.MethodGet, prefix+"/traces", "", http.StatusForbidden, nil)
	s.want(t, ann, http.MethodDelete, prefix+"/projects/"+ann.project, `{"name":"Renamed"}`, http.StatusNotFound, nil)
}
