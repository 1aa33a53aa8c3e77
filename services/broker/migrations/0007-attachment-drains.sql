-- A drain for each attachment, of its app's lines; the first one's token is what the add-on's was.
alter table attachments
  add column log_drain_token text not null default '',       -- "d.<uuid>"; empty: gets no drain
  add column sealed_log_drain_url text not null default '';  -- of this one alone; empty: the add-on's
update attachments set log_drain_token = addons.log_drain_token
  from addons
  where addons.id = attachments.addon_id and attachments.id = (
    select id from attachments as first where first.addon_id = addons.id
    order by created_at limit 1
  );
alter table addons drop column log_drain_token;
