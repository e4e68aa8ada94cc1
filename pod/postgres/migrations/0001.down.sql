-- SPDX-License-Identifier: EUPL-1.2

drop table value;
drop table name;
drop table pod;
