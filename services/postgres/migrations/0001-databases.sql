-- The databases that add-ons were asked for. A row is written before anything is made on the
-- add-on server, and stays as a tombstone when the database is gone.
create table databases (
  addon_id uuid primary key,
  name text not null,             -- the add-on's name when it was asked for
  plan text not null,
  database_name text not null unique,
  role_name text not null unique,
  password text,                  -- sealed; forgotten with the database
  state text not null default 'provisioning'
    check (state in ('provisioning', 'ready', 'deprovisioning', 'deprovisioned')),
  removal_wanted boolean not null default false,
  -- What the last look at its size found, and what follows for its sessions (size-check.ts).
  size_bytes bigint not null default 0,
  size_state text not null default 'fits' check (size_state in ('fits', 'over', 'far-over')),
  strikes integer not null default 0,
  closed_until timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  check (password is not null or state = 'deprovisioned')
);

create index databases_ready on databases (addon_id) where state = 'ready';
