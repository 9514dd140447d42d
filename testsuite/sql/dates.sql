-- Calculating with days.
-- tags: time
select date('2024-02-28', '+1 day'), date('2023-02-28', '+1 day');
--> 2024-02-29|2023-03-01
select date('2024-01-31', '+1 month'), date('2024-03-01', 'start of month', '-1 day');
--> 2024-03-02|2024-02-29
select julianday('2000-01-01 12:00:00') - julianday('1999-12-31 12:00:00');
--> 1.0
select strftime('%Y/%m/%d %H:%M', 1700000000, 'unixepoch'), strftime('%w', '2024-02-29');
--> 2023/11/14 22:13|4
select date('2024-13-01');
--> null
