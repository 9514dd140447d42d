-- LIKE, GLOB, and what is special in them.
-- tags: text
select 'Loom' like 'l__m', 'loom' glob 'L*', 'loom' glob 'l[aeiou]o?';
--> 1|0|1
select '100%' like '100\%' escape '\', '1000' like '100\%' escape '\';
--> 1|0
select instr('warp and weft', 'weft'), replace('a-b-c', '-', '+'), trim('  x '), ltrim('xxabc', 'x');
--> 10|a+b+c|x|abc
select hex('loom'), quote('it''s'), printf('%05.1f|%-4s|%x', 3.14159, 'ab', 255);
--> 6C6F6F6D|'it''s'|003.1|ab  |ff
