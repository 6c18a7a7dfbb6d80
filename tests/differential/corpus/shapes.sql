-- Shapes of statements that the grammar of the random test does not make.

-- Rows as values.
SELECT word FROM word WHERE w = 'a';
SELECT word FROM word;
SELECT (word).n FROM word;
SELECT word.* FROM word WHERE w IN ('a', 'b');
SELECT count(word) FROM word;
SELECT count(word.*) FROM word;
SELECT word::text FROM word ORDER BY w;
SELECT row(w, n) FROM word WHERE n = 1;
SELECT w FROM word ORDER BY word;
SELECT max(t) FROM (SELECT n AS t FROM word) x;

-- Names that mislead.
WITH acct AS (SELECT 1 AS id, 2 AS n) SELECT * FROM acct WHERE id = 5;
WITH acct AS (SELECT 5 AS id) SELECT * FROM acct WHERE id = 5;
WITH acct AS (SELECT id FROM acct WHERE id = 5) SELECT * FROM acct;
WITH x AS (SELECT id FROM acct) SELECT l.no FROM line l, x WHERE l.id = x.id AND x.id = 7;
SELECT n AS id, id AS n FROM acct WHERE id = 5;
SELECT n AS id FROM acct ORDER BY id, acct.id;
SELECT id AS n, count(*) FROM acct GROUP BY n;
SELECT n AS id, count(*) FROM acct GROUP BY id;
SELECT -id AS id FROM acct ORDER BY id;
SELECT -id AS id FROM acct ORDER BY id + 0;
SELECT x.id FROM acct AS x (id, n) WHERE x.id = 5;
SELECT x.n FROM acct AS x (n) WHERE x.n = 5;
SELECT x.id FROM acct AS x (key, id) WHERE x.id = 5;
SELECT "ID" FROM (SELECT id AS "ID" FROM acct) q WHERE "ID" = 5;
SELECT public.acct.id FROM public.acct WHERE public.acct.id = 5;
SELECT id FROM ONLY acct WHERE id = 5;
SELECT id FROM acct TABLESAMPLE BERNOULLI (100) WHERE id = 5;
TABLE lang;
TABLE none;
SELECT FROM acct WHERE id = 5;
SELECT FROM acct;
SELECT ALL id FROM acct WHERE id IN (5, 6);
VALUES (1, 'a'), (2, 'b');
SELECT * FROM (VALUES (5), (6)) v (id) JOIN acct USING (id);
SELECT * FROM generate_series(1, 3) g;
SELECT a.id, g FROM acct a, generate_series(1, 2) g WHERE a.id IN (5, 6, 7);
SELECT a.id, unnest(arr) FROM acct a WHERE a.id < 20;
SELECT id, x FROM acct, unnest(arr) x;
SELECT id, x FROM acct LEFT JOIN LATERAL unnest(arr) x ON true;
SELECT jsonb_array_elements(j) FROM acct WHERE jsonb_typeof(j) = 'array';
SELECT DISTINCT j FROM acct WHERE id = 5;

-- What a key cannot be said to be.
SELECT id FROM acct WHERE id = 5 AND id = 7;
SELECT id FROM acct WHERE (id = 5) = (n = 1);
SELECT id FROM acct WHERE (id = 5) IS NOT NULL AND id < 4;
SELECT id FROM acct WHERE (id = 5) IS NULL;
SELECT id FROM acct WHERE (id = 5) IS FALSE AND id < 4;
SELECT id FROM acct WHERE NOT (id = 5 OR id > 8);
SELECT id FROM acct WHERE NOT NOT id = 5;
SELECT id FROM acct WHERE id = 5 AND NOT false;
SELECT id FROM acct WHERE id = 5 IS TRUE;
SELECT id FROM acct WHERE coalesce(id = 5, false);
SELECT id FROM acct WHERE id = coalesce(NULL, 5);
SELECT id FROM acct WHERE id = (ARRAY[5, 7])[2];
SELECT id FROM acct WHERE id = length('abcde');
SELECT id FROM acct WHERE id + 0 = 5;
SELECT id FROM acct WHERE id::int4 = 5 AND id < 1000 AND id > -1000;
SELECT id FROM acct WHERE id = ALL (ARRAY[5, 5]);
SELECT id FROM acct WHERE id <> ALL (ARRAY[5, 6]) AND id BETWEEN 4 AND 8;
SELECT id FROM acct WHERE id = ANY (SELECT code + 1 FROM ref);
SELECT id FROM acct WHERE id = SOME (ARRAY[5, 6]);
SELECT id FROM acct WHERE ROW (id) = ROW (5);
SELECT id FROM acct WHERE (id, id) = (5, 7);
SELECT id FROM acct WHERE (id, n) IN (SELECT code, code FROM ref);
SELECT id FROM acct WHERE (id, n) < (3, 2) AND id > 0;
SELECT id FROM acct WHERE id = 5 OR EXISTS (SELECT 1 FROM ref WHERE code = acct.id);
SELECT id FROM acct WHERE EXISTS (SELECT 1 FROM ref WHERE acct.id = 5);
SELECT id FROM acct a WHERE EXISTS (SELECT 1 FROM ref WHERE code = a.id AND a.id IN (1, 2));
SELECT id FROM acct WHERE CASE id WHEN 5 THEN true WHEN 6 THEN NULL ELSE false END;
SELECT id FROM acct WHERE id IS NOT DISTINCT FROM NULL;
SELECT k FROM dup WHERE k IN (1, 2) AND k > 1;
SELECT k FROM dup WHERE k IN (1, 2, 3) AND k <> 2;
SELECT id FROM rng WHERE id > 5 AND id < 5;
SELECT id FROM rng WHERE id >= 10 AND id < 10;
SELECT id FROM rng WHERE id BETWEEN 2147483647 AND 2147483648;
SELECT id FROM rng WHERE id IN (1, 11, 2147483647);
SELECT id FROM rng WHERE id > '-3' AND id <= ' 12';
SELECT count(*) FROM rng WHERE d IN (SELECT d FROM days WHERE d = '2024-01-01');

-- Joins whose sides stay.
SELECT a.id, l.no FROM acct a LEFT JOIN line l ON a.id = l.id AND a.id = 5 WHERE a.id IN (5, 6, 7);
SELECT a.id, l.no FROM acct a LEFT JOIN line l ON a.id = l.id AND l.no = 2 WHERE a.id < 9;
SELECT a.id, l.no FROM acct a LEFT JOIN line l ON l.id = a.id WHERE l.no = 2;
SELECT a.id, l.no FROM acct a LEFT JOIN line l ON l.id = a.id WHERE coalesce(l.no, 2) = 2;
SELECT a.id, l.no FROM acct a LEFT JOIN line l ON l.id = 5 WHERE a.id = 6;
SELECT a.id, l.no FROM acct a LEFT JOIN line l ON l.id = 5 AND a.id = l.id WHERE a.id IN (5, 6);
SELECT a.id, l.id FROM acct a FULL JOIN line l ON l.id = a.id WHERE a.id = 41 OR l.id = 41;
SELECT a.id, l.id FROM acct a FULL JOIN line l ON l.id = a.id AND a.id = 5 WHERE a.id = 5;
SELECT a.id, l.id FROM acct a FULL JOIN line l ON l.id = a.id WHERE l.id = 45;
SELECT id FROM acct a FULL JOIN line l USING (id) WHERE id = 45;
SELECT id FROM acct a RIGHT JOIN line l USING (id) WHERE id = 45;
SELECT a.id, l.id FROM acct a RIGHT JOIN line l ON l.id = a.id WHERE a.id IS NULL;
SELECT a.id, l.no, n.n FROM acct a LEFT JOIN line l USING (id) LEFT JOIN none n USING (id) WHERE id = 7;
SELECT a.id, l.no, r.label FROM acct a LEFT JOIN (line l JOIN ref r ON r.code = l.no) ON l.id = a.id WHERE a.id < 6;
SELECT r.code, a.id FROM ref r LEFT JOIN acct a ON a.id = r.code WHERE a.id IS NULL;
SELECT r.code, a.id FROM ref r LEFT JOIN acct a ON a.id = r.code AND a.id = 5;
SELECT r.code, a.id FROM ref r RIGHT JOIN acct a ON a.n = r.code WHERE a.id < 9;
SELECT count(*) FROM acct a JOIN acct b ON a.id = b.id JOIN acct c ON c.id = b.id;
SELECT count(*) FROM acct a, line l WHERE a.id = l.id AND l.id = a.id;
SELECT count(*) FROM acct a, line l WHERE a.id <= l.id AND a.id >= l.id;
SELECT count(*) FROM word a JOIN tag b ON a.w = b.w COLLATE "C";
SELECT count(*) FROM word a JOIN tag b ON lower(a.w) = lower(b.w);
SELECT count(*) FROM acct a JOIN rng r ON r.id = a.id WHERE a.id = 5 AND r.id = 5;
SELECT count(*) FROM tag WHERE ci = 'A';
SELECT ci, count(*) FROM tag GROUP BY ci;
SELECT count(DISTINCT ci) FROM tag;
SELECT DISTINCT ci FROM tag WHERE ci = 'b';

-- Enums and padded text sort and compare in their own way.
--! ordered
SELECT id, mood FROM acct ORDER BY mood, id;
SELECT id, ch FROM acct ORDER BY ch, id;
SELECT mood, count(*) FROM acct GROUP BY mood ORDER BY mood;
SELECT DISTINCT mood FROM acct ORDER BY mood DESC;
SELECT id, arr FROM acct ORDER BY arr, id;
SELECT id, by FROM acct ORDER BY by, id;

SELECT min(mood), max(mood), min(ch), max(ch), min(ts), max(ts) FROM acct;
SELECT ch, count(*) FROM acct GROUP BY ch;
SELECT DISTINCT ch FROM acct;
SELECT ch || '|' FROM acct WHERE ch = 'a   ';
SELECT min(b::int), max(u::text) FROM acct;
SELECT bit_and(n), bit_or(sm) FROM acct;
SELECT count(*), count(n), count(DISTINCT id) FROM acct;
SELECT sum(n) + 1, sum(n) / count(*) FROM acct;
SELECT count(*) FILTER (WHERE n > 1), count(*) FROM acct;
SELECT sum(DISTINCT n) FROM acct;
SELECT max(DISTINCT n) FROM acct;
SELECT n, sum(sum(n)) OVER () FROM acct GROUP BY n;
SELECT every(b), bool_or(b) FROM acct WHERE b IS NULL;
SELECT array_agg(id ORDER BY id) FROM acct;
SELECT string_agg(s, ',' ORDER BY s) FROM acct;
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY n) FROM acct;
SELECT corr(n, sm), stddev(n), variance(n) FROM acct;
SELECT count(*) FROM (SELECT DISTINCT n FROM acct) x;
SELECT n, count(*) FROM acct GROUP BY GROUPING SETS ((n), ());
SELECT id, count(*) FROM line GROUP BY id ORDER BY id;
SELECT id, no, count(*) FROM line GROUP BY 1, 2 HAVING count(*) > 0;
SELECT id % 3, count(*) FROM line GROUP BY id % 3;
SELECT id, row_number() OVER (PARTITION BY id ORDER BY no) FROM line;
SELECT DISTINCT ON (id) id, no FROM line ORDER BY id, no DESC;
SELECT id FROM line FOR UPDATE;
SELECT id FROM line WHERE id = 7 FOR UPDATE;
SELECT code FROM ref FOR SHARE;

-- Views.
CREATE VIEW v1 AS SELECT id, n FROM acct WHERE n > 0;
SELECT * FROM v1;
SELECT * FROM v1 WHERE id = 5;
SELECT n, count(*) FROM v1 GROUP BY n;
SELECT v1.id, l.no FROM v1 JOIN line l ON l.id = v1.id;
DROP VIEW v1;

CREATE VIEW v2 AS SELECT n, count(*) AS c FROM acct GROUP BY n;
SELECT * FROM v2;
SELECT sum(c) FROM v2;
DROP VIEW v2;

CREATE VIEW v3 AS SELECT id, max(s) AS s FROM acct GROUP BY id ORDER BY id LIMIT 3;
SELECT * FROM v3;
SELECT * FROM v3 WHERE id = 5;
DROP VIEW v3;

CREATE VIEW v4 AS SELECT * FROM ref;
SELECT * FROM v4;
SELECT a.id, v4.label FROM acct a JOIN v4 ON v4.code = a.n;
DROP VIEW v4;

-- Functions of the user's own.
CREATE FUNCTION f1() RETURNS bigint LANGUAGE sql STABLE AS 'SELECT count(*) FROM public.acct';
SELECT id, f1() FROM acct;
DROP FUNCTION f1();

CREATE FUNCTION f2(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 + 1';
SELECT id, f2(n) FROM acct WHERE n < 100;
SELECT id FROM acct WHERE id = f2(4);
SELECT f2(n), count(*) FROM acct WHERE n < 100 GROUP BY f2(n);
DROP FUNCTION f2(int);

-- Changes with other tables.
BEGIN;
UPDATE acct SET n = r.code FROM ref r WHERE r.code = acct.sm;
SELECT id, n FROM acct;
DELETE FROM line USING acct a WHERE a.id = line.id AND a.n = 1;
SELECT count(*) FROM line;
ROLLBACK;

BEGIN;
UPDATE line SET qty = (SELECT max(code) FROM ref) WHERE id = 7 RETURNING *;
UPDATE acct SET n = (SELECT count(*) FROM line l WHERE l.id = acct.id) WHERE id = 7 RETURNING id, n;
UPDATE acct SET (n, s) = (1, 'x') WHERE id IN (5, 6, 7);
SELECT id, n, s FROM acct WHERE id IN (5, 6, 7);
UPDATE acct SET n = DEFAULT;
SELECT count(n) FROM acct;
ROLLBACK;

BEGIN;
INSERT INTO line (id, no) SELECT id, 77 FROM acct WHERE id = 5;
SELECT * FROM line WHERE no = 77;
ROLLBACK;

BEGIN;
INSERT INTO line (id, no) SELECT id, 78 FROM acct;
ROLLBACK;

BEGIN;
INSERT INTO ref SELECT code + 100, label, w FROM ref;
SELECT count(*), sum(code) FROM ref;
ROLLBACK;

BEGIN;
WITH moved AS (DELETE FROM line WHERE id = 7 RETURNING *) SELECT * FROM moved;
SELECT count(*) FROM line WHERE id = 7;
ROLLBACK;

BEGIN;
WITH moved AS (DELETE FROM line RETURNING *) SELECT count(*) FROM moved;
ROLLBACK;

BEGIN;
UPDATE acct SET id = 5 WHERE id = 5;
UPDATE acct SET id = id WHERE n = 1;
UPDATE acct SET id = 6 WHERE id = 5;
ROLLBACK;

BEGIN;
DELETE FROM acct;
DELETE FROM line;
SELECT count(*) FROM acct;
TRUNCATE word, tag;
SELECT count(*) FROM word;
ROLLBACK;

BEGIN;
INSERT INTO vc (k, n) VALUES ('a1', 1), ('a2', 2), ('a3', 3), ('a4', 4) ON CONFLICT (k) DO UPDATE SET n = vc.n + excluded.n;
INSERT INTO vc (k, n) VALUES ('a1', 1), ('a2', 2), ('a3', 3), ('a5', 4) ON CONFLICT (k) DO UPDATE SET n = vc.n + excluded.n WHERE vc.n > 1;
SELECT k, n FROM vc WHERE k LIKE 'a_';
INSERT INTO vc (k, n) VALUES ('b1', 1), ('b1', 2) ON CONFLICT (k) DO UPDATE SET n = 0;
ROLLBACK;

BEGIN;
INSERT INTO rng (id) VALUES (3000000000);
ROLLBACK;

BEGIN;
INSERT INTO rng (id, s) VALUES (100, 'x'), ('101', 'y'), (1 + 101, 'z');
ROLLBACK;

BEGIN;
INSERT INTO word (w, n) VALUES (E'tab\t', 1), ('uni' '', 2);
ROLLBACK;

BEGIN;
INSERT INTO word (w, n) VALUES (U&'\00e9x', 1);
SELECT * FROM word WHERE w = 'éx';
ROLLBACK;

BEGIN;
INSERT INTO word (w, n) VALUES ('multi'
'line', 1);
SELECT * FROM word WHERE w = 'multiline';
ROLLBACK;

BEGIN;
INSERT INTO word (w, n) VALUES (5, 1), (6.50, 2), (true, 3);
ROLLBACK;

BEGIN;
INSERT INTO dup (k, v) VALUES (5.4, 1), (5.6, 2);
SELECT k, v FROM dup WHERE k IN (5, 6);
ROLLBACK;

BEGIN;
INSERT INTO acct (id, n) VALUES (900.6, 1);
SELECT id FROM acct WHERE id = 901;
ROLLBACK;

BEGIN;
INSERT INTO acct (id, n) VALUES (+7001, 1), (- 7002, 1), (-(-7003), 1), ('  7004 ', 1);
SELECT id FROM acct WHERE id IN (7001, -7002, 7003, 7004);
ROLLBACK;

BEGIN;
INSERT INTO acct (id, n) VALUES (7001::int4, 1), ('7002'::text::int8, 2), (CAST(7003 AS smallint), 3);
SELECT id FROM acct WHERE id IN (7001, 7002, 7003);
ROLLBACK;

BEGIN;
INSERT INTO days (d, n) VALUES ('2024-07-07', 1), ('July 8, 2024', 2), ('20240709', 3), ('epoch', 4), ('infinity', 5);
SELECT d, n FROM days;
ROLLBACK;

-- Parameters in changes.
--! param 0 0 5
BEGIN;
UPDATE acct SET n = $1 WHERE id = $1 RETURNING id, n;
DELETE FROM line WHERE id = $1;
INSERT INTO none (id, n) VALUES ($1, $1);
SELECT id FROM none WHERE id = $1;
ROLLBACK;

--! param 23 1 00000005
BEGIN;
UPDATE acct SET n = $1 WHERE id = $1 RETURNING id, n;
INSERT INTO none (id, n) VALUES ($1, $1), ($1 + 1, 7);
ROLLBACK;

--! param 1043 0 k
--! binary
SELECT * FROM word WHERE w > $1 ORDER BY w;
SELECT * FROM vc WHERE k = $1;
SELECT count(*), min(w), max(w) FROM word WHERE w <> $1;
