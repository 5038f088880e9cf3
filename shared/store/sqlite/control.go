package sqlite

import (
	"context"
	"database/sql"
	"time"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/store"
)

// SetRole implements store.MemberStore.
func (db *DB) SetRole(ctx context.Context, project account.ProjectID, user account.UserID, role account.Role) error {
	return db.inTx(ctx, func(tx *sql.Tx) error {
		if role != account.RoleAdmin {
			if err := endAdmin(ctx, tx, project, user); err != nil {
				return err
			}
		}
		return exec(ctx, tx, "set role", true, `UPDATE user_projects SET role = ? WHERE project_id = ? AND user_id = ?`,
			string(role), string(project), string(user))
	})
}

// RemoveMember implements store.MemberStore.
func (db *DB) RemoveMember(ctx context.Context, project account.ProjectID, user account.UserID) error {
	return db.inTx(ctx, func(tx *sql.Tx) error {
		if err := endAdmin(ctx, tx, project, user); err != nil {
			return err
		}
		err := exec(ctx, tx, "delete views", false, `DELETE FROM views WHERE project_id = ? AND user_id = ? AND NOT shared`, string(project), string(user))
		if err != nil {
			return err
		}
		return exec(ctx, tx, "remove member", true, `DELETE FROM user_projects WHERE project_id = ? AND user_id = ?`, string(project), string(user))
	})
}

// endAdmin refuses to take the role from the last administrator; of another it
// deletes the invites.
func endAdmin(ctx context.Context, tx *sql.Tx, project account.ProjectID, user account.UserID) error {
	var admin bool
	var others int64
	err := tx.QueryRowContext(ctx, `SELECT m.role IN ('admin', 'owner'), (SELECT count(*) FROM user_projects o
		WHERE o.project_id = m.project_id AND o.user_id <> m.user_id AND o.role IN ('admin', 'owner'))
		FROM user_projects m WHERE m.project_id = ? AND m.user_id = ?`, string(project), string(user)).Scan(&admin, &others)
	switch {
	case err != nil:
		return toFault("read role", err)
	case !admin:
		return nil
	case others == 0:
		return fault.New(fault.Conflict, "The last administrator")
	}
	return exec(ctx, tx, "delete invites", false, `DELETE FROM invites WHERE project_id = ? AND created_by = ? AND used_by IS NULL`,
		string(project), string(user))
}

const selectInvite = `SELECT id, project_id, token_hash, role, email, created_by, created_at, expires_at, coalesce(used_by, '') FROM invites `

func scanInvite(r row) (account.Invite, error) {
	var i account.Invite
	var role string
	var created, expires int64
	err := r.Scan(&i.ID, &i.ProjectID, &i.Hash, &role, &i.Email, &i.CreatedBy, &created, &expires, &i.UsedBy)
	i.Role, i.CreatedAt, i.ExpiresAt = account.ParseRole(role), fromMS(created), fromMS(expires)
	return i, err
}

// CreateInvite implements store.InviteStore.
func (db *DB) CreateInvite(ctx context.Context, i account.Invite) error {
	return db.inTx(ctx, func(tx *sql.Tx) error {
		return exec(ctx, tx, "insert invite", true,
			`INSERT INTO invites (id, project_id, token_hash, role, email, created_by, created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
			i.ID, string(i.ProjectID), i.Hash, string(i.Role), i.Email, string(i.CreatedBy), ms(i.CreatedAt), ms(i.ExpiresAt))
	})
}

// Invites implements store.InviteStore.
func (db *DB) Invites(ctx context.Context, project account.ProjectID, now time.Time) ([]account.Invite, error) {
	var out []account.Invite
	err := query(ctx, db.r, "read invites", func(rows *sql.Rows) error {
		i, err := scanInvite(rows)
		out = append(out, i)
		return err
	}, selectInvite+`WHERE project_id = ? AND used_by IS NULL AND expires_at > ? ORDER BY created_at, id`, string(project), ms(now))
	return out, err
}

// DeleteInvite implements store.InviteStore.
func (db *DB) DeleteInvite(ctx context.Context, project account.ProjectID, id string) error {
	return db.inTx(ctx, func(tx *sql.Tx) error {
		return exec(ctx, tx, "delete invite", true, `DELETE FROM invites WHERE project_id = ? AND id = ? AND used_by IS NULL`, string(project), id)
	})
}

const inviteByHash = selectInvite + `WHERE token_hash = ? AND expires_at > ?`

// InviteByHash implements store.InviteStore.
func (db *DB) InviteByHash(ctx context.Context, hash string, now time.Time) (account.Invite, error) {
	i, err := scanInvite(db.r.QueryRowContext(ctx, inviteByHash, hash, ms(now)))
	return i, toFault("read invite", err)
}

// UseInvite implements store.InviteStore.
func (db *DB) UseInvite(ctx context.Context, u store.InviteUse) (account.ProjectID, error) {
	var project account.ProjectID
	err := db.inTx(ctx, func(tx *sql.Tx) error {
		i, err := scanInvite(tx.QueryRowContext(ctx, inviteByHash, u.Hash, ms(u.Now)))
		if err != nil {
			return toFault("read invite", err)
		}
		project = i.ProjectID
		if i.UsedBy != "" && i.UsedBy != u.User {
			return errNotFound
		}
		members, err := count(ctx, tx, "read membership", `SELECT count(*) FROM user_projects WHERE project_id = ? AND user_id = ?`,
			string(i.ProjectID), string(u.User))
		switch {
		case err != nil:
			return err
		case members > 0:
			return nil
		case i.UsedBy != "": // he has been removed since
			return errNotFound
		}
		if u.New != nil {
			if err := insertUser(ctx, tx, u.New); err != nil {
				return err
			}
		}
		m := account.Membership{ID: u.MembershipID, UserID: u.User, ProjectID: i.ProjectID, Role: i.Role, CreatedAt: u.Now}
		if err := insertMember(ctx, tx, m); err != nil {
			return err
		}
		return exec(ctx, tx, "use invite", true, `UPDATE invites SET used_by = ? WHERE id = ?`, string(u.User), i.ID)
	})
	return project, err
}

const selectView = `SELECT id, user_id, name, page, query, shared, created_at FROM views `

func scanView(r row) (store.View, error) {
	var v store.View
	var created int64
	err := r.Scan(&v.ID, &v.UserID, &v.Name, &v.Page, &v.Query, &v.Shared, &created)
	v.CreatedAt = fromMS(created)
	return v, err
}

// Views implements store.ViewStore.
func (db *DB) Views(ctx context.Context, project account.ProjectID, user account.UserID) ([]store.View, error) {
	var out []store.View
	err := query(ctx, db.r, "read views", func(rows *sql.Rows) error {
		v, err := scanView(rows)
		out = append(out, v)
		return err
	}, selectView+`WHERE project_id = ? AND (shared OR user_id = ?) ORDER BY created_at, id`, string(project), string(user))
	return out, err
}

// View implements store.ViewStore.
func (db *DB) View(ctx context.Context, project account.ProjectID, id string) (store.View, error) {
	v, err := scanView(db.r.QueryRowContext(ctx, selectView+`WHERE project_id = ? AND id = ?`, string(project), id))
	return v, toFault("read view", err)
}

// CreateView implements store.ViewStore.
func (db *DB) CreateView(ctx context.Context, project account.ProjectID, v store.View) error {
	return db.inTx(ctx, func(tx *sql.Tx) error {
		n, err := count(ctx, tx, "count views", `SELECT count(*) FROM views WHERE project_id = ? AND user_id = ?`, string(project), string(v.UserID))
		if err != nil {
			return err
		}
		if n >= store.MaxViews {
			return fault.New(fault.Conflict, "Too many views")
		}
		return exec(ctx, tx, "insert view", true,
			`INSERT INTO views (project_id, id, user_id, name, page, query, shared, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
			string(project), v.ID, string(v.UserID), v.Name, v.Page, v.Query, v.Shared, ms(v.CreatedAt))
	})
}

// UpdateView implements store.ViewStore.
func (db *DB) UpdateView(ctx context.Context, project account.ProjectID, v store.View) error {
	return db.inTx(ctx, func(tx *sql.Tx) error {
		return exec(ctx, tx, "update view", true, `UPDATE views SET name = ?, query = ?, shared = ? WHERE project_id = ? AND id = ?`,
			v.Name, v.Query, v.Shared, string(project), v.ID)
	})
}

// DeleteView implements store.ViewStore.
func (db *DB) DeleteView(ctx context.Context, project account.ProjectID, id string) error {
	return db.inTx(ctx, func(tx *sql.Tx) error {
		return exec(ctx, tx, "delete view", true, `DELETE FROM views WHERE project_id = ? AND id = ?`, string(project), id)
	})
}

// Settings implements store.SettingsStore.
func (db *DB) Settings(ctx context.Context, project account.ProjectID) (store.Settings, error) {
	var s store.Settings
	err := db.r.QueryRowContext(ctx, `SELECT p.name, coalesce(s.retention_days, 0), coalesce(s.time_zone, '')
		FROM projects p LEFT JOIN project_settings s ON s.project_id = p.id WHERE p.id = ?`, string(project)).
		Scan(&s.Name, &s.RetentionDays, &s.TimeZone)
	return s, toFault("read settings", err)
}

// PutSettings implements store.SettingsStore.
func (db *DB) PutSettings(ctx context.Context, project account.ProjectID, s store.Settings, now time.Time) error {
	return db.inTx(ctx, func(tx *sql.Tx) error {
		if err := exec(ctx, tx, "rename project", true, `UPDATE projects SET name = ? WHERE id = ?`, s.Name, string(project)); err != nil {
			return err
		}
		return exec(ctx, tx, "store settings", true, `INSERT INTO project_settings (project_id, retention_days, time_zone, updated_at) VALUES (?, ?, ?, ?)
			ON CONFLICT (project_id) DO UPDATE SET retention_days = excluded.retention_days, time_zone = excluded.time_zone, updated_at = excluded.updated_at`,
			string(project), s.RetentionDays, s.TimeZone, ms(now))
	})
}

// Retentions implements store.Maintainer.
func (db *DB) Retentions(ctx context.Context) ([]store.Retention, error) {
	var out []store.Retention
	err := query(ctx, db.r, "read retentions", func(rows *sql.Rows) error {
		var r store.Retention
		err := rows.Scan(&r.Project, &r.Days)
		out = append(out, r)
		return err
	}, `SELECT project_id, retention_days FROM project_settings WHERE retention_days > 0 ORDER BY project_id`)
	return out, err
}
