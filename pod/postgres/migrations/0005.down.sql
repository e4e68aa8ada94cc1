-- SPDX-License-Identifier: EUPL-1.2
-- Without what an older program would neither keep in order nor remove: the values under
-- keys that begin with C, Q, J and B, and how far upkeep.Upgrade has come. It goes through
-- all values once.

delete from value where substring(head from 1 for 1) in ('\x43'::bytea, '\x51'::bytea, '\x4a'::bytea, '\x42'::bytea);
delete from record where kind = convert_to('pod schema', 'UTF8');
