-- SPDX-License-Identifier: EUPL-1.2

drop table record;
