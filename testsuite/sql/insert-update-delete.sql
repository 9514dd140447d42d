-- Rows come, change and go.
-- tags: basics
create table t (id integer primary key, name text not null, n int default 7);
insert into t (name) values ('warp'), ('weft'), ('loom');
select * from t;
--> 1|warp|7
--> 2|weft|7
--> 3|loom|7
update t set n = n + id where name like 'w%';
select name, n from t order by id;
--> warp|8
--> weft|9
--> loom|7
delete from t where n = 7;
select count(*) from t;
--> 2
insert into t (name) values (null);
--! NOT NULL constraint failed: t.name
insert into t (id, name) values (1, 'again');
--! UNIQUE constraint failed: t.id
