-- The portals with due entries, however many others wait for a retry.
CREATE INDEX bitrix24_inbox_due ON bitrix24_inbox (due, member_id)
    WHERE state = 0 AND head = 1 AND suspect = 0;
