-- Values without a table: types, operators, and what NULL does to them.
-- tags: basics
select 1 + 1, 7 / 2, 7 % 2, 7 / 2.0;
--> 2|3|1|3.5
select 'a' || 'b', upper('loom'), length('weft'), substr('shuttle', 2, 4);
--> ab|LOOM|4|hutt
select null = null, null is null, coalesce(null, 'x'), 1 and null, 0 and null;
--> null|1|x|null|0
select typeof(1), typeof(1.0), typeof('1'), typeof(null), typeof(x'00');
--> integer|real|text|null|blob
select x'c0ffee', cast('12 threads' as integer);
--> x'c0ffee'|12
