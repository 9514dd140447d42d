-- Functions that see the rows around.
-- tags: aggregates windows
-- needs: 3.28
create table run (day int, n int);
insert into run values (1, 5), (2, 3), (3, 8), (4, 8), (5, 1);
select day, sum(n) over (order by day) from run;
--> 1|5
--> 2|8
--> 3|16
--> 4|24
--> 5|25
select n, rank() over (order by n desc), dense_rank() over (order by n desc) from run order by n desc, day;
--> 8|1|1
--> 8|1|1
--> 5|3|2
--> 3|4|3
--> 1|5|4
select day, n - lag(n) over (order by day) from run;
--> 1|null
--> 2|-2
--> 3|5
--> 4|0
--> 5|-7
select day, max(n) over (order by day rows between 1 preceding and 1 following) from run;
--> 1|5
--> 2|8
--> 3|8
--> 4|8
--> 5|8
