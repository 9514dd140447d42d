-- The joins that SQLite learned late.
-- tags: joins
-- needs: 3.39
create table a (k int, x text);
create table b (k int, y text);
insert into a values (1, 'one'), (2, 'two');
insert into b values (2, 'zwei'), (3, 'drei');
select a.k, x, y, b.k from a full join b on a.k = b.k order by coalesce(a.k, b.k);
--> 1|one|null|null
--> 2|two|zwei|2
--> null|null|drei|3
select x, y from a right join b using (k) order by y;
--> null|drei
--> two|zwei
