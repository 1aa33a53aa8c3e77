create table master_keys (
  key_id text primary key,
  fingerprint text not null
);
