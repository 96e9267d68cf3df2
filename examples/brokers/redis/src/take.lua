-- Takes the first entry of a partition, if it is due and no other worker has it.
-- KEYS: the stream, the lease, the state of the first entry. ARGV: the owner, the lease in ms.
local owner = redis.call('GET', KEYS[2])
if owner and owner ~= ARGV[1] then
    return false
end
local first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
if not first then
    return false
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if tonumber(redis.call('HGET', KEYS[3], 'due') or 0) > now then
    return false
end
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
-- The attempt is counted before it begins, so that one that ends the worker counts.
local attempt = redis.call('HINCRBY', KEYS[3], 'attempts', 1)
return { first[1], attempt, first[2] }
