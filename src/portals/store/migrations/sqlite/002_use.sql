-- When the token became known, and when it first verified an event: unix seconds, both.
ALTER TABLE bitrix24_portal_tokens ADD COLUMN added INTEGER;
ALTER TABLE bitrix24_portal_tokens ADD COLUMN used INTEGER;
