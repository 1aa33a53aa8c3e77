-- Credentials of a database beside its owner's, which its customer has made and named. A row is
-- written before its role is made on the add-on server, and deleted after the role is dropped.
create table named_credentials (
  addon_id uuid not null references databases,
  name text not null,
  role_name text not null unique,
  password text not null,         -- sealed
  state text not null default 'creating' check (state in ('creating', 'active', 'removing')),
  created_at timestamptz not null default now(),
  primary key (addon_id, name)
);
