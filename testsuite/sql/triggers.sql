-- Rows that write other rows.
-- tags: triggers
create table item (name text, price int);
create table history (name text, old int, new int);
create trigger note after update of price on item begin
  insert into history values (new.name, old.price, new.price);
end;
insert into item values ('loom', 900), ('thread', 3);
update item set price = price + 1;
update item set name = upper(name);
select * from history order by name;
--> loom|900|901
--> thread|3|4
