-- SPDX-License-Identifier: EUPL-1.2
-- pod.Schema 2: an older program would leave indexes behind that lie. What is in them
-- is sealed; pod.Upgrade makes them.

select 1;
