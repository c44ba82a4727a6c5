-- Orders and customers in a database in memory: inserts, indexes, joins, grouping, strings and JSON.
CREATE TABLE customer(id INTEGER PRIMARY KEY, name TEXT, town TEXT);
CREATE TABLE purchase(id INTEGER PRIMARY KEY, customer INTEGER, item TEXT, price REAL);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
  INSERT INTO customer SELECT i, printf('customer %d', i * 7919 % 5003), printf('town-%d', i % 131) FROM n;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 110000)
  INSERT INTO purchase SELECT i, 1 + i * 104729 % 5000, printf('item-%d-%d', i % 977, i), i % 1000 * 0.25 FROM n;
CREATE INDEX purchase_customer ON purchase(customer);
CREATE INDEX purchase_item ON purchase(item);
SELECT town, count(*), sum(price) FROM customer JOIN purchase ON customer.id = customer GROUP BY town ORDER BY 3 DESC LIMIT 3;
SELECT count(DISTINCT upper(substr(item, 1, 9)) || town) FROM customer JOIN purchase ON customer.id = customer;
SELECT max(length(list)) FROM (SELECT group_concat(item, ';') AS list FROM purchase GROUP BY customer);
UPDATE purchase SET item = replace(item, 'item', 'article') WHERE id % 4 = 0;
SELECT sum(length(json_object('id', id, 'item', item, 'price', price))) FROM purchase;
SELECT sum(json_extract(json_array(id, item), '$[0]')) FROM purchase WHERE id % 2 = 0;
DELETE FROM purchase WHERE price < 50;
SELECT count(*), sum(length(hex(item))) FROM purchase;
