-- Ends an attempt, if it is still the owner's.
-- KEYS: the stream, the lease, the state of the first entry, the dead letters.
-- ARGV: the owner, the attempt, the id, the outcome, its pause in ms or its error.
if redis.call('GET', KEYS[2]) ~= ARGV[1] or redis.call('HGET', KEYS[3], 'attempts') ~= ARGV[2] then
    return 0
end
local outcome = ARGV[4]
if outcome == 'retry' then
    local time = redis.call('TIME')
    local due = time[1] * 1000 + math.floor(time[2] / 1000) + tonumber(ARGV[5])
    redis.call('HSET', KEYS[3], 'due', string.format('%.0f', due))
elseif outcome == 'released' then
    redis.call('HINCRBY', KEYS[3], 'attempts', -1)
else
    if outcome == 'dead' then
        local entry = redis.call('XRANGE', KEYS[1], ARGV[3], ARGV[3])[1]
        redis.call('XADD', KEYS[4], '*', 'error', ARGV[5], unpack(entry[2]))
    end
    redis.call('XDEL', KEYS[1], ARGV[3])
    redis.call('DEL', KEYS[3])
end
redis.call('DEL', KEYS[2])
return 1
