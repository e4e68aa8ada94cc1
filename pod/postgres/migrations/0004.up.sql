-- A pod may have moved away, which its values say: an older program would serve it, empty.
select 1;
