-- Places where a router goes wrong easily. Blocks are separated by blank lines; a block is run as it stands.

-- Nothing comes of nothing, in its type.
SELECT count(*), sum(n), min(n), max(s), avg(n), bool_and(n > 1) FROM none;
SELECT sum(m), avg(m), min(m), max(at), avg(f), sum(f), sum(r), avg(r), sum(p), avg(p) FROM acct WHERE n = 123456;
SELECT n, count(*) FROM none GROUP BY n;
SELECT count(*) FROM none WHERE id = 5;
SELECT max(id) FROM acct WHERE false;

-- Bounds.
SELECT id FROM acct ORDER BY id LIMIT 0;
SELECT id FROM acct ORDER BY id OFFSET 10000;
SELECT id FROM acct ORDER BY id LIMIT 3 OFFSET 44;
SELECT id FROM acct ORDER BY id LIMIT ALL OFFSET 40;
SELECT id FROM acct ORDER BY id LIMIT NULL OFFSET NULL;
SELECT id FROM acct ORDER BY id FETCH FIRST ROW ONLY;
SELECT id FROM acct ORDER BY id LIMIT 2 + 1;
SELECT id FROM acct ORDER BY id LIMIT '3';
SELECT id FROM acct ORDER BY id LIMIT 2.5;
SELECT id FROM acct ORDER BY id LIMIT -1;
SELECT id FROM acct ORDER BY id OFFSET -1;
SELECT id FROM acct ORDER BY id LIMIT 9223372036854775807 OFFSET 1;
SELECT id FROM acct ORDER BY id LIMIT 9223372036854775807 OFFSET 9223372036854775807;
SELECT id FROM acct ORDER BY id LIMIT 9223372036854775808;
SELECT count(*) FROM acct LIMIT 0;
SELECT count(*) FROM acct OFFSET 1;
SELECT count(*) FROM acct LIMIT 1 OFFSET 0;
SELECT b, count(*) FROM acct GROUP BY b ORDER BY b LIMIT 1 OFFSET 1;
SELECT DISTINCT n FROM acct ORDER BY n LIMIT 2 OFFSET 1;

--! ordered
SELECT id, at FROM acct ORDER BY at, id;
SELECT id FROM acct ORDER BY at DESC NULLS LAST, id DESC;
SELECT id FROM acct ORDER BY iv, id;
SELECT id FROM acct ORDER BY m NULLS FIRST, id;
SELECT id FROM acct ORDER BY f DESC, id;
SELECT id FROM acct ORDER BY r, id;
SELECT id FROM acct ORDER BY s, id;
SELECT id FROM acct ORDER BY s COLLATE "C" DESC, id;
SELECT id FROM acct ORDER BY c, id;
SELECT id FROM acct ORDER BY d, id;
SELECT id FROM acct ORDER BY b, u, id;
SELECT id FROM acct ORDER BY lower(s), n + sm, id;
SELECT id FROM acct ORDER BY -id;
SELECT id AS n, n AS x FROM acct ORDER BY n;
SELECT w, s FROM word ORDER BY s, w;
SELECT w FROM word ORDER BY s DESC NULLS LAST, w;
SELECT s, count(*) FROM word GROUP BY s ORDER BY s;
SELECT min(s), max(s) FROM word;
SELECT w FROM word ORDER BY s || 'x', w;
SELECT w COLLATE "en-x-icu" AS w FROM word ORDER BY 1;
SELECT w FROM word ORDER BY w COLLATE "en-x-icu";
SELECT DISTINCT s FROM word ORDER BY s;
SELECT upper(s) AS u, count(*) FROM word GROUP BY 1 ORDER BY 1;
SELECT min(s || w) FROM word;
SELECT max(w COLLATE "en-x-icu") FROM word;

--! loose
SELECT m, count(*) FROM acct GROUP BY m;
SELECT DISTINCT m FROM acct;
SELECT f, count(*), sum(f) FROM acct GROUP BY f;
SELECT DISTINCT f, r FROM acct;
SELECT iv, count(*) FROM acct GROUP BY iv;
SELECT count(DISTINCT m), count(DISTINCT f) FROM acct;
SELECT m FROM acct UNION SELECT m FROM dup;

-- Digits.
SELECT avg(n), avg(sm), avg(id), avg(m), avg(p), avg(f), avg(r) FROM acct WHERE id BETWEEN 1 AND 30 AND m <> 'NaN' AND f <> 'NaN' AND r <> 'NaN';
SELECT sum(n), sum(sm), sum(m), sum(p) FROM acct WHERE m <> 'NaN' AND p <> 'NaN';
SELECT sum(id) FROM acct;
SELECT avg(id) FROM acct;
SELECT b, avg(n), sum(p), avg(p) FROM acct GROUP BY b;
SELECT sum(iv), avg(iv) FROM acct;
SELECT avg(n)::numeric(10,2), sum(n)::int4 FROM acct;
SELECT count(*)::int4 AS c, count(*) + 1 FROM acct;
SELECT avg(qty) FROM line WHERE id = 7;

-- Overflow, as one server has it.
SELECT sum(id) FILTER (WHERE id > 0) FROM acct;
SELECT sum(n) FROM acct WHERE n > 100;
SELECT n * 2000000000 FROM acct WHERE n = 42;
SELECT id FROM acct WHERE id = 9223372036854775808;
SELECT id FROM acct WHERE id = 9223372036854775807;
SELECT id FROM acct WHERE id = -9223372036854775808;
SELECT id FROM acct WHERE id = - 9223372036854775808;
SELECT id FROM acct WHERE id = -9223372036854775809;
SELECT id FROM acct WHERE id = '9223372036854775808';
SELECT id FROM acct WHERE id = 99999999999999999999999999;
SELECT id FROM acct WHERE id = 5.0;
SELECT id FROM acct WHERE id = 5.5;
SELECT id FROM acct WHERE id = 5e0;
SELECT id FROM acct WHERE id = -(-5);
SELECT id FROM acct WHERE id = +5;
SELECT id FROM acct WHERE id = 0x10;
SELECT id FROM acct WHERE id = '0x10';
SELECT id FROM acct WHERE id = ' 5 ';
SELECT id FROM acct WHERE id = '5'::text;
SELECT id FROM acct WHERE id = '5'::text::bigint;
SELECT id FROM acct WHERE id = '5'::smallint;
SELECT id FROM acct WHERE id = 5::numeric;
SELECT id FROM acct WHERE id = '70000'::smallint;
SELECT id FROM acct WHERE id = 5::float8;
SELECT id FROM acct WHERE id = (5);
SELECT id FROM acct WHERE id = 1 + 4;
SELECT id FROM acct WHERE id IN (5, NULL, 7);
SELECT id FROM acct WHERE id NOT IN (5, NULL, 7);
SELECT id FROM acct WHERE id NOT IN (5, 7) AND id < 10;
SELECT id FROM acct WHERE id = NULL;
SELECT id FROM acct WHERE id IS NULL;
SELECT id FROM acct WHERE id IS NOT DISTINCT FROM 5;
SELECT id FROM acct WHERE id IS DISTINCT FROM 5 AND id < 8;
SELECT id FROM acct WHERE NOT (id <> 5);
SELECT id FROM acct WHERE (id = 5) IS TRUE;
SELECT id FROM acct WHERE (id = 5) IS NOT TRUE AND id < 9;
SELECT id FROM acct WHERE (id = 5 AND NULL) OR id = 7;
SELECT id FROM acct WHERE id = 5 OR NULL;
SELECT id FROM acct WHERE CASE WHEN id = 5 THEN true ELSE id = 7 END;
SELECT id FROM acct WHERE id BETWEEN 9 AND 5;
SELECT id FROM acct WHERE id BETWEEN SYMMETRIC 9 AND 5;
SELECT id FROM acct WHERE id > 3 AND id < 6;
SELECT id FROM acct WHERE id > 9223372036854775806;
SELECT id FROM acct WHERE id < -9223372036854775807;
SELECT id FROM acct WHERE id = ANY ('{5,7,NULL}');
SELECT id FROM acct WHERE id = ANY (ARRAY[5, 7]);
SELECT id FROM acct WHERE id = ALL ('{5}');
SELECT id FROM acct WHERE id = ALL ('{}') AND id < 4;
SELECT id FROM acct WHERE id = ANY ('[0:1]={5,7}');
SELECT id FROM acct WHERE id = ANY ('{{5,7},{8,9}}');
SELECT id FROM acct WHERE (id, n) = (5, 1) OR (id, n) IN ((7, 42), (8, 1));
SELECT id FROM acct WHERE id = (SELECT min(code) FROM ref);
SELECT id FROM acct WHERE id = (SELECT 5);
SELECT id FROM acct WHERE id IN (SELECT code FROM ref);
SELECT id FROM acct WHERE id NOT IN (SELECT code FROM ref) AND id < 12;
SELECT id FROM acct WHERE id IN (VALUES (5), (7));
SELECT id FROM rng WHERE id BETWEEN 9 AND 21;
SELECT id FROM rng WHERE id = 3000000000;
SELECT id FROM rng WHERE id > 20.5;
SELECT id FROM rng WHERE id >= '25' AND id < 2147483648;
SELECT d FROM days WHERE d < '2020-05-05';
SELECT d FROM days WHERE d <= '2020-05-05';
SELECT d FROM days WHERE d = '2024-01-01'::timestamptz;
SELECT d FROM days WHERE d > '2024-01-31 23:00'::timestamp;
SELECT d FROM days WHERE d > 'infinity' OR d = '-infinity';

-- Text keys.
SELECT w FROM word WHERE w = 'o''k';
SELECT w FROM word WHERE w = E'o\'k';
SELECT w FROM word WHERE w = E'back\\slash';
SELECT w FROM word WHERE w = 'back\slash';
SELECT w FROM word WHERE w = E'\u00e9';
SELECT w FROM word WHERE w = U&'\00e9';
SELECT w FROM word WHERE w = U&'!00e9' UESCAPE '!';
SELECT w FROM word WHERE w = $$o'k$$;
SELECT w FROM word WHERE w = $q$日本$q$;
SELECT w FROM word WHERE w = '日本';
SELECT w FROM word WHERE w = 'a' 'b';
SELECT w FROM word WHERE w = 'a'
'b';
SELECT w FROM word WHERE w = 'ab'::char(4);
SELECT w FROM word WHERE w = 'ab '::varchar;
SELECT w FROM word WHERE w = 'abc'::varchar(2);
SELECT w FROM word WHERE w = 'ab'::name;
SELECT w FROM word WHERE w = 10::text;
SELECT w FROM word WHERE w = '';
SELECT w FROM word WHERE w = E'\x61';
SELECT w FROM word WHERE w = N'a';
SELECT w FROM word WHERE w = B'1';
SELECT w FROM word WHERE w >= 'b' AND w < 'z';
SELECT w FROM word WHERE w LIKE 'ab%';
SELECT w FROM word WHERE w IN ('a', 'B', 'nope', NULL);
SELECT w FROM word WHERE w = ANY ('{"o''k","back\\slash",日本,"\"q\""}');
SELECT w FROM word WHERE w COLLATE "C" = 'a';
SELECT w FROM word WHERE lower(w) = 'b';
SELECT w FROM word WHERE w || '' = 'b';
SELECT w FROM word WHERE w = concat('a', 'b');
SELECT k FROM vc WHERE k = 'ab ';
SELECT k FROM vc WHERE k = 'ab';
SELECT k FROM vc WHERE k = 'xxxxxxxxx';
SELECT k FROM vc WHERE k = 'xxxxxx'::text;

-- A key is stored as the column has it.
BEGIN;
INSERT INTO vc VALUES ('k1      ', 1), ('k2      ', 2), ('k3    ', 3);
SELECT k, length(k) FROM vc WHERE k = 'k1    ';
SELECT k, length(k) FROM vc WHERE k = 'k2    ';
SELECT k, length(k) FROM vc WHERE n IN (1, 2, 3);
UPDATE vc SET n = 77 WHERE k = 'k3    ';
ROLLBACK;

BEGIN;
INSERT INTO vc VALUES ('toolongforit', 1);
ROLLBACK;

-- UUIDs in all their spellings.
SELECT n FROM item WHERE u = '9e3779b1-0000-4000-8000-000000000001';
SELECT n FROM item WHERE u = '9E3779B1-0000-4000-8000-000000000001';
SELECT n FROM item WHERE u = '{9e3779b1000040008000000000000001}';
SELECT n FROM item WHERE u = '9e37-79b1-0000-4000-8000-0000-0000-0001'::uuid;
SELECT n FROM item WHERE u = 'nonsense';
SELECT n FROM item WHERE u::text = '9e3779b1-0000-4000-8000-000000000001';

-- Joins.
SELECT a.id, l.no FROM acct a JOIN line l USING (id) WHERE a.n = 1;
SELECT a.id, l.no FROM acct a NATURAL JOIN line l WHERE id < 6;
SELECT id, a.n, l.no FROM acct a LEFT JOIN line l USING (id) WHERE id < 6;
SELECT id, a.n, l.no FROM acct a RIGHT JOIN line l USING (id) WHERE id > 35;
SELECT id, a.n, l.no FROM acct a FULL JOIN line l USING (id) WHERE id > 35;
SELECT a.id, l.no FROM acct a LEFT JOIN line l ON l.id = a.id AND l.id = 5 WHERE a.id < 8;
SELECT a.id, l.no FROM acct a LEFT JOIN line l ON l.id = a.id WHERE l.id IS NULL;
SELECT a.id, r.label FROM acct a LEFT JOIN ref r ON r.code = a.n;
SELECT r.code, a.id FROM ref r LEFT JOIN acct a ON a.n = r.code;
SELECT count(*) FROM acct a CROSS JOIN ref r;
SELECT a.id, b.id FROM acct a JOIN acct b ON a.id = b.id + 1 WHERE a.id < 9;
SELECT a.id, b.id FROM acct a, acct b WHERE a.id = 5 AND b.id = 7;
SELECT a.id, b.id FROM acct a, acct b WHERE a.id = 5 AND b.id = a.id;
SELECT a.id FROM acct a WHERE EXISTS (SELECT 1 FROM line l WHERE l.id = a.id AND l.no = 2);
SELECT a.id FROM acct a WHERE NOT EXISTS (SELECT 1 FROM line l WHERE l.id = a.id) AND a.id = 4;
SELECT a.id, (SELECT count(*) FROM line l WHERE l.id = a.id) FROM acct a WHERE a.id = 7;
SELECT count(*) FROM ref WHERE EXISTS (SELECT 1 FROM acct WHERE acct.id = ref.code);
SELECT a.id FROM acct a JOIN LATERAL (SELECT max(no) AS m FROM line l WHERE l.id = a.id) x ON true WHERE a.id = 7;
SELECT * FROM (SELECT id, count(*) FROM line GROUP BY id) x WHERE id = 7;
SELECT * FROM (SELECT id FROM acct ORDER BY id LIMIT 3) x WHERE id = 7;
SELECT * FROM (SELECT id, rank() OVER (ORDER BY id) FROM acct) x WHERE id = 7;
SELECT * FROM (SELECT max(id) AS id FROM acct) x WHERE id = 7;
SELECT * FROM (SELECT DISTINCT ON (n) n, id FROM acct ORDER BY n, id) x WHERE id = 7;
SELECT * FROM (SELECT id FROM acct UNION ALL SELECT code FROM ref) x WHERE id = 5;
WITH x AS (SELECT * FROM acct WHERE id = 5) SELECT id FROM x UNION ALL SELECT id FROM line WHERE id = 5;
SELECT id FROM acct WHERE id = 5 UNION SELECT id FROM acct WHERE id = 7;
SELECT id FROM acct WHERE id = 5 EXCEPT SELECT id FROM line WHERE id = 5;

-- Names and types of what comes out.
SELECT id, id, n AS "ID", count(*) FROM acct GROUP BY id, n HAVING id = 5;
SELECT count(*), sum(n), max(c), min(p), avg(n) AS "a b" FROM acct;
SELECT 'x', NULL, 1.5, 2, true, '1 day'::interval FROM acct WHERE n = 42;
SELECT max(c) AS c, min(p) AS p FROM acct;
SELECT DISTINCT c FROM acct;
SELECT c, p FROM acct ORDER BY id;
SELECT sum(p)::numeric(12,3) FROM acct;
SELECT c::varchar(3), count(*) FROM acct GROUP BY 1;
SELECT p::numeric(5,1) AS q FROM acct ORDER BY q;
SELECT coalesce(c, 'none'), count(*) FROM acct GROUP BY 1;
SELECT CASE WHEN n > 1 THEN 'many' ELSE 'few' END AS how, count(*) FROM acct GROUP BY how;
SELECT n + 1 FROM acct GROUP BY n + 1;
SELECT n, n + 1 FROM acct GROUP BY n;
SELECT id, max(s) FROM acct GROUP BY id HAVING max(n) > 5;
SELECT id, s, count(*) FROM acct GROUP BY id;
SELECT n FROM acct GROUP BY n HAVING count(*) > 1;
SELECT nope FROM acct;
SELECT id FROM nope;
SELECT count(*) FROM acct GROUP BY nope;
SELECT n FROM acct GROUP BY b;
SELECT id FROM acct WHERE s = 5;
SELECT sum(s) FROM acct;
SELECT id FROM acct ORDER BY 2;
SELECT DISTINCT n FROM acct ORDER BY id;
SELECT id FROM acct a, line b;
SELECT 1/0 FROM acct;
SELECT n / (n - n) FROM acct;
SELECT syntax error FROM acct;

-- Changes.
BEGIN;
UPDATE acct SET n = n + 1 WHERE id IN (1, 2, 3, 4);
SELECT id, n FROM acct WHERE id < 6;
DELETE FROM acct WHERE n IS NULL;
SELECT count(*) FROM acct;
INSERT INTO acct (id, n) VALUES (1001, 1), (1002, 2), (1003, 3), (1004, NULL);
SELECT id, n FROM acct WHERE id > 1000;
UPDATE acct SET s = 'new' WHERE id > 1000 RETURNING id, s;
DELETE FROM acct WHERE id > 1000 RETURNING *;
UPDATE ref SET w = 3 WHERE code = 2;
SELECT a.id, r.w FROM acct a JOIN ref r ON r.code = a.n;
INSERT INTO ref VALUES (50, 'fifty', 1.50), (51, NULL, NULL);
SELECT count(*), sum(w) FROM ref;
DELETE FROM ref WHERE code > 40 RETURNING *;
ROLLBACK;

BEGIN;
INSERT INTO acct (id) VALUES (2001), (2002), (5), (2003);
ROLLBACK;

INSERT INTO acct (id) VALUES (2001), (2002), (2003), (2004), (5);

INSERT INTO acct (id) VALUES (NULL);

INSERT INTO acct (n) VALUES (5);

INSERT INTO acct (id, n) VALUES (1, 2, 3);

INSERT INTO acct VALUES (1, 'x');

BEGIN;
INSERT INTO acct (id, n) VALUES (5, 1), (3005, 1), (3006, 1) ON CONFLICT (id) DO UPDATE SET n = excluded.n + 100;
INSERT INTO acct (id, n) VALUES (3005, 1), (3007, 1) ON CONFLICT DO NOTHING;
SELECT id, n FROM acct WHERE id = 5 OR id > 3000;
ROLLBACK;

BEGIN;
SAVEPOINT a;
INSERT INTO acct (id) VALUES (5);
ROLLBACK TO a;
INSERT INTO acct (id) VALUES (4001);
SELECT id FROM acct WHERE id = 4001;
ROLLBACK;

-- Parameters.
--! param 0 0 5
SELECT id, n FROM acct WHERE id = $1;
SELECT id, n FROM acct WHERE id = $1::int4;
SELECT id, n FROM acct WHERE id = $1 OR n = $1;
SELECT id, n FROM acct WHERE id = $1 AND $1 > 2;
SELECT $1 AS x, id FROM acct WHERE id < 3;
SELECT count(*) FROM acct WHERE id > $1;
SELECT n + $1, count(*) FROM acct GROUP BY 1;
SELECT n + $1 AS x, count(*) FROM acct GROUP BY n + $1;
SELECT id FROM acct ORDER BY id LIMIT $1;
SELECT id FROM acct ORDER BY id OFFSET $1;
SELECT id FROM acct ORDER BY id LIMIT $1 OFFSET $1;
SELECT sum(n + $1) FROM acct WHERE n < 100;

--! param 25 0 5
SELECT id, n FROM acct WHERE id::text = $1;
SELECT id, n FROM acct WHERE id = $1::int8;
SELECT id, n FROM acct WHERE id = $1;

--! param 20 1 0000000000000005
--! binary
SELECT id, n, s, m, at, c FROM acct WHERE id >= $1 ORDER BY id LIMIT $1;
SELECT avg(n), sum(m), count(*), max(at), min(d) FROM acct WHERE id > $1;
SELECT id FROM acct WHERE id IN ($1, 7, 9);
SELECT n, avg(m) FROM acct WHERE id > $1 GROUP BY n;
SELECT id FROM rng WHERE id = $1;
SELECT id FROM rng WHERE id > $1;

--! param 701 0 5
SELECT id FROM acct WHERE id = $1;
SELECT id FROM rng WHERE id >= $1;

--! param 1700 0 5.0
SELECT id FROM acct WHERE id = $1;

--! param 1042 0 ab
SELECT w FROM word WHERE w = $1;

--! param 0 0 {5,7,9}
SELECT id FROM acct WHERE id = ANY ($1);
SELECT id FROM acct WHERE id <> ALL ($1) AND id < 12;

--! param 0 0 NULL
SELECT id FROM acct WHERE id = $1;
SELECT id FROM acct WHERE id = ANY ($1);
SELECT id FROM acct ORDER BY id LIMIT $1;

--! binary
SELECT id, m, p, f, r, at, d, b, u, iv, s FROM acct ORDER BY id;
SELECT n, count(*) FROM acct GROUP BY n;
SELECT b, avg(n), avg(f) FILTER (WHERE f <> 'NaN'), sum(n), sum(m) FROM acct GROUP BY b;
SELECT avg(r) FROM acct WHERE r <> 'NaN';
SELECT sum(iv) FROM acct;

-- The average of minus zero is zero, its sum is not.
SELECT avg(f), sum(f), avg(r), sum(r), min(f), max(f) FROM acct WHERE f = 0 AND f::text = '-0';
SELECT avg(-0.0::float8), sum(-0.0::float8) FROM acct;
SELECT n, avg(f), sum(f) FROM acct WHERE f::text = '-0' GROUP BY n;
