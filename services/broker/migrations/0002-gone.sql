-- What is gone is deleted after a while, the oldest first.
create index addons_gone on addons (updated_at) where state = 'deprovisioned';
create index attachments_gone on attachments (updated_at) where state = 'removed';
-- Deleting an add-on looks for attachments of it, removed ones too.
create index attachments_of_addon on attachments (addon_id);
