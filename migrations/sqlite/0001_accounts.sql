-- Users, projects and keys: names, columns and types are those of the earlier
-- service, whose tables are taken over where they stand. Hence IF NOT EXISTS,
-- and the names of the indexes. Times are integer milliseconds since 1970.

-- +goose Up
CREATE TABLE IF NOT EXISTS "user" (
    id             text PRIMARY KEY NOT NULL,
    name           text NOT NULL,
    email          text NOT NULL,
    email_verified integer NOT NULL DEFAULT false,
    image          text,
    created_at     integer NOT NULL DEFAULT (cast((julianday('now') - 2440587.5)*86400000 as integer)),
    updated_at     integer NOT NULL DEFAULT (cast((julianday('now') - 2440587.5)*86400000 as integer))
);
CREATE UNIQUE INDEX IF NOT EXISTS user_email_unique ON "user" (email);

CREATE TABLE IF NOT EXISTS account (
    id                       text PRIMARY KEY NOT NULL,
    user_id                  text NOT NULL REFERENCES "user" (id) ON DELETE CASCADE,
    account_id               text NOT NULL,
    provider_id              text NOT NULL,
    access_token             text,
    refresh_token            text,
    access_token_expires_at  integer,
    refresh_token_expires_at integer,
    scope                    text,
    id_token                 text,
    password                 text,
    created_at               integer NOT NULL DEFAULT (cast((julianday('now') - 2440587.5)*86400000 as integer)),
    updated_at               integer NOT NULL DEFAULT (cast((julianday('now') - 2440587.5)*86400000 as integer))
);
-- Serves the look-up of a user's password, and the cascade.
CREATE INDEX IF NOT EXISTS account_user_idx ON account (user_id);

CREATE TABLE IF NOT EXISTS auth_session (
    id         text PRIMARY KEY NOT NULL,
    user_id    text NOT NULL REFERENCES "user" (id) ON DELETE CASCADE,
    token      text NOT NULL,
    expires_at integer NOT NULL,
    ip_address text,
    user_agent text,
    created_at integer NOT NULL DEFAULT (cast((julianday('now') - 2440587.5)*86400000 as integer)),
    updated_at integer NOT NULL DEFAULT (cast((julianday('now') - 2440587.5)*86400000 as integer))
);
CREATE UNIQUE INDEX IF NOT EXISTS auth_session_token_unique ON auth_session (token);
-- Serves a user's list of sessions, and the cascade.
CREATE INDEX IF NOT EXISTS auth_session_user_idx ON auth_session (user_id);
-- Serves the purge of sessions that have ended.
CREATE INDEX IF NOT EXISTS auth_session_expires_idx ON auth_session (expires_at);

CREATE TABLE IF NOT EXISTS verification (
    id         text PRIMARY KEY NOT NULL,
    identifier text NOT NULL,
    value      text NOT NULL,
    expires_at integer NOT NULL,
    created_at integer NOT NULL DEFAULT (cast((julianday('now') - 2440587.5)*86400000 as integer)),
    updated_at integer NOT NULL DEFAULT (cast((julianday('now') - 2440587.5)*86400000 as integer))
);

CREATE TABLE IF NOT EXISTS projects (
    id         text PRIMARY KEY NOT NULL,
    name       text NOT NULL,
    created_at integer NOT NULL DEFAULT (cast((julianday('now') - 2440587.5)*86400000 as integer))
);

CREATE TABLE IF NOT EXISTS api_keys (
    id            text PRIMARY KEY NOT NULL,
    project_id    text NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    key_hash      text NOT NULL,
    encrypted_key text NOT NULL,
    name          text NOT NULL DEFAULT 'Default Key',
    last_used_at  integer,
    created_at    integer NOT NULL DEFAULT (cast((julianday('now') - 2440587.5)*86400000 as integer))
);
-- Serves the look-up at every request to /v1.
CREATE UNIQUE INDEX IF NOT EXISTS api_keys_key_hash_unique ON api_keys (key_hash);
-- Serves a project's list of keys, and the cascade.
CREATE INDEX IF NOT EXISTS api_keys_project_idx ON api_keys (project_id);

CREATE TABLE IF NOT EXISTS user_projects (
    id         text PRIMARY KEY NOT NULL,
    user_id    text NOT NULL REFERENCES "user" (id) ON DELETE CASCADE,
    project_id text NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    role       text NOT NULL DEFAULT 'user',
    created_at integer NOT NULL DEFAULT (cast((julianday('now') - 2440587.5)*86400000 as integer))
);
CREATE UNIQUE INDEX IF NOT EXISTS user_projects_user_project_unique_idx ON user_projects (user_id, project_id);
-- Serves a project's list of members, and the cascade.
CREATE INDEX IF NOT EXISTS user_projects_project_idx ON user_projects (project_id);
