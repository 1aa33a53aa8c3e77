-- The plan before the last change: a request from around that time may still name it.
alter table instances add column previous_plan text;
