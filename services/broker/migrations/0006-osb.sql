-- What an Open Service Broker's catalog calls a service and a plan; empty with other carriers.
alter table addon_services add column provider_service_id text not null default '';
alter table plans
  add column provider_plan_id text not null default '',
  add column bindable boolean not null default true,     -- attachments may have credentials of their own
  add column changeable boolean not null default true,   -- what has the plan may change to another one
  add column options_schema jsonb;                       -- null: options are what the provider makes of them

alter table addons
  -- The provider has been asked for it: it is asked to remove it, whatever it answered.
  add column maybe_made boolean not null default true,
  -- What the provider calls the work that it is at, to be asked after; '' without a name, null: none.
  add column operation text,
  add column sealed_dashboard_url text not null default '';  -- what the provider answered; empty: none

-- Where each attachment has credentials of its own.
alter table attachments
  add column maybe_bound boolean not null default false,  -- the provider has been asked for them
  add column operation text,                              -- as that of add-ons
  add column sealed_config text,                          -- JSON, under the add-on service's names
  add column config_names text[] not null default '{}';
