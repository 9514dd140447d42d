-- Insert, or change what is there; and see what became of it.
-- tags: basics
-- needs: 3.35
create table stock (name text primary key, n int);
insert into stock values ('thread', 3) returning name, n;
--> thread|3
insert into stock values ('thread', 4) on conflict (name) do update set n = n + excluded.n;
select * from stock;
--> thread|7
delete from stock returning *;
--> thread|7
select count(*) from stock;
--> 0
