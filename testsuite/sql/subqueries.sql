-- Questions inside questions.
-- tags: basics
create table t (g text, n int);
insert into t values ('a', 1), ('a', 4), ('b', 2), ('b', 3);
select g, n from t outer_t where n = (select max(n) from t where g = outer_t.g) order by g;
--> a|4
--> b|3
select g from t where n in (select n + 1 from t) order by n;
--> b
--> b
--> a
select exists (select * from t where n > 3), exists (select * from t where n > 4);
--> 1|0
select (select sum(n) from t where g = 'b') - (select sum(n) from t where g = 'a');
--> 0
