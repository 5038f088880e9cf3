-- What members and administrators of projects set: invites, saved views,
-- settings. Times are milliseconds, as in the other account tables.

-- +goose Up
CREATE TABLE invites (
    id         TEXT    PRIMARY KEY NOT NULL,
    project_id TEXT    NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    token_hash TEXT    NOT NULL UNIQUE, -- the token itself is nowhere
    role       TEXT    NOT NULL,
    email      TEXT    NOT NULL, -- '' for whoever has the link
    created_by TEXT    NOT NULL, -- a user's id
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    used_by    TEXT              -- NULL while it is pending
);
-- Serves a project's list of invites, and the cascade.
CREATE INDEX invites_project_idx ON invites (project_id);
-- Serves the purge of invites that have ended.
CREATE INDEX invites_expires_idx ON invites (expires_at);

CREATE TABLE views (
    project_id TEXT    NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    id         TEXT    NOT NULL,
    user_id    TEXT    NOT NULL REFERENCES "user" (id) ON DELETE CASCADE,
    name       TEXT    NOT NULL,
    page       TEXT    NOT NULL,
    query      TEXT    NOT NULL,
    shared     INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (project_id, id)
) WITHOUT ROWID;
-- Serves the cascade.
CREATE INDEX views_user_idx ON views (user_id);

CREATE TABLE project_settings (
    project_id     TEXT    PRIMARY KEY NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    retention_days INTEGER NOT NULL, -- 0 for none of its own
    time_zone      TEXT    NOT NULL, -- '' for none
    updated_at     INTEGER NOT NULL
) WITHOUT ROWID;

-- Projects that are gone from all tables of accounts, and whose spans are being
-- deleted.
CREATE TABLE removed_projects (
    project_id TEXT    PRIMARY KEY NOT NULL,
    removed_by TEXT    NOT NULL, -- a user's id
    removed_at INTEGER NOT NULL
) WITHOUT ROWID;
