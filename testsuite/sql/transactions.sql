-- What was not committed did not happen.
-- tags: transactions
create table t (n int);
begin;
insert into t values (1);
rollback;
select count(*) from t;
--> 0
begin;
insert into t values (2);
savepoint here;
insert into t values (3);
rollback to here;
commit;
select n from t;
--> 2
rollback;
--! cannot rollback - no transaction is active
