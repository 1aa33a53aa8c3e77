-- The port at which an instance speaks TLS as well; null while the provider has no certificate.
alter table instances
  add column tls_port integer unique,
  add check (tls_port is null or state <> 'deprovisioned');
