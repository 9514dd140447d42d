-- What a table does not let in.
-- tags: errors
-- needs: 3.34
create table account (id integer primary key, owner text unique, balance int check (balance >= 0));
insert into account values (1, 'ada', 10), (2, 'bob', 5);
insert into account values (3, 'ada', 1);
--! UNIQUE constraint failed: account.owner
update account set balance = balance - 7 where id = 2;
--! CHECK constraint failed: balance >= 0
insert or ignore into account values (1, 'eve', 0);
insert or replace into account values (2, 'bob', 99);
select * from account order by id;
--> 1|ada|10
--> 2|bob|99
