-- Rows that other rows refer to.
-- tags: errors
pragma foreign_keys = on;
create table parent (id integer primary key);
create table child (id integer primary key, parent int references parent on delete cascade);
insert into parent values (1), (2);
insert into child values (10, 1), (11, 1), (12, 2);
insert into child values (13, 3);
--! FOREIGN KEY constraint failed
delete from parent where id = 1;
select id from child;
--> 12
