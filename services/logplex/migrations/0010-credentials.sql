-- Who may do more than write into one app's log; made by the operator. The password is 32 random
-- bytes, so a plain hash of it can be kept.
create table credentials (
  id text primary key,
  name text not null,
  password_sha256 bytea not null,
  permissions text[] not null,
  created_at timestamptz not null default now(),
  check (permissions <@ array['any_channel', 'full_api'])
);
