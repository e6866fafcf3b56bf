-- counts.lua: the true numbers of one queue, at one moment. ARGV: max_dead, dead_ttl_ms.
-- What is too late to be started goes first, as far as a bounded look finds it.
-- Returns {ready, leased, delayed, dead, consumers, age of the oldest ready one in ms}.
local now, ready, leased, age = clock(), 0, 0, 0
for _, suffix in ipairs(suffixes()) do
    local stream, held = T .. ':s:' .. suffix, 0
    drop_late(stream, now, tonumber(ARGV[1]), tonumber(ARGV[2]))
    local pending = redis.pcall('XPENDING', stream, GROUP)
    if not pending.err then held = pending[1] end
    local length = redis.call('XLEN', stream)
    ready = ready + length - held
    leased = leased + held
    if length > held then
        local first = redis.call('XRANGE', stream, '(' .. last_taken(stream), '+', 'COUNT', 1)[1]
        local e = first and read(field(first[2], 'h'))
        if first then age = math.max(age, now - (e and e.accepted > 0 and e.accepted or entry_ms(first[1]))) end
    end
end
return {ready, leased, redis.call('ZCARD', T .. ':d'), redis.call('XLEN', T .. ':x'),
        redis.call('ZCOUNT', T .. ':c', num(now), '+inf'), age}
