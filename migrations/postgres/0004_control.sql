-- What members and administrators of projects set: invites, saved views,
-- settings.

-- +goose Up
CREATE TABLE invites (
    id         text PRIMARY KEY,
    project_id text NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    token_hash text NOT NULL UNIQUE, -- the token itself is nowhere
    role       text NOT NULL,
    email      text NOT NULL, -- '' for whoever has the link
    created_by text NOT NULL, -- a user's id
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_by    text -- NULL while it is pending
);
-- Serves a project's list of invites, and the cascade.
CREATE INDEX invites_project_idx ON invites (project_id);
-- Serves the purge of invites that have ended.
CREATE INDEX invites_expires_idx ON invites (expires_at);

CREATE TABLE views (
    project_id text NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    id         text COLLATE "C" NOT NULL,
    user_id    text NOT NULL REFERENCES "user" (id) ON DELETE CASCADE,
    name       text NOT NULL,
    page       text NOT NULL,
    query      text NOT NULL,
    shared     boolean NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (project_id, id)
);
-- Serves the cascade.
CREATE INDEX views_user_idx ON views (user_id);

CREATE TABLE project_settings (
    project_id     text PRIMARY KEY REFERENCES projects (id) ON DELETE CASCADE,
    retention_days integer NOT NULL, -- 0 for none of its own
    time_zone      text NOT NULL, -- '' for none
    updated_at     timestamptz NOT NULL
);

-- Projects that are gone from all tables of accounts, and whose spans are being
-- deleted.
CREATE TABLE removed_projects (
    project_id text COLLATE "C" PRIMARY KEY,
    removed_by text NOT NULL, -- a user's id
    removed_at timestamptz NOT NULL
);
