CREATE TABLE bitrix24_portal_tokens (
    member_id TEXT NOT NULL COLLATE BINARY,
    stored TEXT NOT NULL COLLATE BINARY,
    kind TEXT NOT NULL,
    -- Unix seconds, both.
    issued INTEGER,
    expires INTEGER,
    PRIMARY KEY (member_id, stored)
) STRICT, WITHOUT ROWID;
