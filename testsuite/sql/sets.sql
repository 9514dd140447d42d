-- Union, intersection and difference.
-- tags: sets
select 1 union select 2 union select 1 order by 1;
--> 1
--> 2
select 1 union all select 1;
--> 1
--> 1
select 'a' intersect select 'a';
--> a
select * from (select 1 as n union select 2 union select 3) except select 2 order by 1;
--> 1
--> 3
select 1, 2 union select 1;
--! SELECTs to the left and right of UNION do not have the same number of result columns
