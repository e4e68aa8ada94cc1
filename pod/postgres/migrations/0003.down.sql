-- SPDX-License-Identifier: EUPL-1.2

drop index pod_stirred;
alter table pod drop column stirred;
