-- A destroyed app leaves with all its rows: its name is free and its config is gone at once.
create table apps (
  id uuid primary key,
  name text not null constraint apps_name unique,
  maintenance boolean not null default false,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  released_at timestamptz not null
);

-- Who may touch an app: its owner too is a row here.
create table collaborators (
  id uuid primary key,
  app_id uuid not null references apps on delete cascade,
  account_id uuid not null references accounts,
  role text not null check (role in ('owner', 'collaborator')),
  created_at timestamptz not null,
  updated_at timestamptz not null,
  constraint collaborators_once unique (app_id, account_id)
);
create unique index collaborators_one_owner on collaborators (app_id) where role = 'owner';
create index collaborators_account on collaborators (account_id);
