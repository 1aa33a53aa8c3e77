-- What is done is deleted after a while, the oldest first.
create index workflows_done on workflows (updated_at) where result is not null;
