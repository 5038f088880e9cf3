package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/store"
)

// lockMembers makes those who change a project's members or views wait for each
// other. It is not lockProject, for which the drain waits.
func lockMembers(ctx context.Context, tx pgx.Tx, project account.ProjectID) error {
	return execute(ctx, tx, `SELECT FROM projects WHERE id = $1 FOR NO KEY UPDATE`, string(project))
}

// SetRole changes a member's role.
func (db *DB) SetRole(ctx context.Context, project account.ProjectID, user account.UserID, role account.Role) error {
	return db.inTx(ctx, func(tx pgx.Tx) error {
		if err := lockMembers(ctx, tx, project); err != nil {
			return err
		}
		if role != account.RoleAdmin {
			if err := endAdmin(ctx, tx, project, user); err != nil {
				return err
			}
		}
		return executeOne(ctx, tx, `UPDATE user_projects SET role = $3 WHERE project_id = $1 AND user_id = $2`,
			string(project), string(user), string(role))
	})
}

// RemoveMember ends a membership.
func (db *DB) RemoveMember(ctx context.Context, project account.ProjectID, user account.UserID) error {
	return db.inTx(ctx, func(tx pgx.Tx) error {
		if err := lockMembers(ctx, tx, project); err != nil {
			return err
		}
		if err := endAdmin(ctx, tx, project, user); err != nil {
			return err
		}
		if err := execute(ctx, tx, `DELETE FROM views WHERE project_id = $1 AND user_id = $2 AND NOT shared`, string(project), string(user)); err != nil {
			return err
		}
		return executeOne(ctx, tx, `DELETE FROM user_projects WHERE project_id = $1 AND user_id = $2`, string(project), string(user))
	})
}

// endAdmin refuses to take the role from the last administrator; of another it
// deletes the invites.
func endAdmin(ctx context.Context, tx pgx.Tx, project account.ProjectID, user account.UserID) error {
	var admin bool
	var others int64
	err := tx.QueryRow(ctx, `SELECT m.role IN ('admin', 'owner'), (SELECT count(*) FROM user_projects o
		WHERE o.project_id = m.project_id AND o.user_id <> m.user_id AND o.role IN ('admin', 'owner'))
		FROM user_projects m WHERE m.project_id = $1 AND m.user_id = $2`, string(project), string(user)).Scan(&admin, &others)
	switch {
	case err != nil:
		return faultOf(err)
	case !admin:
		return nil
	case others == 0:
		return fault.New(fault.Conflict, "the last administrator")
	}
	return execute(ctx, tx, `DELETE FROM invites WHERE project_id = $1 AND created_by = $2 AND used_by IS NULL`, string(project), string(user))
}

const selectInvite = `SELECT id, project_id, token_hash, role, email, created_by, created_at, expires_at, coalesce(used_by, '') FROM invites `

func scanInvite(row pgx.CollectableRow) (account.Invite, error) {
	var i account.Invite
	var role string
	err := row.Scan(&i.ID, (*string)(&i.ProjectID), &i.Hash, &role, &i.Email, (*string)(&i.CreatedBy), &i.CreatedAt, &i.ExpiresAt, (*string)(&i.UsedBy))
	i.Role, i.CreatedAt, i.ExpiresAt = account.ParseRole(role), millis(i.CreatedAt), millis(i.ExpiresAt)
	return i, err
}

// CreateInvite stores an invite.
func (db *DB) CreateInvite(ctx context.Context, i account.Invite) error {
	return execute(ctx, db.pool, `INSERT INTO invites (id, project_id, token_hash, role, email, created_by, created_at, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		i.ID, string(i.ProjectID), i.Hash, string(i.Role), i.Email, string(i.CreatedBy), i.CreatedAt, i.ExpiresAt)
}

// Invites gives a project's pending invites.
func (db *DB) Invites(ctx context.Context, project account.ProjectID, now time.Time) ([]account.Invite, error) {
	return collect(ctx, db.pool, scanInvite, selectInvite+`WHERE project_id = $1 AND used_by IS NULL AND expires_at > $2
		ORDER BY created_at, id COLLATE "C"`, string(project), now)
}

// DeleteInvite deletes a pending invite.
func (db *DB) DeleteInvite(ctx context.Context, project account.ProjectID, id string) error {
	return executeOne(ctx, db.pool, `DELETE FROM invites WHERE project_id = $1 AND id = $2 AND used_by IS NULL`, string(project), id)
}

const inviteByHash = selectInvite + `WHERE token_hash = $1 AND expires_at > $2`

// InviteByHash gives an invite.
func (db *DB) InviteByHash(ctx context.Context, hash string, now time.Time) (account.Invite, error) {
	return collectOne(ctx, db.pool, scanInvite, inviteByHash, hash, now)
}

// UseInvite makes the membership of an invite.
func (db *DB) UseInvite(ctx context.Context, u store.InviteUse) (account.ProjectID, error) {
	var project account.ProjectID
	err := db.inTx(ctx, func(tx pgx.Tx) error {
		i, err := collectOne(ctx, tx, scanInvite, inviteByHash+` FOR UPDATE`, u.Hash, u.Now)
		if err != nil {
			return err
		}
		project = i.ProjectID
		if i.UsedBy != "" && i.UsedBy != u.User {
			return &fault.Error{Code: fault.NotFound}
		}
		member, err := collectOne(ctx, tx, pgx.RowTo[bool], `SELECT EXISTS (SELECT FROM user_projects WHERE project_id = $1 AND user_id = $2)`,
			string(i.ProjectID), string(u.User))
		switch {
		case err != nil:
			return err
		case member:
			return nil
		case i.UsedBy != "": // he has been removed since
			return &fault.Error{Code: fault.NotFound}
		}
		if u.New != nil {
			if err := insertUser(ctx, tx, u.New); err != nil {
				return err
			}
		}
		m := account.Membership{ID: u.MembershipID, UserID: u.User, ProjectID: i.ProjectID, Role: i.Role, CreatedAt: u.Now}
		if err := insertMembership(ctx, tx, m); err != nil {
			return err
		}
		return executeOne(ctx, tx, `UPDATE invites SET used_by = $2 WHERE id = $1`, i.ID, string(u.User))
	})
	return project, err
}

const selectView = `SELECT id, user_id, name, page, query, shared, created_at FROM views `

func scanView(row pgx.CollectableRow) (store.View, error) {
	var v store.View
	err := row.Scan(&v.ID, (*string)(&v.UserID), &v.Name, &v.Page, &v.Query, &v.Shared, &v.CreatedAt)
	v.CreatedAt = millis(v.CreatedAt)
	return v, err
}

// Views gives what a user sees of a project's views.
func (db *DB) Views(ctx context.Context, project account.ProjectID, user account.UserID) ([]store.View, error) {
	return collect(ctx, db.pool, scanView, selectView+`WHERE project_id = $1 AND (shared OR user_id = $2) ORDER BY created_at, id`,
		string(project), string(user))
}

// View gives a view.
func (db *DB) View(ctx context.Context, project account.ProjectID, id string) (store.View, error) {
	return collectOne(ctx, db.pool, scanView, selectView+`WHERE project_id = $1 AND id = $2`, string(project), id)
}

// CreateView stores a view.
func (db *DB) CreateView(ctx context.Context, project account.ProjectID, v store.View) error {
	return db.inTx(ctx, func(tx pgx.Tx) error {
		if err := lockMembers(ctx, tx, project); err != nil {
			return err
		}
		n, err := collectOne(ctx, tx, pgx.RowTo[int64], `SELECT count(*) FROM views WHERE project_id = $1 AND user_id = $2`, string(project), string(v.UserID))
		if err != nil {
			return err
		}
		if n >= store.MaxViews {
			return fault.New(fault.Conflict, "too many views")
		}
		return execute(ctx, tx, `INSERT INTO views (project_id, id, user_id, name, page, query, shared, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
			string(project), v.ID, string(v.UserID), v.Name, v.Page, v.Query, v.Shared, v.CreatedAt)
	})
}

// UpdateView changes a view.
func (db *DB) UpdateView(ctx context.Context, project account.ProjectID, v store.View) error {
	return executeOne(ctx, db.pool, `UPDATE views SET name = $3, query = $4, shared = $5 WHERE project_id = $1 AND id = $2`,
		string(project), v.ID, v.Name, v.Query, v.Shared)
}

// DeleteView deletes a view.
func (db *DB) DeleteView(ctx context.Context, project account.ProjectID, id string) error {
	return executeOne(ctx, db.pool, `DELETE FROM views WHERE project_id = $1 AND id = $2`, string(project), id)
}

// Settings gives what a project sets for itself.
func (db *DB) Settings(ctx context.Context, project account.ProjectID) (store.Settings, error) {
	return collectOne(ctx, db.pool, func(row pgx.CollectableRow) (store.Settings, error) {
		var s store.Settings
		err := row.Scan(&s.Name, &s.RetentionDays, &s.TimeZone)
		return s, err
	}, `SELECT p.name, coalesce(s.retention_days, 0), coalesce(s.time_zone, '')
		FROM projects p LEFT JOIN project_settings s ON s.project_id = p.id WHERE p.id = $1`, string(project))
}

// PutSettings stores what a project sets for itself.
func (db *DB) PutSettings(ctx context.Context, project account.ProjectID, s store.Settings, now time.Time) error {
	return db.inTx(ctx, func(tx pgx.Tx) error {
		if err := executeOne(ctx, tx, `UPDATE projects SET name = $2 WHERE id = $1`, string(project), s.Name); err != nil {
			return err
		}
		return execute(ctx, tx, `INSERT INTO project_settings (project_id, retention_days, time_zone, updated_at) VALUES ($1, $2, $3, $4)
			ON CONFLICT (project_id) DO UPDATE SET retention_days = excluded.retention_days, time_zone = excluded.time_zone, updated_at = excluded.updated_at`,
			string(project), s.RetentionDays, s.TimeZone, now)
	})
}

// Retentions gives the projects with a retention of their own.
func (db *DB) Retentions(ctx context.Context) ([]store.Retention, error) {
	return collect(ctx, db.pool, func(row pgx.CollectableRow) (store.Retention, error) {
		var r store.Retention
		err := row.Scan((*string)(&r.Project), &r.Days)
		return r, err
	}, `SELECT project_id, retention_days FROM project_settings WHERE retention_days > 0 ORDER BY project_id COLLATE "C"`)
}
