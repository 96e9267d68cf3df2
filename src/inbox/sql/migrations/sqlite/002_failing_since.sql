-- The time of the first failed attempt, in unix milliseconds, if none has succeeded since.
ALTER TABLE bitrix24_inbox ADD COLUMN failing_since INTEGER;
CREATE INDEX bitrix24_inbox_blocked ON bitrix24_inbox (seq)
    WHERE state = 0 AND head = 1 AND failing_since IS NOT NULL;
