-- A telemetry drain is a drain like any other whose url speaks OTLP; it is listed and counted apart.
-- Its exporter is what its owner gave: endpoint and headers, which may hold credentials of the
-- receiver. url_sha256 is then of both: the same endpoint may be had with other headers.
alter table drains
  add column kind text not null default 'log' check (kind in ('log', 'telemetry')),
  add column sealed_exporter text,
  add constraint drains_exporter check ((kind = 'telemetry') = (sealed_exporter is not null));
