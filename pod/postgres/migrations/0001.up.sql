-- SPDX-License-Identifier: EUPL-1.2
-- Pods, their names and their values. See the package's comment.

create table pod (
	id  bytea primary key,
	due bytea
);
create index pod_due on pod (due, id) where due is not null;

create table name (
	name bytea primary key,
	pod  bytea not null
);

create table value (
	pod    bytea not null,
	head   bytea not null,
	tailid bytea not null,
	tail   bytea not null,
	value  bytea not null,
	primary key (pod, head, tailid)
);
