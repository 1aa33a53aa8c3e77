-- What the broker has had removed, an add-on or an attachment's drain: a call that was on its way
-- meanwhile makes nothing of it again. Rows go after a day.
create table removed_logs (
  key text primary key,          -- an add-on's id, or a drain's token
  removed_at timestamptz not null default now()
);
