-- A channel is one app's log. A destroyed one stays as a mark, so that nothing makes it again.
create table channels (
  app_id uuid primary key,
  created_at timestamptz not null default now(),
  destroyed_at timestamptz
);

-- Who holds a token may write into the app's log. It is shown again when asked for, so it is
-- sealed, and found by the hash of its text.
create table tokens (
  id uuid primary key,
  app_id uuid not null references channels (app_id),
  name text not null,
  sealed_token text not null,
  token_sha256 bytea not null unique,
  created_at timestamptz not null default now(),
  unique (app_id, name)
);

-- The url may hold credentials of the receiver. first_line: the number of the first line that the
-- drain is to have, from the app's log in Redis.
create table drains (
  id uuid primary key,
  app_id uuid not null references channels (app_id),
  token text not null unique,
  sealed_url text not null,
  url_sha256 bytea not null,
  addon_id uuid,
  first_line bigint not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint drains_url_once unique (app_id, url_sha256)
);
