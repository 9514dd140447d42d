-- Documents inside rows.
-- tags: json
-- needs: 3.38
select json_extract('{"a": [1, 2, {"b": "x"}]}', '$.a[2].b');
--> x
select json('{"a" : 1 , "b":[ ] }'), json_array(1, 'two', null), json_object('k', 1.5);
--> {"a":1,"b":[]}|[1,"two",null]|{"k":1.5}
select value from json_each('[3, 1, 2]') order by value;
--> 1
--> 2
--> 3
select '{"a": {"b": 5}}' ->> '$.a.b';
--> 5
select json_valid('{"a": 1}'), json_valid('{a}');
--> 1|0
select json('{');
--! malformed JSON
