-- Where rows without a value come, and how to say otherwise.
-- tags: basics
-- needs: 3.30
create table t (n int, s text);
insert into t values (2, 'b'), (null, 'x'), (1, 'B'), (3, 'a');
select n from t order by n;
--> null
--> 1
--> 2
--> 3
select n from t order by n desc nulls first;
--> null
--> 3
--> 2
--> 1
select s from t order by s;
--> B
--> a
--> b
--> x
select s from t order by s collate nocase, s;
--> a
--> B
--> b
--> x
select n, s from t order by n limit 2 offset 1;
--> 1|B
--> 2|b
select count(*), count(n) from t;
--> 4|3
