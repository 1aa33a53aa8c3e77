alter table addon_services
  add column owner_id text not null default '',            -- the account that pushed it; empty: the operator
  add column testers text[] not null default '{}',         -- who may have it while it is alpha: e-mail addresses
  add column api_version text not null default '3',
  add column sso_url text not null default '',
  add column requires text[] not null default '{}',
  add column regions text[] not null default '{*}',
  add column sealed_credentials text not null default '',  -- JSON; empty where the carrier needs none
  add column client_secret_hash text not null default '';  -- SHA-256 of what the provider trades grants with

alter table plans add column hidden boolean not null default false; -- to be had, and not listed

-- Every manifest that was ever pushed; the newest is the one in force.
create table manifests (
  id uuid primary key,
  addon_service_id uuid not null references addon_services,
  base bigint not null,                -- "$base": what the next push has to name
  sealed_contents text not null,       -- JSON
  plans text not null,                 -- JSON
  author text not null,
  created_at timestamptz not null default now(),
  unique (addon_service_id, base)
);

alter table addons
  add column answered_202 boolean not null default false,  -- the provider calls back when it is done
  add column forgotten boolean not null default false,     -- the operator calls it gone, whatever its provider says
  -- Counts the changes of sealed_config: what was published of an older one is published anew.
  add column config_version integer not null default 0,
  add column wanted_plan_id uuid references plans,         -- of the plan change under way
  -- Why the last plan change came to nothing, in words for the customer; empty unless it did.
  add column change_failure text not null default '',
  add column change_failure_code integer not null default 0;

-- What a provider may call back with, by its SHA-256: a code to be traded once, tokens after that.
create table grants (
  secret_hash text primary key,
  addon_id uuid not null references addons on delete cascade,
  kind text not null check (kind in ('code', 'access', 'refresh')),
  expires_at timestamptz,              -- null: as long as the add-on lives
  created_at timestamptz not null default now()
);
create index grants_addon on grants (addon_id);
create index grants_expired on grants (expires_at);
