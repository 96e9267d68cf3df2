CREATE TABLE bitrix24_inbox (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    key BLOB NOT NULL,
    lane BLOB,
    merge_key BLOB,
    once INTEGER NOT NULL,
    member_id TEXT NOT NULL,
    code TEXT NOT NULL,
    subject TEXT NOT NULL,
    handler_id INTEGER,
    -- Unix seconds by the portal's clock.
    ts INTEGER,
    -- Unix milliseconds, as are received, due and finished.
    first_received INTEGER NOT NULL,
    received INTEGER NOT NULL,
    merged INTEGER NOT NULL DEFAULT 0,
    -- 0 waiting, 1 running, 2 done, 3 dead.
    state INTEGER NOT NULL DEFAULT 0,
    -- 1 if the entry holds its lane.
    head INTEGER NOT NULL DEFAULT 0,
    -- The next attempt; while it runs, the end of the lease.
    due INTEGER NOT NULL,
    owner TEXT,
    attempts INTEGER NOT NULL DEFAULT 0,
    forgiven INTEGER NOT NULL DEFAULT 0,
    suspect INTEGER NOT NULL DEFAULT 0,
    replayed INTEGER NOT NULL DEFAULT 0,
    finished INTEGER,
    error TEXT,
    format INTEGER NOT NULL,
    key_id INTEGER,
    -- Sealed. NULL once it is not needed.
    body BLOB,
    -- What runs holds its lane.
    CHECK (state <> 1 OR head = 1),
    CHECK (head = 0 OR state < 2)
) STRICT;
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
    seq INTEGER PRIMARY KEY,
    -- Unix milliseconds.
    received INTEGER NOT NULL,
    format INTEGER NOT NULL,
    -- The number of the entries, and one more for each 8 KiB.
    weight INTEGER NOT NULL,
    entries BLOB NOT NULL
) STRICT;
-- The same of one portal in each row, so that they need not get their place before those of others.
CREATE TABLE bitrix24_inbox_backlog (
    -- Such a number, or one of the next for the part of a pack that was divided.
    seq INTEGER PRIMARY KEY,
    member_id TEXT NOT NULL,
    received INTEGER NOT NULL,
    format INTEGER NOT NULL,
    weight INTEGER NOT NULL,
    entries BLOB NOT NULL
) STRICT;
CREATE INDEX bitrix24_inbox_backlog_portal ON bitrix24_inbox_backlog (member_id, seq);
