alter table addons
  -- Logplex has been, or is about to be, asked for a token or a drain: it is told of the end.
  add column logs_opened boolean not null default false,
  add column log_drain_token text not null default '',       -- "d.<uuid>"; empty: gets no drain
  add column sealed_log_drain_url text not null default '';  -- what the provider answered; empty: none

-- Where the add-on writes into the log of the attachment's app; empty where it does not.
alter table attachments add column sealed_log_input_url text not null default '';
