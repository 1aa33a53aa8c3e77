-- A token of an add-on's attachment, named after the add-on's service: an app may have several of
-- that name, and one of its own besides. Both null: the app's own.
alter table tokens
  add column addon_id uuid,
  add column attachment_id uuid unique,
  drop constraint tokens_app_id_name_key;
create unique index tokens_name on tokens (app_id, name) where attachment_id is null;
create index tokens_addon on tokens (addon_id) where addon_id is not null;

-- A provider may have one url for all its add-ons, and tells them apart by the drain's token.
alter table drains drop constraint drains_url_once;
create unique index drains_url_once on drains (app_id, url_sha256) where addon_id is null;
create unique index drains_addon on drains (addon_id) where addon_id is not null;
