-- SPDX-License-Identifier: EUPL-1.2
-- What auth must remember.

create table record (
	kind    bytea not null,
	key     bytea not null,
	version bigint not null,
	until   bytea,
	value   bytea not null,
	primary key (kind, key)
);
create index record_until on record (until) where until is not null;
