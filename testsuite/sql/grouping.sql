-- Sums of groups, and groups that are too small.
-- tags: aggregates
create table sale (shop text, amount int);
insert into sale values ('n', 10), ('s', 5), ('n', 30), ('e', 1), ('s', 5), ('n', 20);
select shop, count(*), sum(amount), avg(amount) from sale group by shop order by shop;
--> e|1|1|1.0
--> n|3|60|20.0
--> s|2|10|5.0
select shop from sale group by shop having count(*) > 1 order by 1;
--> n
--> s
select count(distinct amount), min(amount), max(amount), total(amount) from sale;
--> 5|1|30|71.0
select group_concat(shop, '-') from (select distinct shop from sale order by shop);
--> e-n-s
select sum(amount), count(*) from sale where amount > 100;
--> null|0
