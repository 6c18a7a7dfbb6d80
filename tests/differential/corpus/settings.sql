-- Settings hold on every shard, however they are made.

BEGIN;
SELECT set_config('timezone', 'Asia/Tokyo', true);
SELECT id, at::text FROM acct WHERE id < 20;
ROLLBACK;

SELECT set_config('timezone', 'Asia/Tokyo', false);
SELECT id, at::text FROM acct;
SELECT current_setting('timezone');
SET timezone = 'Europe/Berlin';

SELECT set_config('timezone', 'Asia/Tokyo', true);
SELECT id, at::text FROM acct WHERE id < 20;
SHOW timezone;

BEGIN;
UPDATE acct SET n = 1 WHERE id IN (1, 2, 3, 5);
SELECT pg_catalog.set_config('datestyle', 'SQL, DMY', false) AS x;
SELECT id, d::text FROM acct;
ROLLBACK;

SELECT id, d::text FROM acct;

BEGIN;
SELECT pg_catalog.set_config('search_path', '', true);
SELECT id FROM acct;
ROLLBACK;

--! param 25 0 Asia/Kolkata
BEGIN;
SELECT set_config('timezone', $1, true);
SELECT id, at::text FROM acct WHERE id < 20;
ROLLBACK;

SELECT set_config('timezone', 'Nowhere', false);

SELECT set_config('no_such_setting', 'x', false);
