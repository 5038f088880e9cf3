package local

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/betterauth"
	"github.com/pulse-traces/pulse/shared/config"
	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/host"
	"github.com/pulse-traces/pulse/shared/store"
)

const keysUsage = `Make an API key, and the account and project it needs where they are missing.
The key is printed alone on standard output, and the database it is in on
standard error. The server may run meanwhile; it must have the same PULSE_HOME.

Usage: pulse keys create --email ADDRESS [--project NAME] [--name KEY-NAME]

A new account needs a password of at least 8 characters: in PULSE_PASSWORD.

`

// createKey is the command "keys create".
func (c *command) createKey(ctx context.Context, args []string) (err error) {
	flags := flag.NewFlagSet("keys create", flag.ContinueOnError)
	email := flags.String("email", "", "e-mail address of the key's owner")
	project := flags.String("project", "", "name or id of the project; the account's first one by default")
	name := flags.String("name", "CLI Key", "name of the key")
	if err := c.parse(flags, keysUsage, args); err != nil {
		return err
	}
	switch {
	case flags.NArg() > 0:
		return usageError("keys create takes flags only, not " + printable(flags.Arg(0)) + "; --help shows all")
	case *email == "":
		return usageError("keys create needs --email; --help shows all")
	}
	// First, since what follows may make or migrate a database. No account has an
	// address that this refuses.
	if !betterauth.ValidEmail(strings.ToLower(*email)) {
		return usageError("--email is no e-mail address")
	}
	cfg, log, err := c.serverSettings()
	if err != nil {
		return err
	}
	database := describeDatabase(&cfg)
	st, err := openStore(ctx, &cfg, log, func(line string) { fmt.Fprintln(c.stderr, line) })
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	deps, err := host.NewDeps(&cfg, log, st)
	if err != nil {
		return err
	}
	fmt.Fprintln(c.stderr, database)
	m := &keyMaker{store: st, auth: deps.Auth, sealer: deps.Sealer, now: time.Now().UTC().Truncate(time.Millisecond)}
	key, note, err := m.make(ctx, strings.ToLower(*email), *project, *name, cfg.NewPassword.Reveal())
	if err != nil {
		return err
	}
	fmt.Fprintln(c.stderr, note)
	fmt.Fprintln(c.stdout, key)
	return nil
}

// describeDatabase says which database is about to be opened. A key works only on
// a server that has the same one, and one that is made by a key is likely not it.
func describeDatabase(cfg *config.Config) string {
	if cfg.Mode == config.ModeScale {
		return "Database: the one of DATABASE_URL"
	}
	line := "Database: " + cfg.DatabasePath
	if _, err := os.Stat(cfg.DatabasePath); errors.Is(err, fs.ErrNotExist) {
		line += ", which is new: a running server with another PULSE_HOME does not know its keys"
	}
	return line
}

// keyMaker makes keys without the server.
type keyMaker struct {
	store  store.Store
	auth   *betterauth.Service
	sealer *account.Sealer // nil keeps hashes only
	now    time.Time
}

func (m *keyMaker) make(ctx context.Context, email, project, name, password string) (key, note string, err error) {
	user, err := m.store.UserByEmail(ctx, email)
	if fault.Is(err, fault.NotFound) {
		return m.signUp(ctx, email, project, name, password)
	}
	if err != nil {
		return "", "", err
	}
	projects, err := m.store.UserProjects(ctx, user.ID)
	if err != nil {
		return "", "", err
	}
	for _, p := range projects {
		if project != "" && p.Name != project && string(p.ID) != project {
			continue
		}
		if p.Role != account.RoleAdmin {
			return "", "", fmt.Errorf("%s is no administrator of project %s", email, p.Name)
		}
		row, clear := m.key(p.ID, name)
		return clear, "The account exists (its password stays as it is). A new key of project " + p.Name + ":", m.store.CreateKey(ctx, row)
	}
	made, clear := m.project(user.ID, project, name)
	return clear, "A new project, " + made.Project.Name + ", and its key:", m.store.CreateProject(ctx, made)
}

func (m *keyMaker) signUp(ctx context.Context, email, project, name, password string) (key, note string, err error) {
	if password == "" {
		return "", "", usageError("there is no account with this e-mail address: set PULSE_PASSWORD to make one")
	}
	if err := betterauth.CheckNewPassword(password); err != nil {
		return "", "", fmt.Errorf("PULSE_PASSWORD: %w: it takes %d to %d characters", err, betterauth.MinPasswordUnits, betterauth.MaxPasswordUnits)
	}
	hash, err := m.auth.HashPassword(ctx, password)
	if err != nil {
		return "", "", err
	}
	user := account.User{ID: account.UserID(betterauth.NewID()), Name: email[:strings.IndexByte(email, '@')], Email: email, CreatedAt: m.now, UpdatedAt: m.now}
	made, clear := m.project(user.ID, project, name)
	err = m.store.CreateUser(ctx, store.NewUser{User: user, CredentialID: betterauth.NewID(), PasswordHash: hash, Project: &made})
	return clear, "A new account, project " + made.Project.Name + " and its key:", err
}

func (m *keyMaker) project(admin account.UserID, name, keyName string) (store.NewProject, string) {
	if name == "" {
		name = "My Project"
	}
	id := account.ProjectID(uuid.NewString())
	row, clear := m.key(id, keyName)
	return store.NewProject{
		Project: account.Project{ID: id, Name: name, CreatedAt: m.now},
		Key:     row,
		Member:  account.Membership{ID: uuid.NewString(), UserID: admin, ProjectID: id, Role: account.RoleAdmin, CreatedAt: m.now},
	}, clear
}

func (m *keyMaker) key(project account.ProjectID, name string) (account.APIKey, string) {
	clear := account.MintKey()
	row := account.APIKey{ID: account.KeyID(uuid.NewString()), ProjectID: project, Hash: account.HashKey(clear), Name: name, CreatedAt: m.now}
	if m.sealer != nil {
		row.Sealed = m.sealer.Seal(clear)
	}
	return row, clear
}
