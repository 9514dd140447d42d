-- Inner, left, and a table with itself.
-- tags: joins
create table person (id int, name text, boss int);
insert into person values (1, 'Ada', null), (2, 'Bob', 1), (3, 'Cid', 1), (4, 'Dan', 3);
create table task (person int, what text);
insert into task values (2, 'spin'), (4, 'weave'), (4, 'dye'), (9, 'sew');
select name, what from person join task on person = id order by name, what;
--> Bob|spin
--> Dan|dye
--> Dan|weave
select name, what from person left join task on person = id where what is null order by name;
--> Ada|null
--> Cid|null
select a.name, b.name from person a join person b on a.boss = b.id order by 1;
--> Bob|Ada
--> Cid|Ada
--> Dan|Cid
select count(*) from person, task;
--> 16
