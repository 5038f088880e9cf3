package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/store"
)

// execer is what a pool and a transaction have in common for writes.
type execer interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
}

func execute(ctx context.Context, e execer, sql string, args ...any) error {
	_, err := e.Exec(ctx, sql, args...)
	return faultOf(err)
}

// executeOne is execute for a statement that must change some row: NotFound if
// it changes none.
func executeOne(ctx context.Context, e execer, sql string, args ...any) error {
	tag, err := e.Exec(ctx, sql, args...)
	if err != nil {
		return faultOf(err)
	}
	if tag.RowsAffected() == 0 {
		return &fault.Error{Code: fault.NotFound}
	}
	return nil
}

// millis cuts a stored time to what package account holds: rows of the earlier
// service that the database stamped itself have microseconds.
func millis(t time.Time) time.Time { return t.Truncate(time.Millisecond) }

// CreateUser stores a user with what belongs to it.
func (db *DB) CreateUser(ctx context.Context, n store.NewUser) error {
	return db.inTx(ctx, func(tx pgx.Tx) error {
		if n.OnlyFirst {
			// Two at once would both see an empty table.
			if err := execute(ctx, tx, `SELECT pg_advisory_xact_lock($1)`, lockFirstUser); err != nil {
				return err
			}
			var any bool
			if err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM "user")`).Scan(&any); err != nil {
				return err
			}
			if any {
				return fault.New(fault.Forbidden, "an account exists already")
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
			return insertMembership(ctx, tx, *n.Membership)
		}
		return nil
	})
}

func insertUser(ctx context.Context, e execer, n *store.NewUser) error {
	u := &n.User
	if err := execute(ctx, e, `INSERT INTO "user" (id, name, email, email_verified, image, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		string(u.ID), u.Name, u.Email, u.EmailVerified, u.Image, u.CreatedAt, u.UpdatedAt); err != nil {
		return err
	}
	return execute(ctx, e, `INSERT INTO account (id, user_id, account_id, provider_id, password, created_at, updated_at)
		VALUES ($1, $2, $2, 'credential', $3, $4, $5)`,
		n.CredentialID, string(u.ID), n.PasswordHash, u.CreatedAt, u.UpdatedAt)
}

const selectUser = `SELECT id, name, email, email_verified, image, created_at, updated_at FROM "user" `

func scanUser(row pgx.CollectableRow) (account.User, error) {
	var u account.User
	err := row.Scan((*string)(&u.ID), &u.Name, &u.Email, &u.EmailVerified, &u.Image, &u.CreatedAt, &u.UpdatedAt)
	u.CreatedAt, u.UpdatedAt = millis(u.CreatedAt), millis(u.UpdatedAt)
	return u, err
}

// User gives a user by id.
func (db *DB) User(ctx context.Context, id account.UserID) (account.User, error) {
	return collectOne(ctx, db.pool, scanUser, selectUser+`WHERE id = $1`, string(id))
}

// UserByEmail gives a user by e-mail in lower case.
func (db *DB) UserByEmail(ctx context.Context, email string) (account.User, error) {
	return collectOne(ctx, db.pool, scanUser, selectUser+`WHERE email = $1`, email)
}

// Credential gives a user's e-mail and password account.
func (db *DB) Credential(ctx context.Context, id account.UserID) (account.Credential, error) {
	return collectOne(ctx, db.pool, func(row pgx.CollectableRow) (account.Credential, error) {
		var c account.Credential
		err := row.Scan(&c.ID, (*string)(&c.UserID), &c.PasswordHash, &c.CreatedAt, &c.UpdatedAt)
		c.CreatedAt, c.UpdatedAt = millis(c.CreatedAt), millis(c.UpdatedAt)
		return c, err
	}, `SELECT id, user_id, password, created_at, updated_at FROM account
		WHERE user_id = $1 AND account_id = user_id AND provider_id = 'credential'`, string(id))
}

// SetPassword replaces a user's password hash.
func (db *DB) SetPassword(ctx context.Context, id account.UserID, hash string, now time.Time) error {
	return executeOne(ctx, db.pool, `UPDATE account SET password = $2, updated_at = $3
		WHERE user_id = $1 AND account_id = user_id AND provider_id = 'credential'`, string(id), hash, now)
}

// UpdateUser stores Name, Image, EmailVerified and UpdatedAt.
func (db *DB) UpdateUser(ctx context.Context, u account.User) error {
	return executeOne(ctx, db.pool, `UPDATE "user" SET name = $2, image = $3, email_verified = $4, updated_at = $5 WHERE id = $1`,
		string(u.ID), u.Name, u.Image, u.EmailVerified, u.UpdatedAt)
}

// CountUsers counts users.
func (db *DB) CountUsers(ctx context.Context) (int64, error) {
	return collectOne(ctx, db.pool, pgx.RowTo[int64], `SELECT count(*) FROM "user"`)
}

// CreateSession stores a sign-in.
func (db *DB) CreateSession(ctx context.Context, s account.Session) error {
	return execute(ctx, db.pool, `INSERT INTO auth_session
		(id, user_id, token, expires_at, ip_address, user_agent, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		s.ID, string(s.UserID), s.Token, s.ExpiresAt, s.IPAddress, s.UserAgent, s.CreatedAt, s.UpdatedAt)
}

const sessionColumns = `s.id, s.user_id, s.token, s.expires_at, s.ip_address, s.user_agent, s.created_at, s.updated_at`

func sessionFields(s *account.Session) []any {
	return []any{&s.ID, (*string)(&s.UserID), &s.Token, &s.ExpiresAt, &s.IPAddress, &s.UserAgent, &s.CreatedAt, &s.UpdatedAt}
}

func cutSession(s *account.Session) {
	s.ExpiresAt, s.CreatedAt, s.UpdatedAt = millis(s.ExpiresAt), millis(s.CreatedAt), millis(s.UpdatedAt)
}

// SessionByToken gives a session and its user.
func (db *DB) SessionByToken(ctx context.Context, token string) (account.Session, account.User, error) {
	type both struct {
		s account.Session
		u account.User
	}
	b, err := collectOne(ctx, db.pool, func(row pgx.CollectableRow) (both, error) {
		var b both
		u := &b.u
		err := row.Scan(append(sessionFields(&b.s),
			(*string)(&u.ID), &u.Name, &u.Email, &u.EmailVerified, &u.Image, &u.CreatedAt, &u.UpdatedAt)...)
		cutSession(&b.s)
		u.CreatedAt, u.UpdatedAt = millis(u.CreatedAt), millis(u.UpdatedAt)
		return b, err
	}, `SELECT `+sessionColumns+`, u.id, u.name, u.email, u.email_verified, u.image, u.created_at, u.updated_at
		FROM auth_session s JOIN "user" u ON u.id = s.user_id WHERE s.token = $1`, token)
	return b.s, b.u, err
}

// ExtendSession moves the end of a session.
func (db *DB) ExtendSession(ctx context.Context, token string, expiresAt, updatedAt time.Time) error {
	return executeOne(ctx, db.pool, `UPDATE auth_session SET expires_at = $2, updated_at = $3 WHERE token = $1`,
		token, expiresAt, updatedAt)
}

// DeleteSession ends a session.
func (db *DB) DeleteSession(ctx context.Context, token string) error {
	return execute(ctx, db.pool, `DELETE FROM auth_session WHERE token = $1`, token)
}

// UserSessions gives a user's sessions.
func (db *DB) UserSessions(ctx context.Context, id account.UserID) ([]account.Session, error) {
	return collect(ctx, db.pool, func(row pgx.CollectableRow) (account.Session, error) {
		var s account.Session
		err := row.Scan(sessionFields(&s)...)
		cutSession(&s)
		return s, err
	}, `SELECT `+sessionColumns+` FROM auth_session s WHERE s.user_id = $1 ORDER BY s.created_at, s.id COLLATE "C"`, string(id))
}

// DeleteUserSessions ends a user's sessions but one.
func (db *DB) DeleteUserSessions(ctx context.Context, id account.UserID, keep string) error {
	return execute(ctx, db.pool, `DELETE FROM auth_session WHERE user_id = $1 AND token <> $2`, string(id), keep)
}

// PurgeExpired deletes sign-in sessions and invites that ended before now, and
// old rejections.
func (db *DB) PurgeExpired(ctx context.Context, now time.Time) (int64, error) {
	if err := execute(ctx, db.pool, `DELETE FROM invites WHERE expires_at < $1`, now); err != nil {
		return 0, err
	}
	if err := execute(ctx, db.pool, `DELETE FROM rejections WHERE minute < $1`, now.Add(-store.RejectionsKept)); err != nil {
		return 0, err
	}
	tag, err := db.pool.Exec(ctx, `DELETE FROM auth_session WHERE expires_at < $1`, now)
	return tag.RowsAffected(), faultOf(err)
}

// CreateProject stores a project with its key and administrator.
func (db *DB) CreateProject(ctx context.Context, p store.NewProject) error {
	return db.inTx(ctx, func(tx pgx.Tx) error { return insertProject(ctx, tx, p) })
}

func insertProject(ctx context.Context, e execer, p store.NewProject) error {
	if err := execute(ctx, e, `INSERT INTO projects (id, name, created_at) VALUES ($1, $2, $3)`,
		string(p.Project.ID), p.Project.Name, p.Project.CreatedAt); err != nil {
		return err
	}
	if err := insertKey(ctx, e, p.Key); err != nil {
		return err
	}
	return insertMembership(ctx, e, p.Member)
}

func insertMembership(ctx context.Context, e execer, m account.Membership) error {
	return execute(ctx, e, `INSERT INTO user_projects (id, user_id, project_id, role, created_at) VALUES ($1, $2, $3, $4, $5)`,
		m.ID, string(m.UserID), string(m.ProjectID), string(m.Role), m.CreatedAt)
}

func insertKey(ctx context.Context, e execer, k account.APIKey) error {
	return execute(ctx, e, `INSERT INTO api_keys (id, project_id, key_hash, encrypted_key, name, last_used_at, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		string(k.ID), string(k.ProjectID), k.Hash, k.Sealed, k.Name, k.LastUsedAt, k.CreatedAt)
}

// UserProjects gives a user's projects with the user's role.
func (db *DB) UserProjects(ctx context.Context, id account.UserID) ([]account.ProjectRole, error) {
	return collect(ctx, db.pool, func(row pgx.CollectableRow) (account.ProjectRole, error) {
		var p account.ProjectRole
		var role string
		err := row.Scan((*string)(&p.ID), &p.Name, &p.CreatedAt, &role, &p.TimeZone)
		p.CreatedAt, p.Role = millis(p.CreatedAt), account.ParseRole(role)
		return p, err
	}, `SELECT p.id, p.name, p.created_at, m.role, coalesce(s.time_zone, '') FROM user_projects m JOIN projects p ON p.id = m.project_id
		LEFT JOIN project_settings s ON s.project_id = p.id WHERE m.user_id = $1 ORDER BY p.created_at, p.id COLLATE "C"`, string(id))
}

// Role gives a user's role in a project.
func (db *DB) Role(ctx context.Context, project account.ProjectID, user account.UserID) (account.Role, error) {
	role, err := collectOne(ctx, db.pool, pgx.RowTo[string],
		`SELECT role FROM user_projects WHERE user_id = $1 AND project_id = $2`, string(user), string(project))
	if err != nil {
		return "", err
	}
	return account.ParseRole(role), nil
}

// Members gives a project's members.
func (db *DB) Members(ctx context.Context, project account.ProjectID) ([]account.Member, error) {
	return collect(ctx, db.pool, func(row pgx.CollectableRow) (account.Member, error) {
		var m account.Member
		var role string
		err := row.Scan((*string)(&m.UserID), &m.Name, &m.Email, &role, &m.CreatedAt)
		m.CreatedAt, m.Role = millis(m.CreatedAt), account.ParseRole(role)
		return m, err
	}, `SELECT u.id, u.name, u.email, m.role, m.created_at FROM user_projects m JOIN "user" u ON u.id = m.user_id
		WHERE m.project_id = $1 ORDER BY m.created_at, u.id COLLATE "C"`, string(project))
}

// AddMember stores a membership.
func (db *DB) AddMember(ctx context.Context, m account.Membership) error {
	return insertMembership(ctx, db.pool, m)
}

// Project gives a project by id.
func (db *DB) Project(ctx context.Context, id account.ProjectID) (account.Project, error) {
	return collectOne(ctx, db.pool, func(row pgx.CollectableRow) (account.Project, error) {
		var p account.Project
		err := row.Scan((*string)(&p.ID), &p.Name, &p.CreatedAt)
		p.CreatedAt = millis(p.CreatedAt)
		return p, err
	}, `SELECT id, name, created_at FROM projects WHERE id = $1`, string(id))
}

// RenameProject changes a project's name.
func (db *DB) RenameProject(ctx context.Context, id account.ProjectID, name string) error {
	return executeOne(ctx, db.pool, `UPDATE projects SET name = $2 WHERE id = $1`, string(id), name)
}

const keyColumns = `id, project_id, key_hash, encrypted_key, name, last_used_at, created_at`

func scanKey(row pgx.CollectableRow) (account.APIKey, error) {
	var k account.APIKey
	err := row.Scan((*string)(&k.ID), (*string)(&k.ProjectID), &k.Hash, &k.Sealed, &k.Name, &k.LastUsedAt, &k.CreatedAt)
	k.CreatedAt = millis(k.CreatedAt)
	if k.LastUsedAt != nil {
		at := millis(*k.LastUsedAt)
		k.LastUsedAt = &at
	}
	return k, err
}

// KeyByHash finds a key by account.HashKey.
func (db *DB) KeyByHash(ctx context.Context, hash string) (account.APIKey, error) {
	return collectOne(ctx, db.pool, scanKey, `SELECT `+keyColumns+` FROM api_keys WHERE key_hash = $1`, hash)
}

// Keys gives a project's keys.
func (db *DB) Keys(ctx context.Context, project account.ProjectID) ([]account.APIKey, error) {
	return collect(ctx, db.pool, scanKey, `SELECT `+keyColumns+` FROM api_keys WHERE project_id = $1
		ORDER BY created_at, id COLLATE "C"`, string(project))
}

// CreateKey stores a key.
func (db *DB) CreateKey(ctx context.Context, k account.APIKey) error {
	return insertKey(ctx, db.pool, k)
}

// RenameKey changes a key's name.
func (db *DB) RenameKey(ctx context.Context, project account.ProjectID, id account.KeyID, name string) error {
	return executeOne(ctx, db.pool, `UPDATE api_keys SET name = $3 WHERE project_id = $1 AND id = $2`,
		string(project), string(id), name)
}

// DeleteKey deletes a key and gives what it was.
func (db *DB) DeleteKey(ctx context.Context, project account.ProjectID, id account.KeyID) (account.APIKey, error) {
	return collectOne(ctx, db.pool, scanKey, `DELETE FROM api_keys WHERE project_id = $1 AND id = $2 RETURNING `+keyColumns,
		string(project), string(id))
}

// TouchKey stores when a key was last used.
func (db *DB) TouchKey(ctx context.Context, id account.KeyID, at time.Time) error {
	return executeOne(ctx, db.pool, `UPDATE api_keys SET last_used_at = $2 WHERE id = $1`, string(id), at)
}
