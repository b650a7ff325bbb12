-- +goose Up
-- +goose StatementBegin
-- How many orders of a segment had not ended when it was built, and when that was; NULL until it
-- is built again, since its parts do not say how orders ended.
ALTER TABLE search_segments ADD COLUMN open INTEGER;
ALTER TABLE search_segments ADD COLUMN built_at INTEGER NOT NULL DEFAULT 0;

-- The few orders that were promised for a time before they were created.
CREATE INDEX orders_overdue ON orders (created_at, id) WHERE promised_at < created_at;
-- In the order of lists.
DROP INDEX orders_exception;
CREATE INDEX orders_exception ON orders (created_at, id, exception, status, merchant_id) WHERE exception IS NOT NULL;
-- Reports read blocks of 8 and 64 days too.
INSERT INTO report_days SELECT '', dimension || '/8', day / 8 * 8, name,
        sum(delivered), sum(failed), sum(returned), sum(cancelled), sum(promised), sum(on_time), sum(first_try), sum(carried),
        sum(carrying), sum(waiting), sum(windows), sum(held), sum(off), sum(ratings), sum(stars), sum(parcels),
        sum(kept), sum(offers), sum(accepted), sum(declined), sum(expired), sum(withdrawn)
    FROM report_days WHERE scope = '' AND dimension IN ('merchant', 'zone', 'courier') GROUP BY dimension, day / 8, name;
INSERT INTO report_days SELECT '', dimension || '/64', day / 64 * 64, name,
        sum(delivered), sum(failed), sum(returned), sum(cancelled), sum(promised), sum(on_time), sum(first_try), sum(carried),
        sum(carrying), sum(waiting), sum(windows), sum(held), sum(off), sum(ratings), sum(stars), sum(parcels),
        sum(kept), sum(offers), sum(accepted), sum(declined), sum(expired), sum(withdrawn)
    FROM report_days WHERE scope = '' AND dimension IN ('merchant', 'zone', 'courier') GROUP BY dimension, day / 64, name;

-- The summary of days that GET /reports/eta is read from: scope is a merchant or '' for all, day counts from 1970 in UTC.
-- off and bias are microseconds, without and with the sign.
CREATE TABLE lesson_days (
    scope     TEXT NOT NULL,
    dimension TEXT NOT NULL,
    day       INTEGER NOT NULL,
    name      TEXT NOT NULL,
    orders    INTEGER NOT NULL,
    off       INTEGER NOT NULL,
    bias      INTEGER NOT NULL,
    missed    INTEGER NOT NULL,
    late      INTEGER NOT NULL,
    PRIMARY KEY (scope, dimension, day, name)
) WITHOUT ROWID;
INSERT INTO lesson_days SELECT '', 'all', at / 86400000000, '', count(*), CAST(sum(abs(error_s)) * 1000000 AS INTEGER),
        CAST(sum(error_s) * 1000000 AS INTEGER), sum(CASE WHEN early OR late THEN 1 ELSE 0 END), sum(CASE WHEN late THEN 1 ELSE 0 END)
    FROM lessons WHERE error_s IS NOT NULL GROUP BY 1, 3, 4;
INSERT INTO lesson_days SELECT '', 'merchant', at / 86400000000, merchant_id, count(*), CAST(sum(abs(error_s)) * 1000000 AS INTEGER),
        CAST(sum(error_s) * 1000000 AS INTEGER), sum(CASE WHEN early OR late THEN 1 ELSE 0 END), sum(CASE WHEN late THEN 1 ELSE 0 END)
    FROM lessons WHERE error_s IS NOT NULL GROUP BY 1, 3, 4;
INSERT INTO lesson_days SELECT '', 'carrier', at / 86400000000, carrier, count(*), CAST(sum(abs(error_s)) * 1000000 AS INTEGER),
        CAST(sum(error_s) * 1000000 AS INTEGER), sum(CASE WHEN early OR late THEN 1 ELSE 0 END), sum(CASE WHEN late THEN 1 ELSE 0 END)
    FROM lessons WHERE error_s IS NOT NULL GROUP BY 1, 3, 4;
INSERT INTO lesson_days SELECT '', 'zone', at / 86400000000, zone, count(*), CAST(sum(abs(error_s)) * 1000000 AS INTEGER),
        CAST(sum(error_s) * 1000000 AS INTEGER), sum(CASE WHEN early OR late THEN 1 ELSE 0 END), sum(CASE WHEN late THEN 1 ELSE 0 END)
    FROM lessons WHERE error_s IS NOT NULL GROUP BY 1, 3, 4;
INSERT INTO lesson_days SELECT merchant_id, 'all', at / 86400000000, '', count(*), CAST(sum(abs(error_s)) * 1000000 AS INTEGER),
        CAST(sum(error_s) * 1000000 AS INTEGER), sum(CASE WHEN early OR late THEN 1 ELSE 0 END), sum(CASE WHEN late THEN 1 ELSE 0 END)
    FROM lessons WHERE error_s IS NOT NULL AND merchant_id <> '' GROUP BY 1, 3, 4;
INSERT INTO lesson_days SELECT merchant_id, 'merchant', at / 86400000000, merchant_id, count(*), CAST(sum(abs(error_s)) * 1000000 AS INTEGER),
        CAST(sum(error_s) * 1000000 AS INTEGER), sum(CASE WHEN early OR late THEN 1 ELSE 0 END), sum(CASE WHEN late THEN 1 ELSE 0 END)
    FROM lessons WHERE error_s IS NOT NULL AND merchant_id <> '' GROUP BY 1, 3, 4;
INSERT INTO lesson_days SELECT merchant_id, 'carrier', at / 86400000000, carrier, count(*), CAST(sum(abs(error_s)) * 1000000 AS INTEGER),
        CAST(sum(error_s) * 1000000 AS INTEGER), sum(CASE WHEN early OR late THEN 1 ELSE 0 END), sum(CASE WHEN late THEN 1 ELSE 0 END)
    FROM lessons WHERE error_s IS NOT NULL AND merchant_id <> '' GROUP BY 1, 3, 4;
INSERT INTO lesson_days SELECT merchant_id, 'zone', at / 86400000000, zone, count(*), CAST(sum(abs(error_s)) * 1000000 AS INTEGER),
        CAST(sum(error_s) * 1000000 AS INTEGER), sum(CASE WHEN early OR late THEN 1 ELSE 0 END), sum(CASE WHEN late THEN 1 ELSE 0 END)
    FROM lessons WHERE error_s IS NOT NULL AND merchant_id <> '' GROUP BY 1, 3, 4;
INSERT INTO lesson_days SELECT '', dimension || '/8', day / 8 * 8, name, sum(orders), sum(off), sum(bias), sum(missed), sum(late)
    FROM lesson_days WHERE scope = '' AND dimension IN ('merchant', 'zone') GROUP BY dimension, day / 8, name;
INSERT INTO lesson_days SELECT '', dimension || '/64', day / 64 * 64, name, sum(orders), sum(off), sum(bias), sum(missed), sum(late)
    FROM lesson_days WHERE scope = '' AND dimension IN ('merchant', 'zone') GROUP BY dimension, day / 64, name;
-- +goose StatementEnd

-- +goose Down
-- +goose StatementBegin
DROP TABLE lesson_days;
DELETE FROM report_days WHERE dimension LIKE '%/%';
DROP INDEX orders_exception;
CREATE INDEX orders_exception ON orders (exception, created_at, id, status, merchant_id) WHERE exception IS NOT NULL;
DROP INDEX orders_overdue;
ALTER TABLE search_segments DROP COLUMN built_at;
ALTER TABLE search_segments DROP COLUMN open;
-- +goose StatementEnd
