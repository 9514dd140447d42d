-- Names for questions, and help for answers.
-- tags: basics
create table t (a int, b int);
insert into t values (1, 10), (2, 20), (3, 30);
create view big as select a, b * 2 as twice from t where b > 10;
select * from big;
--> 2|40
--> 3|60
create unique index by_a on t (a);
insert into t values (2, 0);
--! UNIQUE constraint failed: t.a
insert into big values (1, 1);
--! cannot modify big because it is a view
select name, type from sqlite_master order by name;
--> big|view
--> by_a|index
--> t|table
drop view big;
select * from big;
--! no such table: big
