CREATE TABLE bitrix24_portal_tokens (
    member_id text COLLATE "C" NOT NULL,
    stored text COLLATE "C" NOT NULL,
    kind text NOT NULL,
    -- Unix seconds, both.
    issued bigint,
    expires bigint,
    PRIMARY KEY (member_id, stored)
);
