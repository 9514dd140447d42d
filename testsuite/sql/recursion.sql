-- Tables that are made of themselves.
-- tags: recursion
with recursive count(n) as (select 1 union all select n + 1 from count where n < 5)
select n, n * n from count;
--> 1|1
--> 2|4
--> 3|9
--> 4|16
--> 5|25
with recursive fib(a, b) as (select 0, 1 union all select b, a + b from fib where b < 100)
select max(b) from fib;
--> 144
create table edge (source text, target text);
insert into edge values ('a', 'b'), ('b', 'c'), ('c', 'a'), ('c', 'd');
with recursive seen(node) as (select 'a' union select target from edge join seen on source = node)
select node from seen order by node;
--> a
--> b
--> c
--> d
