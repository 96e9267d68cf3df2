-- Adds an entry to its partition, unless it is sent once and was accepted within a day.
-- KEYS: the stream, the mark of an entry that is sent once. ARGV: `once` or `often`, the fields.
if ARGV[1] == 'once' and not redis.call('SET', KEYS[2], 1, 'NX', 'EX', 86400) then
    return 'duplicate'
end
redis.call('XADD', KEYS[1], '*', unpack(ARGV, 2))
return 'stored'
