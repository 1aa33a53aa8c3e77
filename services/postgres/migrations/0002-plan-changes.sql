alter table databases
  -- The plan before the last change: a request from around that time may still name it.
  add column previous_plan text,
  -- More connections than the plan's that its sessions may still hold, from a larger plan before.
  add column connections_kept integer not null default 0;
