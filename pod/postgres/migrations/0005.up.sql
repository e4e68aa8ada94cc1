-- SPDX-License-Identifier: EUPL-1.2
-- upkeep.Schema 2: an older program would leave indexes behind that lie. What is in them
-- is sealed; upkeep.Upgrade makes them.

select 1;
