create table addon_services (
  id uuid primary key,
  slug text not null unique,
  human_name text not null,
  state text not null,
  cli_plugin_name text not null,
  base_url text not null,              -- its scheme chooses the carrier to the provider
  config_vars text[] not null,         -- every variable that the provider may answer with
  config_vars_prefix text not null,
  default_attachment_name text not null,
  supports_multiple_installations boolean not null,
  supports_sharing boolean not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create table plans (
  id uuid primary key,
  addon_service_id uuid not null references addon_services,
  slug text not null,
  human_name text not null,
  description text not null,
  price_cents integer not null,        -- a month
  is_default boolean not null,
  retired boolean not null,            -- no longer in the file: what has it keeps it, nobody gets it
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (addon_service_id, slug)
);

create table addons (
  id uuid primary key,
  name text not null,
  state text not null check (state in ('provisioning', 'provisioned', 'deprovisioning', 'deprovisioned')),
  plan_id uuid not null references plans,
  app_id uuid not null,                -- the billing app
  provider_id text not null default '',
  sealed_options text not null,        -- JSON
  sealed_config text,                  -- JSON of what the provider answered, under its own names
  config_names text[] not null default '{}',
  provision_message text not null default '',
  destroy_wished boolean not null default false, -- its workflow is told; shown as deprovisioning
  confirm text not null,               -- given with the request: what is in the way may be replaced
  -- Why provisioning ended in removal, in the words for the customer; empty unless it did.
  failure text not null default '',
  failure_code integer not null default 0,
  -- Who asked for the change under way: the user of its releases. Empty: the platform.
  actor_id text not null,
  actor_email text not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create unique index addons_name on addons (name) where state <> 'deprovisioned';
create index addons_app on addons (app_id) where state <> 'deprovisioned';

create table attachments (
  id uuid primary key,
  addon_id uuid not null references addons,
  app_id uuid not null,
  name text not null,
  namespace text not null default '',
  state text not null check (state in ('attaching', 'attached', 'detaching', 'removed')),
  -- The attachment whose name this one takes over, until that one is removed.
  replaces uuid references attachments,
  confirm text not null,
  failure text not null default '',
  failure_code integer not null default 0,
  actor_id text not null,
  actor_email text not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
-- One that replaces another has the name as soon as the other is removed, in the same commit.
create unique index attachments_name on attachments (app_id, name)
  where state <> 'removed' and replaces is null;
create unique index attachments_replaces on attachments (replaces) where replaces is not null;
create index attachments_addon on attachments (addon_id) where state <> 'removed';
