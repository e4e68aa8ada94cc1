-- SPDX-License-Identifier: EUPL-1.2
-- When a pod was changed that somebody listens to, for the other nodes.

alter table pod add column stirred timestamptz;
create index pod_stirred on pod (stirred) where stirred is not null;
