-- An add-on has a drain for each of its attachments, known by its token.
drop index drains_addon;
create index drains_addon on drains (addon_id) where addon_id is not null;
