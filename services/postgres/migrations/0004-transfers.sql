alter table databases
  -- The app that its add-on is billed to, as the request for its removal named it: its final
  -- snapshot is that app's.
  add column app_id uuid;

-- Backups, restores and copies. What they leave outlives the database: its add-on's name is kept.
create table transfers (
  id uuid primary key,
  app_id uuid not null,           -- the billing app, among whose transfers it is listed
  num integer not null,           -- within the app: b001 is number 1
  kind text not null check (kind in ('capture', 'restore', 'copy')),
  origin text not null default 'manual' check (origin in ('manual', 'scheduled', 'final')),
  from_addon_id uuid,
  from_name text not null,        -- the add-on's name, or of a restore the backup's
  to_addon_id uuid,
  to_name text not null default '',
  backup_id uuid,                 -- of a restore: the capture whose file it reads
  requested_by text not null,     -- e-mail address; empty: the platform itself
  state text not null default 'pending'
    check (state in ('pending', 'running', 'succeeded', 'failed', 'canceled')),
  cancel_wanted boolean not null default false,
  runs integer not null default 0, -- of its present step
  source_bytes bigint not null default 0,
  processed_bytes bigint not null default 0,
  warnings integer not null default 0,
  logs jsonb not null default '[]',
  file text,                      -- in the service's backup folder
  contents jsonb,                 -- what the dump saw: tables, rows and checksums (contents.ts)
  source_oid bigint,              -- of a dump: pg_database.oid of the source at its first run
  scratch text,                   -- of a restore: the database that is to take the target's place
  created_at timestamptz not null default now(),
  started_at timestamptz,
  checked_at timestamptz,         -- restored aside and found to be what the dump saw
  swapping_at timestamptz,        -- of a restore or copy: from then on it is not canceled
  finished_at timestamptz,
  expires_at timestamptz,         -- deleted then
  deleted_at timestamptz,         -- its file goes next
  unique (app_id, num),
  check ((finished_at is null) = (state in ('pending', 'running')))
);

-- One capture of a database at a time, and one transfer into it.
create unique index transfers_one_capture on transfers (from_addon_id)
  where finished_at is null and kind = 'capture';
create unique index transfers_one_into on transfers (to_addon_id) where finished_at is null;
create index transfers_of_addon on transfers (from_addon_id) where deleted_at is null;

create table transfer_counters (
  app_id uuid primary key,
  last integer not null
);

-- Daily backups, one schedule for a database.
create table schedules (
  id uuid primary key,
  addon_id uuid not null unique,
  app_id uuid not null,
  name text not null,             -- as the CLI named it: "DATABASE_URL"
  hour integer not null check (hour between 0 and 23),
  timezone text not null,
  requested_by text not null,
  next_at timestamptz not null,
  created_at timestamptz not null default now()
);

create index schedules_due on schedules (next_at);
