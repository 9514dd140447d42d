-- Everything that is refused before anything happens.
-- tags: errors
select nonsense;
--! no such column: nonsense
select * from nowhere;
--! no such table: nowhere
selct 1;
--! near "selct": syntax error
select 1 +;
--! near ";": syntax error
select no_such_function(1);
--! no such function: no_such_function
create table t (a, a);
--! duplicate column name: a
insert into sqlite_master values (1);
--! table sqlite_master may not be modified
