package sqlite

import (
	"context"
	"database/sql"
	"time"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/store"
)

// credentialProvider is the provider of an e-mail and password account.
const credentialProvider = "credential"

// ms gives a time as the account tables hold it.
func ms(t time.Time) int64 { return t.UnixMilli() }

func fromMS(v int64) time.Time { return time.UnixMilli(v).UTC() }

// execer runs a statement.
type execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// exec runs a statement; NotFound if it must change a row and changed none.
func exec(ctx context.Context, e execer, what string, must bool, text string, args ...any) error {
	res, err := e.ExecContext(ctx, text, args...)
	if err != nil {
		return toFault(what, err)
	}
	if n, err := res.RowsAffected(); must && err == nil && n == 0 {
		return errNotFound
	}
	return nil
}

// CreateUser implements store.UserStore.
func (db *DB) CreateUser(ctx context.Context, n store.NewUser) error {
	return db.inTx(ctx, func(tx *sql.Tx) error {
		if n.OnlyFirst {
			users, err := count(ctx, tx, "count users", `SELECT count(*) FROM "user"`)
			if err != nil {
				return err
			}
			if users > 0 {
				return fault.New(fault.Forbidden, "An account exists already")
			}
		}
		if err := insertUser(ctx, tx, &n); err != nil {
			return err
		}
		if n.Project != nil {
			if err := insertProject(ctx, tx, *n.Project); err != nil {
				return err
			}
		}
		if n.Membership != nil {
			return insertMember(ctx, tx, *n.Membership)
		}
		return nil
	})
}

func insertUser(ctx context.Context, tx *sql.Tx, n *store.NewUser) error {
	u := &n.User
	err := exec(ctx, tx, "insert user", true,
		`INSERT INTO "user" (id, name, email, email_verified, image, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		string(u.ID), u.Name, u.Email, u.EmailVerified, orNull(u.Image), ms(u.CreatedAt), ms(u.UpdatedAt))
	if err != nil {
		return err
	}
	return exec(ctx, tx, "insert credential", true,
		`INSERT INTO account (id, user_id, account_id, provider_id, password, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		n.CredentialID, string(u.ID), string(u.ID), credentialProvider, n.PasswordHash, ms(u.CreatedAt), ms(u.UpdatedAt))
}

const selectUser = `SELECT id, name, email, email_verified, image, created_at, updated_at FROM "user" `

// row is sql.Row or sql.Rows.
type row interface{ Scan(dest ...any) error }

func scanUser(r row, more ...any) (account.User, error) {
	var u account.User
	var created, updated int64
	err := r.Scan(append([]any{&u.ID, &u.Name, &u.Email, &u.EmailVerified, &u.Image, &created, &updated}, more...)...)
	u.CreatedAt, u.UpdatedAt = fromMS(created), fromMS(updated)
	return u, err
}

// User implements store.UserStore.
func (db *DB) User(ctx context.Context, id account.UserID) (account.User, error) {
	u, err := scanUser(db.r.QueryRowContext(ctx, selectUser+`WHERE id = ?`, string(id)))
	return u, toFault("read user", err)
}

// UserByEmail implements store.UserStore.
func (db *DB) UserByEmail(ctx context.Context, email string) (account.User, error) {
	u, err := scanUser(db.r.QueryRowContext(ctx, selectUser+`WHERE email = ?`, email))
	return u, toFault("read user", err)
}

// Credential implements store.UserStore.
func (db *DB) Credential(ctx context.Context, id account.UserID) (account.Credential, error) {
	c := account.Credential{UserID: id}
	var created, updated int64
	err := db.r.QueryRowContext(ctx,
		`SELECT id, password, created_at, updated_at FROM account WHERE user_id = ?1 AND account_id = ?1 AND provider_id = ?2`,
		string(id), credentialProvider).Scan(&c.ID, &c.PasswordHash, &created, &updated)
	c.CreatedAt, c.UpdatedAt = fromMS(created), fromMS(updated)
	return c, toFault("read credential", err)
}

// SetPassword implements store.UserStore.
func (db *DB) SetPassword(ctx context.Context, id account.UserID, hash string, now time.Time) error {
	return db.inTx(ctx, func(tx *sql.Tx) error {
		return exec(ctx, tx, "set password", true,
			`UPDATE account SET password = ?, updated_at = ? WHERE user_id = ?3 AND account_id = ?3 AND provider_id = ?4`,
			hash, ms(now), string(id), credentialProvider)
	})
}

// UpdateUser implements store.UserStore.
func (db *DB) UpdateUser(ctx context.Context, u account.User) error {
	return db.inTx(ctx, func(tx *sql.Tx) error {
		return exec(ctx, tx, "update user", true, `UPDATE "user" SET name = ?, image = ?, email_verified = ?, updated_at = ? WHERE id = ?`,
			u.Name, orNull(u.Image), u.EmailVerified, ms(u.UpdatedAt), string(u.ID))
	})
}

// CountUsers implements store.UserStore.
func (db *DB) CountUsers(ctx context.Context) (int64, error) {
	return count(ctx, db.r, "count users", `SELECT count(*) FROM "user"`)
}

// CreateSession implements store.SessionStore.
func (db *DB) CreateSession(ctx context.Context, s account.Session) error {
	return db.inTx(ctx, func(tx *sql.Tx) error {
		return exec(ctx, tx, "insert session", true,
			`INSERT INTO auth_session (id, user_id, token, expires_at, ip_address, user_agent, created_at, updated_at)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
			s.ID, string(s.UserID), s.Token, ms(s.ExpiresAt), orNull(s.IPAddress), orNull(s.UserAgent), ms(s.CreatedAt), ms(s.UpdatedAt))
	})
}

const sessionFields = `s.id, s.user_id, s.token, s.expires_at, s.ip_address, s.user_agent, s.created_at, s.updated_at`

// authSession holds a session as it is scanned.
type authSession struct {
	account.Session
	expires, created, updated int64
}

func (s *authSession) fields() []any {
	return []any{&s.ID, &s.UserID, &s.Token, &s.expires, &s.IPAddress, &s.UserAgent, &s.created, &s.updated}
}

func (s *authSession) value() account.Session {
	s.ExpiresAt, s.CreatedAt, s.UpdatedAt = fromMS(s.expires), fromMS(s.created), fromMS(s.updated)
	return s.Session
}

// SessionByToken implements store.SessionStore.
func (db *DB) SessionByToken(ctx context.Context, token string) (account.Session, account.User, error) {
	var s authSession
	u, err := scanUser(db.r.QueryRowContext(ctx, `SELECT u.id, u.name, u.email, u.email_verified, u.image, u.created_at, u.updated_at, `+
		sessionFields+` FROM auth_session s JOIN "user" u ON u.id = s.user_id WHERE s.token = ?`, token), s.fields()...)
	if err != nil {
		return account.Session{}, account.User{}, toFault("read session", err)
	}
	return s.value(), u, nil
}

// ExtendSession implements store.SessionStore.
func (db *DB) ExtendSession(ctx context.Context, token string, expiresAt, updatedAt time.Time) error {
	return db.inTx(ctx, func(tx *sql.Tx) error {
		return exec(ctx, tx, "extend session", true, `UPDATE auth_session SET expires_at = ?, updated_at = ? WHERE token = ?`,
			ms(expiresAt), ms(updatedAt), token)
	})
}

// DeleteSession implements store.SessionStore.
func (db *DB) DeleteSession(ctx context.Context, token string) error {
	return db.inTx(ctx, func(tx *sql.Tx) error {
		return exec(ctx, tx, "delete session", false, `DELETE FROM auth_session WHERE token = ?`, token)
	})
}

// UserSessions implements store.SessionStore.
func (db *DB) UserSessions(ctx context.Context, id account.UserID) ([]account.Session, error) {
	var out []account.Session
	err := query(ctx, db.r, "read sessions", func(rows *sql.Rows) error {
		var s authSession
		err := rows.Scan(s.fields()...)
		out = append(out, s.value())
		return err
	}, `SELECT `+sessionFields+` FROM auth_session s WHERE s.user_id = ? ORDER BY s.created_at, s.id`, string(id))
	return out, err
}

// DeleteUserSessions implements store.SessionStore.
func (db *DB) DeleteUserSessions(ctx context.Context, id account.UserID, keep string) error {
	return db.inTx(ctx, func(tx *sql.Tx) error {
		return exec(ctx, tx, "delete sessions", false, `DELETE FROM auth_session WHERE user_id = ? AND token <> ?`, string(id), keep)
	})
}

// PurgeExpired implements store.Maintainer.
func (db *DB) PurgeExpired(ctx context.Context, now time.Time) (int64, error) {
	var n int64
	err := db.inTx(ctx, func(tx *sql.Tx) error {
		if err := exec(ctx, tx, "purge invites", false, `DELETE FROM invites WHERE expires_at < ?`, ms(now)); err != nil {
			return err
		}
		if err := exec(ctx, tx, "purge rejections", false, `DELETE FROM rejections WHERE minute < ?`, ms(now.Add(-store.RejectionsKept))); err != nil {
			return err
		}
		res, err := tx.ExecContext(ctx, `DELETE FROM auth_session WHERE expires_at < ?`, ms(now))
		if err != nil {
			return toFault("purge sessions", err)
		}
		n, err = res.RowsAffected()
		return err
	})
	return n, err
}

func insertProject(ctx context.Context, tx *sql.Tx, p store.NewProject) error {
	err := exec(ctx, tx, "insert project", true, `INSERT INTO projects (id, name, created_at) VALUES (?, ?, ?)`,
		string(p.Project.ID), p.Project.Name, ms(p.Project.CreatedAt))
	if err != nil {
		return err
	}
	if err := insertKey(ctx, tx, p.Key); err != nil {
		return err
	}
	return insertMember(ctx, tx, p.Member)
}

func insertMember(ctx context.Context, tx *sql.Tx, m account.Membership) error {
	return exec(ctx, tx, "insert member", true, `INSERT INTO user_projects (id, user_id, project_id, role, created_at) VALUES (?, ?, ?, ?, ?)`,
		m.ID, string(m.UserID), string(m.ProjectID), string(m.Role), ms(m.CreatedAt))
}

func insertKey(ctx context.Context, tx *sql.Tx, k account.APIKey) error {
	var used any
	if k.LastUsedAt != nil {
		used = ms(*k.LastUsedAt)
	}
	return exec(ctx, tx, "insert key", true,
		`INSERT INTO api_keys (id, project_id, key_hash, encrypted_key, name, last_used_at, created_at) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		string(k.ID), string(k.ProjectID), k.Hash, k.Sealed, k.Name, used, ms(k.CreatedAt))
}

// CreateProject implements store.ProjectStore.
func (db *DB) CreateProject(ctx context.Context, p store.NewProject) error {
	return db.inTx(ctx, func(tx *sql.Tx) error { return insertProject(ctx, tx, p) })
}

// Project implements store.ProjectStore.
func (db *DB) Project(ctx context.Context, id account.ProjectID) (account.Project, error) {
	var p account.Project
	var created int64
	err := db.r.QueryRowContext(ctx, `SELECT id, name, created_at FROM projects WHERE id = ?`, string(id)).Scan(&p.ID, &p.Name, &created)
	p.CreatedAt = fromMS(created)
	return p, toFault("read project", err)
}

// RenameProject implements store.ProjectStore.
func (db *DB) RenameProject(ctx context.Context, id account.ProjectID, name string) error {
	return db.inTx(ctx, func(tx *sql.Tx) error {
		return exec(ctx, tx, "rename project", true, `UPDATE projects SET name = ? WHERE id = ?`, name, string(id))
	})
}

// UserProjects implements store.ProjectStore.
func (db *DB) UserProjects(ctx context.Context, id account.UserID) ([]account.ProjectRole, error) {
	var out []account.ProjectRole
	err := query(ctx, db.r, "read projects", func(rows *sql.Rows) error {
		var p account.ProjectRole
		var role string
		var created int64
		err := rows.Scan(&p.ID, &p.Name, &created, &role, &p.TimeZone)
		p.CreatedAt, p.Role = fromMS(created), account.ParseRole(role)
		out = append(out, p)
		return err
	}, `SELECT p.id, p.name, p.created_at, m.role, coalesce(s.time_zone, '') FROM user_projects m JOIN projects p ON p.id = m.project_id
		LEFT JOIN project_settings s ON s.project_id = p.id WHERE m.user_id = ? ORDER BY p.created_at, p.id`, string(id))
	return out, err
}

// Role implements store.ProjectStore.
func (db *DB) Role(ctx context.Context, project account.ProjectID, user account.UserID) (account.Role, error) {
	var role string
	err := db.r.QueryRowContext(ctx, `SELECT role FROM user_projects WHERE user_id = ? AND project_id = ?`,
		string(user), string(project)).Scan(&role)
	if err != nil {
		return "", toFault("read role", err)
	}
	return account.ParseRole(role), nil
}

// Members implements store.ProjectStore.
func (db *DB) Members(ctx context.Context, project account.ProjectID) ([]account.Member, error) {
	var out []account.Member
	err := query(ctx, db.r, "read members", func(rows *sql.Rows) error {
		var m account.Member
		var role string
		var created int64
		err := rows.Scan(&m.UserID, &m.Name, &m.Email, &role, &created)
		m.Role, m.CreatedAt = account.ParseRole(role), fromMS(created)
		out = append(out, m)
		return err
	}, `SELECT u.id, u.name, u.email, m.role, m.created_at FROM user_projects m JOIN "user" u ON u.id = m.user_id
		WHERE m.project_id = ? ORDER BY m.created_at, u.id`, string(project))
	return out, err
}

// AddMember implements store.ProjectStore.
func (db *DB) AddMember(ctx context.Context, m account.Membership) error {
	return db.inTx(ctx, func(tx *sql.Tx) error { return insertMember(ctx, tx, m) })
}

const selectKey = `SELECT id, project_id, key_hash, encrypted_key, name, last_used_at, created_at FROM api_keys `

func scanKey(r row) (account.APIKey, error) {
	var k account.APIKey
	var used *int64
	var created int64
	err := r.Scan(&k.ID, &k.ProjectID, &k.Hash, &k.Sealed, &k.Name, &used, &created)
	if used != nil {
		at := fromMS(*used)
		k.LastUsedAt = &at
	}
	k.CreatedAt = fromMS(created)
	return k, err
}

// KeyByHash implements store.KeyStore.
func (db *DB) KeyByHash(ctx context.Context, hash string) (account.APIKey, error) {
	k, err := scanKey(db.r.QueryRowContext(ctx, selectKey+`WHERE key_hash = ?`, hash))
	return k, toFault("read key", err)
}

// Keys implements store.KeyStore.
func (db *DB) Keys(ctx context.Context, project account.ProjectID) ([]account.APIKey, error) {
	var out []account.APIKey
	err := query(ctx, db.r, "read keys", func(rows *sql.Rows) error {
		k, err := scanKey(rows)
		out = append(out, k)
		return err
	}, selectKey+`WHERE project_id = ? ORDER BY created_at, id`, string(project))
	return out, err
}

// CreateKey implements store.KeyStore.
func (db *DB) CreateKey(ctx context.Context, k account.APIKey) error {
	return db.inTx(ctx, func(tx *sql.Tx) error { return insertKey(ctx, tx, k) })
}

// RenameKey implements store.KeyStore.
func (db *DB) RenameKey(ctx context.Context, project account.ProjectID, id account.KeyID, name string) error {
	return db.inTx(ctx, func(tx *sql.Tx) error {
		return exec(ctx, tx, "rename key", true, `UPDATE api_keys SET name = ? WHERE project_id = ? AND id = ?`, name, string(project), string(id))
	})
}

// DeleteKey implements store.KeyStore.
func (db *DB) DeleteKey(ctx context.Context, project account.ProjectID, id account.KeyID) (account.APIKey, error) {
	var k account.APIKey
	err := db.inTx(ctx, func(tx *sql.Tx) error {
		var err error
		k, err = scanKey(tx.QueryRowContext(ctx, `DELETE FROM api_keys WHERE project_id = ? AND id = ?
			RETURNING id, project_id, key_hash, encrypted_key, name, last_used_at, created_at`, string(project), string(id)))
		return toFault("delete key", err)
	})
	return k, err
}

// TouchKey implements store.KeyStore.
func (db *DB) TouchKey(ctx context.Context, id account.KeyID, at time.Time) error {
	return db.inTx(ctx, func(tx *sql.Tx) error {
		return exec(ctx, tx, "touch key", true, `UPDATE api_keys SET last_used_at = ? WHERE id = ?`, ms(at), string(id))
	})
}
