CREATE TABLE bitrix24_inbox (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key bytea NOT NULL,
    lane bytea,
    merge_key bytea,
    once bigint NOT NULL,
    member_id text COLLATE "C" NOT NULL,
    code text COLLATE "C" NOT NULL,
    subject text COLLATE "C" NOT NULL,
    handler_id bigint,
    -- Unix seconds by the portal's clock.
    ts bigint,
    -- Unix milliseconds, as are received, due and finished.
    first_received bigint NOT NULL,
    received bigint NOT NULL,
    merged bigint NOT NULL DEFAULT 0,
    -- 0 waiting, 1 running, 2 done, 3 dead.
    state bigint NOT NULL DEFAULT 0,
    -- 1 if the entry holds its lane.
    head bigint NOT NULL DEFAULT 0,
    -- The next attempt; while it runs, the end of the lease.
    due bigint NOT NULL,
    owner text COLLATE "C",
    attempts bigint NOT NULL DEFAULT 0,
    forgiven bigint NOT NULL DEFAULT 0,
    suspect bigint NOT NULL DEFAULT 0,
    replayed bigint NOT NULL DEFAULT 0,
    finished bigint,
    error text COLLATE "C",
    format bigint NOT NULL,
    key_id bigint,
    -- Sealed. NULL once it is not needed.
    body bytea,
    -- What runs holds its lane.
    CHECK (state <> 1 OR head = 1),
    CHECK (head = 0 OR state < 2)
);
-- One entry of a lane holds it, and only that one runs. The lanes of a portal's newest objects lie
-- together, so that a commit changes few pages of this index; those of keys alone would be random.
CREATE UNIQUE INDEX bitrix24_inbox_head ON bitrix24_inbox (lane) WHERE lane IS NOT NULL AND head = 1;
-- Those that wait behind the head of their lane.
CREATE INDEX bitrix24_inbox_behind ON bitrix24_inbox (lane, seq) WHERE head = 0 AND finished IS NULL;
-- Equal keys have equal lanes.
CREATE UNIQUE INDEX bitrix24_inbox_untried ON bitrix24_inbox (lane, key)
    WHERE lane IS NOT NULL AND head = 0 AND state = 0 AND attempts = 0;
CREATE UNIQUE INDEX bitrix24_inbox_once ON bitrix24_inbox (lane, key) WHERE lane IS NOT NULL AND once = 1;
CREATE UNIQUE INDEX bitrix24_inbox_untried_alone ON bitrix24_inbox (key)
    WHERE lane IS NULL AND state = 0 AND attempts = 0;
CREATE UNIQUE INDEX bitrix24_inbox_once_alone ON bitrix24_inbox (key) WHERE lane IS NULL AND once = 1;
CREATE INDEX bitrix24_inbox_ready ON bitrix24_inbox (member_id, due, seq)
    WHERE state = 0 AND head = 1 AND suspect = 0;
CREATE INDEX bitrix24_inbox_suspect ON bitrix24_inbox (due) WHERE suspect = 1;
CREATE INDEX bitrix24_inbox_running ON bitrix24_inbox (due) WHERE state = 1;
CREATE INDEX bitrix24_inbox_ended ON bitrix24_inbox (state, finished) WHERE state >= 2;
-- Accepted entries without a place in their lane yet, many in a row.
CREATE TABLE bitrix24_inbox_accepted (
    -- A multiple of 1024, greater than all numbers in both tables.
    seq bigint PRIMARY KEY,
    -- Unix milliseconds.
    received bigint NOT NULL,
    format bigint NOT NULL,
    -- The number of the entries, and one more for each 8 KiB.
    weight bigint NOT NULL,
    entries bytea NOT NULL
);
-- The same of one portal in each row, so that they need not get their place before those of others.
CREATE TABLE bitrix24_inbox_backlog (
    -- Such a number, or one of the next for the part of a pack that was divided.
    seq bigint PRIMARY KEY,
    member_id text COLLATE "C" NOT NULL,
    received bigint NOT NULL,
    format bigint NOT NULL,
    weight bigint NOT NULL,
    entries bytea NOT NULL
);
CREATE INDEX bitrix24_inbox_backlog_portal ON bitrix24_inbox_backlog (member_id, seq);
-- Sealed bodies are random bytes, which compressing would only take time.
ALTER TABLE bitrix24_inbox ALTER COLUMN body SET STORAGE EXTERNAL;
ALTER TABLE bitrix24_inbox_accepted ALTER COLUMN entries SET STORAGE EXTERNAL;
ALTER TABLE bitrix24_inbox_backlog ALTER COLUMN entries SET STORAGE EXTERNAL;
